//go:build !unix

package lambdaapi

import "syscall"

// processGroups is false where a process can not be ended with its children;
// Server.Function refuses there.
const processGroups = false

func childAttr() *syscall.SysProcAttr { return nil }
func killGroup(int)                   {}
func terminateGroup(int)              {}

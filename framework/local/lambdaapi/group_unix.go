//go:build unix

package lambdaapi

import "syscall"

const processGroups = true

// killGroup and terminateGroup signal a process and all in its group. An error
// means that none is left.
func killGroup(pid int)      { _ = syscall.Kill(-pid, syscall.SIGKILL) }
func terminateGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGTERM) }

//go:build unix && !linux

package lambdaapi

import "syscall"

// childAttr puts a process into a group of its own. There is no parent-death
// signal outside Linux: processes survive a SIGKILL of this one until their next
// request of the Runtime API fails.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

package lambdaapi

import "syscall"

// childAttr puts a process into a group of its own and has the kernel kill it
// when the spawner's thread, and so this process, ends.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

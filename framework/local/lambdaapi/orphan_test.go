package lambdaapi_test

import (
	"bufio"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/local/lambdaapi"
)

// hostAndWait is a whole local runtime in a process of its own: it starts a
// handler that hangs (an idle one would end by itself, when its request for work
// fails), prints its pid, and waits to be killed.
func hostAndWait(binary, file string) {
	var addr string
	s := lambdaapi.NewServer(&lambdaapi.Options{Addr: func() string { return addr }})
	listener := httptest.NewServer(s.Handler())
	addr = strings.TrimPrefix(listener.URL, "http://")
	f, err := s.Function(lambdaapi.Config{Name: "orphan", Binary: binary, Timeout: time.Minute})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	f.Start(lambdaapi.Invocation{Payload: do{Do: "hang", Arg: file}.payload()}, func(r lambdaapi.Result) { fmt.Printf("ended: %s\n", r.Payload) })
	for {
		if _, err := os.Stat(file); err == nil {
			break
		}
		<-time.After(time.Millisecond)
	}
	fmt.Println(f.Processes()[0].PID)
	select {}
}

func TestNothingSurvivesTheRuntime(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a parent-death signal")
	}
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), "SLUICE_TEST_ORPHAN="+filepath.Join(binaries, "handler"), "SLUICE_TEST_ORPHAN_FILE="+filepath.Join(t.TempDir(), "hangs"),
		"TMPDIR="+t.TempDir()) // a killed runtime can not tidy up
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	_, scanErr := fmt.Fscan(bufio.NewReader(out), &pid)
	up := alive(pid)
	if err := host.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = host.Wait() // "signal: killed"
	if scanErr != nil || !up {
		t.Fatalf("the host started no handler (pid %d, %v)", pid, scanErr)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	eventually(t, "the end of the handler", func() bool { return !alive(pid) })
}

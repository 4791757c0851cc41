package lambdaapi_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/local/lambdaapi"
)

func TestTimeoutKillsTheProcessAndItsChildren(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.function(func(c *lambdaapi.Config) { c.Timeout = time.Second })
	r := invoke(t, f, do{Do: "hang-with-child", Arg: b.path("child")})
	wantFailure(t, r, "Sandbox.Timedout", "RequestId: req-hang-with-child Error: Task timed out after 1.00 seconds")
	child, err := strconv.Atoi(waitFile(t, b.path("child")))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the handler's child", func() bool { return !alive(child) })
	if !strings.Contains(string(r.Log), " req-hang-with-child Task timed out after 1.00 seconds") {
		t.Errorf("log tail %q does not tell of the time-out", r.Log)
	}
	if s := see(t, f, lambdaapi.Invocation{}); s.Count != 1 {
		t.Errorf("the next invocation was number %d of its process, want 1: a new process", s.Count)
	}
}

func TestExitTakesTheChildrenAlong(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := invoke(t, b.function(), do{Do: "exit-with-child", Arg: b.path("child")})
	wantFailure(t, r, "Runtime.ExitError", "RequestId: req-exit-with-child Error: Runtime exited with error: exit status 1")
	child, err := strconv.Atoi(waitFile(t, b.path("child")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(child, syscall.SIGKILL) })
	eventually(t, "the end of the handler's child", func() bool { return !alive(child) })
}

func TestExpireIsATimeoutWithoutTheWait(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.function(func(c *lambdaapi.Config) { c.Timeout = 15 * time.Minute })
	results := start(f, lambdaapi.Invocation{RequestID: "r1", Payload: do{Do: "hang", Arg: b.path("hangs")}.payload()})
	waitFile(t, b.path("hangs"))
	token := f.Processes()[0].Token
	if !b.server.Expire(token) {
		t.Fatal("Expire found no running invocation")
	}
	wantFailure(t, <-results, "Sandbox.Timedout", "RequestId: r1 Error: Task timed out after 900.00 seconds")
	if b.server.Expire(token) {
		t.Error("Expire of a process that is gone reports true")
	}
}

func TestSIGTERMComesFirstWithAnExtension(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.function(func(c *lambdaapi.Config) {
		c.Env = map[string]string{"SIGTERM_FILE": b.path("terminated"), "SIGTERM_ANSWERS": "1"}
	})
	results := start(f, lambdaapi.Invocation{RequestID: "r1", Payload: do{Do: "hang", Arg: b.path("hangs")}.payload()})
	waitFile(t, b.path("hangs"))
	b.server.Expire(f.Processes()[0].Token)
	wantFailure(t, <-results, "Sandbox.Timedout", "RequestId: r1 Error: Task timed out after 60.00 seconds")
	if status := waitFile(t, b.path("terminated")); status != "400 Bad Request" {
		t.Errorf("an answer after the deadline got %s, want 400: it must not count", status)
	}
	if strings.Contains(b.logged(), "WARNING") {
		t.Errorf("aws-lambda-go could not register its extension:\n%s", b.logged())
	}
}

func TestAnswerDuringCloseCounts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.function(func(c *lambdaapi.Config) {
		c.Env = map[string]string{"SIGTERM_FILE": b.path("terminated"), "SIGTERM_ANSWERS": "1"}
	})
	results := start(f, lambdaapi.Invocation{Payload: do{Do: "hang", Arg: b.path("hangs")}.payload()})
	waitFile(t, b.path("hangs"))
	if err := b.server.Close(); err != nil {
		t.Fatal(err)
	}
	if r := <-results; string(r.Payload) != `"late"` || waitFile(t, b.path("terminated")) != "202 Accepted" {
		t.Errorf("got %s, want the answer that was sent between SIGTERM and SIGKILL", r.Payload)
	}
}

func TestKillFromOutsideDuringAnInvocation(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"signal", "Kill"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			f := b.function()
			results := start(f, lambdaapi.Invocation{RequestID: "r1", Payload: do{Do: "hang", Arg: b.path("hangs")}.payload()})
			waitFile(t, b.path("hangs"))
			p := f.Processes()[0]
			if p.State != lambdaapi.StateBusy || p.RequestID != "r1" || p.Served != 1 {
				t.Errorf("process %+v, want it busy with r1", p)
			}
			if how == "signal" {
				if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			} else if !f.Kill(p.Token) {
				t.Fatal("Kill found no process")
			}
			r := <-results
			wantFailure(t, r, "Runtime.ExitError", "RequestId: r1 Error: Runtime exited with error: signal: killed")
			if r.Token != p.Token {
				t.Errorf("result names process %q, want %q", r.Token, p.Token)
			}
			if alive(p.PID) {
				t.Errorf("process %d is alive after the result", p.PID)
			}
			if s := see(t, f, lambdaapi.Invocation{}); s.PID == p.PID {
				t.Error("the next invocation went to the killed process")
			}
			if f.Kill(p.Token) {
				t.Error("Kill of a process that is gone reports true")
			}
		})
	}
}

func TestKillIdleProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.function()
	first := see(t, f, lambdaapi.Invocation{})
	b.server.Kill(f.Processes()[0].Token)
	// Started while the killed process may not be gone: it must wait for the
	// new one, not be handed to the old.
	second := see(t, f, lambdaapi.Invocation{})
	if first.PID == second.PID || second.Count != 1 {
		t.Errorf("pids %d and %d: want a new process", first.PID, second.PID)
	}
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	const processes, invocations = 3, 7
	b := newBench(t)
	f := b.function(func(c *lambdaapi.Config) { c.MaxConcurrency = processes })
	var results []<-chan lambdaapi.Result
	for i := range invocations {
		results = append(results, start(f, lambdaapi.Invocation{
			RequestID: strconv.Itoa(i),
			Payload:   do{Do: "wait-for", Arg: b.path("at" + strconv.Itoa(i)), Text: b.path("go" + strconv.Itoa(i))}.payload(),
		}))
	}
	for i := range processes {
		waitFile(t, b.path("at"+strconv.Itoa(i)))
	}
	if n, w := len(f.Processes()), f.Waiting(); n != processes || w != invocations-processes {
		t.Errorf("%d processes, %d waiting; want %d and %d", n, w, processes, invocations-processes)
	}
	for i := processes; i < invocations; i++ {
		if _, err := os.Stat(b.path("at" + strconv.Itoa(i))); err == nil {
			t.Errorf("invocation %d began while %d were running", i, processes)
		}
	}
	// Freeing one process lets exactly the next in order begin.
	pids := make(map[string]bool)
	for i := range invocations {
		if err := os.WriteFile(b.path("go"+strconv.Itoa(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r := <-results[i]
		pids[string(r.Payload)] = true
		if next := i + processes; next < invocations {
			waitFile(t, b.path("at"+strconv.Itoa(next)))
			if _, err := os.Stat(b.path("at" + strconv.Itoa(next+1))); err == nil {
				t.Errorf("invocation %d began before its turn", next+1)
			}
		}
	}
	if len(pids) != processes {
		t.Errorf("%d processes answered (%v), want %d", len(pids), pids, processes)
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *lambdaapi.Options) { o.Throttle = true })
	f := b.function()
	first := start(f, lambdaapi.Invocation{Payload: do{Do: "wait-for", Arg: b.path("at"), Text: b.path("go")}.payload()})
	second := <-start(f, lambdaapi.Invocation{})
	if !second.Throttled || second.FunctionError != "" || second.Token != "" || second.ErrorType != "TooManyRequestsException" {
		t.Errorf("got %+v, want a throttled invocation that never ran", second)
	}
	if err := os.WriteFile(b.path("go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := <-first; r.FunctionError != "" || r.Throttled {
		t.Errorf("the first invocation: %+v", r)
	}
	see(t, f, lambdaapi.Invocation{}) // not throttled: the process is free or about to be
}

func TestProcessThatNeverAsksAgainIsReplaced(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.function(func(c *lambdaapi.Config) { c.Timeout = time.Second })
	if r := invoke(t, f, do{Do: "answer-then-hang"}); string(r.Payload) != `"answered"` || r.FunctionError != "" {
		t.Errorf("got %s, want the answer", r.Payload)
	}
	if s := see(t, f, lambdaapi.Invocation{}); s.Count != 1 {
		t.Errorf("the next invocation was number %d of its process, want 1: a new process", s.Count)
	}
	eventually(t, "a note of the kill", func() bool { return strings.Contains(b.noted(), "did not ask for its next invocation") })
}

func TestAccessKeyFindsTheProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.function(func(c *lambdaapi.Config) { c.MaxConcurrency = 2 })
	first := start(f, lambdaapi.Invocation{RequestID: "r1", Payload: do{Do: "wait-for", Arg: b.path("at1"), Text: b.path("go")}.payload()})
	second := start(f, lambdaapi.Invocation{RequestID: "r2", Payload: do{Do: "wait-for", Arg: b.path("at2"), Text: b.path("go")}.payload()})
	waitFile(t, b.path("at1"))
	waitFile(t, b.path("at2"))
	keys := make(map[string]string)
	for _, p := range b.server.Processes() {
		state, requestID, ok := b.server.ProcessByAccessKey(p.AccessKey)
		if !ok || state.Token != p.Token {
			t.Errorf("key %s finds %+v, %v; want %+v", p.AccessKey, state, ok, p)
		}
		keys[requestID] = p.AccessKey
	}
	if len(keys) != 2 || keys["r1"] == "" || keys["r2"] == "" || keys["r1"] == keys["r2"] {
		t.Errorf("keys by request %v, want one of its own for r1 and r2", keys)
	}
	if err := os.WriteFile(b.path("go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-first
	<-second
	if _, requestID, ok := b.server.ProcessByAccessKey(keys["r1"]); !ok || requestID != "" {
		t.Errorf("after the answer: request %q, %v; want the process without one", requestID, ok)
	}
	if _, _, ok := b.server.ProcessByAccessKey("AKIAIOSFODNN7EXAMPLE"); ok {
		t.Error("a key that no process has finds one")
	}
}

func TestRecycle(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.function(func(c *lambdaapi.Config) { c.MaxConcurrency = 2 })
	idle := see(t, f, lambdaapi.Invocation{})
	busy := start(f, lambdaapi.Invocation{Payload: do{Do: "wait-for", Arg: b.path("at"), Text: b.path("go")}.payload()})
	waitFile(t, b.path("at"))
	f.Recycle()
	fresh := see(t, f, lambdaapi.Invocation{})
	if fresh.PID == idle.PID || fresh.Count != 1 {
		t.Errorf("after Recycle: pid %d, count %d; want a new process", fresh.PID, fresh.Count)
	}
	if err := os.WriteFile(b.path("go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := <-busy; string(r.Payload) != fmt.Sprint(idle.PID) {
		t.Errorf("the invocation that was running: %s, want the answer of %d", r.Payload, idle.PID)
	}
	eventually(t, "the end of the old process", func() bool { return !alive(idle.PID) })
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	idle := b.function(func(c *lambdaapi.Config) { c.Name = "idle" })
	busy := b.function(func(c *lambdaapi.Config) { c.Name = "busy" })
	tmp := ""
	for _, kv := range see(t, idle, lambdaapi.Invocation{}).Env {
		if v, ok := strings.CutPrefix(kv, "TMPDIR="); ok {
			tmp = v
		}
	}
	running := start(busy, lambdaapi.Invocation{RequestID: "r1", Payload: do{Do: "hang-with-child", Arg: b.path("child")}.payload()})
	waiting := start(busy, lambdaapi.Invocation{RequestID: "r2"})
	child, err := strconv.Atoi(waitFile(t, b.path("child")))
	if err != nil {
		t.Fatal(err)
	}
	pids := []int{child}
	for _, p := range b.server.Processes() {
		pids = append(pids, p.PID)
	}
	if err := b.server.Close(); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, <-running, "Runtime.ExitError", "RequestId: r1 Error: Runtime exited with error: signal: terminated")
	wantFailure(t, <-waiting, "ServiceException", "RequestId: r2 Error: the local runtime was closed before the function ran")
	wantFailure(t, <-start(busy, lambdaapi.Invocation{RequestID: "r3"}), "ServiceException", "RequestId: r3 Error: the local runtime is closed")
	if len(pids) != 3 {
		t.Errorf("%d processes ran, want 3", len(pids))
	}
	for _, pid := range pids {
		eventually(t, "the end of process "+strconv.Itoa(pid), func() bool { return !alive(pid) })
	}
	if left := b.server.Processes(); len(left) != 0 {
		t.Errorf("processes after Close: %+v", left)
	}
	if _, err := os.Stat(filepath.Dir(tmp)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("temporary directory %s is still there (%v)", filepath.Dir(tmp), err)
	}
	if err := b.server.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := b.server.Function(lambdaapi.Config{Name: "late", Binary: filepath.Join(binaries, "handler")}); err == nil {
		t.Error("a closed server took a function")
	}
}

func TestCloseKillsWhatIgnoresSIGTERM(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.function(func(c *lambdaapi.Config) { c.Env = map[string]string{"SIGTERM_FILE": b.path("terminated")} })
	running := start(f, lambdaapi.Invocation{RequestID: "r1", Payload: do{Do: "hang", Arg: b.path("hangs")}.payload()})
	waitFile(t, b.path("hangs"))
	pid := f.Processes()[0].PID
	if err := b.server.Close(); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, <-running, "Runtime.ExitError", "RequestId: r1 Error: Runtime exited with error: signal: killed")
	waitFile(t, b.path("terminated"))
	if alive(pid) {
		t.Errorf("process %d is alive after Close", pid)
	}
}

package lambdaapi_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/local/lambdaapi"
)

func badInit(b *bench, how string) *lambdaapi.Function {
	return b.function(func(c *lambdaapi.Config) {
		c.Binary = filepath.Join(binaries, "badinit")
		c.Env = map[string]string{"HOW": how, "STARTS": b.path("starts")}
	})
}

func starts(t *testing.T, b *bench) int {
	t.Helper()
	return strings.Count(waitFile(t, b.path("starts")), "\n")
}

func TestInitFailureFailsWhatWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := badInit(b, "exit")
	first := start(f, lambdaapi.Invocation{RequestID: "r1"})
	second := start(f, lambdaapi.Invocation{RequestID: "r2"})
	binary := filepath.Join(binaries, "badinit")
	for i, results := range []<-chan lambdaapi.Result{first, second} {
		wantFailure(t, <-results, "Runtime.ExitError", fmt.Sprintf(
			"RequestId: r%d Error: Runtime exited with error: exit status 7 (%s ended before it asked for its first invocation, 3 times; it last wrote: config: DATABASE is not set)", i+1, binary))
	}
	if n := starts(t, b); n != 3 {
		t.Errorf("started %d times, want 3", n)
	}
	// A later invocation tries anew.
	r := invoke(t, f, do{})
	if r.ErrorType != "Runtime.ExitError" || starts(t, b) != 6 {
		t.Errorf("later invocation: %s after %d starts, want another three", r.ErrorType, starts(t, b))
	}
}

func TestInitPanic(t *testing.T) {
	t.Parallel()
	r := invoke(t, badInit(newBench(t), "panic"), do{})
	if r.ErrorType != "Runtime.ExitError" || !strings.Contains(r.ErrorMessage, "exit status 2") || !strings.Contains(r.ErrorMessage, "panic: no table") {
		t.Errorf("got %s %q, want the exit and the panic's text", r.ErrorType, r.ErrorMessage)
	}
}

func TestInitErrorEndpoint(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	wantFailure(t, invoke(t, badInit(b, "init-error"), do{}), "Config.Missing", "DATABASE is not set")
	if !strings.Contains(b.logged(), "shop | 202\n") {
		t.Errorf("init/error was not answered 202:\n%s", b.logged())
	}
}

func TestInitRecovers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := invoke(t, badInit(b, "third"), do{})
	if string(r.Payload) != `"ok"` || starts(t, b) != 3 {
		t.Errorf("got %s after %d starts, want ok after 3", r.Payload, starts(t, b))
	}
}

func TestInitTimeout(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *lambdaapi.Options) { o.InitTimeout = 500 * time.Millisecond })
	r := invoke(t, badInit(b, "hang"), do{Do: "x"})
	if r.ErrorType != "Sandbox.Timedout" || !strings.HasPrefix(r.ErrorMessage, "RequestId: req-x Error: Init phase timed out after 0.50 seconds") {
		t.Errorf("got %s %q", r.ErrorType, r.ErrorMessage)
	}
}

func TestBinaryThatCanNotBeExecuted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	binary := b.path("bootstrap")
	if err := os.WriteFile(binary, []byte("not a program"), 0o700); err != nil {
		t.Fatal(err)
	}
	f := b.function(func(c *lambdaapi.Config) { c.Binary = binary })
	r := invoke(t, f, do{Do: "x"})
	if r.ErrorType != "Runtime.InvalidEntrypoint" || !strings.Contains(r.ErrorMessage, binary) || !strings.Contains(r.ErrorMessage, "exec format error") {
		t.Errorf("got %s %q", r.ErrorType, r.ErrorMessage)
	}
	if left := f.Processes(); len(left) != 0 {
		t.Errorf("processes that never started: %+v", left)
	}
}

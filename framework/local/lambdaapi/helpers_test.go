package lambdaapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/local/lambdaapi"
)

// binaries holds the built handlers, by the name of their directory.
var binaries string

func TestMain(m *testing.M) {
	if binary := os.Getenv("SLUICE_TEST_ORPHAN"); binary != "" {
		hostAndWait(binary, os.Getenv("SLUICE_TEST_ORPHAN_FILE"))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lambdaapi-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"handler", "badinit"} {
		cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", filepath.Join(dir, name), "./testdata/"+name)
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the handler %s: %v\n%s", name, err, out)
			return 1
		}
	}
	binaries = dir
	// What must not reach a handler.
	os.Setenv("SLUICE_TEST_CANARY", "leaked")
	os.Setenv("AWS_PROFILE", "leaked")
	return m.Run()
}

// bench is a Server behind a real listener.
type bench struct {
	t      *testing.T
	server *lambdaapi.Server
	dir    string

	mu     sync.Mutex
	events []lambdaapi.Event
	notes  []string
	log    bytes.Buffer
}

func newBench(t *testing.T, change ...func(*lambdaapi.Options)) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	var addr string
	opts := &lambdaapi.Options{
		Addr: func() string { return addr },
		Observe: func(e lambdaapi.Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events = append(b.events, e)
		},
		Logf: func(format string, args ...any) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.notes = append(b.notes, fmt.Sprintf(format, args...))
		},
	}
	for _, c := range change {
		c(opts)
	}
	b.server = lambdaapi.NewServer(opts)
	prefix := opts.Prefix
	if prefix == "" {
		prefix = "lambda-runtime"
	}
	mux := http.NewServeMux()
	mux.Handle("/"+prefix+"/", b.server.Handler())
	listener := httptest.NewServer(mux)
	addr = strings.TrimPrefix(listener.URL, "http://")
	t.Cleanup(func() {
		if err := b.server.Close(); err != nil {
			t.Error(err)
		}
		listener.Close()
	})
	return b
}

// Write makes a bench a function's log.
func (b *bench) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

func (b *bench) logged() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}

func (b *bench) noted() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.notes, "\n")
}

// kinds lists the events seen so far, as "kind" or "kind reason".
func (b *bench) kinds() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []string
	for _, e := range b.events {
		list = append(list, strings.TrimSpace(string(e.Kind)+" "+e.Reason))
	}
	return list
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) function(change ...func(*lambdaapi.Config)) *lambdaapi.Function {
	b.t.Helper()
	cfg := lambdaapi.Config{
		Name: "shop", Binary: filepath.Join(binaries, "handler"), Timeout: time.Minute, LogOutput: b,
	}
	for _, c := range change {
		c(&cfg)
	}
	f, err := b.server.Function(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	return f
}

// do is one event of the test handler.
type do struct {
	Do   string `json:"do"`
	Arg  string `json:"arg"`
	Text string `json:"text"`
}

func (d do) payload() []byte {
	p, _ := json.Marshal(d)
	return p
}

// seen is what the test handler answers.
type seen struct {
	PID       int
	Count     int
	RequestID string
	ARN       string
	Trace     string
	Custom    map[string]string
	Remaining time.Duration
	Env       []string
	Dir       string
	Text      string
}

// start begins an invocation; the channel gets its result.
func start(f *lambdaapi.Function, inv lambdaapi.Invocation) <-chan lambdaapi.Result {
	results := make(chan lambdaapi.Result, 2) // 2: a second call of done is seen, not blocked
	f.Start(inv, func(r lambdaapi.Result) { results <- r })
	return results
}

func invoke(t *testing.T, f *lambdaapi.Function, d do) lambdaapi.Result {
	t.Helper()
	r, err := f.Invoke(t.Context(), lambdaapi.Invocation{RequestID: "req-" + d.Do, Payload: d.payload()})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// see invokes the handler and decodes what it saw.
func see(t *testing.T, f *lambdaapi.Function, inv lambdaapi.Invocation) seen {
	t.Helper()
	r, err := f.Invoke(t.Context(), inv)
	if err != nil {
		t.Fatal(err)
	}
	if r.FunctionError != "" {
		t.Fatalf("the function failed: %s %s", r.FunctionError, r.Payload)
	}
	var s seen
	if err := json.Unmarshal(r.Payload, &s); err != nil {
		t.Fatalf("decode %s: %v", r.Payload, err)
	}
	return s
}

// wantFailure checks the whole error document.
func wantFailure(t *testing.T, r lambdaapi.Result, errorType, message string) {
	t.Helper()
	var doc struct{ ErrorType, ErrorMessage string }
	if err := json.Unmarshal(r.Payload, &doc); err != nil {
		t.Errorf("payload %q is no error document: %v", r.Payload, err)
	}
	if r.FunctionError != "Unhandled" || r.ErrorType != errorType || doc.ErrorType != errorType {
		t.Errorf("got %q, type %q, payload %s; want Unhandled, type %q", r.FunctionError, r.ErrorType, r.Payload, errorType)
	}
	if r.ErrorMessage != message || doc.ErrorMessage != message {
		t.Errorf("message %q (payload %s)\nwant    %q", r.ErrorMessage, r.Payload, message)
	}
}

// eventually polls for something that another process does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit:
			t.Fatalf("%s: not seen within 30 s", what)
		case <-tick.C:
		}
	}
}

func waitFile(t *testing.T, path string) string {
	t.Helper()
	var content []byte
	eventually(t, path, func() (ok bool) {
		var err error
		content, err = os.ReadFile(path)
		return err == nil
	})
	return string(content)
}

// alive says whether a process exists and is not a zombie that awaits reaping.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

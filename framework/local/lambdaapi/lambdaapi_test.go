package lambdaapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/local/lambdaapi"
)

func TestInvokeReusesTheProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.function(func(c *lambdaapi.Config) { c.MaxConcurrency = 4 })

	first := see(t, f, lambdaapi.Invocation{
		RequestID: "r1", FunctionARN: "arn:aws:lambda:us-east-1:000000000000:function:shop:live",
		TraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0", Payload: do{Text: "hello"}.payload(),
	})
	second := see(t, f, lambdaapi.Invocation{})
	if first.PID != second.PID || first.Count != 1 || second.Count != 2 {
		t.Errorf("pids %d and %d, counts %d and %d: want one process", first.PID, second.PID, first.Count, second.Count)
	}
	if first.RequestID != "r1" || first.ARN != "arn:aws:lambda:us-east-1:000000000000:function:shop:live" || first.Text != "hello" {
		t.Errorf("got %+v", first)
	}
	if first.Trace != "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0" {
		t.Errorf("trace header %q", first.Trace)
	}
	if len(second.RequestID) != 36 || !strings.HasSuffix(second.ARN, ":function:shop") || !strings.HasPrefix(second.Trace, "Root=1-") {
		t.Errorf("defaults of an invocation: %+v", second)
	}
	if first.Remaining <= 0 || first.Remaining > time.Minute {
		t.Errorf("remaining time %v, want up to the timeout of 1m0s", first.Remaining)
	}
	if first.Dir != binaries {
		t.Errorf("working directory %q, want the binary's", first.Dir)
	}
	want := []string{"process-started", "process-ready", "invocation-started", "invocation-ended", "invocation-started", "invocation-ended"}
	eventually(t, "events", func() bool { return len(b.kinds()) >= len(want) })
	if diff := cmp.Diff(want, b.kinds()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		do            do
		errorType     string
		message       string
		processEnds   bool
		wantEndReason string
	}{
		{do{Do: "error", Arg: "17"}, "noSuchOrder", "no order 17", false, ""},
		{do{Do: "panic", Arg: "boom"}, "string", "boom", true, "exit status 1"},
		{do{Do: "exit", Arg: "3"}, "Runtime.ExitError", "RequestId: req-exit Error: Runtime exited with error: exit status 3", true, "exit status 3"},
		{do{Do: "exit", Arg: "0"}, "Runtime.ExitError", "RequestId: req-exit Error: Runtime exited without providing a reason", true, ""},
		{do{Do: "kill-self"}, "Runtime.ExitError", "RequestId: req-kill-self Error: Runtime exited with error: signal: killed", true, "signal: killed"},
		{do{Do: "large", Arg: "6291600"}, "Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (6291556 bytes).", true, "exit status 1"},
		{do{Do: "stream-error"}, "errorString", "stream broke", false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.do.Do+tt.do.Arg, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			f := b.function()
			before := see(t, f, lambdaapi.Invocation{})
			r := invoke(t, f, tt.do)
			var doc struct{ ErrorMessage string }
			_ = json.Unmarshal(r.Payload, &doc)
			wantFailure(t, r, tt.errorType, tt.message)

			after := see(t, f, lambdaapi.Invocation{})
			if ended := before.PID != after.PID; ended != tt.processEnds {
				t.Errorf("process replaced: %v, want %v", ended, tt.processEnds)
			}
			var reasons []string
			for _, k := range b.kinds() {
				if rest, ok := strings.CutPrefix(k, "process-exited"); ok {
					reasons = append(reasons, strings.TrimSpace(rest))
				}
			}
			var want []string
			if tt.processEnds {
				want = []string{tt.wantEndReason}
			}
			if diff := cmp.Diff(want, reasons); diff != "" {
				t.Errorf("exits (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPanicCarriesItsStack(t *testing.T) {
	t.Parallel()
	r := invoke(t, newBench(t).function(), do{Do: "panic", Arg: "boom"})
	var doc struct {
		StackTrace []struct{ Path, Label string }
	}
	if err := json.Unmarshal(r.Payload, &doc); err != nil || len(doc.StackTrace) == 0 {
		t.Errorf("payload %s has no stack trace (%v)", r.Payload, err)
	}
}

func TestEnvironmentIsClean(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *lambdaapi.Options) {
		o.Region, o.Account = "eu-west-1", "111122223333"
		o.Env = map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
	})
	f := b.function(func(c *lambdaapi.Config) {
		c.Env = map[string]string{"TABLE": "orders"}
		c.MemoryMB, c.Version, c.LogFormat, c.LogLevel = 256, "7", "JSON", "DEBUG"
	})
	s := see(t, f, lambdaapi.Invocation{})
	p := f.Processes()[0]
	got := make(map[string]string)
	for _, kv := range s.Env {
		name, value, _ := strings.Cut(kv, "=")
		got[name] = value
	}
	if !strings.HasSuffix(got["AWS_LAMBDA_RUNTIME_API"], "/lambda-runtime/"+p.Token) || !strings.HasPrefix(got["AWS_LAMBDA_RUNTIME_API"], "127.0.0.1:") {
		t.Errorf("AWS_LAMBDA_RUNTIME_API=%q", got["AWS_LAMBDA_RUNTIME_API"])
	}
	if !strings.Contains(got["AWS_LAMBDA_LOG_STREAM_NAME"], "/[7]") {
		t.Errorf("AWS_LAMBDA_LOG_STREAM_NAME=%q", got["AWS_LAMBDA_LOG_STREAM_NAME"])
	}
	if info, err := os.Stat(got["TMPDIR"]); err != nil || !info.IsDir() {
		t.Errorf("TMPDIR=%q is no directory (%v)", got["TMPDIR"], err)
	}
	for _, name := range []string{"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_LOG_STREAM_NAME", "TMPDIR", "_X_AMZN_TRACE_ID"} {
		delete(got, name) // the last is set by aws-lambda-go itself
	}
	want := map[string]string{
		"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "en_US.UTF-8", "TZ": ":UTC",
		"_HANDLER": "bootstrap", "LAMBDA_TASK_ROOT": binaries,
		"AWS_LAMBDA_FUNCTION_NAME": "shop", "AWS_LAMBDA_FUNCTION_VERSION": "7", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
		"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/shop",
		"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
		"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1",
		"AWS_ACCESS_KEY_ID": p.AccessKey, "AWS_SECRET_ACCESS_KEY": "local", "AWS_SESSION_TOKEN": "local",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "SLUICE_LOCAL": "1", "TABLE": "orders",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if !strings.HasSuffix(s.ARN, "arn:aws:lambda:eu-west-1:111122223333:function:shop") {
		t.Errorf("function ARN %q", s.ARN)
	}
}

func TestReservedVariablesAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, name := range []string{"AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "AWS_ACCESS_KEY_ID", "_HANDLER", "SLUICE_LOCAL", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "_LAMBDA_SERVER_PORT", "AWS_LAMBDA_MAX_CONCURRENCY", "A=B", ""} {
		_, err := b.server.Function(lambdaapi.Config{Name: "f", Binary: filepath.Join(binaries, "handler"), Env: map[string]string{name: "x"}})
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), `function "f"`) {
			t.Errorf("%q: error %v, want a refusal that names it", name, err)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.function()
	binary := filepath.Join(binaries, "handler")
	for name, tt := range map[string]struct {
		cfg  lambdaapi.Config
		want string
	}{
		"no name":     {lambdaapi.Config{Binary: binary}, "Name is empty"},
		"twice":       {lambdaapi.Config{Name: "shop", Binary: binary}, "one of this name already"},
		"no file":     {lambdaapi.Config{Name: "f", Binary: b.path("none")}, "build the handler first"},
		"directory":   {lambdaapi.Config{Name: "f", Binary: binaries}, "not an executable file"},
		"timeout":     {lambdaapi.Config{Name: "f", Binary: binary, Timeout: time.Hour}, "Timeout 1h0m0s"},
		"concurrency": {lambdaapi.Config{Name: "f", Binary: binary, MaxConcurrency: -1}, "MaxConcurrency -1"},
		"memory":      {lambdaapi.Config{Name: "f", Binary: binary, MemoryMB: -1}, "MemoryMB -1"},
		"log format":  {lambdaapi.Config{Name: "f", Binary: binary, LogFormat: "xml"}, `LogFormat "xml"`},
	} {
		if _, err := b.server.Function(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
	}
	if _, err := lambdaapi.NewServer(nil).Function(lambdaapi.Config{Name: "f", Binary: binary}); err == nil || !strings.Contains(err.Error(), "Options.Addr") {
		t.Errorf("a server without an address: error %v", err)
	}
}

func TestClockOffsetIsPerInvocation(t *testing.T) {
	t.Parallel()
	f := newBench(t).function()
	first := see(t, f, lambdaapi.Invocation{ClockOffset: 90 * time.Minute, ClientContext: []byte(`{"client":{"app_title":"t"},"custom":{"tenant":"a"}}`)})
	second := see(t, f, lambdaapi.Invocation{ClockOffset: -time.Nanosecond})
	third := see(t, f, lambdaapi.Invocation{})
	if first.PID != third.PID {
		t.Fatal("not one warm process")
	}
	want := []map[string]string{
		{"sluice-clock-offset": "5400000000000", "tenant": "a"},
		{"sluice-clock-offset": "-1"},
		{"sluice-clock-offset": "0"},
	}
	if diff := cmp.Diff(want, []map[string]string{first.Custom, second.Custom, third.Custom}); diff != "" {
		t.Errorf("custom client contexts (-want +got):\n%s", diff)
	}
}

func TestInvocationIsChecked(t *testing.T) {
	t.Parallel()
	f := newBench(t).function()
	for name, tt := range map[string]struct {
		inv       lambdaapi.Invocation
		errorType string
	}{
		"not json":      {lambdaapi.Invocation{Payload: []byte("{")}, "InvalidRequestContentException"},
		"too large":     {lambdaapi.Invocation{Payload: []byte(`"` + strings.Repeat("x", 6<<20) + `"`)}, "RequestTooLargeException"},
		"context":       {lambdaapi.Invocation{ClientContext: []byte("[]")}, "InvalidRequestContentException"},
		"context null":  {lambdaapi.Invocation{ClientContext: []byte("null")}, "InvalidRequestContentException"},
		"context array": {lambdaapi.Invocation{ClientContext: []byte(`{"custom":[]}`)}, "InvalidRequestContentException"},
	} {
		r, err := f.Invoke(t.Context(), tt.inv)
		if err != nil || r.ErrorType != tt.errorType || r.FunctionError != "Unhandled" || r.Token != "" {
			t.Errorf("%s: %v, %+v; want %s and no process", name, err, r, tt.errorType)
		}
	}
}

func TestSixMegabytesBothWays(t *testing.T) {
	t.Parallel()
	f := newBench(t).function()
	frame := len(do{Do: "", Text: ""}.payload())
	text := strings.Repeat("x", 6<<20-frame)
	payload := do{Text: text}.payload()
	if len(payload) != 6<<20 {
		t.Fatalf("payload of %d bytes, want exactly the limit", len(payload))
	}
	r, err := f.Invoke(t.Context(), lambdaapi.Invocation{Payload: payload})
	if err != nil {
		t.Fatal(err)
	}
	// The answer holds the text and more, so it is over the limit.
	if r.ErrorType != "Function.ResponseSizeTooLarge" {
		t.Errorf("echo of 6 MB and a frame: %q %.100s", r.ErrorType, r.Payload)
	}
	r = invoke(t, f, do{Do: "large", Arg: strconv.Itoa(6<<20 + 100 - 2)})
	if r.FunctionError != "" || len(r.Payload) != 6<<20+100 {
		t.Errorf("answer of the largest size: %s, %d bytes", r.ErrorType, len(r.Payload))
	}
	half := text[:3<<20]
	if s := see(t, f, lambdaapi.Invocation{Payload: do{Text: half}.payload()}); s.Text != half {
		t.Errorf("echo of 3 MB changed it: %d bytes came back", len(s.Text))
	}
}

func TestAnswersOutOfTurnAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.function()
	r := invoke(t, f, do{Do: "probe", Arg: "POST", Text: "invocation/other/response"})
	if string(r.Payload) != `"400 InvalidRequestID"` {
		t.Errorf("an answer to another request id: %s", r.Payload)
	}
	r = invoke(t, f, do{Do: "probe", Arg: "GET", Text: "invocation/next"})
	if string(r.Payload) != `"403 InvalidStateTransition"` {
		t.Errorf("asking for work while busy: %s", r.Payload)
	}
	r = invoke(t, f, do{Do: "probe", Arg: "POST", Text: "init/error"})
	if string(r.Payload) != `"403 InvalidStateTransition"` {
		t.Errorf("an init error after the start: %s", r.Payload)
	}
	r = invoke(t, f, do{Do: "probe", Arg: "GET", Text: "restore/next"})
	if string(r.Payload) != `"404 NotEmulated"` || !strings.Contains(b.noted(), "restore/next") {
		t.Errorf("a call that is not served: %s; notes: %s", r.Payload, b.noted())
	}
	results := start(f, lambdaapi.Invocation{RequestID: "twice", Payload: do{Do: "answer-twice"}.payload()})
	if r := <-results; string(r.Payload) != `"first"` {
		t.Errorf("two answers: got %s, want the first", r.Payload)
	}
	see(t, f, lambdaapi.Invocation{}) // aws-lambda-go exits when its answer is refused: a new process
	select {
	case r := <-results:
		t.Errorf("a second result for one invocation: %+v", r)
	default:
	}
}

func TestExtensionsAreRefusedByName(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.function()
	for _, tt := range []struct{ path, body, want, noted string }{
		{"register", `{"events":["INVOKE","SHUTDOWN"]}`, `"403 Extension.InvalidEventType"`, "INVOKE, SHUTDOWN"},
		{"register", `{"events":[]}`, `"403 Extension.RegistrationClosed"`, ""},
		{"register", `[`, `"403 InvalidRequestFormat"`, ""},
		{"exit/error", `{}`, `"404 NotEmulated"`, "extension/exit/error"},
	} {
		r := invoke(t, f, do{Do: "extension", Arg: tt.path, Text: tt.body})
		if string(r.Payload) != tt.want || !strings.Contains(b.noted(), tt.noted) {
			t.Errorf("%s %s: got %s, notes %q; want %s and a note of %q", tt.path, tt.body, r.Payload, b.noted(), tt.want, tt.noted)
		}
	}
}

func TestOutputIsLogged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.function()
	invoke(t, f, do{Do: "print", Arg: "one\ntwo"})
	r := invoke(t, f, do{Do: "exit", Arg: "1"})
	if !strings.Contains(string(r.Log), "about to exit\n") {
		t.Errorf("log tail of the exit: %q", r.Log)
	}
	want := "shop | one\nshop | two\nshop | no line breakabout to exit\n"
	if got := b.logged(); got != want {
		t.Errorf("log %q\nwant %q", got, want)
	}
}

func TestInvokeGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.function()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Invoke(ctx, lambdaapi.Invocation{Payload: do{Do: "hang", Arg: b.path("hangs")}.payload()})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), `function "shop"`) {
		t.Errorf("error %v", err)
	}
}

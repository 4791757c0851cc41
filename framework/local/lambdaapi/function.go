package lambdaapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-go/sluice/framework/env"
)

// Config describes one function.
type Config struct {
	// Name is the function's name. Required, and unique in a Server.
	Name string

	// ARN is the function's ARN. Default: made of the Server's region and
	// account and Name.
	ARN string

	// Binary is the handler's executable file. Required.
	Binary string

	// Dir is the working directory and LAMBDA_TASK_ROOT. Default: Binary's.
	Dir string

	// Env holds the function's own variables. Those that Lambda reserves, and
	// those that would lead the function away from the local runtime, are
	// refused. Nothing is inherited from this process.
	Env map[string]string

	// Timeout is how long one invocation may take. Default 3 s, maximum 15
	// minutes, as on AWS.
	Timeout time.Duration

	// MemoryMB is what AWS_LAMBDA_FUNCTION_MEMORY_SIZE says. Default 128. It
	// is not enforced.
	MemoryMB int

	// MaxConcurrency is how many processes there may be at a time. Default 1.
	MaxConcurrency int

	// Version is what AWS_LAMBDA_FUNCTION_VERSION says. Default "$LATEST".
	Version string

	// LogFormat and LogLevel are the function's LoggingConfig: "Text" (the
	// default) or "JSON", and with JSON the application log level.
	LogFormat, LogLevel string

	// LogOutput gets what the processes write to stdout and stderr: one Write
	// a line, each starting with the function's name and " | ". Writes of one
	// Server never overlap. A line longer than 256 KiB (CloudWatch's limit of
	// one event) is cut into several. Nil discards.
	LogOutput io.Writer
}

// Function is a function of a Server. It is safe for concurrent use.
type Function struct {
	server *Server
	cfg    Config

	// Guarded by server.mu:
	queue      []*invocation
	processes  []*process // not yet gone, in the order of their start
	generation int        // raised by Recycle
	round      int        // raised when a series of failed starts ends
	failures   int        // failed starts in this round
}

// invocation is an Invocation under way.
type invocation struct {
	Invocation
	clientContext string
	done          func(Result)
	started       time.Time
	deadline      time.Time
}

// initTries is how often a process that ends before it asks for work is
// started before the waiting invocations fail.
const initTries = 3

// Function adds a function. It starts no process.
func (s *Server) Function(cfg Config) (*Function, error) {
	if s.opts.Addr == nil {
		return nil, errNoAddr
	}
	if err := cfg.complete(&s.opts); err != nil {
		return nil, fmt.Errorf("function %q: %w", cfg.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("function %q: the local runtime is closed: make a new one", cfg.Name)
	}
	if s.functions[cfg.Name] != nil {
		return nil, fmt.Errorf("function %q: there is one of this name already: give each function its own name", cfg.Name)
	}
	f := &Function{server: s, cfg: cfg}
	s.functions[cfg.Name] = f
	return f, nil
}

// complete checks a Config and fills in its defaults.
func (c *Config) complete(opts *Options) error {
	if !processGroups {
		return errors.New("this operating system has no process groups, so processes could not be ended: run on Linux or macOS")
	}
	switch {
	case c.Name == "":
		return errors.New("Name is empty: give the function's name")
	case c.Timeout < 0 || c.Timeout > 15*time.Minute:
		return fmt.Errorf("Timeout %v is out of range: give 1 s to 15 min, or 0 for 3 s", c.Timeout)
	case c.MaxConcurrency < 0:
		return fmt.Errorf("MaxConcurrency %d is negative: give at least 1, or 0 for 1", c.MaxConcurrency)
	case c.MemoryMB < 0:
		return fmt.Errorf("MemoryMB %d is negative: give the function's memory, or 0 for 128", c.MemoryMB)
	case c.LogFormat != "" && c.LogFormat != "Text" && c.LogFormat != "JSON":
		return fmt.Errorf("LogFormat %q is unknown: give Text or JSON", c.LogFormat)
	}
	info, err := os.Stat(c.Binary)
	if err != nil {
		return fmt.Errorf("Binary: %w: build the handler first", err)
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("Binary %s is not an executable file: give the built handler", c.Binary)
	}
	if c.Binary, err = filepath.Abs(c.Binary); err != nil {
		return fmt.Errorf("Binary: %w", err)
	}
	if err := checkEnv(c.Env); err != nil {
		return err
	}
	c.Env = maps.Clone(c.Env)
	if c.Dir == "" {
		c.Dir = filepath.Dir(c.Binary)
	}
	if c.ARN == "" {
		c.ARN = "arn:aws:lambda:" + opts.Region + ":" + opts.Account + ":function:" + c.Name
	}
	if c.Timeout == 0 {
		c.Timeout = 3 * time.Second
	}
	if c.MemoryMB == 0 {
		c.MemoryMB = 128
	}
	if c.MaxConcurrency == 0 {
		c.MaxConcurrency = 1
	}
	if c.Version == "" {
		c.Version = "$LATEST"
	}
	if c.LogFormat == "" {
		c.LogFormat = "Text"
	}
	return nil
}

// Name is the function's name.
func (f *Function) Name() string { return f.cfg.Name }

// Start begins an invocation and returns at once, without waiting for anything.
// done is called exactly once, from another goroutine; see Options.Observe.
func (f *Function) Start(inv Invocation, done func(Result)) {
	now := time.Now()
	if inv.RequestID == "" {
		inv.RequestID = newRequestID()
	}
	if inv.FunctionARN == "" {
		inv.FunctionARN = f.cfg.ARN
	}
	if inv.TraceHeader == "" {
		inv.TraceHeader = newTraceHeader(now)
	}
	if len(inv.Payload) == 0 {
		inv.Payload = []byte("{}")
	}
	call := &invocation{Invocation: inv, done: done}
	refusal, err := call.check()

	s := f.server
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		f.end(call, nil, failure(refusal, err.Error()))
	case s.closed:
		f.end(call, nil, failure(ErrorTypeClosed, fmt.Sprintf("RequestId: %s Error: the local runtime is closed", inv.RequestID)))
	case s.opts.Throttle && len(f.queue) >= f.free():
		r := failure(ErrorTypeThrottled, "Rate Exceeded.")
		r.FunctionError, r.Throttled = "", true
		f.end(call, nil, r)
	default:
		f.queue = append(f.queue, call)
		f.pump()
	}
}

// Invoke is Start and wait. A function that fails is a Result with
// FunctionError, not an error; the only error is that of ctx, after which the
// invocation goes on and its result is dropped.
func (f *Function) Invoke(ctx context.Context, inv Invocation) (Result, error) {
	results := make(chan Result, 1)
	f.Start(inv, func(r Result) { results <- r })
	select {
	case r := <-results:
		return r, nil
	case <-ctx.Done():
		return Result{}, fmt.Errorf("function %q: waiting for the result: %w", f.cfg.Name, context.Cause(ctx))
	}
}

// Recycle replaces the function's processes, as after a new build of Binary:
// idle ones end now, the others after the invocation they are running. The next
// invocation starts from the file as it is then.
func (f *Function) Recycle() {
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	f.generation++
	for _, p := range f.processes {
		if p.next != nil || p.starting {
			f.server.terminate(p)
		}
	}
}

// Kill is Server.Kill for a process of this function.
func (f *Function) Kill(token string) bool {
	s := f.server
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byToken[token]
	if p == nil || p.fn != f {
		return false
	}
	s.kill(p)
	return true
}

// Processes lists the function's processes in the order of their start.
func (f *Function) Processes() []ProcessState {
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	states := make([]ProcessState, 0, len(f.processes))
	for _, p := range f.processes {
		states = append(states, p.state())
	}
	return states
}

// Waiting is how many invocations wait for a process.
func (f *Function) Waiting() int {
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	return len(f.queue)
}

// check refuses what Lambda's Invoke API refuses, by its error type, and builds
// the client context.
func (inv *invocation) check() (errorType string, err error) {
	if n := len(inv.Payload); n > maxRequestBytes {
		return ErrorTypeRequestSize, fmt.Errorf("%d byte payload is too large: Request must be smaller than %d bytes for the InvokeFunction operation", n, maxRequestBytes)
	}
	if !json.Valid(inv.Payload) {
		return ErrorTypeBadRequest, errors.New("payload is not JSON: Could not parse request body into json")
	}
	client := make(map[string]json.RawMessage)
	custom := make(map[string]json.RawMessage)
	if len(inv.ClientContext) > 0 {
		if err := json.Unmarshal(inv.ClientContext, &client); err != nil || client == nil {
			return ErrorTypeBadRequest, fmt.Errorf("client context is not a JSON object: %w", err)
		}
		if raw, ok := client["custom"]; ok {
			if err := json.Unmarshal(raw, &custom); err != nil || custom == nil {
				return ErrorTypeBadRequest, fmt.Errorf(`client context: "custom" is not a JSON object: %w`, err)
			}
		}
	}
	custom[env.ClockOffset] = json.RawMessage(strconv.Quote(strconv.FormatInt(int64(inv.ClockOffset), 10)))
	if client["custom"], err = json.Marshal(custom); err != nil {
		return ErrorTypeBadRequest, fmt.Errorf("client context: %w", err)
	}
	text, err := json.Marshal(client)
	if err != nil {
		return ErrorTypeBadRequest, fmt.Errorf("client context: %w", err)
	}
	inv.clientContext = string(text)
	return "", nil
}

// free is how many invocations the processes that exist or may be started can
// take. server.mu is held.
func (f *Function) free() int {
	n := f.cfg.MaxConcurrency - len(f.processes)
	for _, p := range f.processes {
		if p.available() {
			n++
		}
	}
	return n
}

// pump hands waiting invocations to processes that ask for work, and starts
// processes for the rest. server.mu is held.
func (f *Function) pump() {
	for len(f.queue) > 0 {
		i := slices.IndexFunc(f.processes, func(p *process) bool { return p.next != nil && !p.dead })
		if i < 0 {
			break
		}
		inv := f.queue[0]
		f.queue = f.queue[1:]
		f.server.dispatch(f.processes[i], inv)
	}
	coming := 0
	for _, p := range f.processes {
		if p.available() {
			coming++
		}
	}
	for coming < len(f.queue) && len(f.processes) < f.cfg.MaxConcurrency && !f.server.closed {
		f.server.spawn(f)
		coming++
	}
}

// failQueued ends every invocation that waits. server.mu is held.
func (f *Function) failQueued(result func(*invocation) Result) {
	queue := f.queue
	f.queue = nil
	for _, inv := range queue {
		f.end(inv, nil, result(inv))
	}
}

// end delivers a result. p is nil if no process ran it. server.mu is held.
func (f *Function) end(inv *invocation, p *process, r Result) {
	e := Event{Kind: InvocationEnded, Function: f.cfg.Name, RequestID: inv.RequestID}
	if p != nil {
		r.Token, r.Duration, r.Log = p.token, time.Since(inv.started), p.tail.take()
		e.Token, e.PID = p.token, p.pid
	}
	e.Duration, e.Result = r.Duration, &r
	f.server.observe(e)
	f.server.later(func() { inv.done(r) })
}

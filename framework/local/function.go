package local

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// Function is what mappings and asynchronous invocations run.
type Function interface {
	// Start begins one invocation and returns at once. done must be called exactly once, from any goroutine, also from within Start; later calls are ignored.
	// The engine holds its clock until then.
	Start(inv Invocation, done func(Result))
}

// FunctionFunc makes a [Function] of a function that computes its result at once.
type FunctionFunc func(Invocation) Result

// Start implements [Function].
func (f FunctionFunc) Start(inv Invocation, done func(Result)) { done(f(inv)) }

// Invocation is one invocation of a function.
type Invocation struct {
	RequestID   string
	FunctionARN string
	Payload     []byte // must not be changed
	// TraceHeader is the X-Ray trace header, Root=...;Parent=...;Sampled=1. It is never empty.
	TraceHeader string
	// ClockOffset is [Engine.Offset] when the invocation began.
	ClockOffset time.Duration
}

// Result is how an invocation ended.
type Result struct {
	// Payload is what the function returned, or Lambda's error document {"errorMessage", "errorType", ...} when FunctionError is set.
	Payload []byte
	// FunctionError is "" for success, else "Unhandled" or "Handled" as in the X-Amz-Function-Error header.
	FunctionError string
	// Throttled means that the function was not run because no concurrency was left (429). The other fields are ignored.
	Throttled bool
}

// FunctionConfig registers a function.
type FunctionConfig struct {
	// Name, 1 to 64 of [A-Za-z0-9_-].
	Name string
	// ARN defaults to arn:aws:lambda:<region>:<account>:function:<name>.
	ARN string
	// Function runs the invocations.
	Function Function
	// Timeout is checked against the visibility timeout of queues it is mapped to; the Function itself enforces it. 1 s to 15 min; 0 means 3 s.
	Timeout time.Duration
	// Async configures asynchronous invocation.
	Async AsyncConfig
}

// AsyncConfig is what Lambda's EventInvokeConfig and DeadLetterConfig say.
type AsyncConfig struct {
	// MaximumRetryAttempts, 0 to 2; nil means 2.
	MaximumRetryAttempts *int
	// MaximumEventAge, 60 s to 6 h; 0 means 6 h.
	MaximumEventAge time.Duration
	// OnFailure is the ARN of a standard queue, a topic, a function or an event bus that gets a record of an event that was given up.
	OnFailure string
	// DeadLetter is the ARN of a standard queue or a topic that gets the event itself.
	DeadLetter string
}

type function struct {
	name, arn string
	fn        Function
	timeout   time.Duration
	retries   int
	age       time.Duration
	onFailure string
	deadLet   string
}

// FunctionState is a registered function.
type FunctionState struct {
	Name, ARN string
	Timeout   time.Duration
}

// RegisterFunction makes a function known. Registering a name again replaces the function; mappings to it go on with the new one.
func (e *Engine) RegisterFunction(c FunctionConfig) error {
	f := &function{name: c.Name, arn: c.ARN, fn: c.Function, timeout: cmp.Or(c.Timeout, 3*time.Second), retries: 2,
		age: cmp.Or(c.Async.MaximumEventAge, 6*time.Hour), onFailure: c.Async.OnFailure, deadLet: c.Async.DeadLetter}
	if !queueName.MatchString(c.Name) || len(c.Name) > 64 {
		return errLambda("function name %q is not 1 to 64 letters, digits, hyphens or underscores; rename it", c.Name)
	}
	if f.fn == nil {
		return errLambda("function %s has nothing to run; set FunctionConfig.Function", c.Name)
	}
	if f.timeout < time.Second || f.timeout > 15*time.Minute {
		return errLambda("Value '%d' at 'timeout' failed to satisfy constraint: Member must be between 1 and 900 seconds", f.timeout/time.Second)
	}
	if n := c.Async.MaximumRetryAttempts; n != nil {
		if *n < 0 || *n > 2 {
			return errLambda("Value '%d' at 'maximumRetryAttempts' failed to satisfy constraint: Member must be between 0 and 2", *n)
		}
		f.retries = *n
	}
	if f.age < time.Minute || f.age > 6*time.Hour {
		return errLambda("Value '%d' at 'maximumEventAgeInSeconds' failed to satisfy constraint: Member must be between 60 and 21600", f.age/time.Second)
	}
	if err := checkDestination("OnFailure destination", f.onFailure, "sqs", "sns", "lambda", "events"); err != nil {
		return err
	}
	if err := checkDestination("DeadLetterConfig target", f.deadLet, "sqs", "sns"); err != nil {
		return err
	}
	if f.arn == "" {
		f.arn = e.arn("lambda", "function:"+c.Name)
	}
	e.mu.Lock()
	defer e.unlock()
	if i := slices.IndexFunc(e.functions, func(o *function) bool { return o.name == f.name }); i >= 0 {
		*e.functions[i] = *f
	} else {
		e.functions = append(e.functions, f)
	}
	e.bump()
	return nil
}

func checkDestination(what, arn string, services ...string) error {
	if arn == "" {
		return nil
	}
	service, _, ok := parseARN(arn)
	switch {
	case !ok:
		return errLambda("%s %q is not an ARN; give the ARN of a queue or topic", what, arn)
	case !slices.Contains(services, service):
		return NotEmulated(what+" of service "+service, "use one of "+strings.Join(services, ", "))
	case isFIFO(arn):
		return errLambda("%s %s is FIFO: Lambda sends failed events to standard queues and topics only", what, arn)
	}
	return nil
}

// Functions returns the registered functions in the order of their registration.
func (e *Engine) Functions() []FunctionState {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]FunctionState, len(e.functions))
	for i, f := range e.functions {
		out[i] = FunctionState{Name: f.name, ARN: f.arn, Timeout: f.timeout}
	}
	return out
}

// function finds a function by name, ARN, or ARN with a version or alias, which is ignored. The caller holds mu.
func (e *Engine) function(ref string) *function {
	for _, f := range e.functions {
		if ref == f.name || ref == f.arn || strings.HasPrefix(ref, f.arn+":") {
			return f
		}
	}
	return nil
}

// Invoke runs a function once and waits for its result (invocation type RequestResponse). ref is a name or an ARN. When ctx ends first, the invocation goes on.
func (e *Engine) Invoke(ctx context.Context, ref string, payload []byte, traceHeader string) (Result, error) {
	e.mu.Lock()
	f := e.function(ref)
	if f == nil {
		e.unlock()
		return Result{}, errFunctionMissing(ref)
	}
	results := make(chan Result, 1)
	id := e.newID()
	start := e.begin(f, id, payload, traceHeader, Entry{Attempt: 1, Cause: "sync"}, func(r Result, entry Entry) {
		entry.Cause = cause(r)
		e.record(entry)
		results <- r
	})
	e.unlock()
	start()
	select {
	case r := <-results:
		return r, nil
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

func errFunctionMissing(ref string) *Error {
	return &Error{Code: "ResourceNotFoundException", Message: "Function not found: " + ref, Status: 404}
}

func cause(r Result) string {
	switch {
	case r.Throttled:
		return "throttled"
	case r.FunctionError != "":
		return "function error"
	}
	return "ok"
}

// begin counts an invocation as in flight, records its start, and returns what starts it. finish is called under mu with the result and the
// entry it is to complete and record. The caller holds mu and calls the returned function without it.
func (e *Engine) begin(f *function, id string, payload []byte, trace string, entry Entry, finish func(Result, Entry)) func() {
	if trace == "" {
		trace = e.newTrace(e.now())
	}
	entry.Kind, entry.Function, entry.RequestID, entry.Body, entry.Trace = InvocationStarted, f.name, id, string(payload), trace
	e.record(entry)
	e.inFlight++
	inv := Invocation{RequestID: id, FunctionARN: f.arn, Payload: payload, TraceHeader: trace, ClockOffset: e.offset}
	called := false
	done := func(r Result) {
		e.mu.Lock()
		defer e.unlock()
		if called {
			return
		}
		called = true
		e.inFlight--
		entry.Kind, entry.Response = InvocationEnded, string(r.Payload)
		finish(r, entry)
		e.bump()
	}
	run := f.fn
	return func() { run.Start(inv, done) }
}

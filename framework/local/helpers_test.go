package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-go/sluice/framework/local"
)

// world is an engine with a journal that tests can ask.
type world struct {
	*local.Engine
	t       *testing.T
	mu      sync.Mutex
	entries []local.Entry
}

func newWorld(t *testing.T, opts local.Options) *world {
	w := &world{t: t}
	opts.Journal = func(e local.Entry) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.entries = append(w.entries, e)
	}
	w.Engine = local.New(&opts)
	return w
}

// journal returns the entries of the given kinds, all when none is given.
func (w *world) journal(kinds ...local.Kind) []local.Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(kinds) == 0 {
		return slices.Clone(w.entries)
	}
	return slices.DeleteFunc(slices.Clone(w.entries), func(e local.Entry) bool { return !slices.Contains(kinds, e.Kind) })
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) queue(c local.QueueConfig) *local.Queue {
	w.t.Helper()
	c.FIFO = strings.HasSuffix(c.Name, ".fifo")
	q, err := w.CreateQueue(c)
	w.must(err)
	return q
}

func (w *world) send(q *local.Queue, body string, edit ...func(*local.SendInput)) string {
	w.t.Helper()
	in := local.SendInput{Body: body}
	for _, f := range edit {
		f(&in)
	}
	r, err := q.Send(in)
	w.must(err)
	return r.MessageID
}

func group(g string) func(*local.SendInput) {
	return func(in *local.SendInput) { in.GroupID = g }
}

func (w *world) receive(q *local.Queue, n int, visibility ...time.Duration) []local.Received {
	w.t.Helper()
	in := local.ReceiveInput{Max: n}
	if len(visibility) > 0 {
		in.Visibility = &visibility[0]
	}
	got, err := q.Receive(w.t.Context(), in)
	w.must(err)
	return got
}

func bodies(got []local.Received) []string {
	out := []string{}
	for _, m := range got {
		out = append(out, m.Body)
	}
	return out
}

// recorder is a function that answers from a script and keeps what it was given. at is the engine's time of each invocation, from its start.
type recorder struct {
	mu      sync.Mutex
	w       *world
	begun   time.Time
	calls   []local.Invocation
	at      []time.Duration
	respond func(n int, inv local.Invocation) local.Result // n counts from 1; nil: success
	takes   time.Duration                                  // how long an invocation takes
	running int
	most    int
}

func (r *recorder) Start(inv local.Invocation, done func(local.Result)) {
	r.mu.Lock()
	r.calls = append(r.calls, inv)
	r.at = append(r.at, r.w.Now().Sub(r.begun))
	r.running++
	r.most = max(r.most, r.running)
	n := len(r.calls)
	r.mu.Unlock()
	finish := func() {
		result := local.Result{Payload: []byte("null")}
		if r.respond != nil {
			result = r.respond(n, inv)
		}
		r.mu.Lock()
		r.running--
		r.mu.Unlock()
		done(result)
	}
	if r.takes == 0 {
		finish()
		return
	}
	time.AfterFunc(r.takes, finish)
}

func (r *recorder) invocations() []local.Invocation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

func (r *recorder) times() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.at)
}

func (w *world) function(name string, edit func(*local.FunctionConfig), respond func(n int, inv local.Invocation) local.Result) *recorder {
	w.t.Helper()
	r := &recorder{w: w, begun: w.Now(), respond: respond}
	c := local.FunctionConfig{Name: name, Function: r}
	if edit != nil {
		edit(&c)
	}
	w.must(w.RegisterFunction(c))
	return r
}

func (w *world) mapping(c local.MappingConfig) *local.Mapping {
	w.t.Helper()
	m, err := w.CreateMapping(c)
	w.must(err)
	return m
}

// simulate runs test in a bubble whose time is fake, with the engine running and jumping.
func simulate(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, local.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = w.Run(ctx, true) }()
		test(t, w)
	})
}

// quiet waits until nothing is left to happen; an engine that never gets there fails the test.
func (w *world) quiet() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 1000*time.Hour)
	defer cancel()
	w.must(w.Quiet(ctx))
}

type sqsEvent struct {
	Records []struct {
		MessageID  string `json:"messageId"`
		Body       string
		Attributes map[string]string
	}
}

func eventOf(t *testing.T, inv local.Invocation) sqsEvent {
	t.Helper()
	var e sqsEvent
	if err := json.Unmarshal(inv.Payload, &e); err != nil {
		t.Fatalf("payload %s: %v", inv.Payload, err)
	}
	return e
}

// batchBodies lists the bodies of each invocation.
func batchBodies(t *testing.T, invs []local.Invocation) [][]string {
	t.Helper()
	var out [][]string
	for _, inv := range invs {
		var b []string
		for _, r := range eventOf(t, inv).Records {
			b = append(b, r.Body)
		}
		out = append(out, b)
	}
	return out
}

func failed(message string) local.Result {
	return local.Result{Payload: fmt.Appendf(nil, `{"errorMessage":%q,"errorType":"Error"}`, message), FunctionError: "Unhandled"}
}

// reportAll reports every record of the batch.
func reportAll(t *testing.T, inv local.Invocation) local.Result {
	var items []map[string]string
	for _, r := range eventOf(t, inv).Records {
		items = append(items, map[string]string{"itemIdentifier": r.MessageID})
	}
	payload, err := json.Marshal(map[string]any{"batchItemFailures": items})
	if err != nil {
		t.Error(err)
	}
	return local.Result{Payload: payload}
}

// wantError checks an AWS error's code and text.
func wantError(t *testing.T, err error, code, text string) {
	t.Helper()
	aws, ok := errors.AsType[*local.Error](err)
	if !ok {
		t.Fatalf("got error %v, want an AWS error %s", err, code)
	}
	if aws.Code != code || !strings.Contains(aws.Message, text) {
		t.Errorf("got %s: %s\nwant %s: ...%s...", aws.Code, aws.Message, code, text)
	}
}

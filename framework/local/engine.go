package local

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Options configure an [Engine]. The zero value is usable.
type Options struct {
	// Wall is the clock under the engine's clock; nil means time.Now. It must not run backwards.
	Wall func() time.Time
	// Region and Account go into ARNs. Defaults: us-east-1 and 000000000000.
	Region, Account string
	// Journal is told everything that happens, in order, never concurrently, and outside the engine's lock, on the goroutine
	// that caused it or on one that caused something else at the same moment. It may call the engine. A slow journal slows
	// the engine. nil means none.
	Journal func(Entry)
	// Seed makes the ids. Engines with the same seed that make the same calls in the same order make the same ids.
	Seed uint64
}

// Engine holds queues, topics, buses, functions and mappings, and the clock they share. Make one with [New].
type Engine struct {
	wall            func() time.Time
	region, account string
	journal         func(Entry)

	mu       sync.Mutex
	offset   time.Duration
	rand     *rand.Rand
	held     int // holds taken by callers
	inFlight int // invocations started and not done
	changed  chan struct{}
	entries  []Entry
	flushing bool
	seq      uint64
	sequence uint64 // FIFO sequence numbers
	order    uint64 // arrival order of messages

	queues    []*Queue
	topics    []*Topic
	buses     []*Bus
	functions []*function
	mappings  []*Mapping
	async     []*asyncEvent
	polls     map[*poll]struct{}
}

// New makes an engine that has no resources but the event bus "default". opts may be nil.
func New(opts *Options) *Engine {
	var o Options
	if opts != nil {
		o = *opts
	}
	e := &Engine{
		wall: o.Wall, region: o.Region, account: o.Account, journal: o.Journal,
		rand:    rand.New(rand.NewPCG(o.Seed, 0x51c1ce)),
		changed: make(chan struct{}),
		polls:   map[*poll]struct{}{},
	}
	if e.wall == nil {
		e.wall = time.Now
	}
	if e.region == "" {
		e.region = "us-east-1"
	}
	if e.account == "" {
		e.account = "000000000000"
	}
	e.buses = []*Bus{{engine: e, name: defaultBus, arn: e.arn("events", "event-bus/"+defaultBus)}}
	return e
}

// Region is the region in the engine's ARNs.
func (e *Engine) Region() string { return e.region }

// Account is the 12-digit account id in the engine's ARNs.
func (e *Engine) Account() string { return e.account }

// Now is the engine's time: the wall's plus [Engine.Offset].
func (e *Engine) Now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now()
}

// now is Now for a caller that holds mu.
func (e *Engine) now() time.Time { return e.wall().Add(e.offset) }

// Offset is how far jumps have moved the clock from the wall. It only grows.
func (e *Engine) Offset() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.offset
}

// Hold keeps the clock from jumping by itself until release is called. Calling release again does nothing. Holds count: the clock
// stays while any is left. A hold does not stop deliveries.
func (e *Engine) Hold() (release func()) {
	e.mu.Lock()
	e.held++
	e.mu.Unlock()
	return sync.OnceFunc(func() {
		e.mu.Lock()
		e.held--
		e.bump()
		e.mu.Unlock()
	})
}

// Idle reports whether nothing is held, no invocation is in flight, nothing could be delivered now, and the journal has been
// told everything. While a queue's messages all hide behind a visibility timeout the engine is idle.
func (e *Engine) Idle() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.idle(e.now())
}

func (e *Engine) idle(now time.Time) bool {
	if e.held > 0 || e.inFlight > 0 || e.flushing || len(e.entries) > 0 {
		return false
	}
	for _, m := range e.mappings {
		if m.ready(now) {
			return false
		}
	}
	for _, a := range e.async {
		if !a.running && !a.due.After(now) {
			return false
		}
	}
	for _, q := range e.queues {
		if task := q.activeMove(); task != nil && !task.due.After(now) {
			return false
		}
	}
	for p := range e.polls {
		if !p.deadline.After(now) || p.queue.receivable(now, nil) {
			return false
		}
	}
	return true
}

// Next is the next time at which something happens by itself: the end of a message's visibility timeout or delay in a queue with an
// enabled mapping or a waiting long poll, the end of a batching window, a retry (asynchronous or of a throttled batch), the next messages of a move task, the end of a long poll. Retention
// periods are applied when a queue is looked at and never count. ok is false when there is no such time.
func (e *Engine) Next() (at time.Time, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.next(e.now())
}

func (e *Engine) next(now time.Time) (at time.Time, ok bool) {
	consider := func(t time.Time) {
		if t.After(now) && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	for _, m := range e.mappings {
		m.times(now, consider)
	}
	for _, a := range e.async {
		if !a.running {
			consider(a.due)
		}
	}
	for _, q := range e.queues {
		if task := q.activeMove(); task != nil {
			consider(task.due)
		}
	}
	for p := range e.polls {
		consider(p.deadline)
		p.queue.times(now, consider)
	}
	return at, ok
}

// Jump moves the clock forward by d at once, whatever is held or in flight: what a clock-jump fault and a test need. A negative d is an
// error, because nothing on AWS sees time run backwards in steps it could notice.
func (e *Engine) Jump(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("jump by %v: the engine's clock cannot run backwards; give a positive duration", d)
	}
	e.mu.Lock()
	e.jump(d, "by hand")
	e.unlock()
	return nil
}

func (e *Engine) jump(d time.Duration, cause string) {
	e.offset += d
	e.record(Entry{Kind: ClockJumped, Jump: d, Cause: cause})
	e.bump()
}

// bump wakes everyone who waits for a change. The caller holds mu.
func (e *Engine) bump() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// Run drives the engine until ctx ends and returns its error: it fires what is due, receives for the mappings, starts invocations, and
// sleeps until [Engine.Next] or until something changed. With jump it moves the clock to Next instead of sleeping whenever
// the engine is [Engine.Idle]. Run it once per engine, on a goroutine of its own.
func (e *Engine) Run(ctx context.Context, jump bool) error {
	for ctx.Err() == nil {
		e.mu.Lock()
		starts := e.step(e.now())
		changed := e.changed
		e.unlock()
		for _, start := range starts {
			start()
		}
		if len(starts) > 0 {
			continue
		}

		e.mu.Lock()
		now := e.now()
		next, ok := e.next(now)
		if e.changed != changed {
			e.unlock()
			continue
		}
		if jump && ok && e.idle(now) {
			e.jump(next.Sub(now), "idle")
			e.unlock()
			continue
		}
		e.unlock()
		wait(ctx, changed, next.Sub(now), ok)
	}
	return ctx.Err()
}

// wait returns when ctx ends, changed is closed, or, if timed, d has passed.
func wait(ctx context.Context, changed <-chan struct{}, d time.Duration, timed bool) {
	var timeout <-chan time.Time
	if timed {
		timer := time.NewTimer(d)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-timeout:
	}
}

// Quiet blocks until the engine is idle and nothing is left to happen by itself, or until ctx ends, whose error it returns.
// It needs a [Engine.Run] beside it. A message that only its retention period will end does not disturb the quiet, nor does one in a queue that
// no mapping reads.
func (e *Engine) Quiet(ctx context.Context) error {
	for {
		e.mu.Lock()
		now := e.now()
		next, timed := e.next(now)
		quiet := !timed && e.idle(now)
		changed := e.changed
		e.unlock()
		if quiet {
			return nil
		}
		if wait(ctx, changed, next.Sub(now), timed); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// step fires what is due and returns the invocations to start once mu is released. The caller holds mu.
func (e *Engine) step(now time.Time) (starts []func()) {
	for _, q := range e.queues {
		q.settle(now)
	}
	for _, q := range e.queues {
		q.advanceMove(now)
	}
	for _, m := range e.mappings {
		starts = append(starts, m.dispatch(now)...)
	}
	return append(starts, e.dispatchAsync(now)...)
}

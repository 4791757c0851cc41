package consumer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// linger is how long a finished message waits for others to have its claim
// completed together with theirs.
const linger = 20 * time.Millisecond

// chunk is how many keys one request claims or settles: DynamoDB's limit.
const chunk = 25

// batch works the messages of one invocation. One goroutine, run's, owns all of
// its state; workers, claims and settlements run beside it and send what they
// found. A handler that never returns therefore cannot touch the answer.
type batch struct {
	c     *Consumer
	inv   *invocation
	items []*item
	lanes []*lane

	// direct: nothing hides a message of an asynchronous source, so one whose
	// key is in progress elsewhere waits within the invocation.
	direct bool

	workCtx  context.Context //nolint:containedctx // lives as long as one invocation; ends at the soft limit
	base     context.Context //nolint:containedctx // likewise; never ends
	runnable []*item
	toClaim  []*item
	ahead    int // claimed and not started
	active   int // handlers running
	left     int // items not final
	stopping bool

	claiming  bool
	awaiting  int // waiting within the invocation for another attempt
	pending   []idempotency.Settlement
	oldest    time.Time // when the first of pending was added
	settling  bool
	abandoned bool // past the hard limit

	claimed  chan claimedMsg
	worked   chan workedMsg
	awaited  chan awaitedMsg
	finished chan []error
	sent     []idempotency.Settlement // what finished answers
}

type (
	claimedMsg struct {
		items   []*item
		results []idempotency.ClaimResult
		err     error
	}
	workedMsg struct {
		it       *item
		verdict  verdict
		complete bool // the claim is to be completed; else released
		keep     bool // the claim is settled already
		ran      time.Duration
	}
	awaitedMsg struct {
		it      *item
		request idempotency.ClaimRequest // of the last claim
		result  idempotency.ClaimResult
	}
)

// run works all items and returns when each has its verdict and every claim is
// settled, or the limits are reached.
func (c *Consumer) run(ctx context.Context, inv *invocation, items []*item, lanes []*lane, direct bool) {
	workCtx, cancel := ctx, context.CancelFunc(func() {})
	if !inv.limits.soft.IsZero() {
		workCtx, cancel = context.WithDeadline(ctx, inv.limits.soft)
	}
	defer cancel()
	workCtx = context.WithValue(workCtx, clockKey{}, inv.offset)
	inv.items = items
	b := &batch{
		c: c, inv: inv, items: items, lanes: lanes, direct: direct,
		workCtx: workCtx, base: context.WithoutCancel(workCtx), left: len(items),
		claimed: make(chan claimedMsg, 1),
		// Buffered, so that a handler which returns too late ends its goroutine.
		worked:   make(chan workedMsg, len(items)),
		awaited:  make(chan awaitedMsg, len(items)),
		finished: make(chan []error, 1),
	}
	b.group()
	b.loop()
}

// group ties copies of one key to the first of them, and lets the lanes' heads
// start. Leaders precede their followers, in the batch and so in any lane they
// share: no two lanes can wait for each other.
func (b *batch) group() {
	leaders := map[string]*item{}
	for _, it := range b.items {
		if it.phase != unclaimed {
			continue
		}
		if leader := leaders[it.key]; leader != nil {
			if err := mismatch(it.meta.Key, leader.fingerprint, it.fingerprint); err != nil {
				it.reason, it.phase = err, ready
				continue
			}
			it.leader, it.phase = leader, waiting
			leader.followers = append(leader.followers, it)
			continue
		}
		leaders[it.key] = it
		b.toClaim = append(b.toClaim, it)
	}
	for _, l := range b.lanes {
		for _, it := range l.items {
			it.lane = l
		}
	}
	for _, l := range b.lanes {
		b.advance(l)
	}
}

func (b *batch) loop() {
	soft := b.workCtx.Done()
	hard, stopHard := after(b.inv.limits.hard)
	defer stopHard()
	last, stopLast := after(b.inv.limits.settle)
	defer stopLast()
	lingered := time.NewTimer(time.Hour)
	defer lingered.Stop()
	for {
		b.startClaims()
		b.startWork()
		if wait := b.startSettling(); wait > 0 {
			lingered.Reset(wait)
		}
		if b.left == 0 && !b.settling && len(b.pending) == 0 && !b.claiming && b.awaiting == 0 {
			return
		}
		select {
		case m := <-b.claimed:
			b.onClaimed(m)
		case m := <-b.worked:
			b.onWorked(m)
		case m := <-b.awaited:
			b.onAwaited(m)
		case errs := <-b.finished:
			b.onSettled(errs)
		case <-lingered.C:
		case <-soft:
			soft = nil
			b.stop()
		case <-hard:
			b.abandon()
		case <-last:
			// The answer must go out; what was not settled lapses by itself.
			return
		}
	}
}

func after(t time.Time) (<-chan time.Time, func() bool) {
	if t.IsZero() {
		return nil, func() bool { return true }
	}
	timer := time.NewTimer(t.Sub(systemTime()))
	return timer.C, timer.Stop
}

// advance moves a lane on: past what is decided, up to an item that can start.
func (b *batch) advance(l *lane) {
	for {
		it := l.head()
		switch {
		case it == nil || it.phase == running:
			return
		case it.phase == final:
			l.next++
		case it.resolved != nil:
			b.finish(it, *it.resolved)
			return // finish advances
		case it.phase == ready:
			if b.stopping {
				b.finish(it, verdict{fate: retried, err: errDeadlineUnstarted})
				return
			}
			it.phase = running
			b.runnable = append(b.runnable, it)
			return
		default:
			return // unclaimed or waiting: what it waits for will advance it
		}
	}
}

// resolve decides an item before its turn.
func (b *batch) resolve(it *item, v verdict) {
	if it.phase == final {
		return
	}
	it.resolved = &v
	b.advance(it.lane)
}

// finish gives an item its verdict, its copies theirs, and its lane the next.
func (b *batch) finish(it *item, v verdict) {
	if it.phase == final {
		return
	}
	if v.fate == retried && !v.hidden {
		v.hide, v.hidden = b.hide(it, v.err), true
	}
	if it.claim != nil && !it.started {
		// Whatever ended its wait.
		b.ahead--
		b.settle(it.claim.Settlement(idempotency.Release))
	}
	it.phase, it.verdict = final, v
	b.left--
	// Before the copies: giving a copy in this lane its result would advance the
	// lane past what must not run.
	switch {
	case v.fate == retried && it.fifo && b.c.cfg.strictFIFO:
		b.stopLane(it, v.hide)
		for _, l := range b.lanes {
			if len(l.items) > 0 && l != it.lane {
				b.stopItems(l.items, v.hide)
			}
		}
	case v.fate == retried:
		b.stopLane(it, v.hide)
	case v.fate == deadLettered && it.fifo && b.c.cfg.haltOnDead:
		b.stopLane(it, b.hide(it, errGroupStopped))
	}
	for _, f := range it.followers {
		b.follow(f, v)
	}
	b.advance(it.lane)
}

// stopLane reports what comes after an item that was not settled: order forbids
// to run it. It comes back together, as the messages of a FIFO group get the
// same visibility.
func (b *batch) stopLane(after *item, hide time.Duration) {
	l := after.lane
	b.stopItems(l.items[slices.Index(l.items, after)+1:], hide)
}

// stopItems reports those of the items that have not been started.
func (b *batch) stopItems(items []*item, hide time.Duration) {
	for _, it := range items {
		if it.phase == final || it.phase == running && !slices.Contains(b.runnable, it) {
			continue
		}
		b.runnable = slices.DeleteFunc(b.runnable, func(r *item) bool { return r == it })
		b.finish(it, verdict{fate: retried, err: errGroupStopped, hide: hide, hidden: true})
	}
}

// follow gives a copy its leader's result. A dead letter's copy is one too, and
// is sent itself: each message must be safe on its own.
func (b *batch) follow(f *item, v verdict) {
	switch v.fate {
	case done:
		b.resolve(f, verdict{fate: duplicate})
	case deadLettered:
		if f.phase != final {
			f.reason, f.phase = v.err, ready
			b.advance(f.lane)
		}
	default:
		b.resolve(f, v)
	}
}

// hide is for how long a retried message stays invisible.
func (b *batch) hide(it *item, err error) time.Duration {
	var (
		after *retryAfterError
		store *storeError
		busy  *busyError
	)
	switch {
	case errors.As(err, &after):
		return after.after
	case errors.As(err, &store):
		return MaxBackoff
	case errors.As(err, &busy):
		return max(busy.until.Sub(b.inv.now()), time.Second)
	default:
		return backoff(it.meta.ReceiveCount)
	}
}

// stop is the soft limit: handlers' contexts have ended; nothing starts.
func (b *batch) stop() {
	b.stopping = true
	for _, it := range b.runnable {
		it.phase = ready
	}
	b.runnable, b.toClaim = nil, nil
	for _, it := range b.items {
		if it.phase == final || it.phase == running {
			continue
		}
		if it.phase == waiting && it.leader != nil && it.leader.phase == running {
			continue // its leader may still return in time
		}
		b.finish(it, verdict{fate: retried, err: errDeadlineUnstarted})
	}
}

// abandon is the hard limit: what still runs is left to itself. Its claim is
// kept: the sandbox may thaw beside the next attempt.
func (b *batch) abandon() {
	b.abandoned = true
	if !b.stopping {
		b.stop()
	}
	for _, it := range b.items {
		if it.phase == final {
			continue
		}
		v := verdict{fate: retried, err: errDeadlineRunning}
		if it.claim != nil {
			v.hide, v.hidden = max(it.request.Lease.Sub(b.inv.now()), time.Second), true
		}
		b.finish(it, v)
	}
}

package simulation_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// sandbox is one execution environment of the function.
type sandbox struct {
	w       *world
	no      int
	skew    time.Duration // of its clock from the true one
	c       *consumer.Consumer
	dead    bool
	current *invocation
	thaw    chan struct{} // closed when the next invocation comes, or death
}

// invocation is one call of the consumer.
type invocation struct {
	w         *world
	no        int
	sb        *sandbox
	d         *delivery
	start     time.Time
	deadline  time.Time
	margin    time.Duration
	owners    []string
	over      bool       // answered, or crashed
	hidden    []*message // whose visibility it changed
	runs      []*run
	calls     [operations][8]int
	flagged   [8]time.Time // when a response asked for another try of a key
	waited    [8]bool      // keys that a direct source's message awaits
	asked     [8]bool      // keys that the store itself was asked for
	claimed   [8]bool      // keys that the store granted
	resent    [8]bool      // keys whose claim the SDK sent twice
	busyUntil [8]time.Time // keys found in progress elsewhere
}

// hard and settle are the consumer's own limits: see consumer.Consumer.Invoke.
func (inv *invocation) hard() time.Time   { return inv.deadline.Add(-inv.margin / 2) }
func (inv *invocation) settle() time.Time { return inv.deadline.Add(-inv.margin / 4) }

// clock is the sandbox's.
func (inv *invocation) clock() time.Time { return time.Now().Add(inv.sb.skew) }

// leaseBound is until when a claim of this invocation excludes others whatever
// their clocks say: its lease is the deadline plus five seconds, by a clock that
// differs from another's by at most twice the skew.
func (inv *invocation) leaseBound() time.Time {
	return inv.deadline.Add(leaseGrace - 2*maxSkew)
}

const (
	leaseGrace = 5 * time.Second
	maxSkew    = 2 * time.Second
)

func (inv *invocation) owns(owner string) bool {
	return slices.Contains(inv.owners, owner)
}

type invocationKey struct{}

func invocationOf(ctx context.Context) *invocation {
	inv, _ := ctx.Value(invocationKey{}).(*invocation)
	return inv
}

var errCrashed = errors.New("simulation: the sandbox is gone")

// die ends the sandbox: nothing it still does is seen.
func (sb *sandbox) die() {
	if sb.dead {
		return
	}
	sb.dead = true
	if sb.thaw != nil {
		close(sb.thaw)
		sb.thaw = nil
	}
}

// crash kills the sandbox within an invocation.
func (w *world) crash(inv *invocation, x window) {
	sb := inv.sb
	if sb.dead {
		return
	}
	w.seen[x]++
	if w.tracing {
		name, _ := x.describe()
		w.note("sandbox %d: %s", sb.no, name)
	}
	current := sb.current
	sb.die()
	if current != nil {
		current.over = true
		sb.current = nil
		w.source.failed(current)
	}
	w.poke()
}

// alive waits until the sandbox runs, and reports false if it no longer does.
// Everything that a sandbox does to the world comes after it.
func (inv *invocation) alive() bool {
	w, sb := inv.w, inv.sb
	for {
		w.mu.Lock()
		if sb.dead || sb.current != nil {
			dead := sb.dead
			w.mu.Unlock()
			return !dead
		}
		if sb.thaw == nil {
			sb.thaw = make(chan struct{})
		}
		thaw := sb.thaw
		w.mu.Unlock()
		<-thaw
	}
}

// place finds a sandbox for an invocation: a frozen one, or a new one.
func (w *world) place(d *dice) *sandbox {
	var idle []*sandbox
	alive := 0
	for _, sb := range w.sandboxes {
		if !sb.dead {
			alive++
			if sb.current == nil {
				idle = append(idle, sb)
			}
		}
	}
	if len(idle) > 0 && (alive >= w.cfg.sandboxes || d.chance(600)) {
		return idle[d.n(len(idle))]
	}
	sb := &sandbox{w: w, no: len(w.sandboxes)}
	sd := w.dice(siteSandbox, sb.no, 0, 0)
	sb.skew = sd.dur(-maxSkew, maxSkew+1)
	c, err := w.newConsumer(sb)
	if err != nil {
		w.violate("set-up: %v", err)
	}
	sb.c = c
	w.sandboxes = append(w.sandboxes, sb)
	return sb
}

func (w *world) newConsumer(sb *sandbox) (*consumer.Consumer, error) {
	var store idempotency.Store = &askedStore{w.store}
	if w.cfg.cached {
		store = idempotency.Cached(store, 2)
	}
	opts := []consumer.Option{
		consumer.WithIdempotency(&checkedStore{store, w}),
		consumer.WithRecordLife(w.cfg.life),
		consumer.WithLogger(slog.New(slog.DiscardHandler)),
		consumer.WithClockOffset(func(context.Context) time.Duration { return sb.skew }),
	}
	if w.cfg.sink {
		opts = append(opts, consumer.WithDeadLetters(&sink{w}))
	}
	if w.cfg.outbox {
		opts = append(opts, consumer.WithOutbox(outboxName, &outbox{w}))
	}
	if w.cfg.atEnd {
		opts = append(opts, consumer.CompleteAtEnd())
	}
	var perType []consumer.RouteOption[job]
	if w.cfg.fingerprint {
		perType = append(perType, consumer.Fingerprint[job]())
	}
	routes := []consumer.Route{consumer.On(handle, perType...)}
	common := consumer.WithOptions(opts...)
	if w.cfg.source == direct {
		return consumer.NewEventBridgeMux("sim", routes, common)
	}
	q, ok := w.source.(*queue)
	if !ok {
		return nil, errors.New("the source is no queue")
	}
	queueOpts := []consumer.SQSOption{common, consumer.WithVisibility(q), consumer.WithConcurrency(w.cfg.concurrency)}
	if w.cfg.strict {
		queueOpts = append(queueOpts, consumer.StrictFIFO())
	}
	if w.cfg.halt {
		queueOpts = append(queueOpts, consumer.HaltOnDeadLetter())
	}
	return consumer.NewSQSMux("sim", routes, queueOpts...)
}

// invoke starts an invocation.
func (w *world) invoke(d *delivery) {
	w.invoked++
	inv := &invocation{w: w, no: w.invoked, d: d, start: time.Now()}
	dc := w.dice(siteInvocation, inv.no, 0, 0)
	inv.sb = w.place(&dc)
	inv.deadline = inv.start.Add(w.cfg.timeout)
	inv.margin = min(max(w.cfg.timeout/10, 500*time.Millisecond), 5*time.Second)
	crashes := !w.calm() && dc.chance(w.cfg.faults/4)
	sb := inv.sb
	sb.current = inv
	if sb.thaw != nil {
		close(sb.thaw)
		sb.thaw = nil
	}
	keys := map[*keyState]bool{}
	for _, m := range d.msgs {
		if keys[m.key] {
			w.seen[copyInBatch]++
		}
		keys[m.key] = true
	}
	if w.tracing {
		for _, m := range d.msgs {
			w.note("invocation %d in sandbox %d (skew %s): message %s, key %s, receive %d", inv.no, sb.no, sb.skew, m.id, m.key.store, m.receives)
		}
	}
	w.wg.Go(func() {
		ctx, cancel := context.WithDeadline(context.WithValue(context.Background(), invocationKey{}, inv), inv.deadline)
		defer cancel()
		out, err := sb.c.Invoke(ctx, d.payload)
		w.mu.Lock()
		defer w.mu.Unlock()
		if sb.dead || sb.current != inv {
			return
		}
		w.note("invocation %d answers %s %v", inv.no, out, err)
		if now := time.Now(); !now.Before(inv.deadline) {
			w.violate("I8 invocation %d answers %s after its deadline", inv.no, now.Sub(inv.deadline))
		}
		if crashes {
			w.crash(inv, answerCrash)
			return
		}
		inv.over = true
		sb.current = nil
		w.source.answered(inv, out, err)
		w.afterAnswer(inv)
		w.poke()
	})
}

// afterAnswer checks what an invocation that was not disturbed left behind.
func (w *world) afterAnswer(inv *invocation) {
	now := time.Now()
	for k, claimed := range inv.claimed {
		ran := slices.ContainsFunc(inv.runs, func(r *run) bool { return r.key.no == k })
		if claimed && !ran && w.cfg.source != fifo {
			w.seen[notStarted]++
		}
	}
	for _, r := range inv.runs {
		switch {
		case !r.returned:
			w.seen[hungAbandoned]++
		case r.err != nil || r.completed || r.excused || w.cfg.tx:
		case r.at.Before(inv.hard()) && now.Before(inv.settle()):
			w.violate("I6 invocation %d: key %s: the work is done, and its completion was neither written nor failed", inv.no, r.key.store)
		}
	}
}

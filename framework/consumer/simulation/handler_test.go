package simulation_test

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// job is the worlds' event. Its key is the event's own, so that copies are told
// whatever ids they have.
type job struct {
	Key string `json:"k"`
}

func (job) EventType() string        { return "sim.job.v1" }
func (j job) IdempotencyKey() string { return j.Key }

// behaviour is what a handler does in one run.
type behaviour int

const (
	succeed behaviour = iota
	failBefore
	failAfter
	panics
	exits
	retryAfter
	failPermanently
	skip
	slow
	heed     // waits until its context ends, and gives up
	heedLate // the same, but does its work first
	hang     // ignores its context and acts when the answer is long out
	crashBefore
	crashAfter
)

var errHandler = errors.New("simulation: the handler fails")

// handle is the handler of every world: ctx says which.
func handle(ctx context.Context, msg consumer.Message[job]) (err error) {
	inv := invocationOf(ctx)
	w := inv.w
	claim, ok := idempotency.FromContext(ctx)
	w.mu.Lock()
	if !ok {
		w.violate("I1 invocation %d runs a handler without a claim", inv.no)
		w.mu.Unlock()
		return nil
	}
	r, b, d := w.startRun(inv, msg, claim)
	w.mu.Unlock()
	if r == nil {
		return errHandler
	}
	finished := false
	defer func() {
		p := recover()
		if p != nil || !finished {
			err = errHandler
		}
		w.mu.Lock()
		w.endRun(r, err)
		w.mu.Unlock()
		if p != nil {
			panic(p)
		}
	}()
	err = perform(ctx, r, b, &d)
	finished = true
	return err
}

func perform(ctx context.Context, r *run, b behaviour, d *dice) error {
	w := r.inv.w
	think := d.dur(time.Millisecond, 300*time.Millisecond)
	switch b {
	case slow:
		think = d.dur(time.Second, w.cfg.timeout)
	case hang:
		think = time.Until(r.inv.deadline) + d.dur(0, 90*time.Second)
	default:
	}
	switch b {
	case heed, heedLate:
		<-ctx.Done()
		time.Sleep(d.dur(time.Microsecond, r.inv.margin))
		if b == heed {
			w.count(cancelled)
			return ctx.Err()
		}
	default:
		time.Sleep(think)
	}
	if !r.inv.alive() {
		return errCrashed
	}
	switch b {
	case failBefore:
		return errHandler
	case panics:
		panic("simulation: the handler panics")
	case exits:
		runtime.Goexit()
	case retryAfter:
		return consumer.RetryAfter(d.dur(0, time.Minute), errHandler)
	case failPermanently:
		return consumer.Permanent(errHandler)
	case skip:
		return consumer.Skip("simulation")
	case crashBefore:
		w.mu.Lock()
		w.crash(r.inv, handlerCrashBefore)
		w.mu.Unlock()
		return errCrashed
	default:
	}
	if b == hang || b == heedLate {
		ctx = context.WithoutCancel(ctx) // it heeds nothing
	}
	if err := act(ctx, r, d); err != nil {
		return err
	}
	switch b {
	case failAfter:
		time.Sleep(d.dur(time.Millisecond, 100*time.Millisecond))
		return errHandler
	case crashAfter:
		if r.inv.alive() {
			w.mu.Lock()
			w.crash(r.inv, handlerCrashAfter)
			w.mu.Unlock()
		}
		return errCrashed
	default:
		return nil
	}
}

func (w *world) count(x window) {
	w.mu.Lock()
	w.seen[x]++
	w.mu.Unlock()
}

// act makes the run's effect.
func act(ctx context.Context, r *run, d *dice) error {
	w := r.inv.w
	if w.cfg.tx {
		err := w.inTx(ctx, r)
		if err != nil && d.chance(300) {
			// It may try again: what was applied unheard is not applied twice.
			w.count(txRetried)
			err = w.inTx(ctx, r)
		}
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.foreignEffect(r)
	return nil
}

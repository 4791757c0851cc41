package simulation_test

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// operation is what a request to a store does.
type operation int

const (
	opClaim operation = iota // INSERT, or Memory's claim
	opTake                   // the fenced UPDATE that takes over
	opSettle
	opRead
	opTx
	operations
)

func (o operation) String() string {
	return [...]string{"claim", "takeover", "settlement", "read", "transaction"}[o]
}

// fault is what befalls a request.
type fault int

const (
	faultNone fault = iota
	faultRefused
	faultLost        // applied, and the response lost
	faultRetried     // applied, the response lost, and sent again by the SDK
	faultCrashBefore // the sandbox dies with the request unsent
	faultCrashAfter  // the sandbox dies with the request applied
	faultLate        // the sender gives up, and the request arrives afterwards
	faultSlow        // takes seconds
)

var (
	errRefused = errors.New("simulation: the request failed")
	errLost    = errors.New("simulation: the response was lost")
)

// request is one request to a store on its way.
type request struct {
	op       operation
	keys     []*keyState
	complete bool // a settlement that completes
	release  bool // a settlement that releases

	// apply does it, with the world locked, and returns the keys whose
	// statements failed in a way that may be tried again.
	apply func(d *dice) (again []*keyState)
}

// exchange takes a request to its store and the response back, through
// whatever the seed has in store for them. A nil error means that the caller
// may read the response.
func (w *world) exchange(ctx context.Context, req request) error {
	inv := invocationOf(ctx)
	first := req.keys[0].no
	w.mu.Lock()
	inv.calls[req.op][first]++
	d := w.dice(siteCall, inv.no, int(req.op), first<<16|inv.calls[req.op][first])
	wait := settleJitter(inv, req.keys)
	f := w.draw(&d)
	w.mu.Unlock()

	if !inv.alive() {
		return errCrashed
	}
	latency := d.dur(time.Millisecond, 20*time.Millisecond)
	if f == faultSlow {
		latency = d.dur(100*time.Millisecond, 5*time.Second)
	}
	err := w.arrive(ctx, inv, req, f, &d, wait+latency)
	if err != nil {
		w.mu.Lock()
		w.note("invocation %d: %s of %s: %v", inv.no, req.op, req.keys[0].store, err)
		w.mu.Unlock()
	}
	return err
}

// draw chooses a request's fault.
func (w *world) draw(d *dice) fault {
	if w.calm() || !d.chance(w.cfg.faults) {
		return faultNone
	}
	return [...]fault{faultRefused, faultLost, faultRetried, faultCrashBefore, faultCrashAfter, faultLate, faultSlow}[d.pick(20, 24, 16, 9, 9, 14, 8)]
}

// arrive carries the request there and the response back.
func (w *world) arrive(ctx context.Context, inv *invocation, req request, f fault, d *dice, latency time.Duration) error {
	back := d.dur(time.Millisecond, 10*time.Millisecond)
	if !sleep(ctx, latency, d) {
		return ctx.Err()
	}
	if !inv.alive() {
		return errCrashed
	}
	switch f {
	case faultRefused:
		w.countFault(req, claimFailed, completionFailed, releaseFailed, windows)
		return errRefused
	case faultCrashBefore:
		w.mu.Lock()
		w.crash(inv, req.window(claimCrashBefore, completeCrashBefore, releaseCrashBefore, txCrashBefore))
		w.mu.Unlock()
		return errCrashed
	case faultLate:
		late := d.dur(time.Second, 5*time.Minute)
		w.wg.Go(func() {
			time.Sleep(late)
			w.mu.Lock()
			defer w.mu.Unlock()
			if req.op == opSettle {
				w.seen[completionLate]++
			}
			w.note("invocation %d: %s of %s arrives %s late", inv.no, req.op, req.keys[0].store, late)
			w.applyTo(inv, req, d)
		})
		if !sleep(ctx, d.dur(100*time.Millisecond, 2*time.Second), d) {
			return ctx.Err()
		}
		return errLost
	default:
	}
	w.mu.Lock()
	again := w.applyTo(inv, req, d)
	if f == faultRetried && req.op != opTx {
		// The SDK sends a transaction again under the same token: one effect.
		if req.op == opClaim {
			w.seen[claimRetried]++
			for _, k := range req.keys {
				inv.resent[k.no] = true
			}
		}
		again = w.applyTo(inv, req, d)
	}
	if f == faultCrashAfter {
		w.crash(inv, req.window(claimCrashAfter, completeCrashAfter, releaseCrashAfter, txCrashAfter))
	}
	dead := inv.sb.dead
	w.mu.Unlock()
	if dead {
		return errCrashed
	}
	// The store pauses for up to 200 ms, unseeded, before it tries again; a
	// response that leaves its caller's context less is let come too late.
	if deadline, ok := ctx.Deadline(); ok && len(again) > 0 && time.Until(deadline) < back+300*time.Millisecond {
		back = max(time.Until(deadline), 0) + time.Millisecond
	}
	if !sleep(ctx, back, d) {
		return ctx.Err()
	}
	if !inv.alive() {
		return errCrashed
	}
	if f == faultLost {
		w.countFault(req, claimLost, completionLost, windows, txLost)
		return errLost
	}
	w.mu.Lock()
	for _, k := range again {
		inv.flagged[k.no] = time.Now()
	}
	w.mu.Unlock()
	return nil
}

// applyTo applies the request and checks what it changed.
func (w *world) applyTo(inv *invocation, req request, d *dice) (again []*keyState) {
	type state struct {
		rec idempotency.Record
		has bool
	}
	var room [8]state
	before := room[:len(req.keys)]
	for i, k := range req.keys {
		w.ttl(k)
		before[i].rec, before[i].has = w.peek(k)
	}
	again = req.apply(d)
	if req.op == opRead {
		return again
	}
	for i, k := range req.keys {
		rec, has := w.peek(k)
		w.observe(inv, k, before[i].rec, before[i].has, rec, has, req.op == opTx)
	}
	return again
}

// settleJitter is how long a request waits so that the store's own jitter,
// which no seed governs, does not show: it arrives a fixed time after the
// response that asked for another try.
func settleJitter(inv *invocation, keys []*keyState) time.Duration {
	const longest = 260 * time.Millisecond
	for _, k := range keys {
		if at := inv.flagged[k.no]; !at.IsZero() && time.Since(at) < longest {
			return longest - time.Since(at)
		}
	}
	return 0
}

// excuse says that a completion of this invocation was not heard to succeed.
func excuse(inv *invocation, k *keyState) {
	for _, r := range inv.runs {
		if r.key == k {
			r.excused = true
		}
	}
}

func (req request) window(claim, complete, release, tx window) window {
	switch {
	case req.op == opTx:
		return tx
	case req.complete:
		return complete
	case req.op == opSettle:
		return release
	default:
		return claim
	}
}

func (w *world) countFault(req request, claim, complete, release, tx window) {
	if x := req.window(claim, complete, release, tx); x != windows && req.op != opRead {
		w.count(x)
	}
}

// sleep waits, and reports false if ctx ended. What sees ctx end answers a
// little later, so that it does not share the instant with what else does.
func sleep(ctx context.Context, dur time.Duration, d *dice) bool {
	deadline, ok := ctx.Deadline()
	if ctx.Err() == nil && (!ok || time.Until(deadline) > dur) {
		time.Sleep(dur)
		return true
	}
	if ctx.Err() == nil {
		time.Sleep(time.Until(deadline))
	}
	time.Sleep(d.dur(time.Microsecond, time.Millisecond))
	return false
}

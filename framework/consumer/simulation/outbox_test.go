package simulation_test

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sluice-go/sluice/framework/idempotency"
)

const outboxName = "out"

// outgoing is what a run's transaction leaves to be published.
func (r *run) outgoing() []idempotency.Outgoing {
	if !r.inv.w.cfg.outbox {
		return nil
	}
	body, _ := json.Marshal(job{Key: keyNames[r.key.no : r.key.no+1]}) // a string in a struct
	return []idempotency.Outgoing{{To: outboxName, Type: "sim.done.v1", Body: body}}
}

// outbox is where committed transactions' events go.
type outbox struct{ w *world }

// PublishOutgoing implements consumer.Outbox.
func (o *outbox) PublishOutgoing(ctx context.Context, events []idempotency.Outgoing) error {
	w, inv := o.w, invocationOf(ctx)
	var e job
	if len(events) != 1 || events[0].Type != "sim.done.v1" || json.Unmarshal(events[0].Body, &e) != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.violate("I4 invocation %d publishes what no transaction left: %+v", inv.no, events)
		return errRefused
	}
	k := w.byKey["sim#sim.job#"+e.Key]
	d := w.dice(siteOutbox, inv.no, k.no, 0)
	latency := d.dur(time.Millisecond, 30*time.Millisecond)
	if d.chance(30) {
		latency = d.dur(time.Second, 10*time.Second)
	}
	if !inv.alive() {
		return errCrashed
	}
	if !sleep(ctx, latency, &d) {
		return ctx.Err()
	}
	if !inv.alive() {
		return errCrashed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	kind := -1
	if !w.calm() && d.chance(w.cfg.faults) {
		kind = d.n(4)
	}
	switch kind {
	case 0:
		w.seen[outboxFailed]++
		return errRefused
	case 1:
		w.crash(inv, outboxCrash)
		return errCrashed
	default:
	}
	if k.total == 0 {
		w.violate("I2 key %s: invocation %d publishes what was not committed", k.store, inv.no)
	}
	w.note("invocation %d publishes the event of key %s", inv.no, k.store)
	w.seen[outboxPublished]++
	if k.published > 0 {
		w.seen[outboxRepeated]++
	}
	k.published++
	k.done++
	switch kind {
	case 2:
		w.seen[outboxLost]++
		return errLost
	case 3:
		w.crash(inv, outboxCrash)
		return errCrashed
	default:
		return nil
	}
}

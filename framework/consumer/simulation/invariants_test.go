package simulation_test

import (
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// startRun checks that a run may start, and draws what it does.
func (w *world) startRun(inv *invocation, msg consumer.Message[job], claim *idempotency.Claim) (*run, behaviour, dice) {
	w.seen[runs]++
	k := w.byKey[claim.Key()]
	var m *message
	for _, c := range inv.d.msgs {
		if c.id == msg.MessageID {
			m = c
		}
	}
	if k == nil || m == nil || m.key != k {
		w.violate("I1 invocation %d runs message %q under key %q", inv.no, msg.MessageID, claim.Key())
		return nil, 0, 0
	}
	w.note("invocation %d: message %s runs, key %s, generation %d", inv.no, m.id, k.store, msg.Generation)
	now := time.Now()
	for _, r := range k.runs {
		if live := r.inv.leaseBound().Sub(now); r.active() && live > 0 {
			w.violate("I1 key %s: invocation %d runs beside invocation %d, whose lease is live for %s", k.store, inv.no, r.inv.no, live)
		}
	}
	if k.completedGen != 0 {
		w.violate("I6 key %s: invocation %d runs generation %d though generation %d is durably completed", k.store, inv.no, msg.Generation, k.completedGen)
	}
	if k.effects > 0 {
		w.violate("I2 key %s: invocation %d runs generation %d though its transaction is committed", k.store, inv.no, msg.Generation)
	}
	if msg.Generation != claim.Generation() || msg.Generation <= k.generation {
		w.violate("I3 key %s: invocation %d is given generation %d after %d", k.store, inv.no, msg.Generation, k.generation)
	}
	k.generation = msg.Generation
	if q, ok := w.source.(*queue); ok && w.cfg.source == fifo {
		q.checkOrder(inv, m)
	}
	if m.redriven {
		w.seen[redriveRan]++
	}
	r := &run{key: k, inv: inv, msg: m, gen: msg.Generation, owner: claim.Owner(), epoch: k.epoch}
	k.runs = append(k.runs, r)
	inv.runs = append(inv.runs, r)

	d := w.dice(siteHandler, inv.no, m.no, 0)
	troubled := !w.calm() && d.chance(w.cfg.trouble)
	switch {
	case k.poison && !w.fixed:
		return r, failPermanently, d
	case troubled:
		drawn := []behaviour{failBefore, failAfter, panics, exits, retryAfter, failPermanently, slow, heed, heedLate, hang, crashBefore, crashAfter}
		return r, drawn[d.pick(14, 14, 4, 4, 6, 6, 14, 6, 6, 14, 6, 6)], d
	case k.skips:
		return r, skip, d
	default:
		return r, succeed, d
	}
}

// endRun takes note of a handler's return.
func (w *world) endRun(r *run, err error) {
	r.returned, r.at, r.err = true, time.Now(), err
	r.permanent = consumer.IsPermanent(err)
	switch {
	case r.inv.sb.dead:
		return
	case err == nil && !w.cfg.tx:
		r.key.done++
	case isSkip(err):
		r.key.skipped++
	}
	w.note("invocation %d: message %s returns %v", r.inv.no, r.msg.id, err)
}

// foreignEffect is an effect that no store guards. It may repeat, but not
// without a reason that Sluice cannot do away with.
func (w *world) foreignEffect(r *run) {
	k := r.key
	w.note("invocation %d: effect of key %s, generation %d", r.inv.no, k.store, r.gen)
	if r.inv.over {
		w.seen[zombieActed]++
	}
	for _, p := range k.acts {
		if p.epoch != r.epoch {
			continue // the record lived shorter than the message
		}
		excused := p.err != nil || p.excused || p.inv.sb.dead || !p.returned || !p.at.Before(p.inv.hard()) || r.inv.over
		if !excused {
			w.violate("I6 key %s: invocation %d repeats the effect of invocation %d, which returned nil undisturbed", k.store, r.inv.no, p.inv.no)
		}
		w.seen[foreignRepeated]++
	}
	r.acted = true
	k.acts = append(k.acts, r)
}

// txEffect is an effect of InTx, as it is applied.
func (w *world) txEffect(r *run) {
	k := r.key
	w.note("invocation %d: transactional effect of key %s, generation %d", r.inv.no, k.store, r.gen)
	if r.inv.over {
		w.seen[zombieActed]++
	}
	w.seen[txCommitted]++
	k.effects++
	k.total++
	if !w.cfg.outbox {
		k.done++
	}
	r.acted = true
	if k.effects > 1 {
		w.violate("I2 key %s has %d transactional effects", k.store, k.effects)
	}
}

// observe checks a change of a record by an invocation.
func (w *world) observe(inv *invocation, k *keyState, before idempotency.Record, had bool, after idempotency.Record, has bool, byTx bool) {
	switch {
	case !had && !has, had && has && same(before, after):
		return
	case had && !has:
		w.violate("I9 key %s: invocation %d deletes the record", k.store, inv.no)
		return
	case !had:
		if !inv.owns(after.Owner) || after.Status != idempotency.StatusInProgress {
			w.violate("I9 key %s: invocation %d makes a record that is no claim of its own: %+v", k.store, inv.no, after)
		}
		w.note("invocation %d claims key %s, generation %d", inv.no, k.store, after.Generation)
		return
	}
	now := inv.clock()
	claims := before.Owner != after.Owner || before.Generation != after.Generation
	switch {
	case claims:
		w.observeTakeover(inv, k, before, after, now)
	case !inv.owns(before.Owner):
		w.violate("I9 key %s: invocation %d changes another owner's record from %+v to %+v", k.store, inv.no, before, after)
	case before.Status == idempotency.StatusCompleted && after.Status != before.Status:
		w.violate("I9 key %s: invocation %d undoes its completion", k.store, inv.no)
	case after.Status == idempotency.StatusCompleted:
		if before.Status != after.Status {
			w.observeCompletion(inv, k, before, after, byTx)
		}
	case byTx && len(before.Pending) == 0 && len(after.Pending) > 0:
		w.note("invocation %d commits key %s, and leaves an event", inv.no, k.store)
	case after.Lease.Before(before.Lease):
		w.note("invocation %d releases key %s", inv.no, k.store)
		for _, r := range k.runs {
			if r.active() && r.owner == before.Owner {
				w.violate("I1 key %s: invocation %d releases the claim of a handler that still runs", k.store, inv.no)
			}
		}
	default:
		w.violate("I9 key %s: invocation %d changes its record from %+v to %+v", k.store, inv.no, before, after)
	}
}

func (w *world) observeTakeover(inv *invocation, k *keyState, before, after idempotency.Record, now time.Time) {
	w.note("invocation %d takes key %s over, generation %d", inv.no, k.store, after.Generation)
	expired := before.Expires.Before(now)
	switch {
	case !inv.owns(after.Owner) || after.Status != idempotency.StatusInProgress:
		w.violate("I9 key %s: invocation %d takes over for somebody else: %+v", k.store, inv.no, after)
	case after.Generation <= before.Generation:
		w.violate("I3 key %s: generation %d follows %d", k.store, after.Generation, before.Generation)
	case before.Status == idempotency.StatusCompleted && !expired:
		w.violate("I9 key %s: invocation %d reopens a completed record that lives until %s", k.store, inv.no, before.Expires)
	case expired:
		if before.Status == idempotency.StatusCompleted {
			w.seen[expiredReopened]++
		}
		k.forget()
	case len(after.Pending) != len(before.Pending):
		w.violate("I4 key %s: invocation %d takes over, and forgets the events of committed work", k.store, inv.no)
	case before.Lease.IsZero() || before.Lease.UnixMilli() == 0:
		w.seen[takeover]++
	case !before.Lease.Before(now):
		w.violate("I1 key %s: invocation %d takes over a lease that is live for %s", k.store, inv.no, before.Lease.Sub(now))
	default:
		w.seen[takeoverLapsed]++
	}
}

func (w *world) observeCompletion(inv *invocation, k *keyState, before, after idempotency.Record, byTx bool) {
	w.note("invocation %d completes key %s", inv.no, k.store)
	k.completedGen = after.Generation
	var r *run
	for _, c := range k.runs {
		if c.owner == after.Owner && c.gen == after.Generation {
			r = c
		}
	}
	switch {
	case len(before.Pending) > 0:
		// Its events were left by this run, or by one before it.
		if k.published == 0 {
			w.violate("I4 key %s: invocation %d completes what was not published", k.store, inv.no)
		}
		return
	case r == nil:
		w.violate("I4 key %s: invocation %d completes what never ran", k.store, inv.no)
		return
	case byTx:
	case !r.returned:
		w.violate("I4 key %s: invocation %d completes what still runs", k.store, inv.no)
	case r.permanent:
		w.violate("I5 key %s: invocation %d completes a permanent failure: a redrive could not run it", k.store, inv.no)
	case r.err != nil && !isSkip(r.err):
		w.violate("I4 key %s: invocation %d completes what failed: %v", k.store, inv.no, r.err)
	}
	r.completed = true
}

// forget starts a new epoch of the key: nothing is remembered of it.
func (k *keyState) forget() {
	k.epoch++
	k.completedGen, k.effects, k.published = 0, 0, 0
}

// onTTL is told that TTL deleted the key's record.
func (w *world) onTTL(k *keyState) {
	x := ttlIdle
	for _, r := range k.runs {
		if r.active() && r.epoch == k.epoch {
			x = ttlMidFlight
		}
	}
	w.seen[x]++
	w.note("TTL deletes the record of key %s", k.store)
	k.forget()
	k.generation = 0
}

func same(a, b idempotency.Record) bool {
	return len(a.Pending) == len(b.Pending) && a.Owner == b.Owner && a.Status == b.Status && a.Generation == b.Generation && a.Lease.Equal(b.Lease) && a.Expires.Equal(b.Expires)
}

func isSkip(err error) bool { return err != nil && err.Error() == "skipped: simulation" }

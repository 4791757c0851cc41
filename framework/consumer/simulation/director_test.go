package simulation_test

import (
	"time"
)

// source delivers messages. All methods are called with the world locked.
type source interface {
	// take returns a delivery that is due, or nil.
	take(now time.Time) *delivery
	// next returns when take may have one, and false if nothing is left.
	next(now time.Time) (time.Time, bool)
	// answered is told what the consumer said, failed that it said nothing.
	answered(inv *invocation, out []byte, err error)
	failed(inv *invocation)
	// redrive sends dead letters again.
	redrive(now time.Time, letters []*letter)
}

// delivery is what one invocation is given.
type delivery struct {
	msgs     []*message
	receipts []int
	event    *asyncEvent
	payload  []byte
}

// Bounds of a world. The longest way to settle a message is eight receives with
// six minutes' visibility and a quarter of an hour's back-off.
const (
	settleWithin   = 6 * time.Hour
	maxInvocations = 400
	maxRedrives    = 4
)

// live runs the world to its end.
func (w *world) live() {
	for w.step() {
	}
	w.mu.Lock()
	w.atTheEnd()
	for _, sb := range w.sandboxes {
		sb.die()
	}
	w.mu.Unlock()
	w.wg.Wait()
}

// step does what is due and waits for more; it reports false at the end.
func (w *world) step() bool {
	w.mu.Lock()
	now := time.Now()
	if len(w.broken) > 0 {
		w.mu.Unlock()
		return false
	}
	if !w.redriveAt.IsZero() && !now.Before(w.redriveAt) {
		w.redriveAt = time.Time{}
		w.redrive(now)
	}
	running := w.watch(now)
	if running < w.cfg.sandboxes {
		if d := w.source.take(now); d != nil {
			w.invoke(d)
			w.mu.Unlock()
			return true
		}
	}
	until, more := w.source.next(now)
	switch {
	case !more && running == 0 && len(w.letters) == 0:
		w.mu.Unlock()
		return false
	case !more && running == 0:
		// The cause is found and mended, and the dead letters are sent again.
		if w.redrives++; w.redrives > maxRedrives {
			w.violate("I5 dead letters die again after %d redrives", maxRedrives)
			w.mu.Unlock()
			return false
		}
		if !w.calm() {
			w.calmAt = now
		}
		w.fixed = true
		d := w.dice(siteRedrive, w.redrives, 0, 0)
		until = now.Add(d.dur(0, 2*time.Hour))
		w.redriveAt = until
		w.calmAt = until
	case w.invoked > maxInvocations, now.Sub(w.calmAt) > settleWithin:
		w.violate("I5 not settled %s after the faults stopped, %d invocations", now.Sub(w.calmAt), w.invoked)
		w.mu.Unlock()
		return false
	}
	if running >= w.cfg.sandboxes || !more && running > 0 {
		until = now.Add(24 * time.Hour)
	}
	for _, sb := range w.sandboxes {
		if sb.current != nil && !sb.dead && sb.current.deadline.Before(until) {
			until = sb.current.deadline
		}
	}
	if !w.redriveAt.IsZero() && len(w.letters) > 0 && w.redriveAt.Before(until) {
		until = w.redriveAt
	}
	w.mu.Unlock()
	timer := time.NewTimer(max(until.Sub(now), 0) + time.Nanosecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.wake:
	}
	return true
}

// watch counts the running invocations, and finds those without an answer.
func (w *world) watch(now time.Time) (running int) {
	for _, sb := range w.sandboxes {
		if sb.dead || sb.current == nil {
			continue
		}
		running++
		if now.After(sb.current.deadline) {
			w.violate("I8 invocation %d has no answer at its deadline", sb.current.no)
		}
	}
	return running
}

func (w *world) redrive(now time.Time) {
	if len(w.letters) == 0 {
		return
	}
	letters := w.letters
	w.letters = nil
	w.seen[redriven] += len(letters)
	w.note("operator redrives %d dead letters", len(letters))
	w.source.redrive(now, letters)
}

// atTheEnd checks what must hold when nothing is left to do.
func (w *world) atTheEnd() {
	if len(w.broken) > 0 {
		return
	}
	for _, m := range w.messages {
		if m.state != gone {
			w.violate("I5 message %s of key %s is still queued at the end", m.id, m.key.store)
		}
		if !w.evidence(m) {
			w.violate("I4 message %s of key %s is gone, and its work was never done", m.id, m.key.store)
		}
	}
	for _, k := range w.keys {
		if w.cfg.tx && k.done > 0 && k.total == 0 {
			w.violate("I2 key %s is settled without its effect", k.store)
		}
		if !w.cfg.tx && k.done > 0 && len(k.acts) == 0 {
			w.violate("I4 key %s is settled without its effect", k.store)
		}
	}
}

// evidence reports whether a message may be absent from what is reported.
func (w *world) evidence(m *message) bool {
	return m.key.done > 0 || m.key.skipped > 0 || m.sunk
}

package simulation_test

import (
	"slices"
	"time"
)

// async is Lambda's asynchronous invocation: at least once, two retries a
// minute and two minutes later, then the failure destination.
type async struct {
	w      *world
	events []*asyncEvent
}

// asyncEvent is one event, or an array of them from a custom bus.
type asyncEvent struct {
	msgs      []*message
	attempts  int
	visibleAt time.Time
	running   bool
	done      bool
}

func newAsync(w *world, d *dice) *async {
	a := &async{w: w}
	for i := 0; i < len(w.messages); {
		n := 1
		if d.chance(400) {
			n = min(1+d.n(w.cfg.batch), len(w.messages)-i)
		}
		ev := &asyncEvent{msgs: w.messages[i : i+n : i+n], visibleAt: w.messages[i].visibleAt}
		a.events = append(a.events, ev)
		if d.chance(80) {
			// The same event twice, as EventBridge delivers at least once.
			a.events = append(a.events, &asyncEvent{msgs: ev.msgs, visibleAt: ev.visibleAt.Add(d.dur(0, 10*time.Second))})
		}
		i += n
	}
	return a
}

func (a *async) take(now time.Time) *delivery {
	for _, ev := range a.events {
		if ev.done || ev.running || ev.visibleAt.After(now) {
			continue
		}
		ev.running = true
		for _, m := range ev.msgs {
			m.receives++
		}
		return &delivery{msgs: ev.msgs, event: ev, payload: a.payload(ev)}
	}
	return nil
}

func (a *async) payload(ev *asyncEvent) []byte {
	var b []byte
	if len(ev.msgs) > 1 {
		b = append(b, '[')
	}
	for i, m := range ev.msgs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"version":"0","id":"`...)
		b = append(b, m.id...)
		b = append(b, `","detail-type":"sim.job.v1","source":"sim","account":"123456789012","time":"2026-01-01T00:00:00Z","region":"eu-west-1","resources":[],"detail":{"k":"`...)
		b = append(b, keyNames[m.key.no])
		b = append(b, `"}}`...)
	}
	if len(ev.msgs) > 1 {
		b = append(b, ']')
	}
	return b
}

func (a *async) next(time.Time) (first time.Time, more bool) {
	for _, ev := range a.events {
		if ev.done || ev.running {
			continue
		}
		if !more || ev.visibleAt.Before(first) {
			first, more = ev.visibleAt, true
		}
	}
	return first, more
}

func (a *async) answered(inv *invocation, _ []byte, err error) {
	w := a.w
	if err != nil {
		for k, waited := range inv.waited {
			ran := slices.ContainsFunc(inv.runs, func(r *run) bool { return r.key.no == k })
			if waited && !ran {
				w.seen[awaitGaveUp]++
			}
		}
		a.failed(inv)
		return
	}
	for _, m := range inv.d.msgs {
		if !w.evidence(m) {
			w.violate("I4 invocation %d: event %s of key %s is settled, and its work was never done", inv.no, m.id, m.key.store)
		}
	}
	a.settle(inv.d.event)
}

func (a *async) settle(ev *asyncEvent) {
	ev.running, ev.done = false, true
	for _, m := range ev.msgs {
		m.state = gone
	}
}

func (a *async) failed(inv *invocation) {
	w, ev := a.w, inv.d.event
	ev.running = false
	if ev.attempts++; ev.attempts > 2 {
		w.seen[retriesExhausted]++
		w.note("event of message %s goes to the failure destination", ev.msgs[0].id)
		a.settle(ev)
		for _, m := range ev.msgs {
			m.sunk = true
		}
		w.letters = append(w.letters, &letter{ev: ev})
		return
	}
	d := w.dice(siteRedrive, 0, inv.no, 1)
	ev.visibleAt = time.Now().Add(time.Duration(ev.attempts)*time.Minute + d.dur(0, 10*time.Second))
}

func (a *async) redrive(now time.Time, letters []*letter) {
	for i, l := range letters {
		// What is invoked again is the original event, with its own ids.
		ev := &asyncEvent{visibleAt: now.Add(time.Duration(i+1) * time.Millisecond)}
		if l.ev != nil {
			ev.msgs = l.ev.msgs
		} else {
			ev.msgs = []*message{l.msg}
		}
		for _, m := range ev.msgs {
			m.state, m.redriven = queued, true
		}
		a.events = append(a.events, ev)
	}
}

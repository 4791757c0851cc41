package simulation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
)

// queue is SQS and its event source mapping: at least once, a visibility
// timeout, receive counts, a redrive policy, and for FIFO message groups that
// a message in flight blocks.
type queue struct {
	w        *world
	messages []*message // in the order of the queue
	polls    int
}

const (
	standardARN = "arn:aws:sqs:eu-west-1:123456789012:jobs"
	fifoARN     = "arn:aws:sqs:eu-west-1:123456789012:jobs.fifo"
)

func (q *queue) arn() string {
	if q.w.cfg.source == fifo {
		return fifoARN
	}
	return standardARN
}

func (q *queue) take(now time.Time) *delivery {
	w := q.w
	var due []*message
	blocked := map[int]bool{}
	for _, m := range q.messages {
		switch {
		case m.state != queued:
		case m.visibleAt.After(now):
			blocked[m.group] = true
		case w.cfg.source == fifo && blocked[m.group]:
		default:
			due = append(due, m)
		}
	}
	if w.cfg.source == fifo {
		// A follower in flight blocks its group, too.
		due = slices.DeleteFunc(due, func(m *message) bool { return blocked[m.group] && q.inFlight(m.group, now) })
	}
	q.polls++
	d := w.dice(sitePoll, q.polls, 0, 0)
	if w.cfg.source == standard {
		for i := len(due) - 1; i > 0; i-- {
			j := d.n(i + 1)
			due[i], due[j] = due[j], due[i]
		}
	}
	var out delivery
	for _, m := range due {
		if len(out.msgs) == w.cfg.batch {
			break
		}
		if m.receives >= w.cfg.maxReceives {
			m.state = gone
			w.seen[maxReceives]++
			w.note("message %s goes to the dead-letter queue after %d receives", m.id, m.receives)
			w.letters = append(w.letters, &letter{msg: m})
			m.sunk = true
			continue
		}
		m.receives++
		m.receipt++
		m.visibleAt = now.Add(w.cfg.visibility)
		if w.cfg.source == standard && !w.calm() && d.chance(40) {
			m.visibleAt = now.Add(d.dur(0, 2*time.Second)) // at least once
		}
		out.msgs = append(out.msgs, m)
		out.receipts = append(out.receipts, m.receipt)
	}
	if len(out.msgs) == 0 {
		return nil
	}
	out.payload = q.payload(&out)
	return &out
}

// inFlight reports whether a message of the group was received and is hidden.
func (q *queue) inFlight(group int, now time.Time) bool {
	for _, m := range q.messages {
		if m.state == queued && m.group == group && m.receives > 0 && m.visibleAt.After(now) {
			return true
		}
	}
	return false
}

func (q *queue) payload(d *delivery) []byte {
	b := make([]byte, 0, 512*len(d.msgs))
	b = append(b, `{"Records":[`...)
	for i, m := range d.msgs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"messageId":"`...)
		b = append(b, m.id...)
		b = append(b, `","receiptHandle":"`...)
		b = strconv.AppendInt(b, int64(d.receipts[i]), 10)
		b = append(b, `","body":"{\"k\":\"`...)
		b = append(b, keyNames[m.key.no])
		b = append(b, `\"}","attributes":{"ApproximateReceiveCount":"`...)
		b = strconv.AppendInt(b, int64(m.receives), 10)
		b = append(b, `"`...)
		if q.w.cfg.source == fifo || m.group > 0 {
			// Fair queues have groups without an order.
			b = append(b, `,"MessageGroupId":"g`...)
			b = strconv.AppendInt(b, int64(m.group), 10)
			b = append(b, `"`...)
		}
		b = append(b, `},"messageAttributes":{`...)
		if m.kept != "" {
			b = append(b, `"sluice-id":{"dataType":"String","stringValue":"`...)
			b = append(b, m.kept...)
			b = append(b, `"}`...)
		}
		b = append(b, `},"eventSource":"aws:sqs","eventSourceARN":"`...)
		b = append(b, q.arn()...)
		b = append(b, `"}`...)
	}
	return append(b, `]}`...)
}

func (q *queue) next(now time.Time) (time.Time, bool) {
	var first time.Time
	more := false
	for _, m := range q.messages {
		if m.state != queued {
			continue
		}
		at := m.visibleAt
		if !at.After(now) {
			continue // blocked by its group: what blocks it comes first
		}
		if !more || at.Before(first) {
			first, more = at, true
		}
	}
	if !more {
		for _, m := range q.messages {
			if m.state == queued {
				return now, true
			}
		}
	}
	return first, more
}

func (q *queue) failed(*invocation) {} // they come back when they are visible again

func (q *queue) answered(inv *invocation, out []byte, err error) {
	w := q.w
	if err != nil {
		w.violate("I4 invocation %d: the whole batch fails: %v", inv.no, err)
		return
	}
	var answer struct {
		Failures []struct {
			ID string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if jsonErr := json.Unmarshal(out, &answer); jsonErr != nil || !bytes.Contains(out, []byte(`"batchItemFailures":[`)) {
		w.violate("I4 invocation %d answers %s", inv.no, out)
		return
	}
	failed := map[string]bool{}
	for _, f := range answer.Failures {
		known := slices.ContainsFunc(inv.d.msgs, func(m *message) bool { return m.id == f.ID })
		if !known || failed[f.ID] {
			w.violate("I4 invocation %d reports %q, unknown or twice", inv.no, f.ID)
		}
		failed[f.ID] = true
	}
	for _, m := range inv.hidden {
		if !failed[m.id] {
			w.violate("I4 invocation %d hides message %s, and settles it", inv.no, m.id)
		}
	}
	d := w.dice(siteInvocation, inv.no, 1, 0)
	stopped := map[int]bool{}
	for i, m := range inv.d.msgs {
		if failed[m.id] {
			if w.cfg.source == fifo && stopped[m.group] {
				w.seen[fifoStopped]++
			}
			stopped[m.group] = true
			continue
		}
		if w.cfg.source == fifo && stopped[m.group] {
			w.violate("I7 invocation %d: message %s is settled after an earlier one of its group was reported", inv.no, m.id)
		}
		if !w.evidence(m) {
			w.violate("I4 invocation %d: message %s of key %s is settled, and its work was never done", inv.no, m.id, m.key.store)
		}
		stale := m.receipt != inv.d.receipts[i]
		switch {
		case !w.calm() && d.chance(w.cfg.faults/3), stale && (w.cfg.source == fifo || d.chance(300)):
			if m.state == queued {
				w.seen[deleteLost]++
			}
		default:
			m.state = gone
		}
	}
}

// ChangeVisibility implements consumer.VisibilityChanger. A back-off is
// jittered by what no seed governs: within its range the seed draws another.
func (q *queue) ChangeVisibility(ctx context.Context, changes []consumer.VisibilityChange) error {
	inv := invocationOf(ctx)
	w := q.w
	if !inv.alive() {
		return errCrashed
	}
	w.mu.Lock()
	d := w.dice(siteVisibility, inv.no, 0, 0)
	w.mu.Unlock()
	if !sleep(ctx, d.dur(time.Millisecond, 20*time.Millisecond), &d) {
		return ctx.Err()
	}
	if !inv.alive() {
		return errCrashed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.calm() && d.chance(w.cfg.faults) {
		w.seen[visibilityFailed]++
		return errRefused
	}
	for _, c := range changes {
		i := slices.IndexFunc(inv.d.msgs, func(m *message) bool { return m.id == c.MessageID })
		switch {
		case i < 0 || c.QueueARN != q.arn() || c.ReceiptHandle != strconv.Itoa(inv.d.receipts[i]):
			w.violate("I4 invocation %d hides what it was not given: %+v", inv.no, c)
			continue
		case c.Timeout < 0 || c.Timeout > 12*time.Hour || c.Timeout%time.Second != 0:
			w.violate("I4 invocation %d hides %s for %s, which SQS refuses", inv.no, c.MessageID, c.Timeout)
			continue
		}
		m := inv.d.msgs[i]
		inv.hidden = append(inv.hidden, m)
		q.checkBusy(inv, m, c.Timeout)
		if m.receipt != inv.d.receipts[i] || m.state != queued {
			continue
		}
		c.Timeout = reseed(c.Timeout, &d)
		m.visibleAt = time.Now().Add(c.Timeout)
	}
	return nil
}

// reseed draws a back-off again. The consumer's jitter stays within one of these
// spans, whose bounds it never draws from below: a message's own receives, or
// those of the one whose hiding it shares, say which.
func reseed(timeout time.Duration, d *dice) time.Duration {
	spans := [...]time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 15 * time.Minute}
	for i, above := range spans[1:] {
		if timeout > spans[i] && timeout <= above {
			return d.dur(spans[i], above)
		}
	}
	return timeout
}

// checkBusy: a message whose key is in progress elsewhere is hidden for the
// rest of the lease, or its receives would be used up by waiting.
func (q *queue) checkBusy(inv *invocation, m *message, timeout time.Duration) {
	until := inv.busyUntil[m.key.no]
	if until.IsZero() || q.w.cfg.source == fifo {
		return
	}
	q.w.seen[busyHidden]++
	if rest := until.Sub(inv.clock()); timeout < rest {
		q.w.violate("I5 invocation %d hides message %s for %s, and the lease elsewhere is live for %s", inv.no, m.id, timeout, rest)
	}
}

// checkOrder is called when a message of a FIFO queue is about to run.
func (q *queue) checkOrder(inv *invocation, m *message) {
	for _, e := range q.messages {
		if e == m {
			return
		}
		if e.group == m.group && e.state == queued && !q.w.evidence(e) {
			q.w.violate("I7 invocation %d: message %s runs before %s of its group is settled", inv.no, m.id, e.id)
		}
	}
}

func (q *queue) redrive(now time.Time, letters []*letter) {
	for _, l := range letters {
		// SQS gives a redriven message a new id and a new place.
		m := q.w.newMessage(l.msg.key, l.msg.group)
		m.kept, m.redriven = l.kept, true
		m.visibleAt = now.Add(time.Duration(m.no) * time.Millisecond)
		q.messages = append(q.messages, m)
	}
}

// sink is the dead-letter sink: the queue's dead-letter queue, or the failure
// destination.
type sink struct{ w *world }

// Send implements consumer.DeadLetterSink.
func (s *sink) Send(ctx context.Context, dl consumer.DeadLetter) error {
	w, inv := s.w, invocationOf(ctx)
	i := slices.IndexFunc(inv.d.msgs, func(m *message) bool { return m.id == dl.MessageID })
	if i < 0 || dl.Reason == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.violate("I4 invocation %d dead-letters what it was not given: %+v", inv.no, dl)
		return errRefused
	}
	m := inv.d.msgs[i]
	d := w.dice(siteSink, inv.no, m.no, 0)
	if !inv.alive() {
		return errCrashed
	}
	if !sleep(ctx, d.dur(time.Millisecond, 30*time.Millisecond), &d) {
		return ctx.Err()
	}
	if !inv.alive() {
		return errCrashed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	troubled := !w.calm() && d.chance(w.cfg.faults)
	kind := d.n(2)
	if troubled && kind == 0 {
		w.seen[sinkFailed]++
		return errRefused
	}
	m.sunk = true
	w.seen[deadLettered]++
	w.note("invocation %d: message %s is in the dead-letter queue", inv.no, m.id)
	w.letters = append(w.letters, &letter{msg: m, kept: dl.ID})
	if troubled {
		w.seen[sinkLost]++
		return fmt.Errorf("%w: dead letter", errLost)
	}
	return nil
}

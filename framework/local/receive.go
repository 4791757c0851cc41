package local

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ReceiveInput says what to receive.
type ReceiveInput struct {
	// Max, 1 to 10; 0 means 1.
	Max int
	// Visibility hides what is received, 0 s to 12 h; nil means the queue's timeout.
	Visibility *time.Duration
	// Wait is the long poll, 0 s to 20 s; nil means the queue's.
	Wait *time.Duration
	// YieldHold says that the caller holds the engine once (see [Engine.Hold]). Receive gives that hold up while it is parked in a long poll and
	// takes it back together with what it received, so that the clock may jump while clients wait and not while they work.
	YieldHold bool
}

// Received is a message that was handed out.
type Received struct {
	MessageID       string
	ReceiptHandle   string
	Body            string
	MD5OfBody       string
	Attributes      map[string]AttributeValue
	MD5OfAttributes string
	// System holds the system attributes by AWS's names (ApproximateReceiveCount, SentTimestamp, SenderId, ...), times in Unix milliseconds.
	System map[string]string
}

type poll struct {
	queue    *Queue
	deadline time.Time
}

// Receive hands out up to in.Max messages and hides them. With a wait it parks until a message can be had, the wait is over, or ctx ends (whose error it then
// returns). A message whose receive count has reached the redrive policy's limit is moved to the dead-letter queue instead of being handed out. A FIFO queue serves one
// group as long as it has messages before it goes on to the next, and hands out nothing behind a message in flight.
func (q *Queue) Receive(ctx context.Context, in ReceiveInput) ([]Received, error) {
	limit := in.Max
	if limit == 0 {
		limit = 1
	}
	if limit < 1 || limit > 10 {
		return nil, errInvalidValue("Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", limit)
	}
	if v := in.Visibility; v != nil && (*v < 0 || *v > maximumVisibility || *v%time.Second != 0) {
		return nil, errInvalidValue("Value %d for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.", *v/time.Second)
	}
	if w := in.Wait; w != nil && (*w < 0 || *w > 20*time.Second || *w%time.Second != 0) {
		return nil, errInvalidValue("Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", *w/time.Second)
	}

	e := q.engine
	e.mu.Lock()
	defer e.unlock()
	wanted := q.config.ReceiveWait
	if in.Wait != nil {
		wanted = *in.Wait
	}
	parked := &poll{queue: q, deadline: e.now().Add(wanted)}
	for {
		now := e.now()
		if q.deleted {
			return nil, errQueueMissing()
		}
		visibility := *q.config.VisibilityTimeout
		if in.Visibility != nil {
			visibility = *in.Visibility
		}
		got := q.take(now, takeOptions{max: limit, visibility: visibility})
		if len(got) > 0 || !parked.deadline.After(now) {
			return handedOut(got), nil
		}
		if err := q.park(ctx, parked, in.YieldHold); err != nil {
			return nil, err
		}
	}
}

// park waits until a receive could hand something out, the poll is over, or ctx ends. It is called and returns with mu held. It tells others of its
// coming and going only, never of a look around, so that two polls do not keep each other awake.
func (q *Queue) park(ctx context.Context, p *poll, yield bool) error {
	e := q.engine
	e.polls[p] = struct{}{}
	if yield {
		e.held--
	}
	e.bump()
	for {
		now := e.now()
		if ctx.Err() != nil || q.deleted || !p.deadline.After(now) || q.receivable(now, nil) {
			break
		}
		wake := p.deadline
		q.times(now, func(t time.Time) {
			if t.Before(wake) {
				wake = t
			}
		})
		changed := e.changed
		e.unlock()
		wait(ctx, changed, wake.Sub(now), true)
		e.mu.Lock()
	}
	delete(e.polls, p)
	if yield {
		e.held++
	}
	e.bump()
	return ctx.Err()
}

type takeOptions struct {
	max        int
	visibility time.Duration
	skipBusy   bool                // leave FIFO groups alone that an invocation works on
	fits       func(*message) bool // nil: everything fits; the first that does not ends the receive
	batch      *batch              // nil: a client receives
}

// take hands out messages and applies the redrive policy to those that had their chances. The caller holds mu.
func (q *Queue) take(now time.Time, o takeOptions) (got []*message) {
	q.settle(now)
	var dead []*message
	target := q.deadLetterTarget()
	full := false
	visit := func(m *message) (goOn bool) {
		switch {
		case target != nil && m.receives >= q.config.Redrive.MaxReceiveCount:
			dead = append(dead, m)
			return true
		case o.fits != nil && !o.fits(m):
			full = true
			return false
		}
		q.handOut(m, now, o)
		got = append(got, m)
		full = len(got) == o.max
		return !full
	}

	if !q.config.FIFO {
		for _, m := range q.messages {
			if !m.visibleAt.After(now) && !visit(m) {
				break
			}
		}
	} else {
		lines := q.lines()
		for _, group := range q.inTurn() {
			if full {
				break
			}
			if o.skipBusy && q.busy[group] > 0 {
				continue
			}
			before := len(got)
			for _, m := range lines[group] {
				// One hidden message blocks what is behind it in its group.
				if m.visibleAt.After(now) || !visit(m) {
					break
				}
			}
			if len(got) > before {
				q.turn++
				q.groups[group] = q.turn
			}
		}
	}
	for _, m := range dead {
		q.deadLetter(m, target, now)
	}
	if len(dead) > 0 {
		q.compact()
	}
	if len(got) > 0 {
		q.engine.bump()
	}
	// A timeout of zero leaves the messages visible, and the next receive gets them again.
	for _, m := range got {
		if !m.visibleAt.After(now) {
			q.returned(m, "visibility set to 0")
		}
	}
	return got
}

// receivable reports whether a receive now that leaves the busy groups alone would hand out or dead-letter something.
func (q *Queue) receivable(now time.Time, busy map[string]int) bool {
	if !q.config.FIFO {
		return slices.ContainsFunc(q.messages, func(m *message) bool { return !m.visibleAt.After(now) })
	}
	seen := map[string]bool{}
	for _, m := range q.messages {
		if seen[m.group] {
			continue
		}
		seen[m.group] = true
		if !m.visibleAt.After(now) && busy[m.group] == 0 {
			return true
		}
	}
	return false
}

// lines splits a FIFO queue into its groups.
func (q *Queue) lines() map[string][]*message {
	lines := map[string][]*message{}
	for _, m := range q.messages {
		lines[m.group] = append(lines[m.group], m)
	}
	return lines
}

// inTurn lists the groups in the order in which they are served: a group that was served goes to the end (recorded behaviour).
func (q *Queue) inTurn() []string {
	return slices.SortedFunc(maps.Keys(q.groups), func(a, b string) int { return int(int64(q.groups[a]) - int64(q.groups[b])) })
}

func (q *Queue) handOut(m *message, now time.Time, o takeOptions) {
	m.receives++
	if m.firstReceived.IsZero() {
		m.firstReceived = now
	}
	m.received = now
	m.visibleAt = now.Add(o.visibility)
	m.inFlight = true
	m.handle = q.newHandle(m)
	entry := Entry{Kind: MessageReceived, Queue: q.name, MessageID: m.id, GroupID: m.group, ReceiveCount: m.receives, VisibleAt: m.visibleAt.UTC(),
		Trace: m.trace, Cause: "client"}
	if o.batch != nil {
		entry.Cause, entry.RequestID, entry.Mapping, entry.Function = "mapping", o.batch.id, o.batch.mapping.uuid, o.batch.mapping.function.name
	}
	q.engine.record(entry)
}

// deadLetterTarget is the queue that the redrive policy names, or nil.
func (q *Queue) deadLetterTarget() *Queue {
	if q.config.Redrive == nil {
		return nil
	}
	return q.engine.queueByARN(q.config.Redrive.DeadLetterTargetARN)
}

// deadLetter moves a message. Id, body, attributes and receive count stay; a standard queue keeps the time it was sent, a FIFO queue
// resets it (SQS developer guide, "Dead-letter queues"; recorded).
func (q *Queue) deadLetter(m *message, target *Queue, now time.Time) {
	m.gone = true
	moved := *m
	moved.gone, moved.inFlight, moved.visibleAt, moved.handle = false, false, time.Time{}, ""
	moved.source = q.arn
	if target.config.FIFO {
		moved.sent = now
	}
	target.put(&moved)
	q.engine.record(Entry{Kind: MessageDeadLettered, Queue: q.name, Target: target.arn, MessageID: m.id, GroupID: m.group, ReceiveCount: m.receives,
		Detail: fmt.Sprintf("received %d times, maxReceiveCount %d", m.receives, q.config.Redrive.MaxReceiveCount)})
}

// newHandle makes the receipt handle of a delivery. It names message and delivery, so that one of a deleted message is still known as such.
func (q *Queue) newHandle(m *message) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s %s %d %x", m.id, q.name, m.receives, q.engine.randomBytes(24)))
}

// parseHandle finds the message of a handle. m is nil when it is not in the queue any more.
func (q *Queue) parseHandle(handle string) (m *message, err error) {
	text, _ := base64.StdEncoding.DecodeString(handle)
	parts := strings.Split(string(text), " ")
	if len(parts) != 4 || parts[1] != q.name {
		return nil, &Error{Code: "ReceiptHandleIsInvalid", Message: fmt.Sprintf("The input receipt handle %q is not a valid receipt handle.", handle)}
	}
	for _, m := range q.messages {
		if m.id == parts[0] {
			return m, nil
		}
	}
	return nil, nil
}

func handedOut(messages []*message) []Received {
	out := make([]Received, len(messages))
	for i, m := range messages {
		out[i] = Received{MessageID: m.id, ReceiptHandle: m.handle, Body: m.body, MD5OfBody: m.md5Body,
			Attributes: maps.Clone(m.attrs), MD5OfAttributes: m.md5Attrs, System: m.system()}
	}
	return out
}

func (m *message) system() map[string]string {
	s := map[string]string{
		"ApproximateReceiveCount":          strconv.Itoa(m.receives),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.firstReceived.UnixMilli(), 10),
		"SentTimestamp":                    strconv.FormatInt(m.sent.UnixMilli(), 10),
		"SenderId":                         m.sender,
	}
	for name, value := range map[string]string{"AWSTraceHeader": m.trace, "MessageGroupId": m.group, "MessageDeduplicationId": m.dedup,
		"SequenceNumber": m.sequence, "DeadLetterQueueSourceArn": m.source} {
		if value != "" {
			s[name] = value
		}
	}
	return s
}

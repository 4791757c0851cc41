package local

import (
	"maps"
	"time"
)

// State is where a message stands in its queue.
type State string

// The states of a message.
const (
	Visible  State = "visible"
	InFlight State = "in flight"
	Delayed  State = "delayed"
)

// MessageState is a message as it lies in its queue.
type MessageState struct {
	MessageID    string
	Body         string
	Attributes   map[string]AttributeValue
	System       map[string]string // as in [Received]; without ApproximateFirstReceiveTimestamp before the first receive
	GroupID      string
	ReceiveCount int
	State        State
	VisibleAt    time.Time // zero when it never was hidden
	SentAt       time.Time
	OriginARN    string // what it came from; see [Entry]
	OriginID     string
}

// Counts is how many messages a queue has in each state.
type Counts struct{ Visible, InFlight, Delayed int }

// Total is the number of messages in the queue.
func (c Counts) Total() int { return c.Visible + c.InFlight + c.Delayed }

// Snapshot returns the messages in the order of their arrival. It receives nothing.
func (q *Queue) Snapshot() []MessageState {
	e := q.engine
	e.mu.Lock()
	defer e.unlock()
	now := e.now()
	q.settle(now)
	out := make([]MessageState, 0, len(q.messages))
	for _, m := range q.messages {
		s := MessageState{MessageID: m.id, Body: m.body, Attributes: maps.Clone(m.attrs), System: m.system(), GroupID: m.group,
			ReceiveCount: m.receives, State: m.state(now), VisibleAt: m.visibleAt, SentAt: m.sent, OriginARN: m.originARN, OriginID: m.originID}
		if m.firstReceived.IsZero() {
			delete(s.System, "ApproximateFirstReceiveTimestamp")
		}
		out = append(out, s)
	}
	return out
}

// Counts counts the messages by state.
func (q *Queue) Counts() Counts {
	e := q.engine
	e.mu.Lock()
	defer e.unlock()
	now := e.now()
	q.settle(now)
	var c Counts
	for _, m := range q.messages {
		switch m.state(now) {
		case InFlight:
			c.InFlight++
		case Delayed:
			c.Delayed++
		default:
			c.Visible++
		}
	}
	return c
}

func (m *message) state(now time.Time) State {
	switch {
	case !m.visibleAt.After(now):
		return Visible
	case m.inFlight:
		return InFlight
	}
	return Delayed
}

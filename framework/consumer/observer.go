package consumer

import (
	"context"
	"time"
)

// An Observer is told of every invocation, once, when its answer is ready and
// before Invoke returns it: what it takes delays the answer. It is safe for
// concurrent use.
type Observer interface {
	Observe(ctx context.Context, r Report)
}

// WithObserver adds an observer. Each is told of every invocation, in the order
// in which they were given.
func WithObserver(o Observer) Option {
	return option(func(c *config) { c.observers = append(c.observers, o) })
}

// A Report is one invocation.
type Report struct {
	Consumer  string
	Source    Source
	RequestID string // Lambda's; empty outside Lambda
	ColdStart bool   // the consumer's first invocation
	Started   time.Time
	Duration  time.Duration // until the answer was ready

	// Messages are those of the batch, in its order. None if Err is set.
	Messages []Observation

	// Err says why nothing could be said of single messages: the payload was
	// none of the source's.
	Err error
}

// An Observation is what became of one message.
type Observation struct {
	Meta Meta

	// Outcome is what the answer says of the message.
	Outcome MessageOutcome

	// Err is why it was not simply done: of a message that is retried, skipped
	// or dead-lettered.
	Err error

	// Age is how long ago the source, or the first of several, accepted the
	// message, when the invocation began: the consumer's lag. 0 if unknown.
	Age time.Duration

	// Run is how long the handler took; 0 if it did not run.
	Run time.Duration

	// TakenOver is true if an earlier attempt's claim had ended without
	// completion. InProgress is true if another attempt held the key.
	// CompletionLost is true if the work is done and the store does not know.
	TakenOver, InProgress, CompletionLost bool
}

// MessageOutcome is one word for what became of a message.
type MessageOutcome string

// The outcomes of messages.
const (
	OutcomeDone         MessageOutcome = "done"
	OutcomeDuplicate    MessageOutcome = "duplicate"
	OutcomeSkipped      MessageOutcome = "skipped"
	OutcomeDeadLettered MessageOutcome = "dead-lettered"
	OutcomeRetried      MessageOutcome = "retried"
)

func (f fate) outcome() MessageOutcome {
	switch f {
	case done:
		return OutcomeDone
	case duplicate:
		return OutcomeDuplicate
	case skipped:
		return OutcomeSkipped
	case deadLettered:
		return OutcomeDeadLettered
	default:
		return OutcomeRetried
	}
}

// observe tells the observers of an invocation.
func (c *Consumer) observe(ctx context.Context, inv *invocation, started time.Time, err error) {
	if len(c.cfg.observers) == 0 {
		return
	}
	r := Report{
		Consumer: c.name, Source: c.source, RequestID: inv.requestID, ColdStart: !c.warm.Swap(true),
		Started: started.Add(inv.offset), Duration: systemTime().Sub(started), Err: err,
	}
	for _, it := range inv.items {
		o := Observation{
			Meta: it.meta, Outcome: it.verdict.fate.outcome(), Err: it.verdict.err, Run: it.ran,
			TakenOver: it.takenOver, InProgress: it.busy, CompletionLost: it.completionLost,
		}
		if !it.meta.SentAt.IsZero() {
			o.Age = max(r.Started.Sub(it.meta.SentAt), 0)
		}
		r.Messages = append(r.Messages, o)
	}
	if len(r.Messages) > 0 {
		r.Err = nil // it is those messages'
	}
	for _, o := range c.cfg.observers {
		func() {
			defer recoverObserver(c, ctx)
			o.Observe(ctx, r)
		}()
	}
}

func recoverObserver(c *Consumer, ctx context.Context) {
	if p := recover(); p != nil {
		c.log().ErrorContext(ctx, "observer panicked: the messages are not touched by it", "consumer", c.name, "panic", p)
	}
}

type metaKey struct{}

// FromContext returns how the message arrived that the handler given ctx works
// on, for what logs or measures below a handler. False elsewhere.
func FromContext(ctx context.Context) (Meta, bool) {
	m, ok := ctx.Value(metaKey{}).(*Meta)
	if !ok {
		return Meta{}, false
	}
	return *m, true
}

package consumer

import (
	"context"
	"time"
)

// A Message is an event and how it arrived. It is a plain value: build one in a
// test.
type Message[E Event] struct {
	Event E
	Meta
}

// A Handler does the work for one message: see the package documentation for
// what its result does. It must be safe for concurrent use, and should return
// soon after its context ends, which is shortly before Lambda would kill it.
type Handler[E Event] func(ctx context.Context, msg Message[E]) error

// Source is the service that delivers a consumer's events.
type Source string

// The sources of events.
const (
	SQS         Source = "sqs"
	SNS         Source = "sns"
	EventBridge Source = "eventbridge"
)

// Meta is how a message arrived.
type Meta struct {
	Consumer string // the consumer's name
	Source   Source // what invoked the function

	// ID identifies the message through every service it passed: the id that
	// the innermost of SQS, SNS and EventBridge gave it, or the one it had
	// before it was sent to a dead-letter queue.
	ID string

	// MessageID is the id that the service which invoked the function gave the
	// message. It is what batch item failures name. A redrive changes it.
	MessageID string

	// Type is the event type that arrived, before any upgrade.
	Type string

	// Key is the event's own key, or ID if it has none; not scoped.
	Key string

	// ARN is the queue, the topic or, for EventBridge, the source's name.
	ARN string

	// GroupID is the SQS message group, if any.
	GroupID string

	// ReceiveCount is how often SQS delivered the message, from 1. It is 1
	// where the source does not say.
	ReceiveCount int

	// SentAt is when the service accepted the message; zero if unknown.
	SentAt time.Time

	// Generation is the fencing number of this run: see package idempotency.
	// It is 0 without a store.
	Generation int64

	// Attributes are the text attributes of the innermost envelope.
	Attributes map[string]string
}

// A Delivery is a message as middleware sees it: decoded, but not typed.
type Delivery struct {
	Meta
	Event any    // the event, after upgrades; of the route's type
	Body  []byte // the innermost body, before upgrades; not to be kept or changed
}

// Next continues with a delivery.
type Next func(ctx context.Context, d *Delivery) error

// Middleware wraps the handling of every delivery, inside recovery and
// idempotency: it runs when the handler is about to run, not for duplicates.
type Middleware func(next Next) Next

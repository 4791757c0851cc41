package consumer

import (
	"context"
	"time"
)

// A DeadLetterSink keeps messages that no delivery can help. It is safe for
// concurrent use. A nil error means that the message is durable there: only
// then is it settled.
type DeadLetterSink interface {
	Send(ctx context.Context, dl DeadLetter) error
}

// A DeadLetter is a message on its way to the sink, as it arrived.
type DeadLetter struct {
	Meta
	Body        string               // as the source delivered it, envelopes included
	AllAttrs    map[string]Attribute // of the outermost message, binary ones included
	Reason      error                // why no delivery can succeed
	FIFO        bool                 // the source is a FIFO queue
	ReceivedFor string               // the function's request id, for finding its logs
}

// A VisibilityChanger hides messages of a queue for a while. It is safe for
// concurrent use. An error is logged and costs nothing but an earlier or later
// retry.
type VisibilityChanger interface {
	ChangeVisibility(ctx context.Context, changes []VisibilityChange) error
}

// A VisibilityChange hides one message from now on.
type VisibilityChange struct {
	QueueARN      string
	MessageID     string
	ReceiptHandle string
	Timeout       time.Duration // whole seconds, 0 to 12 hours
}

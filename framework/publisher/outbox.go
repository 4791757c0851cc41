package publisher

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// Outgoing returns the entry as an event for a transaction to leave in its
// record: see dynamostore's InTxPublish. To is the name that the consumer's
// WithOutbox gives this event's publisher.
func Outgoing(to string, e Entry) (idempotency.Outgoing, error) {
	if e.Event == nil {
		return idempotency.Outgoing{}, fmt.Errorf("publisher: event for the outbox %q is nil", to)
	}
	if len(e.Attributes) > 0 {
		return idempotency.Outgoing{}, fmt.Errorf("publisher: event %s for the outbox %q has attributes, which an outbox does not keep", e.Event.EventType(), to)
	}
	body, err := json.Marshal(e.Event)
	if err != nil {
		return idempotency.Outgoing{}, fmt.Errorf("publisher: event %s for the outbox %q: %w", e.Event.EventType(), to, err)
	}
	return idempotency.Outgoing{To: to, Type: e.Event.EventType(), Body: body, Group: e.Group, DeduplicationID: deduplicationID(e)}, nil
}

// PublishOutgoing sends events that were left in a record. It makes a Publisher
// a consumer.Outbox.
func (p *Publisher) PublishOutgoing(ctx context.Context, events []idempotency.Outgoing) error {
	entries := make([]Entry, len(events))
	for i, e := range events {
		entries[i] = Entry{Event: kept{e}, Group: e.Group, DeduplicationID: e.DeduplicationID}
	}
	return p.PublishEntries(ctx, entries...)
}

// kept is an event that is encoded already.
type kept struct{ e idempotency.Outgoing }

func (k kept) EventType() string            { return k.e.Type }
func (k kept) MarshalJSON() ([]byte, error) { return k.e.Body, nil }

package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// An Outbox publishes events that handlers' transactions left in their records.
// It is safe for concurrent use. A nil error means that all were accepted.
// *publisher.Publisher is one.
type Outbox interface {
	PublishOutgoing(ctx context.Context, events []idempotency.Outgoing) error
}

// WithOutbox lets handlers' transactions leave events for the outbox of that
// name (see dynamostore's InTxPublish): they are published after the handler
// returned, and the message is completed when they are. It needs a store.
func WithOutbox(name string, to Outbox) Option {
	return option(func(c *config) {
		switch {
		case to == nil:
			c.errs = append(c.errs, fmt.Errorf("WithOutbox(%q) was given a nil outbox", name))
		case c.outboxes[name] != nil:
			c.errs = append(c.errs, fmt.Errorf("WithOutbox(%q) was given twice", name))
		}
		if c.outboxes == nil {
			c.outboxes = map[string]Outbox{}
		}
		c.outboxes[name] = to
	})
}

// publish sends what a committed claim left to be published, per outbox and in
// order. An error retries the message: its next delivery publishes again,
// without running the handler.
func (b *batch) publish(pending []idempotency.Outgoing) error {
	var names []string
	byName := map[string][]idempotency.Outgoing{}
	for _, e := range pending {
		if byName[e.To] == nil {
			names = append(names, e.To)
		}
		byName[e.To] = append(byName[e.To], e)
	}
	ctx, cancel := until(b.workCtx, b.inv.limits.hard)
	defer cancel()
	var errs []error
	for _, name := range names {
		outbox := b.c.cfg.outboxes[name]
		if outbox == nil {
			errs = append(errs, fmt.Errorf("events wait for the outbox %q, which the consumer does not have: give it WithOutbox(%q, ...)", name, name))
			continue
		}
		err := func() (err error) {
			defer recovered(&err)
			return outbox.PublishOutgoing(ctx, byName[name])
		}()
		if err != nil {
			errs = append(errs, fmt.Errorf("publish to the outbox %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

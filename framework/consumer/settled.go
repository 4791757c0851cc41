package consumer

import (
	"context"
	"errors"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// logSettled says what a claim that could not be settled means. None of it
// changes a message's fate: work that is done is settled even if the store does
// not know it, because a retry would only do it again.
func (c *Consumer) logSettled(ctx context.Context, s idempotency.Settlement, err error) {
	switch {
	case err == nil:
	case s.Action == idempotency.Release:
		if !errors.Is(err, idempotency.ErrLost) {
			c.log().WarnContext(ctx, "claim not released: the message is retried when its lease ends", "consumer", c.name, "error", err)
		}
	case errors.Is(err, idempotency.ErrLost):
		c.log().WarnContext(ctx, "work outlived its lease: another attempt may have run too; raise the function's timeout", "consumer", c.name)
	default:
		c.log().ErrorContext(ctx, "work done, but its completion not written: a later delivery of the same key would run again", "consumer", c.name, "error", err)
	}
}

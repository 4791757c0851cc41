package consumer

import (
	"context"
	"fmt"
	"time"
)

// The margin before an invocation's deadline: a tenth of the time at start,
// within these bounds.
const (
	marginShare = 10
	minMargin   = 500 * time.Millisecond
	maxMargin   = 5 * time.Second

	// leaseGrace covers that Lambda ends an invocation late, and clocks that
	// differ between sandboxes.
	leaseGrace = 5 * time.Second
)

// limits are the times of one invocation, on the system's clock. All are zero
// if the context has no deadline.
type limits struct {
	deadline time.Time
	soft     time.Time // handlers' contexts end; nothing starts any more
	send     time.Time // sending a dead letter ends: its failure must be heard before hard
	hard     time.Time // no handler is waited for any longer
	settle   time.Time // the last round of settling ends
	answer   time.Time // the round of visibility changes ends
}

func newLimits(ctx context.Context) (limits, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return limits{}, nil
	}
	left := deadline.Sub(systemTime())
	margin := min(max(left/marginShare, minMargin), maxMargin)
	if left <= margin {
		return limits{}, fmt.Errorf("only %s are left of this invocation, and %s are kept to settle and answer: raise the function's timeout to at least 3 seconds",
			left.Round(time.Millisecond), margin)
	}
	return limits{
		deadline: deadline,
		soft:     deadline.Add(-margin),
		send:     deadline.Add(-margin * 3 / 4),
		hard:     deadline.Add(-margin / 2),
		settle:   deadline.Add(-margin / 4),
		answer:   deadline.Add(-margin / 8),
	}, nil
}

// lease is until when claims of this invocation exclude others.
func (i *invocation) lease(expires time.Time) time.Time {
	if i.limits.deadline.IsZero() {
		return expires // nothing says when this attempt ends
	}
	end := i.limits.deadline.Add(i.offset)
	if now := i.now(); end.Before(now) {
		end = now
	}
	return end.Add(leaseGrace)
}

// until returns a context that survives the end of ctx, for what must still be
// said when the time for work is over, and ends at t, if that is set.
func until(ctx context.Context, t time.Time) (context.Context, context.CancelFunc) {
	ctx = context.WithoutCancel(ctx)
	if t.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, t)
}

// Package resilience guards handlers with the policies of failsafe-go: circuit
// breaker, bulkhead, rate limiter, timeout.
//
// # Semantics
//
// A policy that refuses to run a handler costs no work: the message is reported
// at once and hidden for the longest back-off, consumer.MaxBackoff, since what
// ails a dependency seldom ends sooner and every receive counts toward the
// dead-letter queue. With an open breaker, so is the rest of the batch. SNS and
// EventBridge have no such hiding: there, the invocation fails and Lambda
// retries on its own schedule.
//
// Policies live as long as the process, and every sandbox has its own. Give
// them to one consumer's middleware and build it once, at cold start.
package resilience

import (
	"context"
	"errors"
	"fmt"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/timeout"

	"github.com/sluice-go/sluice/framework/consumer"
)

// With runs every handler within the policies, the first outermost:
// With(breaker, limit) is breaker(limit(handler)).
//
// Only failures that say something about a dependency count against a policy:
// a permanent failure or a skip is the message's own, and counts as success. A
// panic passes through, and is recovered by the consumer.
//
// A timeout cancels the handler's context and waits for it to return; then the
// message is retried with its usual back-off.
func With(policies ...failsafe.Policy[any]) consumer.Middleware {
	run := failsafe.With(policies...)
	return func(next consumer.Next) consumer.Next {
		return func(ctx context.Context, d *consumer.Delivery) error {
			var own error
			err := run.WithContext(ctx).RunWithExecution(func(e failsafe.Execution[any]) error {
				own = nil
				err := next(e.Context(), d)
				if consumer.IsPermanent(err) || consumer.IsSkip(err) {
					own = err
					return nil
				}
				return err
			})
			switch {
			case err == nil:
				return own
			case errors.Is(err, circuitbreaker.ErrOpen), errors.Is(err, bulkhead.ErrFull), errors.Is(err, ratelimiter.ErrExceeded):
				return consumer.RetryAfter(consumer.MaxBackoff, fmt.Errorf("not run: %w", err))
			case errors.Is(err, timeout.ErrExceeded):
				return fmt.Errorf("handler took too long: %w", err)
			default:
				return err
			}
		}
	}
}

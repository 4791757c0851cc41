package resilience_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/timeout"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/resilience"
)

type ping struct{ ID string }

func (ping) EventType() string        { return "pings.sent.v1" }
func (p ping) IdempotencyKey() string { return p.ID }

var errDown = errors.New("the bank is closed")

// pings are n messages of a standard queue.
func pings(n int) consumertest.Batch {
	var events []consumer.Event
	for i := range n {
		events = append(events, ping{string(rune('a' + i))})
	}
	return consumertest.SQS(events...)
}

func build(t *testing.T, q *consumertest.Queue, h consumer.Handler[ping], concurrency int, policies ...failsafe.Policy[any]) *consumer.Consumer {
	t.Helper()
	c, err := consumer.NewSQS("test", h, consumer.WithConcurrency(concurrency), q.Option(),
		consumer.WithIdempotency(idempotency.NewMemory()), consumer.WithMiddleware(resilience.With(policies...)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOpenBreakerReportsTheRestForTheCap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int32
		q := &consumertest.Queue{}
		breaker := circuitbreaker.NewBuilder[any]().WithFailureThreshold(2).WithDelay(time.Minute).Build()
		c := build(t, q, func(context.Context, consumer.Message[ping]) error { ran.Add(1); return errDown }, 1, breaker)
		start := time.Now()
		batch := pings(6)
		if o := consumertest.Deliver(t, c, batch); len(o.Failed) != 6 {
			t.Fatalf("reported %v, want all", o.Failed)
		}
		if n := ran.Load(); n != 2 {
			t.Errorf("the handler ran %d times, want 2 until the breaker opened", n)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("the rest was not reported at once: %s", took)
		}
		for i, m := range batch.Messages {
			d, _ := q.Hidden(m.ID)
			if capped := d == consumer.MaxBackoff; capped != (i >= 2) {
				t.Errorf("message %d hidden for %s", i, d)
			}
		}
	})
}

// What is the message's own fault must not open the breaker for the others.
func TestPermanentAndSkipDoNotTrip(t *testing.T) {
	t.Parallel()
	q := &consumertest.Queue{}
	breaker := circuitbreaker.NewBuilder[any]().WithFailureThreshold(1).WithDelay(time.Hour).Build()
	c := build(t, q, func(_ context.Context, msg consumer.Message[ping]) error {
		switch msg.Event.ID {
		case "a":
			return consumer.Permanent(errDown)
		case "b":
			return consumer.Skip("no interest")
		}
		return nil
	}, 1, breaker)
	if o := consumertest.Deliver(t, c, pings(3)); !o.Settled() {
		t.Fatalf("outcome %+v", o)
	}
	if n := len(q.DeadLetters()); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
	if !breaker.IsClosed() {
		t.Error("the breaker opened")
	}
}

func TestFullBulkheadAndSpentRate(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]failsafe.Policy[any]{
		"bulkhead":     bulkhead.New[any](1),
		"rate limiter": ratelimiter.NewBursty[any](1, time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := &consumertest.Queue{}
			release := make(chan struct{})
			var started atomic.Int32
			c := build(t, q, func(context.Context, consumer.Message[ping]) error {
				if started.Add(1) == 1 {
					<-release
				}
				return nil
			}, 2, policy)
			batch := pings(2)
			done := make(chan consumertest.Outcome)
			go func() { done <- consumertest.Deliver(t, c, batch) }()
			// One holds the only place; the other is refused while it does, and
			// its visibility is changed when the batch ends.
			close(release)
			o := <-done
			if len(o.Failed) == 1 {
				if d, _ := q.Hidden(batch.Messages[o.Failed[0]].ID); d != consumer.MaxBackoff {
					t.Errorf("hidden for %s, want %s", d, consumer.MaxBackoff)
				}
			} else if name == "rate limiter" {
				t.Errorf("reported %v, want one", o.Failed)
			}
		})
	}
}

func TestTimeoutCancelsAndRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &consumertest.Queue{}
		c := build(t, q, func(ctx context.Context, _ consumer.Message[ping]) error { <-ctx.Done(); return ctx.Err() }, 1, timeout.New[any](time.Second))
		start := time.Now()
		batch := pings(1)
		if o := consumertest.Deliver(t, c, batch); len(o.Failed) != 1 {
			t.Fatalf("outcome %+v", o)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s, want the timeout", took)
		}
		if d, _ := q.Hidden(batch.Messages[0].ID); d < 15*time.Second || d > 30*time.Second {
			t.Errorf("hidden for %s, want the usual back-off", d)
		}
	})
}

func TestPanicIsRecovered(t *testing.T) {
	t.Parallel()
	q := &consumertest.Queue{}
	c := build(t, q, func(_ context.Context, msg consumer.Message[ping]) error {
		if msg.Event.ID == "a" {
			panic("out of cheese")
		}
		return nil
	}, 2, circuitbreaker.NewWithDefaults[any](), timeout.New[any](time.Minute))
	if o := consumertest.Deliver(t, c, pings(2)); len(o.Failed) != 1 || o.Failed[0] != 0 {
		t.Errorf("outcome %+v", o)
	}
}

package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// TestHandlerResults are the ways to return that are easily missed. The table
// of outcomes has the plain ones.
func TestHandlerResults(t *testing.T) {
	t.Parallel()
	wrap := func(err error) error { return fmt.Errorf("one: %w", fmt.Errorf("two: %w", err)) }
	for name, test := range map[string]struct {
		handle           func() error
		reported, letter bool
		hidden           time.Duration // 0: for the back-off, or not
		status           idempotency.Status
	}{
		"wrapped Permanent":           {handle: func() error { return wrap(consumer.Permanent(errWork)) }, letter: true, status: idempotency.StatusInProgress},
		"wrapped RetryAfter":          {handle: func() error { return wrap(consumer.RetryAfter(77*time.Second, errWork)) }, reported: true, hidden: 77 * time.Second},
		"wrapped Skip":                {handle: func() error { return wrap(consumer.Skip("why")) }, status: idempotency.StatusCompleted},
		"Skip joined with a failure":  {handle: func() error { return errors.Join(consumer.Skip("why"), errWork) }, reported: true},
		"Permanent joined":            {handle: func() error { return errors.Join(errWork, consumer.Permanent(errWork)) }, reported: true},
		"RetryAfter of a Permanent":   {handle: func() error { return consumer.RetryAfter(time.Second, consumer.Permanent(errWork)) }, letter: true, status: idempotency.StatusInProgress},
		"RetryAfter of part a second": {handle: func() error { return consumer.RetryAfter(1500*time.Millisecond, errWork) }, reported: true, hidden: 2 * time.Second},
		"RetryAfter beyond SQS":       {handle: func() error { return consumer.RetryAfter(48*time.Hour, errWork) }, reported: true, hidden: 12*time.Hour - 15*time.Minute},
		"RetryAfter a negative time":  {handle: func() error { return consumer.RetryAfter(-time.Hour, errWork) }, reported: true, hidden: -1},
		"a handler's own DecodeError": {handle: func() error { return &consumer.DecodeError{Err: errWork} }, letter: true, status: idempotency.StatusInProgress},
		"panic(nil)":                  {handle: func() error { panic(nil) }, reported: true},
		"panic with an error":         {handle: func() error { panic(consumer.Permanent(errWork)) }, reported: true},
		"runtime.Goexit":              {handle: func() error { runtime.Goexit(); return nil }, reported: true},
		"a nil map":                   {handle: func() error { var m map[string]int; m["a"] = 1; return nil }, reported: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queue, store := &consumertest.Queue{}, idempotency.NewMemory()
			c, err := consumer.NewSQS("c", func(context.Context, consumer.Message[placed]) error { return test.handle() },
				quiet(), queue.Option(), consumer.WithIdempotency(store))
			if err != nil {
				t.Fatal(err)
			}
			batch := consumertest.SQS(placed{ID: "o-1"})
			o := consumertest.Deliver(t, c, batch)
			if reported := !o.Settled(); reported != test.reported || (len(queue.DeadLetters()) == 1) != test.letter {
				t.Errorf("outcome %+v, dead letters %+v", o, queue.DeadLetters())
			}
			d, hidden := queue.Hidden(batch.Messages[0].ID)
			if hidden != test.reported || test.hidden > 0 && d != test.hidden || test.hidden < 0 && d != 0 {
				t.Errorf("hidden %t for %s", hidden, d)
			}
			rec, _, _ := store.Get(t.Context(), "c#orders.placed#o-1")
			if want := test.status; want == idempotency.StatusCompleted && rec.Status != want || want != idempotency.StatusCompleted && (rec.Status != idempotency.StatusInProgress || !rec.Lease.IsZero()) {
				t.Errorf("record %+v", rec)
			}
		})
	}
}

func TestRetryAfterInVainIsLogged(t *testing.T) {
	t.Parallel()
	var logs strings.Builder
	c, err := consumer.NewSQS("c", func(context.Context, consumer.Message[placed]) error { return consumer.RetryAfter(time.Hour, errWork) },
		consumer.WithLogger(slog.New(slog.NewTextHandler(&logs, nil))))
	if err != nil {
		t.Fatal(err)
	}
	consumertest.Deliver(t, c, consumertest.SQS(placed{ID: "o-1"}))
	if !strings.Contains(logs.String(), "RetryAfter has no effect") {
		t.Errorf("logs:\n%s", logs.String())
	}
}

// TestMiddlewareOrder: the first is outermost, in every way of giving them.
func TestMiddlewareOrder(t *testing.T) {
	t.Parallel()
	var calls []string
	m := func(name string) consumer.Middleware {
		return func(next consumer.Next) consumer.Next {
			return func(ctx context.Context, d *consumer.Delivery) error {
				calls = append(calls, name)
				defer func() { calls = append(calls, "/"+name) }()
				return next(ctx, d)
			}
		}
	}
	want := "[a b c handler /c /b /a]"
	for name, opts := range map[string][]consumer.SQSOption{
		"at once":  {consumer.WithMiddleware(m("a"), m("b"), m("c"))},
		"in turn":  {consumer.WithMiddleware(m("a")), consumer.WithMiddleware(m("b"), m("c"))},
		"composed": {consumer.WithOptions(consumer.WithMiddleware(m("a")), consumer.WithOptions(consumer.WithMiddleware(m("b")))), consumer.WithMiddleware(m("c"))},
	} {
		calls = nil
		c, err := consumer.NewSQS("c", func(context.Context, consumer.Message[placed]) error { calls = append(calls, "handler"); return nil },
			append(opts, quiet(), consumer.WithIdempotency(idempotency.NewMemory()))...)
		if err != nil {
			t.Fatal(err)
		}
		batch := consumertest.SQS(placed{ID: "o-1"})
		consumertest.Deliver(t, c, batch)
		consumertest.Deliver(t, c, batch.Redeliver()) // a duplicate runs no middleware
		if got := fmt.Sprint(calls); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestMiddlewareMayAnswer instead of the handler, by any result; but not put
// another type in the event's place.
func TestMiddlewareMayAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		m                consumer.Middleware
		reported, letter bool
	}{
		"nil": {func(consumer.Next) consumer.Next {
			return func(context.Context, *consumer.Delivery) error { return nil }
		}, false, false},
		"an error": {func(consumer.Next) consumer.Next {
			return func(context.Context, *consumer.Delivery) error { return errWork }
		}, true, false},
		"a panic": {func(consumer.Next) consumer.Next {
			return func(context.Context, *consumer.Delivery) error { panic("m") }
		}, true, false},
		"an impostor": {func(next consumer.Next) consumer.Next {
			return func(ctx context.Context, d *consumer.Delivery) error { d.Event = other{}; return next(ctx, d) }
		}, false, true},
	} {
		queue := &consumertest.Queue{}
		c, err := consumer.NewSQS("c", func(context.Context, consumer.Message[placed]) error {
			t.Errorf("%s: the handler ran", name)
			return nil
		},
			quiet(), queue.Option(), consumer.WithMiddleware(test.m))
		if err != nil {
			t.Fatal(err)
		}
		if o := consumertest.Deliver(t, c, consumertest.SQS(placed{ID: "o-1"})); o.Settled() == test.reported || (len(queue.DeadLetters()) == 1) != test.letter {
			t.Errorf("%s: outcome %+v, dead letters %v", name, o, queue.DeadLetters())
		}
	}
}

// TestLateReturn: what a handler does after it was given up changes neither the
// answer nor its claim, which the next attempt may hold by then.
func TestLateReturn(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]error{"done": nil, "failed": errWork, "permanent": consumer.Permanent(errWork)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store, queue, free := idempotency.NewMemory(), &consumertest.Queue{}, make(chan struct{})
				c, err := consumer.NewSQS("c", func(_ context.Context, msg consumer.Message[placed]) error {
					if msg.ReceiveCount == 1 {
						<-free
						return late
					}
					if msg.Generation != 2 {
						t.Errorf("generation %d", msg.Generation)
					}
					return nil
				}, quiet(), queue.Option(), consumer.WithIdempotency(store))
				if err != nil {
					t.Fatal(err)
				}
				batch := consumertest.SQS(placed{ID: "o-1"})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				o := consumertest.DeliverContext(ctx, t, c, batch)
				if len(o.Failed) != 1 {
					t.Errorf("outcome %+v", o)
				}
				time.Sleep(10 * time.Second) // past the lease
				if o := consumertest.Deliver(t, c, batch.Retry(o)); !o.Settled() {
					t.Errorf("redelivery: %+v", o)
				}
				before, _, _ := store.Get(t.Context(), "c#orders.placed#o-1")
				close(free)
				synctest.Wait()
				after, _, _ := store.Get(t.Context(), "c#orders.placed#o-1")
				if !reflect.DeepEqual(before, after) || after.Status != idempotency.StatusCompleted {
					t.Errorf("record %+v became %+v", before, after)
				}
			})
		})
	}
}

// TestInvocationsAtOnce share a Consumer and a store, and no message.
func TestInvocationsAtOnce(t *testing.T) {
	t.Parallel()
	ran := map[string]int{}
	c, err := consumer.NewSQS("c", nothing[placed], quiet(), consumer.WithIdempotency(idempotency.NewMemory()), consumer.WithMiddleware(countRuns(ran)))
	if err != nil {
		t.Fatal(err)
	}
	const invocations, messages = 20, 15
	var wg sync.WaitGroup
	for i := range invocations {
		wg.Go(func() {
			var events []consumer.Event
			for j := range messages {
				events = append(events, placed{ID: fmt.Sprint("own ", i, j)}, placed{ID: fmt.Sprint("shared ", j)})
			}
			batch := consumertest.SQS(events...)
			o := consumertest.Deliver(t, c, batch)
			for o.Err == nil && !o.Settled() { // shared ones are in progress elsewhere, for an instant
				batch = batch.Retry(o)
				o = consumertest.Deliver(t, c, batch)
			}
			if o.Err != nil {
				t.Error(o.Err)
			}
		})
	}
	wg.Wait()
	if want := invocations*messages + messages; len(ran) != want {
		t.Errorf("%d keys ran, want %d", len(ran), want)
	}
	for key, n := range ran {
		if n != 1 {
			t.Errorf("%s ran %d times", key, n)
		}
	}
}

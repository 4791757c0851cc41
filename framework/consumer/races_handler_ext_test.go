package consumer_test

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// basket's key is within what a handler can change through its copy.
type basket struct {
	IDs []string `json:"ids"`
}

func (basket) EventType() string        { return "baskets.filled.v1" }
func (b basket) IdempotencyKey() string { return b.IDs[0] }

// R16: the handler changes its input. The key was taken before.
func TestR16HandlerChangesItsInput(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		var generations []int64
		c, err := consumer.NewSQS("c", func(_ context.Context, msg consumer.Message[basket]) error {
			generations = append(generations, msg.Generation)
			msg.Event.IDs[0] = "changed"
			if len(generations) == 1 {
				return errWork
			}
			return nil
		}, quiet(), consumer.WithIdempotency(s))
		if err != nil {
			t.Fatal(err)
		}
		batch := consumertest.SQS(basket{IDs: []string{"b-1"}})
		if o := consumertest.Deliver(t, c, batch); len(o.Failed) != 1 {
			t.Errorf("outcome %+v", o)
		}
		for range 2 { // the retry, and a duplicate
			if o := consumertest.Deliver(t, c, batch.Redeliver()); !o.Settled() {
				t.Errorf("outcome %+v", o)
			}
		}
		if !slices.Equal(generations, []int64{1, 2}) {
			t.Errorf("generations %v: the release was not of the claim, or the completion was not", generations)
		}
		for _, key := range []string{"b-1", "changed"} {
			rec, found, err := s.Get(t.Context(), "c#baskets.filled#"+key)
			if err != nil || found != (key == "b-1") || found && rec.Status != idempotency.StatusCompleted {
				t.Errorf("record of %s: %+v, %t, %v", key, rec, found, err)
			}
		}
	})
}

// R17: one handler's work invokes another consumer on the same store, with the
// same event. Their claims are their own, and the inner failure is the inner
// consumer's.
func TestR17NestedConsumers(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		const innerKey = "inner#orders.placed#o-1"
		claimOf := func(ctx context.Context) string {
			claim, ok := idempotency.FromContext(ctx)
			if !ok {
				return ""
			}
			return claim.Key()
		}
		innerRuns, outerRuns := 0, 0
		inner, err := consumer.NewSQS("inner", func(ctx context.Context, _ consumer.Message[placed]) error {
			if key := claimOf(ctx); key != innerKey {
				t.Errorf("the inner handler runs under %q", key)
			}
			if innerRuns++; innerRuns == 1 {
				return errWork
			}
			return nil
		}, quiet(), consumer.WithIdempotency(s))
		if err != nil {
			t.Fatal(err)
		}
		outer := s.sandbox(func(ctx context.Context, _ consumer.Message[placed]) error {
			outerRuns++
			if o := consumertest.DeliverContext(ctx, t, inner, order()); len(o.Failed) != 1 {
				t.Errorf("the inner outcome: %+v", o)
			}
			if key := claimOf(ctx); key != raceKey {
				t.Errorf("the outer handler runs under %q", key)
			}
			return s.db.inTx(ctx) // of the outer claim
		})
		outer.settles(order())
		s.wantRecord(idempotency.StatusCompleted, 1, false)
		if rec, _, _ := s.Get(t.Context(), innerKey); rec.Status != idempotency.StatusInProgress || !rec.Lease.IsZero() {
			t.Errorf("the inner record %+v, want released", rec)
		}
		outer.settles(order().Redeliver())
		if o := consumertest.Deliver(t, inner, order().Redeliver()); !o.Settled() {
			t.Errorf("the inner retry: %+v", o)
		}
		if outerRuns != 1 || innerRuns != 2 || s.db.effects() != 1 {
			t.Errorf("outer %d, inner %d runs, %d effects; want 1, 2, 1", outerRuns, innerRuns, s.db.effects())
		}
	})
}

// R18: another message comes under a key, while the first is worked and after
// it. It is a permanent failure, and the first one's record stays as it is.
func TestR18AnotherMessageUnderTheKey(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		const key = "c#payments.paid#p-1"
		free := make(chan struct{})
		queue := &consumertest.Queue{}
		c, err := consumer.NewSQSMux("c", []consumer.Route{consumer.On(func(_ context.Context, msg consumer.Message[paid]) error {
			if msg.Event.Amount != 5 {
				t.Errorf("the other message ran: %+v", msg.Event)
			}
			<-free
			return nil
		}, consumer.Fingerprint[paid]())}, quiet(), consumer.WithIdempotency(s), queue.Option())
		if err != nil {
			t.Fatal(err)
		}
		first := &sandbox{t: t, c: c, queue: queue, logs: &safeBuilder{}}
		wait := first.start(consumertest.SQS(paid{ID: "p-1", Amount: 5}))
		refused := func(n int) {
			t.Helper()
			before, found, err := s.Get(t.Context(), key)
			if err != nil || !found {
				t.Fatalf("no record of %s: %v", key, err)
			}
			first.settles(consumertest.SQS(paid{ID: "p-1", Amount: 6}))
			letters := queue.DeadLetters()
			if len(letters) != n {
				t.Fatalf("%d dead letters, want %d", len(letters), n)
			}
			if _, ok := errors.AsType[*consumer.MismatchError](letters[n-1].Reason); !ok {
				t.Errorf("reason %v", letters[n-1].Reason)
			}
			if after, _, _ := s.Get(t.Context(), key); !reflect.DeepEqual(before, after) {
				t.Errorf("the record became %+v, from %+v", after, before)
			}
		}
		refused(1)
		close(free)
		if o := wait(); !o.Settled() {
			t.Errorf("outcome %+v", o)
		}
		refused(2)
	})
}

// R19: what a handler's work was or said is no part of the completion, so it
// can neither be too large for it nor unfit to be written.
func TestR19CompletionHoldsNothingOfTheWork(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		b := s.sandbox(nothing[placed])
		b.settles(consumertest.SQS(placed{ID: "small"}))
		b.settles(consumertest.SQS(placed{ID: "large", Group: strings.Repeat("x", 500<<10)}))
		small, large := s.db.content("c#orders.placed#small"), s.db.content("c#orders.placed#large")
		if len(small) != len(large) || !strings.Contains(large, "COMPLETED") {
			t.Errorf("records of a small and a large event:\n%.1000s\n%.1000s", small, large)
		}
	})
}

// R22: a handler that panics, or ends its goroutine, is a failure like others:
// released, reported, and retried at once.
func TestR22PanicAndGoexit(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(){"panic": func() { panic(errWork) }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, s *raceStore) {
				runs := 0
				b := s.sandbox(func(context.Context, consumer.Message[placed]) error {
					if runs++; runs == 1 {
						end()
					}
					return nil
				})
				b.reports(order(), 15*time.Second, 31*time.Second)
				s.wantRecord(idempotency.StatusInProgress, 1, false)
				b.settles(order().Redeliver())
				s.wantRecord(idempotency.StatusCompleted, 2, false)
				if runs != 2 {
					t.Errorf("the handler ran %d times", runs)
				}
			})
		})
	}
}

// R23: the handler obeys its context at the deadline. Its claim is released
// under a context that has not ended with it.
func TestR23HandlerObeysItsContext(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		runs := 0
		b := s.sandbox(func(ctx context.Context, _ consumer.Message[placed]) error {
			if runs++; runs == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		released := 0
		s.onSettle = func(ctx context.Context, sets []idempotency.Settlement, apply func() []error) []error {
			for _, set := range sets {
				if set.Action == idempotency.Release {
					released++
				}
			}
			if err := ctx.Err(); err != nil {
				t.Errorf("settling under a context that has ended: %v", err)
			}
			if _, ok := ctx.Deadline(); !ok {
				t.Error("settling may take for ever")
			}
			return apply()
		}
		b.reports(order(), 15*time.Second, 31*time.Second)
		if released != 1 {
			t.Errorf("%d claims released", released)
		}
		s.wantRecord(idempotency.StatusInProgress, 1, false)
		b.settles(order().Redeliver())
		s.wantRecord(idempotency.StatusCompleted, 2, false)
	})
}

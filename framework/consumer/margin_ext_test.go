package consumer_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// Of a function with 20 s, the margin is 2 s: contexts end after 18 s, nothing
// is waited for after 19 s.
const (
	timeout20 = 20 * time.Second
	soft20    = 18 * time.Second
	hard20    = 19 * time.Second
)

// within20 delivers a batch to a new consumer with 20 s left.
func within20(t *testing.T, batch consumertest.Batch, h consumer.Handler[placed], opts ...consumer.SQSOption) consumertest.Outcome {
	t.Helper()
	c, err := consumer.NewSQS("c", h, append(opts, quiet())...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout20)
	defer cancel()
	return consumertest.DeliverContext(ctx, t, c, batch)
}

func held(t *testing.T, store idempotency.Store, key string) (status idempotency.Status, held bool) {
	t.Helper()
	rec, found, err := store.Get(t.Context(), "c#orders.placed#"+key)
	if err != nil || !found {
		t.Fatalf("%s: found %t, %v", key, found, err)
	}
	return rec.Status, !rec.Lease.IsZero()
}

// TestCopyOfWhatEndsInTheMargin waits for its leader as long as that has.
func TestCopyOfWhatEndsInTheMargin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := within20(t, consumertest.SQS(placed{ID: "x"}, placed{ID: "x"}), func(ctx context.Context, _ consumer.Message[placed]) error {
			<-ctx.Done()
			time.Sleep(500 * time.Millisecond) // what had begun is ended
			return nil
		}, consumer.WithIdempotency(idempotency.NewMemory()))
		if !o.Settled() {
			t.Errorf("outcome %+v", o)
		}
	})
}

// slowSettle takes its time to settle.
type slowSettle struct {
	*idempotency.Memory
	latency time.Duration
}

func (s slowSettle) Settle(ctx context.Context, sets []idempotency.Settlement) []error {
	time.Sleep(s.latency)
	return s.Memory.Settle(ctx, sets)
}

// TestReturnAfterGivingUp: what ends after it was reported is not settled, even
// if the invocation is still busy settling others.
func TestReturnAfterGivingUp(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]error{"done": nil, "failed": errWork} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := slowSettle{idempotency.NewMemory(), 400 * time.Millisecond}
				o := within20(t, consumertest.SQS(placed{ID: "x"}, placed{ID: "late"}), func(_ context.Context, msg consumer.Message[placed]) error {
					if msg.Event.ID == "late" {
						time.Sleep(hard20 + 100*time.Millisecond)
						return late
					}
					time.Sleep(hard20 - 100*time.Millisecond)
					return nil
				}, consumer.WithIdempotency(store))
				if len(o.Failed) != 1 || o.Failed[0] != 1 {
					t.Errorf("outcome %+v", o)
				}
				time.Sleep(time.Second)
				if status, held := held(t, store, "late"); status != idempotency.StatusInProgress || !held {
					t.Errorf("the late one is %s, held %t", status, held)
				}
				if status, _ := held(t, store, "x"); status != idempotency.StatusCompleted {
					t.Errorf("the other one is %s", status)
				}
			})
		})
	}
}

// heedful is a sink, and a visibility changer, that heeds its context as real
// ones do.
type heedful struct {
	mu        sync.Mutex
	sent      int
	hidden    int
	deadlines []time.Time
	hang      bool
}

func (h *heedful) Send(ctx context.Context, _ consumer.DeadLetter) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	deadline, _ := ctx.Deadline()
	h.deadlines = append(h.deadlines, deadline)
	if h.hang {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	h.sent++
	return nil
}

func (h *heedful) ChangeVisibility(ctx context.Context, changes []consumer.VisibilityChange) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() == nil {
		h.hidden += len(changes)
	}
	return ctx.Err()
}

// TestWhatIsSaidInTheMargin: handlers' contexts have ended, and dead letters,
// visibility changes and settlements still go out.
func TestWhatIsSaidInTheMargin(t *testing.T) {
	t.Parallel()
	for _, canceled := range []bool{false, true} { // by the deadline, or by Lambda's own context
		synctest.Test(t, func(t *testing.T) {
			store, queue := idempotency.NewMemory(), &heedful{}
			c, err := consumer.NewSQS("c", func(ctx context.Context, msg consumer.Message[placed]) error {
				<-ctx.Done()
				switch msg.Event.ID {
				case "bad":
					return consumer.Permanent(errWork)
				case "failed":
					return errWork
				}
				return nil
			}, quiet(), consumer.WithIdempotency(store), consumer.WithDeadLetters(queue), consumer.WithQueueActions(queue))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), timeout20)
			defer cancel()
			if canceled {
				time.AfterFunc(time.Second, cancel)
			}
			o := consumertest.DeliverContext(ctx, t, c, consumertest.SQS(placed{ID: "bad"}, placed{ID: "failed"}, placed{ID: "good"}))
			if len(o.Failed) != 1 || o.Failed[0] != 1 || queue.sent != 1 || queue.hidden != 1 {
				t.Errorf("canceled %t: outcome %+v, %d dead letters, %d hidden", canceled, o, queue.sent, queue.hidden)
			}
			if status, _ := held(t, store, "good"); status != idempotency.StatusCompleted {
				t.Errorf("canceled %t: the good one is %s", canceled, status)
			}
			for _, key := range []string{"bad", "failed"} {
				if status, held := held(t, store, key); status != idempotency.StatusInProgress || held {
					t.Errorf("canceled %t: %s is %s, held %t", canceled, key, status, held)
				}
			}
		})
	}
}

// TestSinkThatHangs is given up while its failure can still be heard: the
// handler has returned, so its claim is free.
func TestSinkThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, queue, start := idempotency.NewMemory(), &heedful{hang: true}, time.Now()
		o := within20(t, consumertest.SQS(placed{ID: "bad"}), func(context.Context, consumer.Message[placed]) error { return consumer.Permanent(errWork) },
			consumer.WithIdempotency(store), consumer.WithDeadLetters(queue))
		if len(o.Failed) != 1 || len(queue.deadlines) != 1 {
			t.Fatalf("outcome %+v, %d sends", o, len(queue.deadlines))
		}
		if end := queue.deadlines[0].Sub(start); end <= soft20 || end >= hard20 {
			t.Errorf("the send ends after %s", end)
		}
		if _, held := held(t, store, "bad"); held {
			t.Error("the claim is held")
		}
	})
}

// deafClaim applies claims, and loses every response.
type deafClaim struct{ *idempotency.Memory }

func (s deafClaim) Claim(ctx context.Context, r []idempotency.ClaimRequest) ([]idempotency.ClaimResult, error) {
	if _, err := s.Memory.Claim(ctx, r); err != nil {
		return nil, err
	}
	return nil, errDown
}

// TestClaimOfLostResponse is released: it may have been applied, and the next
// delivery should not wait for its lease.
func TestClaimOfLostResponse(t *testing.T) {
	t.Parallel()
	store := deafClaim{idempotency.NewMemory()}
	c, err := consumer.NewSQS("c", nothing[placed], quiet(), consumer.WithIdempotency(store))
	if err != nil {
		t.Fatal(err)
	}
	if o := consumertest.Deliver(t, c, consumertest.SQS(placed{ID: "x"})); len(o.Failed) != 1 {
		t.Errorf("outcome %+v", o)
	}
	if status, held := held(t, store, "x"); status != idempotency.StatusInProgress || held {
		t.Errorf("the claim is %s, held %t", status, held)
	}
}

// TestRetryUnderTheSameRequestID: Lambda retries an asynchronous invocation
// under its request id. What the first attempt claimed is not the second's own.
func TestRetryUnderTheSameRequestID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		var runs atomic.Int32 // what hangs is not waited for
		c, err := consumer.NewSNS("c", func(context.Context, consumer.Message[placed]) error {
			runs.Add(1)
			<-free
			return nil
		}, quiet(), consumer.WithIdempotency(idempotency.NewMemory()))
		if err != nil {
			t.Fatal(err)
		}
		deliver := func(timeout time.Duration) consumertest.Outcome {
			ctx, cancel := context.WithTimeout(lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "one"}), timeout)
			defer cancel()
			return consumertest.DeliverContext(ctx, t, c, consumertest.SNS(placed{ID: "x"}))
		}
		if o := deliver(timeout20); o.Err == nil || runs.Load() != 1 {
			t.Errorf("first attempt: %+v, %d runs", o, runs.Load())
		}
		// The lease lasts until 5 s after the first deadline.
		if o := deliver(3 * time.Second); o.Err == nil || runs.Load() != 1 {
			t.Errorf("beside the first attempt: %+v, %d runs", o, runs.Load())
		}
		close(free)
		if o := deliver(timeout20); !o.Settled() || runs.Load() != 2 {
			t.Errorf("after the lease: %+v, %d runs", o, runs.Load())
		}
	})
}

// TestNoTimeLeft is refused with the advice to raise the timeout, before any
// handler runs.
func TestNoTimeLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := consumer.NewSQS("c", func(context.Context, consumer.Message[placed]) error { t.Error("ran"); return nil }, quiet())
		if err != nil {
			t.Fatal(err)
		}
		for _, timeout := range []time.Duration{-time.Second, 0, 400 * time.Millisecond, 500 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			if o := consumertest.DeliverContext(ctx, t, c, consumertest.SQS(placed{ID: "x"})); o.Err == nil {
				t.Errorf("with %s left: %+v", timeout, o)
			}
			cancel()
		}
	})
}

package consumer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// countingStore counts calls, each of which stands for one request: it refuses
// more keys than a request takes.
type countingStore struct {
	*idempotency.Memory
	t       *testing.T
	latency time.Duration

	mu              sync.Mutex
	claims, settles int
	settling        bool
}

func (s *countingStore) Claim(ctx context.Context, r []idempotency.ClaimRequest) ([]idempotency.ClaimResult, error) {
	s.mu.Lock()
	s.claims++
	s.mu.Unlock()
	if len(r) == 0 || len(r) > 25 {
		s.t.Errorf("a claim of %d keys", len(r))
	}
	time.Sleep(s.latency)
	return s.Memory.Claim(ctx, r)
}

func (s *countingStore) Settle(ctx context.Context, sets []idempotency.Settlement) []error {
	s.mu.Lock()
	s.settles++
	if s.settling {
		s.t.Error("two settlements at once: the second could have gone with others")
	}
	s.settling = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.settling = false
		s.mu.Unlock()
	}()
	if len(sets) == 0 || len(sets) > 25 {
		s.t.Errorf("a settlement of %d keys", len(sets))
	}
	time.Sleep(s.latency)
	return s.Memory.Settle(ctx, sets)
}

func count(t *testing.T, store *countingStore, n int, h consumer.Handler[placed], opts ...consumer.SQSOption) {
	t.Helper()
	c, err := consumer.NewSQS("c", h, append(opts, quiet(), consumer.WithIdempotency(store))...)
	if err != nil {
		t.Fatal(err)
	}
	var events []consumer.Event
	for i := range n {
		events = append(events, placed{ID: fmt.Sprint(i)})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	if o := consumertest.DeliverContext(ctx, t, c, consumertest.SQS(events...)); !o.Settled() {
		t.Errorf("outcome %+v", o)
	}
	for i := range n {
		if rec, _, _ := store.Get(t.Context(), fmt.Sprintf("c#orders.placed#%d", i)); rec.Status != idempotency.StatusCompleted {
			t.Errorf("record %d is %+v", i, rec)
		}
	}
}

func TestRequestsOfQuickBatches(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 10, 25, 26, 50, 51, 100} {
		for _, concurrency := range []int{1, 10, 100} {
			t.Run(fmt.Sprint(n, "x", concurrency), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					store := &countingStore{Memory: idempotency.NewMemory(), t: t}
					count(t, store, n, nothing[placed], consumer.WithConcurrency(concurrency))
					if want := (n + 24) / 25; store.claims != want || store.settles != want {
						t.Errorf("%d claims and %d settlements, want %d of each", store.claims, store.settles, want)
					}
				})
			})
		}
	}
}

// TestRequestsWithinTheLinger: handlers that end within 20 ms of each other
// share a settlement, though they do not end at once.
func TestRequestsWithinTheLinger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &countingStore{Memory: idempotency.NewMemory(), t: t, latency: 5 * time.Millisecond}
		count(t, store, 10, func(_ context.Context, msg consumer.Message[placed]) error {
			time.Sleep(time.Duration(msg.Event.ID[0]-'0') * 2 * time.Millisecond)
			return nil
		})
		if store.claims != 1 || store.settles != 1 {
			t.Errorf("%d claims and %d settlements, want 1 of each", store.claims, store.settles)
		}
	})
}

// TestRequestsOfSlowBatches: a claim, and at worst a settlement for each.
func TestRequestsOfSlowBatches(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			n := 1 + r.IntN(25)
			delays := make([]time.Duration, n)
			for i := range delays {
				delays[i] = time.Duration(r.IntN(5000)) * time.Millisecond
			}
			store := &countingStore{Memory: idempotency.NewMemory(), t: t, latency: time.Duration(r.IntN(50)) * time.Millisecond}
			count(t, store, n, func(_ context.Context, msg consumer.Message[placed]) error {
				var i int
				_, _ = fmt.Sscan(msg.Event.ID, &i)
				time.Sleep(delays[i])
				return nil
			}, consumer.WithConcurrency(1+r.IntN(25)))
			if store.claims != 1 || store.settles > n {
				t.Errorf("seed %d: %d messages took %d claims and %d settlements", seed, n, store.claims, store.settles)
			}
		})
	}
}

// TestLastRecordDoesNotLinger: nobody is left to wait for.
func TestLastRecordDoesNotLinger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &countingStore{Memory: idempotency.NewMemory(), t: t}
		start := time.Now()
		count(t, store, 1, nothing[placed])
		if took := time.Since(start); took != 0 { // of the bubble's clock
			t.Errorf("took %s", took)
		}
	})
}

// TestFinishedRecordLingers: what is finished is not kept from the store for
// longer than the linger, however long others take.
func TestFinishedRecordLingers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &countingStore{Memory: idempotency.NewMemory(), t: t}
		go func() {
			time.Sleep(21 * time.Millisecond)
			if rec, _, _ := store.Get(context.Background(), "c#orders.placed#0"); rec.Status != idempotency.StatusCompleted {
				t.Errorf("after the linger the record is %+v", rec)
			}
		}()
		count(t, store, 2, func(_ context.Context, msg consumer.Message[placed]) error {
			if msg.Event.ID == "1" {
				time.Sleep(time.Minute)
			}
			return nil
		})
	})
}

// TestClaimsStayNearTheWork: a claim made long before its work is a lease that
// runs for nothing.
func TestClaimsStayNearTheWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &countingStore{Memory: idempotency.NewMemory(), t: t}
		started := 0
		count(t, store, 100, func(context.Context, consumer.Message[placed]) error {
			started++
			time.Sleep(time.Second)
			store.mu.Lock()
			defer store.mu.Unlock()
			if claimed := 25 * store.claims; claimed-started >= 50 {
				t.Errorf("%d claimed, %d started", claimed, started)
			}
			return nil
		}, consumer.WithConcurrency(1))
	})
}

// TestLeases: a claim outlives the deadline by the grace, whatever is left.
func TestLeases(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := idempotency.NewMemory()
		const offset = 100 * time.Hour
		check := func(want time.Duration) consumer.Handler[placed] {
			return func(ctx context.Context, msg consumer.Message[placed]) error {
				rec, _, _ := memory.Get(ctx, "c#orders.placed#"+msg.Event.ID)
				if got := time.Until(rec.Lease); got != want {
					t.Errorf("%s: lease of %s, want %s", msg.Event.ID, got, want)
				}
				return nil
			}
		}
		for id, test := range map[string]struct {
			timeout, want time.Duration
			opts          []consumer.SQSOption
		}{
			"deadline":    {30 * time.Second, 35 * time.Second, nil},
			"no deadline": {0, time.Hour, []consumer.SQSOption{consumer.WithRecordLife(time.Hour)}},
			"clock ahead": {30 * time.Second, offset + 35*time.Second, []consumer.SQSOption{consumer.WithClockOffset(func(context.Context) time.Duration { return offset })}},
		} {
			c, err := consumer.NewSQS("c", check(test.want), append(test.opts, quiet(), consumer.WithIdempotency(memory))...)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if test.timeout > 0 {
				ctx, cancel = context.WithTimeout(ctx, test.timeout)
			}
			if o := consumertest.DeliverContext(ctx, t, c, consumertest.SQS(placed{ID: id})); !o.Settled() {
				t.Errorf("%s: %+v", id, o)
			}
			cancel()
		}
	})
}

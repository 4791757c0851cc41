package consumer_test

import (
	"context"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// The races of docs/races.md, each on every store, are in the files races_*.
// Time is a bubble's: no test waits.

// raceTimeout is the function's time-out in the tests of races.
const raceTimeout = time.Minute

// raceStore is a store with what a test needs to make a race.
type raceStore struct {
	t  *testing.T
	db storeUnderTest

	mu       sync.Mutex
	requests []idempotency.ClaimRequest
	settled  []idempotency.Settlement

	// onClaim and onSettle, if set, stand between a consumer and the store.
	onClaim  func(ctx context.Context, apply func() ([]idempotency.ClaimResult, error)) ([]idempotency.ClaimResult, error)
	onSettle func(ctx context.Context, sets []idempotency.Settlement, apply func() []error) []error
}

// onStores runs a test on every store, in a bubble.
func onStores(t *testing.T, test func(t *testing.T, s *raceStore)) {
	t.Helper()
	for name, open := range map[string]func(*testing.T) storeUnderTest{"memory": newMemoryUnderTest, "dynamostore": newDynamoUnderTest} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, &raceStore{t: t, db: open(t)}) })
		})
	}
}

func (s *raceStore) Claim(ctx context.Context, requests []idempotency.ClaimRequest) ([]idempotency.ClaimResult, error) {
	s.mu.Lock()
	s.requests = append(s.requests, requests...)
	on := s.onClaim
	s.mu.Unlock()
	apply := func() ([]idempotency.ClaimResult, error) { return s.db.Claim(ctx, requests) }
	if on != nil {
		return on(ctx, apply)
	}
	return apply()
}

func (s *raceStore) Settle(ctx context.Context, sets []idempotency.Settlement) []error {
	s.mu.Lock()
	s.settled = append(s.settled, sets...)
	on := s.onSettle
	s.mu.Unlock()
	apply := func() []error { return s.db.Settle(ctx, sets) }
	if on != nil {
		return on(ctx, sets, apply)
	}
	return apply()
}

func (s *raceStore) Get(ctx context.Context, key string) (idempotency.Record, bool, error) {
	return s.db.Get(ctx, key)
}

// asked returns how many keys were claimed since the last call.
func (s *raceStore) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.requests)
	s.requests = nil
	return n
}

// loseSettlements is a crash, as a store sees it: nothing is settled any more.
func (s *raceStore) loseSettlements(lose bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onSettle = nil
	if lose {
		s.onSettle = func(_ context.Context, sets []idempotency.Settlement, _ func() []error) []error {
			return allDown(sets)
		}
	}
}

func allDown(sets []idempotency.Settlement) []error {
	errs := make([]error, len(sets))
	for i := range errs {
		errs[i] = errDown
	}
	return errs
}

const raceKey = "c#orders.placed#o-1"

// crashed leaves a claim behind as an attempt that died did.
func (s *raceStore) crashed(lease, life time.Duration) {
	s.t.Helper()
	now := time.Now()
	req := idempotency.ClaimRequest{Key: raceKey, Owner: "crashed", Now: now, Lease: now.Add(lease), Expires: now.Add(life)}
	results, err := s.db.Claim(s.t.Context(), []idempotency.ClaimRequest{req})
	if err != nil || results[0].Outcome != idempotency.Claimed {
		s.t.Fatalf("the crashed attempt's claim: %+v, %v", results, err)
	}
}

func (s *raceStore) record() idempotency.Record {
	s.t.Helper()
	rec, found, err := s.db.Get(s.t.Context(), raceKey)
	if err != nil || !found {
		s.t.Fatalf("record of %s: found %t, %v", raceKey, found, err)
	}
	return rec
}

func (s *raceStore) wantRecord(status idempotency.Status, generation int64, leased bool) {
	s.t.Helper()
	if rec := s.record(); rec.Status != status || rec.Generation != generation || rec.Lease.IsZero() == leased {
		s.t.Errorf("record %+v, want %s, generation %d, leased %t", rec, status, generation, leased)
	}
}

func (s *raceStore) wantUntouched(before idempotency.Record) {
	s.t.Helper()
	if after := s.record(); !reflect.DeepEqual(before, after) {
		s.t.Errorf("the record became %+v, from %+v", after, before)
	}
}

// sandbox is a consumer with a queue's actions and a log: one process.
type sandbox struct {
	t     *testing.T
	c     *consumer.Consumer
	queue *consumertest.Queue
	logs  *safeBuilder
}

func (s *raceStore) sandbox(handle consumer.Handler[placed], opts ...consumer.SQSOption) *sandbox {
	s.t.Helper()
	b := &sandbox{t: s.t, queue: &consumertest.Queue{}, logs: &safeBuilder{}}
	opts = append([]consumer.SQSOption{
		consumer.WithIdempotency(s), b.queue.Option(), consumer.WithLogger(slog.New(slog.NewTextHandler(b.logs, nil))),
	}, opts...)
	var err error
	if b.c, err = consumer.NewSQS("c", handle, opts...); err != nil {
		s.t.Fatal(err)
	}
	return b
}

func (b *sandbox) deliver(batch consumertest.Batch) consumertest.Outcome {
	b.t.Helper()
	return b.within(raceTimeout, batch)
}

func (b *sandbox) within(d time.Duration, batch consumertest.Batch) consumertest.Outcome {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), d)
	defer cancel()
	return consumertest.DeliverContext(ctx, b.t, b.c, batch)
}

// settles delivers a batch that must be settled whole.
func (b *sandbox) settles(batch consumertest.Batch) {
	b.t.Helper()
	if o := b.deliver(batch); !o.Settled() {
		b.t.Errorf("outcome %+v, want settled; log:\n%s", o, b.logs)
	}
}

// reports delivers a batch whose only message must be reported, hidden between
// least and most.
func (b *sandbox) reports(batch consumertest.Batch, least, most time.Duration) {
	b.t.Helper()
	if o := b.deliver(batch); o.Err != nil || len(o.Failed) != 1 {
		b.t.Errorf("outcome %+v, want reported; log:\n%s", o, b.logs)
	}
	b.wantHidden(batch, least, most)
}

func (b *sandbox) wantHidden(batch consumertest.Batch, least, most time.Duration) {
	b.t.Helper()
	if d, ok := b.queue.Hidden(batch.Messages[0].ID); !ok || d < least || d > most {
		b.t.Errorf("hidden %t for %s, want %s to %s", ok, d, least, most)
	}
}

func (b *sandbox) wantLog(line string) {
	b.t.Helper()
	if !strings.Contains(b.logs.String(), line) {
		b.t.Errorf("the log has no %q:\n%s", line, b.logs)
	}
}

// start delivers beside the test and returns when nothing moves any more; wait
// returns the outcome.
func (b *sandbox) start(batch consumertest.Batch) (wait func() consumertest.Outcome) {
	done := make(chan consumertest.Outcome, 1)
	go func() { done <- b.deliver(batch) }()
	time.Sleep(time.Millisecond)
	synctest.Wait()
	return func() consumertest.Outcome { return <-done }
}

func order() consumertest.Batch { return consumertest.SQS(placed{ID: "o-1"}) }

// safeBuilder is a strings.Builder for several goroutines.
type safeBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuilder) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuilder) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

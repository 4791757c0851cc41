package consumer_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// R1: two sandboxes get one message at once.
func TestR01TwoDeliveriesAtOnce(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) { twoAtOnce(t, s, 1) })
}

// R2: they do so over what a crash left behind, its lease over or its record
// expired.
func TestR02TwoDeliveriesOverALapsedClaim(t *testing.T) {
	t.Parallel()
	for name, life := range map[string]time.Duration{"lapsed": time.Hour, "expired": 10 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, s *raceStore) {
				s.crashed(10*time.Second, life)
				time.Sleep(12 * time.Second)
				twoAtOnce(t, s, 2)
			})
		})
	}
}

// twoAtOnce delivers one message to two sandboxes at the same moment.
func twoAtOnce(t *testing.T, s *raceStore, generation int64) {
	t.Helper()
	var runs atomic.Int32
	free := make(chan struct{})
	handle := func(_ context.Context, msg consumer.Message[placed]) error {
		runs.Add(1)
		if msg.Generation != generation {
			t.Errorf("generation %d, want %d", msg.Generation, generation)
		}
		<-free
		return nil
	}
	boxes := []*sandbox{s.sandbox(handle), s.sandbox(handle)}
	outcomes := make([]consumertest.Outcome, len(boxes))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, b := range boxes {
		wg.Go(func() {
			<-start
			outcomes[i] = b.deliver(order())
		})
	}
	close(start)
	time.Sleep(time.Second)
	if n := runs.Load(); n != 1 {
		t.Errorf("%d handlers run at once", n)
	}
	close(free)
	wg.Wait()
	if n := runs.Load(); n != 1 {
		t.Errorf("the handler ran %d times", n)
	}
	if outcomes[0].Settled() == outcomes[1].Settled() {
		t.Fatalf("outcomes %+v, want one settled and one reported", outcomes)
	}
	loser := 0
	if outcomes[0].Settled() {
		loser = 1
	}
	// For the rest of the winner's lease.
	boxes[loser].wantHidden(order(), raceTimeout, raceTimeout+6*time.Second)
	boxes[loser].settles(order().Redeliver())
	if n := runs.Load(); n != 1 {
		t.Errorf("the redelivery ran the handler")
	}
}

// R3: the claim is written, and the store's client gives up on its answer. What
// may be ours is released, so that the next delivery need not wait for a lease
// that nobody works under.
func TestR03ClaimAnswerLost(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		runs := 0
		b := s.sandbox(func(context.Context, consumer.Message[placed]) error { runs++; return nil })
		s.onClaim = func(_ context.Context, apply func() ([]idempotency.ClaimResult, error)) ([]idempotency.ClaimResult, error) {
			if _, err := apply(); err != nil {
				t.Errorf("claim: %v", err)
			}
			return nil, errDown
		}
		b.reports(order(), consumer.MaxBackoff, consumer.MaxBackoff)
		if runs != 0 {
			t.Error("the handler ran without a claim that it knows of")
		}
		s.wantRecord(idempotency.StatusInProgress, 1, false)
		s.onClaim = nil
		b.settles(order().Redeliver())
		if runs != 1 {
			t.Errorf("the handler ran %d times", runs)
		}
		s.wantRecord(idempotency.StatusCompleted, 2, false)
	})
}

// R4: a crash between claim and effect holds the key for the lease, and then
// the work is done, once.
func TestR04CrashBeforeTheEffect(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		s.crashed(40*time.Second, time.Hour)
		runs := 0
		b := s.sandbox(func(context.Context, consumer.Message[placed]) error { runs++; return nil })
		b.reports(order(), 40*time.Second, 41*time.Second)
		if runs != 0 {
			t.Error("the handler ran while the lease was live")
		}
		time.Sleep(41 * time.Second)
		b.settles(order().Redeliver())
		if runs != 1 {
			t.Errorf("the handler ran %d times, want once", runs)
		}
		s.wantRecord(idempotency.StatusCompleted, 2, false)
	})
}

// R5: a crash between a foreign effect and the completion repeats the effect.
// What the second run has to go by: the same key, and a higher generation.
func TestR05CrashAfterAForeignEffect(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		type effect struct {
			key        string
			generation int64
		}
		var done []effect
		b := s.sandbox(func(ctx context.Context, msg consumer.Message[placed]) error {
			claim, _ := idempotency.FromContext(ctx)
			done = append(done, effect{claim.Key(), msg.Generation})
			return nil
		})
		s.loseSettlements(true)
		b.deliver(order()) // dies before it answers
		s.loseSettlements(false)
		time.Sleep(raceTimeout + 6*time.Second)
		b.settles(order().Redeliver())
		if want := []effect{{raceKey, 1}, {raceKey, 2}}; !slices.Equal(done, want) {
			t.Errorf("effects %v, want %v", done, want)
		}
		s.wantRecord(idempotency.StatusCompleted, 2, false)
	})
}

// R5, closed: effect and completion are one transaction, and wherever the crash
// is, the effect is there once.
func TestR05CrashAroundATransaction(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"before it": true, "after it": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, s *raceStore) {
				runs := 0
				b := s.sandbox(func(ctx context.Context, msg consumer.Message[placed]) error {
					runs++
					if before && msg.ReceiveCount == 1 {
						return errWork // what it returned is heard by nobody
					}
					return s.db.inTx(ctx)
				})
				s.loseSettlements(true)
				b.deliver(order()) // dies before it answers
				s.loseSettlements(false)
				time.Sleep(raceTimeout + 6*time.Second)
				b.settles(order().Redeliver())
				wantRuns := 1
				if before {
					wantRuns = 2
				}
				if n := s.db.effects(); n != 1 || runs != wantRuns {
					t.Errorf("%d effects in %d runs, want 1 in %d", n, runs, wantRuns)
				}
				if got := s.record().Status; got != idempotency.StatusCompleted {
					t.Errorf("the record is %s", got)
				}
			})
		})
	}
}

// R6: the completion is written and its answer lost. The work is done, and
// known to be.
func TestR06CompletionAnswerLost(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		runs := 0
		b := s.sandbox(func(context.Context, consumer.Message[placed]) error { runs++; return nil })
		s.onSettle = func(_ context.Context, sets []idempotency.Settlement, apply func() []error) []error {
			apply()
			return allDown(sets)
		}
		b.settles(order())
		s.wantRecord(idempotency.StatusCompleted, 1, false)
		s.onSettle = nil
		b.settles(order().Redeliver())
		if runs != 1 {
			t.Errorf("the handler ran %d times", runs)
		}
	})
}

// R7: a crash after the completion loses the answer, so the message comes again.
func TestR07AnswerLost(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		runs := 0
		b := s.sandbox(func(context.Context, consumer.Message[placed]) error { runs++; return nil })
		b.settles(order()) // and nobody hears it
		before := s.record()
		time.Sleep(raceTimeout)
		b.settles(order().Redeliver())
		if runs != 1 {
			t.Errorf("the handler ran %d times", runs)
		}
		s.wantUntouched(before)
	})
}

// R8: a message comes back after weeks in queues and dead-letter queues. The
// record outlives it by default, and no longer than it is told to.
func TestR08RedeliveryAfterWeeks(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		life time.Duration // 0: the default
		last time.Duration // when a redelivery is still a duplicate
	}{
		"default":      {0, 28 * day},
		"as the stack": {40 * day, 40 * day},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, s *raceStore) {
				var opts []consumer.SQSOption
				if test.life > 0 {
					opts = append(opts, consumer.WithRecordLife(test.life))
				}
				runs := 0
				b := s.sandbox(func(context.Context, consumer.Message[placed]) error { runs++; return nil }, opts...)
				b.settles(order())
				time.Sleep(test.last - time.Minute)
				b.settles(order().Redeliver())
				if runs != 1 {
					t.Errorf("the handler ran %d times within the record's life", runs)
				}
				time.Sleep(2 * time.Minute)
				b.settles(order().Redeliver())
				if runs != 2 {
					t.Errorf("the handler ran %d times: a record that expired held the key", runs)
				}
			})
		})
	}
}

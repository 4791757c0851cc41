package consumer_test

import (
	"context"
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// R20: the store is away when the message comes. Nothing runs unguarded.
func TestR20StoreAwayAtTheClaim(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		runs := 0
		b := s.sandbox(func(context.Context, consumer.Message[placed]) error { runs++; return nil })
		s.onClaim = func(context.Context, func() ([]idempotency.ClaimResult, error)) ([]idempotency.ClaimResult, error) {
			return nil, errDown
		}
		s.loseSettlements(true)
		b.reports(order(), consumer.MaxBackoff, consumer.MaxBackoff)
		if runs != 0 {
			t.Error("the handler ran without a claim")
		}
		b.wantLog(errDown.Error())
		s.onClaim = nil
		s.loseSettlements(false)
		b.settles(order().Redeliver())
		if runs != 1 {
			t.Errorf("the handler ran %d times", runs)
		}
	})
}

// R21: the store is away when the work is done. A retry would only do it again:
// the message is settled, and the operator is told. The store has until the
// margin's end to try again by itself.
func TestR21StoreAwayAtTheCompletion(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		runs, tries := 0, 0
		b := s.sandbox(func(context.Context, consumer.Message[placed]) error { runs++; return nil })
		deadline := time.Now().Add(raceTimeout)
		s.onSettle = func(ctx context.Context, sets []idempotency.Settlement, _ func() []error) []error {
			tries++
			if until, ok := ctx.Deadline(); !ok || until.After(deadline) || until.Before(deadline.Add(-5*time.Second)) {
				t.Errorf("settling may go on until %s (%t), with a deadline at %s", until, ok, deadline)
			}
			return allDown(sets)
		}
		b.settles(order())
		b.wantLog("work done, but its completion not written")
		if runs != 1 || tries != 1 {
			t.Errorf("%d runs, %d tries", runs, tries)
		}
		s.wantRecord(idempotency.StatusInProgress, 1, true) // and lapses
	})
}

// R25: the record is deleted while the work runs. The late completion does not
// make a new one, and the work's message is settled; and no request lets a
// record end before its lease.
func TestR25RecordDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		b := s.sandbox(func(context.Context, consumer.Message[placed]) error { s.db.forget(raceKey); return nil },
			consumer.WithRecordLife(time.Minute))
		if o := b.within(15*time.Minute, order()); !o.Settled() {
			t.Errorf("outcome %+v", o)
		}
		b.wantLog("work outlived its lease")
		if rec, found, err := s.Get(t.Context(), raceKey); found || err != nil {
			t.Errorf("record %+v (%t), %v", rec, found, err)
		}
		if req := s.requests[0]; req.Expires.Before(req.Lease) || req.Lease.Sub(req.Now) < 15*time.Minute {
			t.Errorf("request %+v: the record may be deleted under its lease", req)
		}
	})
}

// R26: a cache in front of the store. It knows completed keys only, compares
// fingerprints on every hit, and does not outlive the record.
func TestR26Cached(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		const life = 2 * time.Minute
		runs, fail := 0, true
		queue := &consumertest.Queue{}
		c, err := consumer.NewSQSMux("c", []consumer.Route{consumer.On(func(context.Context, consumer.Message[paid]) error {
			if runs++; fail {
				return errWork
			}
			return nil
		}, consumer.Fingerprint[paid]())}, quiet(), consumer.WithIdempotency(idempotency.Cached(s, 10)), consumer.WithRecordLife(life), queue.Option())
		if err != nil {
			t.Fatal(err)
		}
		deliver := func(amount int64, settled bool, asked int, why string) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			if o := consumertest.DeliverContext(ctx, t, c, consumertest.SQS(paid{ID: "p-1", Amount: amount})); o.Settled() != settled {
				t.Errorf("%s: outcome %+v", why, o)
			}
			if n := s.asked(); n != asked {
				t.Errorf("%s: the store was asked for %d keys, want %d", why, n, asked)
			}
		}
		deliver(5, false, 1, "fails")
		deliver(5, false, 1, "fails again: a released key is the store's to say")
		fail = false
		deliver(5, true, 1, "is done")
		deliver(5, true, 1, "is seen completed for the first time")
		deliver(5, true, 0, "is known")
		if n := len(queue.DeadLetters()); n != 0 || runs != 3 {
			t.Fatalf("%d dead letters, %d runs; want 0 and 3", n, runs)
		}
		deliver(6, true, 0, "another message under a known key")
		if letters := queue.DeadLetters(); len(letters) != 1 || runs != 3 {
			t.Errorf("%d dead letters, %d runs; want 1 and 3", len(letters), runs)
		}
		time.Sleep(life + 2*time.Second)
		deliver(5, true, 1, "comes after the record's life")
		if runs != 4 {
			t.Errorf("the handler ran %d times: the cache outlived the record", runs)
		}
	})
}

// R28: many copies in one batch ask for one key, once, and share its result.
func TestR28CopiesInOneBatchAskOnce(t *testing.T) {
	t.Parallel()
	for name, result := range map[string]error{"done": nil, "failed": errWork} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, s *raceStore) {
				runs := 0
				b := s.sandbox(func(context.Context, consumer.Message[placed]) error { runs++; return result })
				batch := order()
				for range 9 {
					batch = batch.Add(order())
				}
				o := b.deliver(batch)
				if asked := s.asked(); asked != 1 || runs != 1 || len(s.settled) != 1 {
					t.Errorf("%d keys asked for, %d runs, %d settlements; want one each", asked, runs, len(s.settled))
				}
				want := 0
				if result != nil {
					want = len(batch.Messages)
				}
				if o.Err != nil || len(o.Failed) != want {
					t.Errorf("outcome %+v, want %d reported", o, want)
				}
			})
		})
	}
}

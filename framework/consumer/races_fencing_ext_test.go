package consumer_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// overtaken starts an attempt, and lets another sandbox, whose clock says that
// the first one's lease is over, take its key over. Each blocks until its
// channel is closed; the first then returns late.
func overtaken(s *raceStore, late error) (first, second *sandbox, free, freeSecond chan struct{}, waitFirst, waitSecond func() consumertest.Outcome) {
	free, freeSecond = make(chan struct{}), make(chan struct{})
	first = s.sandbox(func(context.Context, consumer.Message[placed]) error { <-free; return late })
	second = s.sandbox(func(_ context.Context, msg consumer.Message[placed]) error {
		if msg.Generation != 2 {
			s.t.Errorf("generation %d, want 2", msg.Generation)
		}
		<-freeSecond
		return nil
	}, consumer.WithClockOffset(func(context.Context) time.Duration { return 2 * raceTimeout }))
	waitFirst = first.start(order())
	s.wantRecord(idempotency.StatusInProgress, 1, true)
	waitSecond = second.start(order().Redeliver())
	s.wantRecord(idempotency.StatusInProgress, 2, true)
	return first, second, free, freeSecond, waitFirst, waitSecond
}

// R9: an attempt that outlived its lease succeeds or fails while its successor
// runs. Neither reaches the successor's claim, and the loss is said.
func TestR09LateReturnBesideTheSuccessor(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]error{"done": nil, "failed": errWork} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, s *raceStore) {
				first, second, free, freeSecond, waitFirst, waitSecond := overtaken(s, late)
				running := s.record()
				close(free)
				if o := waitFirst(); o.Settled() != (late == nil) {
					t.Errorf("the late attempt: %+v", o)
				}
				s.wantUntouched(running)
				if late == nil {
					first.wantLog("work outlived its lease")
				}
				close(freeSecond)
				if o := waitSecond(); !o.Settled() {
					t.Errorf("the successor: %+v", o)
				}
				if rec := s.record(); rec.Status != idempotency.StatusCompleted || rec.Owner != running.Owner {
					t.Errorf("record %+v, want the successor's, completed", rec)
				}
				if log := second.logs.String(); strings.Contains(log, "outlived") {
					t.Errorf("the successor lost its claim:\n%s", log)
				}
			})
		})
	}
}

// R10: it fails after its successor completed. The work stays done.
func TestR10LateFailureAfterTheSuccessor(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		_, second, free, freeSecond, waitFirst, waitSecond := overtaken(s, errWork)
		close(freeSecond)
		if o := waitSecond(); !o.Settled() {
			t.Errorf("the successor: %+v", o)
		}
		done := s.record()
		if done.Status != idempotency.StatusCompleted {
			t.Fatalf("record %+v", done)
		}
		close(free)
		if o := waitFirst(); len(o.Failed) != 1 {
			t.Errorf("the late attempt: %+v, want reported", o)
		}
		s.wantUntouched(done)
		second.settles(order().Redeliver())
		s.wantUntouched(done)
	})
}

// R11: the release fails. The handler's error is what is reported, and the
// claim lapses by itself.
func TestR11ReleaseFails(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		runs := 0
		b := s.sandbox(func(context.Context, consumer.Message[placed]) error {
			if runs++; runs == 1 {
				return errWork
			}
			return nil
		})
		s.loseSettlements(true)
		b.reports(order(), 15*time.Second, 31*time.Second) // by the handler's error
		b.wantLog(errWork.Error())
		b.wantLog("claim not released")
		s.wantRecord(idempotency.StatusInProgress, 1, true)
		s.loseSettlements(false)
		b.reports(order().Redeliver(), raceTimeout, raceTimeout+6*time.Second)
		time.Sleep(raceTimeout + 6*time.Second)
		b.settles(order().Redeliver())
		if runs != 2 {
			t.Errorf("the handler ran %d times", runs)
		}
	})
}

// R12: what a refused copy does, while the work runs and after it, touches
// nothing.
func TestR12RefusedCopyTouchesNothing(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		free := make(chan struct{})
		first := s.sandbox(func(context.Context, consumer.Message[placed]) error { <-free; return nil })
		wait := first.start(order())
		running := s.record()
		copied := s.sandbox(func(context.Context, consumer.Message[placed]) error { t.Error("the copy ran"); return nil })
		copied.reports(order().Redeliver(), raceTimeout, raceTimeout+6*time.Second)
		s.wantUntouched(running)
		close(free)
		if o := wait(); !o.Settled() {
			t.Errorf("outcome %+v", o)
		}
		done := s.record()
		copied.settles(order().Redeliver())
		s.wantUntouched(done)
		if n := len(s.settled); n != 1 {
			t.Errorf("%d settlements %+v, want one, by the attempt that ran", n, s.settled)
		}
	})
}

// R13: with almost no time left, or none, no claim goes without a lease: it is
// the deadline and a grace, or nothing is claimed.
func TestR13NoTimeLeft(t *testing.T) {
	t.Parallel()
	for _, left := range []time.Duration{-time.Second, 0, 500 * time.Millisecond, 501 * time.Millisecond, 900 * time.Millisecond, raceTimeout} {
		t.Run(left.String(), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, s *raceStore) {
				b := s.sandbox(nothing[placed])
				deadline := time.Now().Add(left)
				o := b.within(left, order())
				if left <= 500*time.Millisecond {
					if o.Err == nil || s.asked() != 0 {
						t.Errorf("outcome %+v, %d keys claimed; want an error and none", o, s.asked())
					}
					return
				}
				if !o.Settled() || len(s.requests) != 1 {
					t.Fatalf("outcome %+v, %d keys claimed", o, len(s.requests))
				}
				if req := s.requests[0]; !req.Lease.Equal(deadline.Add(5*time.Second)) || req.Lease.Sub(req.Now) < 5*time.Second {
					t.Errorf("lease %s from %s on, want until 5 s after %s", req.Lease, req.Now, deadline)
				}
			})
		})
	}
}

// R14: without a deadline nothing says when a crash is over, so its key stays
// taken for the record's life.
func TestR14NoDeadline(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		runs := 0
		b := s.sandbox(func(context.Context, consumer.Message[placed]) error { runs++; return nil })
		s.loseSettlements(true)
		consumertest.Deliver(t, b.c, order()) // dies before it answers
		s.loseSettlements(false)
		if req := s.requests[0]; !req.Lease.Equal(req.Expires) || req.Expires.Sub(req.Now) != consumer.DefaultRecordLife {
			t.Errorf("request %+v, want a lease for the record's life", req)
		}
		time.Sleep(consumer.DefaultRecordLife - time.Minute)
		b.reports(order().Redeliver(), time.Minute, 62*time.Second)
		if runs != 1 {
			t.Errorf("the handler ran %d times within the lease", runs)
		}
		time.Sleep(2 * time.Minute)
		b.settles(order().Redeliver())
		if runs != 2 {
			t.Errorf("the handler ran %d times", runs)
		}
	})
}

// R15: Lambda ends an invocation some time after its deadline, and clocks
// differ: the lease covers both by five seconds.
func TestR15SkewAndALateKill(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, s *raceStore) {
		free := make(chan struct{})
		defer close(free)
		hangs := s.sandbox(func(context.Context, consumer.Message[placed]) error { <-free; return nil })
		deadline := time.Now().Add(raceTimeout)
		if o := hangs.deliver(order()); len(o.Failed) != 1 {
			t.Errorf("outcome %+v", o)
		}
		runs := 0
		ahead := s.sandbox(func(context.Context, consumer.Message[placed]) error { runs++; return nil },
			consumer.WithClockOffset(func(context.Context) time.Duration { return 4 * time.Second }))
		time.Sleep(time.Until(deadline))
		ahead.reports(order().Redeliver(), time.Second, 2*time.Second)
		if runs != 0 {
			t.Error("a sandbox whose clock is 4 s ahead ran beside the attempt that may still run")
		}
		time.Sleep(1100 * time.Millisecond)
		ahead.settles(order().Redeliver())
		if runs != 1 {
			t.Errorf("the handler ran %d times", runs)
		}
	})
}

package idempotency_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/idempotency"
)

func newClaim(t *testing.T, m *idempotency.Memory, owner string, now time.Time) *idempotency.Claim {
	t.Helper()
	req := idempotency.ClaimRequest{Key: "k", Owner: owner, Now: now, Lease: now.Add(time.Minute), Expires: now.Add(time.Hour)}
	results, err := m.Claim(t.Context(), []idempotency.ClaimRequest{req})
	if err != nil || results[0].Outcome != idempotency.Claimed {
		t.Fatalf("claim: %+v, %v", results, err)
	}
	return idempotency.NewClaim(req, results[0])
}

func start() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func TestClaimSaysWhatItIs(t *testing.T) {
	t.Parallel()
	c := newClaim(t, idempotency.NewMemory(), "me", start())
	if c.Key() != "k" || c.Owner() != "me" || c.Generation() != 1 {
		t.Errorf("key %q, owner %q, generation %d", c.Key(), c.Owner(), c.Generation())
	}
	want := idempotency.Settlement{Key: "k", Owner: "me", Action: idempotency.Release, Expires: start().Add(time.Hour)}
	if got := c.Settlement(idempotency.Release); got != want {
		t.Errorf("settlement = %+v, want %+v", got, want)
	}
}

func TestCommitOnce(t *testing.T) {
	t.Parallel()
	c := newClaim(t, idempotency.NewMemory(), "me", start())
	boom := errors.New("boom")
	if err := c.Commit(func(idempotency.Settlement) error { return boom }); !errors.Is(err, boom) || c.Committed() {
		t.Fatalf("Commit: %v, committed %t", err, c.Committed())
	}
	if err := c.Commit(func(s idempotency.Settlement) error {
		if s != c.Settlement(idempotency.Complete) {
			t.Errorf("settlement = %+v", s)
		}
		if c.Committed() {
			t.Error("committed before it is")
		}
		return nil
	}); err != nil || !c.Committed() {
		t.Fatalf("Commit: %v, committed %t", err, c.Committed())
	}
	if err := c.Commit(func(idempotency.Settlement) error { t.Error("ran twice"); return nil }); !errors.Is(err, idempotency.ErrCommitted) {
		t.Errorf("second Commit: %v", err)
	}
}

func TestCommitThatPanicsMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	c := newClaim(t, idempotency.NewMemory(), "me", start())
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = c.Commit(func(idempotency.Settlement) error { panic("out of cheese") })
	}()
	if c.Committed() {
		t.Error("a panic committed")
	}
	if err := c.Commit(func(idempotency.Settlement) error { return nil }); err != nil {
		t.Errorf("Commit after a panic: %v", err)
	}
}

func TestCommitsDoNotOverlap(t *testing.T) {
	t.Parallel()
	c := newClaim(t, idempotency.NewMemory(), "me", start())
	inside, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Commit(func(idempotency.Settlement) error { close(inside); <-leave; return nil }); err != nil {
			t.Errorf("first Commit: %v", err)
		}
	})
	<-inside
	err := c.Commit(func(idempotency.Settlement) error { t.Error("two transactions at once"); return nil })
	if err == nil || errors.Is(err, idempotency.ErrCommitted) {
		t.Errorf("Commit beside another: %v", err)
	}
	close(leave)
	wg.Wait()
}

func TestClaimTravelsByContext(t *testing.T) {
	t.Parallel()
	if c, ok := idempotency.FromContext(context.Background()); ok || c != nil {
		t.Errorf("a claim from nowhere: %v", c)
	}
	want := newClaim(t, idempotency.NewMemory(), "me", start())
	got, ok := idempotency.FromContext(idempotency.NewContext(t.Context(), want))
	if !ok || got != want {
		t.Errorf("got %v, %t", got, ok)
	}
}

func TestMemoryInTx(t *testing.T) {
	t.Parallel()
	m := idempotency.NewMemory()
	applied := 0
	apply := func() error { applied++; return nil }
	if err := m.InTx(t.Context(), apply); !errors.Is(err, idempotency.ErrNoClaim) || applied != 0 {
		t.Fatalf("without a claim: %v, applied %d", err, applied)
	}
	ctx := idempotency.NewContext(t.Context(), newClaim(t, m, "me", start()))
	boom := errors.New("boom")
	if err := m.InTx(ctx, func() error { return boom }); !errors.Is(err, boom) {
		t.Fatalf("failed: %v", err)
	}
	if rec, _, _ := m.Get(t.Context(), "k"); rec.Status != idempotency.StatusInProgress {
		t.Errorf("a failed transaction completed: %+v", rec)
	}
	if err := m.InTx(ctx, apply); err != nil || applied != 1 {
		t.Fatalf("InTx: %v, applied %d", err, applied)
	}
	if rec, _, _ := m.Get(t.Context(), "k"); rec.Status != idempotency.StatusCompleted {
		t.Errorf("record: %+v", rec)
	}
	if err := m.InTx(ctx, apply); !errors.Is(err, idempotency.ErrCommitted) || applied != 1 {
		t.Errorf("again: %v, applied %d", err, applied)
	}
}

func TestR09MemoryInTxOfALostClaim(t *testing.T) {
	t.Parallel()
	m := idempotency.NewMemory()
	ctx := idempotency.NewContext(t.Context(), newClaim(t, m, "me", start()))
	newClaim(t, m, "other", start().Add(2*time.Minute))
	err := m.InTx(ctx, func() error { t.Error("applied under a lost claim"); return nil })
	if !errors.Is(err, idempotency.ErrLost) {
		t.Errorf("InTx: %v", err)
	}
}

// TestR05SecondInTxAfterCompletion is the ambiguous case: the first transaction
// was applied, and the claim does not know.
func TestR05SecondInTxAfterCompletion(t *testing.T) {
	t.Parallel()
	m := idempotency.NewMemory()
	c := newClaim(t, m, "me", start())
	if err := m.Settle(t.Context(), []idempotency.Settlement{c.Settlement(idempotency.Complete)})[0]; err != nil {
		t.Fatal(err)
	}
	err := m.InTx(idempotency.NewContext(t.Context(), c), func() error { t.Error("applied twice"); return nil })
	if !errors.Is(err, idempotency.ErrLost) {
		t.Errorf("InTx: %v", err)
	}
}

func TestCeilSecond(t *testing.T) {
	t.Parallel()
	for in, want := range map[time.Duration]time.Duration{
		0: 0, 1: time.Second, time.Second - 1: time.Second, time.Second: time.Second, time.Second + 1: 2 * time.Second,
	} {
		if got := idempotency.CeilSecond(start().Add(in)); !got.Equal(start().Add(want)) {
			t.Errorf("CeilSecond(+%s) = +%s, want +%s", in, got.Sub(start()), want)
		}
	}
}

func TestOutcomeNames(t *testing.T) {
	t.Parallel()
	for o, want := range map[idempotency.Outcome]string{
		idempotency.Claimed: "claimed", idempotency.Completed: "completed", idempotency.InProgress: "in progress", 0: "unknown",
	} {
		if got := o.String(); got != want {
			t.Errorf("Outcome(%d) = %q, want %q", o, got, want)
		}
	}
}

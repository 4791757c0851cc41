package idempotency_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// counting counts the keys that a store is asked for, and fails on demand.
type counting struct {
	idempotency.Store
	asked int
	err   error
}

func (c *counting) Claim(ctx context.Context, requests []idempotency.ClaimRequest) ([]idempotency.ClaimResult, error) {
	c.asked += len(requests)
	if c.err != nil {
		return nil, c.err
	}
	return c.Store.Claim(ctx, requests)
}

func TestR26CachedAnswersForCompletedKeysOnly(t *testing.T) {
	t.Parallel()
	inner := &counting{Store: idempotency.NewMemory()}
	store := idempotency.Cached(inner, 2)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	request := func(key string, now time.Time) idempotency.ClaimRequest {
		return idempotency.ClaimRequest{Key: key, Owner: "o" + now.String(), Now: now, Lease: now.Add(time.Second), Expires: now.Add(2 * time.Minute)}
	}
	claim := func(now time.Time, keys ...string) []idempotency.ClaimResult {
		t.Helper()
		var requests []idempotency.ClaimRequest
		for _, k := range keys {
			requests = append(requests, request(k, now))
		}
		results, err := store.Claim(t.Context(), requests)
		if err != nil {
			t.Fatal(err)
		}
		return results
	}
	wantAsked := func(n int, why string) {
		t.Helper()
		if inner.asked != n {
			t.Errorf("the store was asked for %d keys, want %d: %s", inner.asked, n, why)
		}
		inner.asked = 0
	}

	req := request("a", now)
	claim(now, "a")
	wantAsked(1, "fresh")
	claim(now.Add(time.Millisecond), "a")
	wantAsked(1, "in progress is the store's to say")
	store.Settle(t.Context(), []idempotency.Settlement{{Key: "a", Owner: req.Owner, Action: idempotency.Complete, Expires: req.Expires}})
	if r := claim(now.Add(time.Second), "a"); r[0].Outcome != idempotency.Completed {
		t.Fatalf("result = %+v", r)
	}
	wantAsked(1, "the first time it is seen completed")
	if r := claim(now.Add(2*time.Second), "b", "a"); r[0].Outcome != idempotency.Claimed || r[1].Outcome != idempotency.Completed {
		t.Fatalf("results = %+v", r)
	}
	wantAsked(1, "only b is asked for")

	inner.err = errors.New("down")
	results, err := store.Claim(t.Context(), []idempotency.ClaimRequest{request("c", now), request("a", now)})
	if err != nil || results[0].Err == nil || results[1].Outcome != idempotency.Completed {
		t.Errorf("with the store down: %+v, %v", results, err)
	}
	if _, err := store.Claim(t.Context(), []idempotency.ClaimRequest{request("c", now)}); err == nil {
		t.Error("nothing is known, and no error")
	}
	inner.err, inner.asked = nil, 0

	if r := claim(now.Add(3*time.Minute), "a"); r[0].Outcome != idempotency.Claimed {
		t.Errorf("after the record's life: %+v", r)
	}
	wantAsked(1, "the record expired")
}

func TestR26CachedForgetsWhatIsNotUsed(t *testing.T) {
	t.Parallel()
	inner := &counting{Store: idempotency.NewMemory()}
	store := idempotency.Cached(inner, 1)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, key := range []string{"a", "b"} {
		req := idempotency.ClaimRequest{Key: key, Owner: "o", Now: now, Lease: now.Add(time.Second), Expires: now.Add(time.Hour)}
		for range 2 {
			if _, err := store.Claim(t.Context(), []idempotency.ClaimRequest{req}); err != nil {
				t.Fatal(err)
			}
			store.Settle(t.Context(), []idempotency.Settlement{{Key: key, Owner: "o", Action: idempotency.Complete, Expires: req.Expires}})
		}
	}
	inner.asked = 0
	for _, key := range []string{"b", "a"} {
		if _, err := store.Claim(t.Context(), []idempotency.ClaimRequest{{Key: key, Owner: "p", Now: now, Lease: now, Expires: now.Add(time.Hour)}}); err != nil {
			t.Fatal(err)
		}
	}
	if inner.asked != 1 {
		t.Errorf("the store was asked for %d keys, want 1: a was pushed out by b", inner.asked)
	}
	// An entry is believed for five minutes, however long its record lives.
	inner.asked = 0
	later := now.Add(6 * time.Minute)
	if _, err := store.Claim(t.Context(), []idempotency.ClaimRequest{{Key: "a", Owner: "p", Now: later, Lease: later, Expires: later.Add(time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	if inner.asked != 1 {
		t.Error("an old entry was believed")
	}
}

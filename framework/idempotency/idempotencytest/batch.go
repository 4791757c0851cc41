package idempotencytest

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/idempotency"
)

func batchCases() []testCase {
	var all []testCase
	for _, n := range []int{1, 25, 26, 100} {
		all = append(all, testCase{name: fmt.Sprintf("a batch of %d keys has a result for each, in order", n), test: func(s *suite) { mixedBatch(s, n) }})
	}
	return append(all,
		testCase{name: "a batch of fresh keys is claimed and settled whole", test: func(s *suite) {
			var requests []idempotency.ClaimRequest
			var done []idempotency.Settlement
			for i := range 100 {
				r := s.request("a", 0)
				r.Key += fmt.Sprintf("#%d", i)
				requests, done = append(requests, r), append(done, complete(r))
			}
			for i, got := range s.claim(requests...) {
				if got.Outcome != idempotency.Claimed || got.Generation != 1 {
					s.t.Errorf("key %d: %+v", i, got)
				}
			}
			s.settled(done...)
			for i, got := range s.claim(requests...) {
				if got.Outcome != idempotency.Completed {
					s.t.Errorf("key %d: %+v", i, got)
				}
			}
		}},
		testCase{name: "an empty batch is nothing", test: func(s *suite) {
			if got := s.claim(); len(got) != 0 {
				s.t.Errorf("Claim() = %v", got)
			}
			if got := s.settle(); len(got) != 0 {
				s.t.Errorf("Settle() = %v", got)
			}
		}},
		testCase{name: "a key twice in one call is refused", test: func(s *suite) {
			// Whoever sends it has lost count of its messages: one of the two
			// would be told that it may work beside the other.
			other := s.request("a", 0)
			other.Key += "#other"
			if results, err := s.store.Claim(s.t.Context(), []idempotency.ClaimRequest{other, s.request("a", 0), s.request("a", 0)}); err == nil {
				s.t.Errorf("Claim: %+v, want an error", results)
			}
			for _, key := range []string{s.key, other.Key} {
				if rec, found := s.get(key); found {
					s.t.Errorf("the refused call wrote %+v", rec)
				}
			}
			r := s.request("a", 0)
			s.claimed(r, 1)
			before, _ := s.get(s.key)
			for i, err := range s.settle(complete(r), release(r)) {
				if err == nil {
					s.t.Errorf("settlement %d was accepted", i)
				}
			}
			if after, _ := s.get(s.key); !reflect.DeepEqual(after, before) {
				s.t.Errorf("the refused call changed %+v to %+v", before, after)
			}
		}},
	)
}

// mixedBatch asks for n keys that are in eight states in turn, and then settles
// what it got and what it did not get, in one call each.
func mixedBatch(s *suite, n int) {
	const states = 8
	at := lease + time.Minute // when the batch asks
	requests := make([]idempotency.ClaimRequest, n)
	want := make([]idempotency.ClaimResult, n)
	var holders []idempotency.ClaimRequest
	prepare := func(r idempotency.ClaimRequest) idempotency.ClaimRequest { holders = append(holders, r); return r }
	var before []idempotency.Settlement
	for i := range n {
		key := fmt.Sprintf("%s#%03d", s.key, i)
		req := s.request("me", at)
		req.Key = key
		live, crashed, expired := s.request("other", at-time.Second), s.request("other", 0), s.request("other", -life)
		live.Key, crashed.Key, expired.Key = key, key, key
		want[i] = idempotency.ClaimResult{Outcome: idempotency.Claimed, Generation: 2, TakenOver: true}
		switch (i*5 + 1) % states { // neighbours differ, and a batch of one is not trivial
		case 0: // fresh
			want[i] = idempotency.ClaimResult{Outcome: idempotency.Claimed, Generation: 1}
		case 1: // completed
			before = append(before, complete(prepare(live)))
			want[i] = idempotency.ClaimResult{Outcome: idempotency.Completed, Until: idempotency.CeilSecond(live.Expires)}
		case 2: // in progress
			prepare(live)
			want[i] = idempotency.ClaimResult{Outcome: idempotency.InProgress, Until: live.Lease}
		case 3: // crashed
			prepare(crashed)
		case 4: // released
			before = append(before, release(prepare(live)))
		case 5: // my own, response lost
			prepare(req)
			want[i] = idempotency.ClaimResult{Outcome: idempotency.Claimed, Generation: 1}
		case 6: // completed and expired
			before = append(before, complete(prepare(expired)))
			want[i].TakenOver = false
		case 7: // crashed and expired
			prepare(expired)
		}
		requests[i] = req
	}
	s.claim(holders...)
	if len(before) > 0 {
		s.settled(before...)
	}
	got := s.claim(requests...)
	// Times are compared as instants.
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Fatalf("results (-want +got):\n%s", diff)
	}

	settlements := make([]idempotency.Settlement, n)
	for i, r := range requests {
		settlements[i] = complete(r)
		if i%2 == 1 {
			settlements[i] = release(r)
		}
	}
	for i, err := range s.settle(settlements...) {
		mine := want[i].Outcome == idempotency.Claimed
		if mine != (err == nil) || !mine && !errors.Is(err, idempotency.ErrLost) {
			s.t.Errorf("settling key %d, which was %s: %v", i, want[i].Outcome, err)
		}
	}
	for i, r := range requests {
		rec, _ := s.get(r.Key)
		if want[i].Outcome != idempotency.Claimed {
			if rec.Owner == r.Owner {
				s.t.Errorf("key %d was not mine, and is: %+v", i, rec)
			}
			continue
		}
		status := idempotency.StatusCompleted
		if i%2 == 1 {
			status = idempotency.StatusInProgress
		}
		if rec.Key != r.Key || rec.Owner != r.Owner || rec.Status != status || !rec.Lease.IsZero() {
			s.t.Errorf("key %d: %+v, want %s by me", i, rec, status)
		}
	}
}

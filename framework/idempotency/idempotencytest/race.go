package idempotencytest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-go/sluice/framework/idempotency"
)

const contenders = 50

// raceCases run many attempts at once. They find a store that reads and then
// writes without a condition; under -race, one that shares without a lock.
func raceCases() []testCase {
	return []testCase{
		{name: "R1 one of many wins a fresh key", test: func(s *suite) { race(s, 0, 1) }},
		{name: "R1 one of many wins a released key", test: func(s *suite) {
			r := s.request("before", 0)
			s.claimed(r, 1)
			s.settled(release(r))
			race(s, time.Millisecond, 2)
		}},
		{name: "R2 one of many wins a lapsed key", test: func(s *suite) {
			s.claimed(s.request("before", 0), 1)
			race(s, lease+time.Millisecond, 2)
		}},
		{name: "R2 one of many wins a key that expired in progress", test: func(s *suite) {
			s.claimed(s.request("before", 0), 1)
			race(s, life+2*time.Second, 2)
		}},
		{name: "R2 one of many wins a key that expired completed", test: func(s *suite) {
			r := s.request("before", 0)
			s.claimed(r, 1)
			s.settled(complete(r))
			race(s, life+2*time.Second, 2)
		}},
		{name: "R28 nobody wins a completed key", test: func(s *suite) {
			r := s.request("before", 0)
			s.claimed(r, 1)
			s.settled(complete(r))
			for i, got := range contend(s, lease+time.Minute) {
				if got.Outcome != idempotency.Completed {
					s.t.Errorf("contender %d: %+v", i, got)
				}
			}
		}},
		{name: "R28 nobody wins a live key", test: func(s *suite) {
			r := s.request("before", 0)
			s.claimed(r, 1)
			for i, got := range contend(s, time.Second) {
				if got.Outcome != idempotency.InProgress || !got.Until.Equal(r.Lease) {
					s.t.Errorf("contender %d: %+v", i, got)
				}
			}
		}},
		{name: "R1 batches that overlap share their keys out", test: overlappingBatches},
		{name: "R9 a late completion and a takeover exclude each other", test: lateCompletions},
	}
}

// contend lets many claim the case's key at once.
func contend(s *suite, at time.Duration) []idempotency.ClaimResult {
	results := make([]idempotency.ClaimResult, contenders)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range contenders {
		wg.Go(func() {
			<-start
			got, err := s.store.Claim(s.t.Context(), []idempotency.ClaimRequest{s.request(fmt.Sprint("contender ", i), at)})
			if err != nil {
				got = []idempotency.ClaimResult{{Err: err}}
			}
			results[i] = got[0]
		})
	}
	close(start)
	wg.Wait()
	return results
}

func race(s *suite, at time.Duration, generation int64) {
	s.t.Helper()
	winner := -1
	for i, got := range contend(s, at) {
		switch got.Outcome {
		case idempotency.Claimed:
			if winner >= 0 {
				s.t.Errorf("contenders %d and %d both won", winner, i)
			}
			winner = i
			if got.Generation != generation {
				s.t.Errorf("generation %d, want %d", got.Generation, generation)
			}
		case idempotency.InProgress:
			if want := epoch().Add(at + lease); !got.Until.Equal(want) {
				s.t.Errorf("contender %d is told to wait until %s, want the winner's %s", i, got.Until, want)
			}
		default:
			s.t.Errorf("contender %d: %+v", i, got)
		}
	}
	if winner < 0 {
		s.t.Fatal("nobody won")
	}
	s.settled(complete(s.request(fmt.Sprint("contender ", winner), at)))
	s.completed(s.request("after", at+time.Second))
}

func overlappingBatches(s *suite) {
	const batches, keys = 8, 30
	wins := make([][]bool, batches)
	var wg sync.WaitGroup
	for b := range batches {
		wg.Go(func() {
			requests := make([]idempotency.ClaimRequest, keys)
			for i := range requests {
				requests[i] = s.request(fmt.Sprint("batch ", b), 0)
				requests[i].Key += fmt.Sprintf("#%d", (i*7+b*11)%keys) // each in an order of its own
			}
			results, err := s.store.Claim(s.t.Context(), requests)
			if err != nil {
				s.t.Errorf("batch %d: %v", b, err)
				return
			}
			wins[b] = make([]bool, keys)
			for i, got := range results {
				if got.Err != nil || got.Outcome != idempotency.Claimed && got.Outcome != idempotency.InProgress {
					s.t.Errorf("batch %d, key %d: %+v", b, i, got)
				}
				wins[b][(i*7+b*11)%keys] = got.Outcome == idempotency.Claimed
			}
		})
	}
	wg.Wait()
	if s.t.Failed() {
		return
	}
	for k := range keys {
		n := 0
		for b := range batches {
			if wins[b][k] {
				n++
			}
		}
		if n != 1 {
			s.t.Errorf("key %d has %d winners", k, n)
		}
	}
}

// lateCompletions lets an attempt complete while its successor takes over:
// either the work is known to be done, or the successor does it; never both,
// never neither.
func lateCompletions(s *suite) {
	for round := range 20 {
		a, b := s.request("a", 0), s.request("b", lease+time.Second)
		a.Key += fmt.Sprintf("#%d", round)
		b.Key = a.Key
		s.claimed(a, 1)
		var (
			wg   sync.WaitGroup
			errs []error
			got  []idempotency.ClaimResult
			err  error
		)
		wg.Go(func() { errs = s.store.Settle(s.t.Context(), []idempotency.Settlement{complete(a)}) })
		wg.Go(func() { got, err = s.store.Claim(s.t.Context(), []idempotency.ClaimRequest{b}) })
		wg.Wait()
		if err != nil || got[0].Err != nil {
			s.t.Fatalf("round %d: claim: %v %+v", round, err, got)
		}
		done, lost := errs[0] == nil, errors.Is(errs[0], idempotency.ErrLost)
		switch {
		case done && got[0].Outcome == idempotency.Completed:
		case lost && got[0].Outcome == idempotency.Claimed && got[0].Generation == 2:
		default:
			s.t.Fatalf("round %d: completion: %v; takeover: %+v", round, errs[0], got[0])
		}
	}
}

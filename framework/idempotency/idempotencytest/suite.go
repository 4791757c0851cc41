// Package idempotencytest is the suite that every idempotency.Store passes. It
// asserts the protocol of package idempotency and nothing about a store's
// insides: who may work a key, who may not, and that nothing a loser does
// reaches a winner's record.
//
//	func TestStore(t *testing.T) {
//		idempotencytest.Run(t, func(t *testing.T) idempotency.Store { return newStore(t) })
//	}
//
// Cases whose name begins with R and a number are the races that docs/races.md
// lists.
//
// A store that loses a claim's response, throttles, or is away is beyond it:
// test those where the store's own requests can be reached.
package idempotencytest

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// Run tests the stores that newStore makes, one for each case. They may share
// a table: every case uses keys of its own. Cases run in parallel.
//
// The suite's clock stands in the year 2090, so that a table's own time-to-live
// deletes nothing; stores take the time from requests only.
func Run(t *testing.T, newStore func(t *testing.T) idempotency.Store, opts ...Option) {
	t.Helper()
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	for i, c := range cases() {
		t.Run(fmt.Sprintf("%02d %s", i+1, c.name), func(t *testing.T) {
			t.Parallel()
			if c.outbox && o.commit == nil {
				t.Skip("idempotencytest: Run was given no WithOutbox, so nothing can commit events")
			}
			s := newSuite(t, newStore(t))
			s.commit = o.commit
			c.test(s)
		})
	}
}

// Option adds to what Run tests.
type Option func(*options)

type options struct{ commit Commit }

// A Commit commits the claim of ctx in the store's own way, without any writes
// of a handler's, and leaves outgoing in the record; with no outgoing events it
// completes the record.
type Commit func(ctx context.Context, store idempotency.Store, outgoing []idempotency.Outgoing) error

// WithOutbox lets Run test the events that a transaction leaves in a record
// ([idempotency.ClaimResult].Pending). Without it, those cases are skipped.
func WithOutbox(commit Commit) Option { return func(o *options) { o.commit = commit } }

type testCase struct {
	name   string
	test   func(s *suite)
	outbox bool // needs WithOutbox
}

// cases begins with the one that matters most: a store that forgets to free a
// failed key loses messages, and every other mistake only repeats work.
func cases() []testCase {
	all := []testCase{{name: "failed work is worked again", test: failedWorkAgain}}
	for _, part := range [][]testCase{claimCases(), boundaryCases(), fencingCases(), recordCases(), batchCases(), fingerprintCases(), outboxCases(), raceCases()} {
		all = append(all, part...)
	}
	return all
}

func failedWorkAgain(s *suite) {
	first := s.request("a", 0)
	s.claimed(first, 1)
	s.settled(release(first))

	again := s.request("b", time.Millisecond)
	if got := s.claimed(again, 2); !got.TakenOver {
		s.t.Error("TakenOver is false, though the claim before was released")
	}
	s.settled(complete(again))
	s.completed(s.request("c", time.Second))
}

// The clock and the lives of the suite's claims.
const (
	lease = 20 * time.Second
	life  = time.Hour
)

func epoch() time.Time { return time.Date(2090, 1, 2, 3, 4, 5, 0, time.UTC) }

// suite is one case: a store, and a key that differs between runs, as a table
// may outlive them.
type suite struct {
	t      *testing.T
	store  idempotency.Store
	commit Commit
	key    string
}

func newSuite(t *testing.T, store idempotency.Store) *suite {
	t.Helper()
	name := strings.NewReplacer("/", "-", " ", "-", "#", "-").Replace(t.Name())
	return &suite{t: t, store: store, key: "suite#" + name + "#" + rand.Text()}
}

// request asks for the case's key at a time after the epoch, with a lease from
// then on.
func (s *suite) request(owner string, at time.Duration) idempotency.ClaimRequest {
	now := epoch().Add(at)
	return idempotency.ClaimRequest{Key: s.key, Owner: s.key + owner, Now: now, Lease: now.Add(lease), Expires: now.Add(life)}
}

func complete(r idempotency.ClaimRequest) idempotency.Settlement {
	return idempotency.Settlement{Key: r.Key, Owner: r.Owner, Action: idempotency.Complete, Expires: r.Expires}
}

func release(r idempotency.ClaimRequest) idempotency.Settlement {
	return idempotency.Settlement{Key: r.Key, Owner: r.Owner, Action: idempotency.Release, Expires: r.Expires}
}

func (s *suite) claim(requests ...idempotency.ClaimRequest) []idempotency.ClaimResult {
	s.t.Helper()
	results, err := s.store.Claim(s.t.Context(), requests)
	if err != nil {
		s.t.Fatalf("Claim: %v", err)
	}
	if len(results) != len(requests) {
		s.t.Fatalf("Claim answered %d of %d requests", len(results), len(requests))
	}
	for i, r := range results {
		if r.Err != nil {
			s.t.Fatalf("Claim of %q: %v", requests[i].Key, r.Err)
		}
	}
	return results
}

func (s *suite) settle(settlements ...idempotency.Settlement) []error {
	s.t.Helper()
	errs := s.store.Settle(s.t.Context(), settlements)
	if len(errs) != len(settlements) {
		s.t.Fatalf("Settle answered %d of %d settlements", len(errs), len(settlements))
	}
	return errs
}

func (s *suite) settled(settlements ...idempotency.Settlement) {
	s.t.Helper()
	for i, err := range s.settle(settlements...) {
		if err != nil {
			s.t.Fatalf("settling %+v: %v", settlements[i], err)
		}
	}
}

func (s *suite) claimed(r idempotency.ClaimRequest, generation int64) idempotency.ClaimResult {
	s.t.Helper()
	got := s.claim(r)[0]
	if got.Outcome != idempotency.Claimed {
		s.t.Fatalf("claim by %s: %s (%+v), want claimed", r.Owner, got.Outcome, got)
	}
	if got.Generation != generation {
		s.t.Fatalf("claim by %s has generation %d, want %d", r.Owner, got.Generation, generation)
	}
	return got
}

func (s *suite) completed(r idempotency.ClaimRequest) {
	s.t.Helper()
	if got := s.claim(r)[0]; got.Outcome != idempotency.Completed {
		s.t.Fatalf("claim by %s: %s (%+v), want completed", r.Owner, got.Outcome, got)
	}
}

func (s *suite) busy(r idempotency.ClaimRequest, until time.Time) {
	s.t.Helper()
	got := s.claim(r)[0]
	if got.Outcome != idempotency.InProgress {
		s.t.Fatalf("claim by %s: %s (%+v), want in progress", r.Owner, got.Outcome, got)
	}
	if !got.Until.Equal(until) {
		s.t.Fatalf("in progress until %s, want %s", got.Until, until)
	}
}

func (s *suite) get(key string) (idempotency.Record, bool) {
	s.t.Helper()
	rec, found, err := s.store.Get(s.t.Context(), key)
	if err != nil {
		s.t.Fatalf("Get(%q): %v", key, err)
	}
	return rec, found
}

func (s *suite) record(want idempotency.Record) {
	s.t.Helper()
	got, found := s.get(want.Key)
	if !found {
		s.t.Fatalf("no record of %q", want.Key)
	}
	// Times are compared as instants: a store may read them in any zone.
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Fatalf("record (-want +got):\n%s", diff)
	}
}

package idempotencytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// outboxCases are about work that is committed while its events are not known
// to be published: it must not run again, and its events must not be lost.
func outboxCases() []testCase {
	cases := []testCase{
		{name: "R5 committed work without events is completed", test: func(s *suite) {
			a := s.request("a", 0)
			claim := s.open(a)
			s.committed(claim, nil)
			if len(claim.Pending()) != 0 {
				s.t.Errorf("pending: %v", claim.Pending())
			}
			s.completed(s.request("b", time.Second))
			s.record(idempotency.Record{
				Key: s.key, Status: idempotency.StatusCompleted, Owner: a.Owner, Generation: 1, Expires: idempotency.CeilSecond(a.Expires),
			})
		}},
		{name: "R5 a crash after the commit hands its events to the next claim", test: func(s *suite) {
			a := s.request("a", 0)
			s.committed(s.open(a), events())
			s.busy(s.request("b", time.Second), a.Lease) // as any claim
			b := s.request("b", lease+time.Second)
			if got := s.pending(b, 2, events()); !got.TakenOver {
				s.t.Error("TakenOver is false")
			}
			// And to the one after that, for as long as nobody publishes them.
			c := s.request("c", 2*lease+2*time.Second)
			s.pending(c, 3, events())
			s.settled(complete(c))
			s.completed(s.request("d", 2*lease+3*time.Second))
			if rec, _ := s.get(s.key); len(rec.Pending) != 0 {
				s.t.Errorf("published events stayed: %+v", rec)
			}
		}},
		{name: "R5 a release keeps committed events", test: func(s *suite) {
			a := s.request("a", 0)
			s.committed(s.open(a), events())
			s.settled(release(a))
			s.pending(s.request("b", time.Second), 2, events())
		}},
		{name: "R3 a claim whose response was lost finds its committed events", test: func(s *suite) {
			a := s.request("a", 0)
			s.committed(s.open(a), events())
			s.pending(a, 1, events())
		}},
		{name: "R5 committed work is not committed again", test: func(s *suite) {
			a := s.request("a", 0)
			claim := s.open(a)
			s.committed(claim, events())
			if err := s.commitOf(claim, events()); !errors.Is(err, idempotency.ErrCommitted) {
				s.t.Errorf("second commit: %v, want ErrCommitted", err)
			}
			// A claim that did not hear that its commit was applied.
			deaf := idempotency.NewClaim(a, idempotency.ClaimResult{Outcome: idempotency.Claimed, Generation: 1})
			for _, outgoing := range [][]idempotency.Outgoing{nil, {{To: "bus", Type: "other.v1", Body: json.RawMessage(`1`)}}} {
				if err := s.commitOf(deaf, outgoing); !errors.Is(err, idempotency.ErrLost) {
					s.t.Errorf("commit of a committed record: %v, want ErrLost", err)
				}
			}
			s.pending(s.request("b", lease+time.Second), 2, events())
		}},
		{name: "R9 an attempt that outlived its lease cannot commit", test: func(s *suite) {
			late := s.open(s.request("a", 0))
			b := s.request("b", lease+time.Second)
			s.claimed(b, 2)
			for _, outgoing := range [][]idempotency.Outgoing{nil, events()} {
				if err := s.commitOf(late, outgoing); !errors.Is(err, idempotency.ErrLost) {
					s.t.Errorf("late commit: %v, want ErrLost", err)
				}
			}
			if late.Committed() {
				s.t.Error("the late claim counts as committed")
			}
			s.settled(complete(b))
			if rec, _ := s.get(s.key); len(rec.Pending) != 0 || rec.Owner != b.Owner {
				s.t.Errorf("record %+v, want the successor's, without events", rec)
			}
		}},
		{name: "R8 an expired record's events are forgotten with its work", test: func(s *suite) {
			s.committed(s.open(s.request("a", 0)), events())
			b := s.request("b", life+2*time.Second)
			s.pending(b, 2, nil)
			if rec, _ := s.get(s.key); len(rec.Pending) != 0 {
				s.t.Errorf("record %+v: the next claim would publish what is forgotten", rec)
			}
		}},
		{name: "completed work has no events", test: func(s *suite) {
			a := s.request("a", 0)
			s.claimed(a, 1)
			s.settled(complete(a))
			if got := s.claim(s.request("b", time.Second))[0]; len(got.Pending) != 0 {
				s.t.Errorf("result %+v", got)
			}
			s.pending(s.request("c", life+2*time.Second), 2, nil)
		}},
	}
	for i := range cases {
		cases[i].outbox = true
	}
	return cases
}

func events() []idempotency.Outgoing {
	return []idempotency.Outgoing{
		{To: "bus", Type: "x.v1", Body: json.RawMessage(`{"a":"\u00e9 <&>"}`)},
		{To: "queue", Type: "y.v2", Body: json.RawMessage(`2`), Group: "g", DeduplicationID: "d"},
	}
}

// asJSON compares bodies by what they say: a store may keep them in another
// spelling.
func asJSON() cmp.Option {
	return cmp.Transformer("JSON", func(text json.RawMessage) any {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			return fmt.Sprintf("no JSON (%v): %s", err, string(text))
		}
		return v
	})
}

// open claims the key as new and returns the claim as a handler has it.
func (s *suite) open(r idempotency.ClaimRequest) *idempotency.Claim {
	s.t.Helper()
	return idempotency.NewClaim(r, s.claimed(r, 1))
}

func (s *suite) commitOf(claim *idempotency.Claim, outgoing []idempotency.Outgoing) error {
	return s.commit(idempotency.NewContext(s.t.Context(), claim), s.store, outgoing)
}

func (s *suite) committed(claim *idempotency.Claim, outgoing []idempotency.Outgoing) {
	s.t.Helper()
	if err := s.commitOf(claim, outgoing); err != nil || !claim.Committed() {
		s.t.Fatalf("commit: %v, committed %t", err, claim.Committed())
	}
}

// pending claims the key and checks which events the claim was handed.
func (s *suite) pending(r idempotency.ClaimRequest, generation int64, want []idempotency.Outgoing) idempotency.ClaimResult {
	s.t.Helper()
	got := s.claimed(r, generation)
	if diff := cmp.Diff(want, got.Pending, asJSON()); diff != "" {
		s.t.Fatalf("pending events of the claim by %s (-want +got):\n%s", r.Owner, diff)
	}
	// A handler must not run again for what is committed.
	if claim := idempotency.NewClaim(r, got); claim.Committed() != (len(want) > 0) {
		s.t.Fatalf("committed is %t with %d pending events", claim.Committed(), len(want))
	}
	return got
}

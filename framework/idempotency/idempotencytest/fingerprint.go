package idempotencytest

import (
	"time"

	"github.com/sluice-go/sluice/framework/idempotency"
)

func fingerprintCases() []testCase {
	return []testCase{
		{name: "R18 a refused claim is told whose fingerprint the record has", test: func(s *suite) {
			a, b := s.fingerprinted("a", 0, "first"), s.fingerprinted("b", time.Second, "second")
			s.claimed(a, 1)
			s.refused(b, idempotency.InProgress, "first")
			s.settled(complete(a))
			s.refused(b, idempotency.Completed, "first")
			// Nor does the other message's fingerprint get into the record.
			s.fingerprint("first")
		}},
		{name: "R18 a retry finds its own fingerprint", test: func(s *suite) {
			a := s.fingerprinted("a", 0, "first")
			s.claimed(a, 1)
			s.claimed(a, 1)
			s.fingerprint("first")
		}},
		{name: "without a fingerprint the record has none", test: func(s *suite) {
			a := s.request("a", 0)
			s.claimed(a, 1)
			s.refused(s.fingerprinted("b", time.Second, "second"), idempotency.InProgress, "")
			s.settled(complete(a))
			s.refused(s.fingerprinted("b", time.Second, "second"), idempotency.Completed, "")
		}},
		{name: "R18 a takeover brings its own fingerprint", test: func(s *suite) {
			// What a released or lapsed claim was for did not happen: a
			// corrected message may come under its key.
			a, b := s.fingerprinted("a", 0, "released"), s.fingerprinted("b", time.Second, "lapsed")
			c := s.fingerprinted("c", lease+2*time.Second, "last")
			s.claimed(a, 1)
			s.settled(release(a))
			s.fingerprint("released")
			s.claimed(b, 2)
			s.fingerprint("lapsed")
			s.claimed(c, 3)
			s.refused(s.fingerprinted("d", lease+3*time.Second, "other"), idempotency.InProgress, "last")
			s.settled(complete(c))
			s.fingerprint("last")
		}},
		{name: "R18 an expired record's fingerprint is forgotten", test: func(s *suite) {
			a := s.fingerprinted("a", 0, "first")
			s.claimed(a, 1)
			s.settled(complete(a))
			s.claimed(s.fingerprinted("b", life+2*time.Second, "second"), 2)
			s.fingerprint("second")
		}},
	}
}

func (s *suite) fingerprinted(owner string, at time.Duration, fingerprint string) idempotency.ClaimRequest {
	r := s.request(owner, at)
	r.Fingerprint = fingerprint
	return r
}

func (s *suite) refused(r idempotency.ClaimRequest, want idempotency.Outcome, fingerprint string) {
	s.t.Helper()
	if got := s.claim(r)[0]; got.Outcome != want || got.Fingerprint != fingerprint {
		s.t.Fatalf("claim by %s: %+v, want %s with fingerprint %q", r.Owner, got, want, fingerprint)
	}
}

func (s *suite) fingerprint(want string) {
	s.t.Helper()
	if rec, found := s.get(s.key); !found || rec.Fingerprint != want {
		s.t.Fatalf("record %+v (%t), want one with fingerprint %q", rec, found, want)
	}
}

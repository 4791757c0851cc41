package idempotencytest

import (
	"strings"
	"time"

	"github.com/sluice-go/sluice/framework/idempotency"
)

func claimCases() []testCase {
	return []testCase{
		{name: "R7 done work is not worked again", test: func(s *suite) {
			r := s.request("a", 0)
			s.claimed(r, 1)
			s.settled(complete(r))
			s.completed(s.request("b", time.Second))
			s.completed(r) // nor by its own owner
		}},
		{name: "work in progress excludes others until its lease ends", test: func(s *suite) {
			r := s.request("a", 0)
			s.claimed(r, 1)
			s.busy(s.request("b", time.Second), r.Lease)
			s.settled(complete(r))
		}},
		{name: "a first claim takes nothing over", test: func(s *suite) {
			if got := s.claimed(s.request("a", 0), 1); got.TakenOver {
				s.t.Error("TakenOver is true")
			}
		}},
		{name: "R4 a crash holds its key for the lease and no longer", test: func(s *suite) {
			crashed := s.request("a", 0)
			s.claimed(crashed, 1)
			next := s.request("b", lease+time.Millisecond)
			if got := s.claimed(next, 2); !got.TakenOver {
				s.t.Error("TakenOver is false")
			}
			s.busy(s.request("c", lease+2*time.Millisecond), next.Lease) // by its new lease
			s.settled(complete(next))
			s.completed(s.request("c", lease+time.Second))
		}},
		{name: "R3 a claim whose response was lost is one's own", test: func(s *suite) {
			r := s.request("a", 0)
			s.claimed(r, 1)
			s.claimed(r, 1) // the client's retry
			later := r
			later.Now = later.Now.Add(time.Second)
			s.claimed(later, 1)
			s.busy(s.request("b", time.Second), r.Lease)
			s.settled(complete(r))
		}},
		{name: "a released claim is not one's own any more", test: func(s *suite) {
			r := s.request("a", 0)
			s.claimed(r, 1)
			s.settled(release(r))
			s.claimed(r, 2)
			s.busy(s.request("b", time.Second), r.Lease)
		}},
		{name: "R9 one's own claim is claimed anew when its lease ended", test: func(s *suite) {
			// Its old lease no longer excludes others: to go on under it would
			// be to run beside them.
			r := s.request("a", 0)
			s.claimed(r, 1)
			again := s.request("a", lease+time.Second)
			s.claimed(again, 2)
			s.busy(s.request("b", lease+2*time.Second), again.Lease)
		}},
		{name: "R14 without a deadline the claim holds as long as its record", test: func(s *suite) {
			r := s.request("a", 0)
			r.Lease = r.Expires
			s.claimed(r, 1)
			s.busy(s.request("b", life), r.Expires)
			s.claimed(s.request("b", life+time.Second), 2)
		}},
		{name: "R17 keys that contain each other are independent", test: func(s *suite) {
			outer, inner, hashed := s.request("a", 0), s.request("a", 0), s.request("a", 0)
			inner.Key += "#inner"
			hashed.Key += "#"
			s.claimed(outer, 1)
			s.claimed(inner, 1)
			s.claimed(hashed, 1)
			s.settled(complete(inner))
			other := s.request("b", time.Second)
			s.busy(other, outer.Lease)
			s.settled(release(outer))
			s.claimed(other, 2)
			other.Key = inner.Key
			s.completed(other)
			other.Key = hashed.Key
			s.busy(other, hashed.Lease)
		}},
		{name: "keys are text and nothing else", test: func(s *suite) {
			for _, suffix := range []string{`' OR 'a'='a`, `"; --`, "line\nbreak\ttab", "\u00e9\u4e16\U0001F642", "?", " ", strings.Repeat("k", 2048-len(s.key))} {
				r, twin := s.request("a", 0), s.request("b", time.Second)
				r.Key += suffix
				twin.Key = r.Key
				s.claimed(r, 1)
				s.settled(complete(r))
				s.completed(twin)
				s.record(idempotency.Record{
					Key: r.Key, Status: idempotency.StatusCompleted, Owner: r.Owner, Generation: 1, Expires: idempotency.CeilSecond(r.Expires),
				})
			}
			s.claimed(s.request("a", 0), 1)
		}},
	}
}

// boundaryCases are about the instant at which something is over. A store keeps
// leases to the millisecond and expiries to the second, rounded up.
func boundaryCases() []testCase {
	return []testCase{
		{name: "R15 a lease holds to its last millisecond", test: func(s *suite) {
			r := s.request("a", 0)
			r.Lease = r.Lease.Add(1_999_999 * time.Nanosecond)
			kept := r.Lease.Truncate(time.Millisecond)
			s.claimed(r, 1)
			b := s.request("b", 0)
			b.Now = kept
			s.busy(b, kept)
			b.Now = kept.Add(-time.Nanosecond)
			s.busy(b, kept)
			b.Now = kept.Add(time.Nanosecond)
			b.Lease = b.Now.Add(lease)
			s.claimed(b, 2)
		}},
		{name: "R13 a lease may end before it began", test: func(s *suite) {
			r := s.request("a", 0)
			r.Lease = r.Now.Add(-time.Second)
			s.claimed(r, 1)
			s.claimed(s.request("b", 0), 2)
		}},
		{name: "R8 a completed record holds to its last second, rounded up", test: func(s *suite) {
			r := s.request("a", 0)
			s.claimed(r, 1)
			done := complete(r)
			done.Expires = epoch().Add(2*life + time.Nanosecond)
			s.settled(done)
			kept := epoch().Add(2*life + time.Second)
			b := s.request("b", 0)
			b.Now = r.Expires.Add(time.Minute) // the claim's own expiry is overwritten
			s.completed(b)
			b.Now = kept
			s.completed(b)
			b.Now, b.Lease, b.Expires = kept.Add(time.Nanosecond), kept.Add(lease), kept.Add(life)
			if got := s.claimed(b, 2); got.TakenOver {
				s.t.Error("TakenOver is true, though the claim before completed")
			}
			s.busy(s.request("c", 2*life+2*time.Second), b.Lease)
		}},
		{name: "an expired record holds nobody, whatever its lease", test: func(s *suite) {
			r := s.request("a", 0)
			r.Lease = r.Expires.Add(900 * time.Millisecond)
			r.Expires = r.Lease.Add(50 * time.Millisecond)
			s.claimed(r, 1)
			s.busy(s.request("b", life+900*time.Millisecond), r.Lease)
			s.claimed(s.request("b", life+time.Second+time.Nanosecond), 2)
		}},
	}
}

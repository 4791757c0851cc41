package idempotencytest

import (
	"errors"
	"reflect"
	"time"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// lost checks that settling changes nothing and says so.
func (s *suite) lost(settlements ...idempotency.Settlement) {
	s.t.Helper()
	for _, set := range settlements {
		before, had := s.get(set.Key)
		if err := s.settle(set)[0]; !errors.Is(err, idempotency.ErrLost) {
			s.t.Fatalf("settling %+v: %v, want ErrLost", set, err)
		}
		after, has := s.get(set.Key)
		if had != has || !reflect.DeepEqual(before, after) {
			s.t.Fatalf("a lost settlement changed the record from %+v (%t) to %+v (%t)", before, had, after, has)
		}
	}
}

func fencingCases() []testCase {
	return []testCase{
		{name: "R9 an attempt that outlived its lease cannot touch its successor's claim", test: func(s *suite) {
			a, b := s.request("a", 0), s.request("b", lease+time.Second)
			s.claimed(a, 1)
			s.claimed(b, 2)
			s.lost(complete(a), release(a))
			s.busy(s.request("c", lease+2*time.Second), b.Lease)
			s.settled(complete(b))
		}},
		{name: "R10 an attempt that outlived its lease cannot touch its successor's completion", test: func(s *suite) {
			a, b := s.request("a", 0), s.request("b", lease+time.Second)
			s.claimed(a, 1)
			s.claimed(b, 2)
			s.settled(complete(b))
			s.lost(release(a), complete(a))
			s.completed(s.request("c", lease+2*time.Second))
		}},
		{name: "R9 an attempt that outlived its lease cannot touch its successor's release", test: func(s *suite) {
			a, b := s.request("a", 0), s.request("b", lease+time.Second)
			s.claimed(a, 1)
			s.claimed(b, 2)
			s.settled(release(b))
			s.lost(complete(a), release(a))
			s.claimed(s.request("c", lease+2*time.Second), 3)
		}},
		{name: "work done late is remembered if nobody took over", test: func(s *suite) {
			a := s.request("a", 0)
			s.claimed(a, 1)
			s.settled(complete(a)) // stores take no time for settling: however late
			s.completed(s.request("b", lease+time.Minute))
		}},
		{name: "R12 a refused duplicate cannot settle what it does not own", test: func(s *suite) {
			a, b := s.request("a", 0), s.request("b", time.Second)
			s.claimed(a, 1)
			s.busy(b, a.Lease)
			s.lost(release(b), complete(b))
			s.settled(complete(a))
			s.lost(release(b), complete(b))
		}},
		{name: "R6 completing twice is completing", test: func(s *suite) {
			a := s.request("a", 0)
			s.claimed(a, 1)
			s.settled(complete(a))
			s.settled(complete(a)) // the response of the first was lost
			s.completed(s.request("b", time.Second))
		}},
		{name: "releasing twice is releasing", test: func(s *suite) {
			a := s.request("a", 0)
			s.claimed(a, 1)
			s.settled(release(a))
			s.settled(release(a))
			s.claimed(s.request("b", time.Second), 2)
			s.lost(release(a))
		}},
		{name: "releasing does not undo completing", test: func(s *suite) {
			a := s.request("a", 0)
			s.claimed(a, 1)
			s.settled(complete(a))
			s.lost(release(a))
			s.completed(s.request("b", time.Second))
		}},
		{name: "R25 settling an unknown key creates nothing", test: func(s *suite) {
			a := s.request("a", 0)
			s.lost(complete(a), release(a))
			if rec, found := s.get(s.key); found {
				s.t.Fatalf("a record appeared: %+v", rec)
			}
			s.claimed(a, 1)
		}},
		{name: "an action that is neither is refused", test: func(s *suite) {
			a := s.request("a", 0)
			s.claimed(a, 1)
			before, _ := s.get(s.key)
			for _, action := range []idempotency.Action{0, 3, -1} {
				set := complete(a)
				set.Action = action
				if err := s.settle(set)[0]; err == nil {
					s.t.Errorf("action %d was accepted", action)
				}
			}
			if after, _ := s.get(s.key); !reflect.DeepEqual(before, after) {
				s.t.Errorf("an unknown action changed the record from %+v to %+v", before, after)
			}
		}},
		{name: "generations strictly increase", test: generationsIncrease},
	}
}

// generationsIncrease goes through every way by which a key changes hands.
func generationsIncrease(s *suite) {
	var at time.Duration
	for round := range 12 {
		r := s.request(string(rune('a'+round)), at)
		s.claimed(r, int64(round)+1)
		switch round % 4 {
		case 0: // failed
			s.settled(release(r))
			at += time.Millisecond
		case 1: // crashed
			at += lease + time.Second
		case 2: // done, and forgotten
			s.settled(complete(r))
			at += life + 2*time.Second
		case 3: // crashed, and forgotten
			at += life + 2*time.Second
		}
	}
}

func recordCases() []testCase {
	return []testCase{
		{name: "an absent key has no record", test: func(s *suite) {
			if rec, found := s.get(s.key); found {
				s.t.Fatalf("found %+v", rec)
			}
		}},
		{name: "a record says what happened to its key", test: func(s *suite) {
			a := s.request("a", 0)
			a.Lease = a.Lease.Add(1_500 * time.Microsecond)
			a.Expires = a.Expires.Add(time.Nanosecond)
			s.claimed(a, 1)
			rec := idempotency.Record{
				Key: s.key, Status: idempotency.StatusInProgress, Owner: a.Owner, Generation: 1,
				Lease: epoch().Add(lease + time.Millisecond), Expires: epoch().Add(life + time.Second),
			}
			s.record(rec)

			// Released: kept, or its generation would begin again.
			s.settled(release(a))
			rec.Lease = time.Time{}
			s.record(rec)

			b := s.request("b", time.Minute)
			s.claimed(b, 2)
			s.record(idempotency.Record{
				Key: s.key, Status: idempotency.StatusInProgress, Owner: b.Owner, Generation: 2, Lease: b.Lease, Expires: b.Expires,
			})

			done := complete(b)
			done.Expires = epoch().Add(3*life + time.Millisecond)
			s.settled(done)
			s.record(idempotency.Record{
				Key: s.key, Status: idempotency.StatusCompleted, Owner: b.Owner, Generation: 2, Expires: epoch().Add(3*life + time.Second),
			})
		}},
		{name: "R12 a refused claim changes nothing", test: func(s *suite) {
			a := s.request("a", 0)
			s.claimed(a, 1)
			before, _ := s.get(s.key)
			s.busy(s.request("b", time.Second), a.Lease)
			s.claimed(a, 1)
			if after, _ := s.get(s.key); !reflect.DeepEqual(after, before) {
				s.t.Fatalf("in progress: %+v became %+v", before, after)
			}
			s.settled(complete(a))
			before, _ = s.get(s.key)
			s.completed(s.request("b", time.Second))
			if after, _ := s.get(s.key); !reflect.DeepEqual(after, before) {
				s.t.Fatalf("completed: %+v became %+v", before, after)
			}
		}},
	}
}

package consumer_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// deliver delivers the batch once, with every fault there is, and checks the
// answer.
func (w *world) deliver() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), w.timeout)
	defer cancel()
	start := time.Now()
	o := consumertest.DeliverContext(ctx, w.t, w.newConsumer(w.handle), w.batch)
	took := time.Since(start)
	w.mu.Lock()
	violations := slices.Clone(w.violation)
	finished := map[string]bool{}
	for id := range w.finished {
		finished[id] = true
	}
	w.mu.Unlock()
	for _, v := range violations {
		w.t.Error(v)
	}
	if o.Err != nil {
		w.t.Errorf("error = %v", o.Err)
	}
	if took >= w.timeout {
		w.t.Errorf("answered after %s of %s", took, w.timeout)
	}
	letters := map[string]bool{}
	for _, l := range w.sink.DeadLetters() {
		letters[l.MessageID] = true
	}
	for i, m := range w.batch.Messages {
		id := w.jobs[i].ID
		cause := letters[m.ID] || !w.poison[i] && (finished[id] || w.before[id] == idempotency.Completed)
		if !slices.Contains(o.Failed, i) && !cause {
			w.t.Errorf("message %d (%s) is lost: settled without being done, done before, skipped or dead-lettered", i, id)
		}
	}
	if w.batch.FIFO {
		w.checkOrder(o)
	}
	if w.store != nil && !w.store.faulty {
		w.checkReleased()
	}
	close(w.free)
	time.Sleep(time.Minute) // what hung comes back late, and must not do harm
}

// checkOrder: handlers of a group ran in the order of the batch, nothing ran
// after a reported message of its group, and what is reported of a group is its
// end.
func (w *world) checkOrder(o consumertest.Outcome) {
	w.t.Helper()
	last, first := map[string]int{}, map[string]int{}
	for i, m := range w.batch.Messages {
		failed := slices.Contains(o.Failed, i)
		if _, stopped := first[m.Group]; stopped && !failed {
			w.t.Errorf("message %d is settled, and message %d of its group before it is reported", i, first[m.Group])
		}
		if _, stopped := first[m.Group]; failed && !stopped {
			first[m.Group] = i
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range w.order {
		group := w.batch.Messages[i].Group
		if before, ok := last[group]; ok && before > i {
			w.t.Errorf("message %d ran after message %d of its group", i, before)
		}
		last[group] = i
		if f, stopped := first[group]; stopped && f < i {
			w.t.Errorf("message %d ran, though message %d of its group was not settled", i, f)
		}
	}
	hides := map[string]time.Duration{}
	for _, i := range o.Failed {
		m := w.batch.Messages[i]
		d, ok := w.sink.Hidden(m.ID)
		if !ok {
			w.t.Errorf("message %d is reported and not hidden", i)
		}
		if before, ok := hides[m.Group]; ok && before != d {
			w.t.Errorf("message %d is hidden for %s, and its group for %s", i, d, before)
		}
		hides[m.Group] = d
	}
}

// checkReleased: with a store that works, a key is held after the answer only
// by a handler that did not come back.
func (w *world) checkReleased() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, p := range w.plans {
		rec, found, _ := w.store.Get(w.t.Context(), "w#jobs.queued#"+id)
		if !found || rec.Owner == "elsewhere" {
			continue
		}
		held := rec.Status == idempotency.StatusInProgress && !rec.Lease.IsZero()
		if held && (!p.hangs || w.runs[id] <= 0) {
			w.t.Errorf("%s is held until %s, and its handler is not running", id, rec.Lease)
		}
		if w.finished[id] != (rec.Status == idempotency.StatusCompleted) && !p.hangs {
			w.t.Errorf("%s: finished %t, record %+v", id, w.finished[id], rec)
		}
	}
}

// recover ends the faults and redelivers: everything settles, soon.
func (w *world) recover() {
	w.t.Helper()
	if w.store != nil {
		w.store.heal()
	}
	w.slow = func(context.Context) error { return nil }
	c := w.newConsumer(func(context.Context, consumer.Message[job]) error { return nil })
	left := w.batch
	for range 3 + len(w.jobs) { // a poison message may halt its group for a round
		time.Sleep(15 * time.Minute) // past every lease, and every visibility
		o := consumertest.Deliver(w.t, c, left)
		if o.Settled() {
			return
		}
		if len(o.Failed) == len(left.Messages) {
			break
		}
		left = left.Retry(o)
	}
	w.t.Error("messages keep being reported after the faults ended")
}

// newRand is a source of numbers for several goroutines, that draws from its
// own seed: the order of goroutines must not change what others draw.
func newRand(r *rand.Rand) func(n int) int {
	var mu sync.Mutex
	own := rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
	return func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return own.IntN(n)
	}
}

// flakyStore is a Memory behind a bad network.
type flakyStore struct {
	*idempotency.Memory

	faulty bool
	draw   func(int) int

	mu     sync.Mutex
	grants map[string]int64
	calls  int
	faults int
}

func newFlakyStore(r *rand.Rand) *flakyStore {
	return &flakyStore{Memory: idempotency.NewMemory(), faulty: r.IntN(2) == 0, draw: newRand(r), grants: map[string]int64{}}
}

func (s *flakyStore) granted(id string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grants["w#jobs.queued#"+id]
}

func (s *flakyStore) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faulty = false
}

// fault decides what becomes of a call: nothing, lost before, lost after, or
// silence until its context ends.
func (s *flakyStore) fault() (before, after, silent bool) {
	s.mu.Lock()
	s.calls++
	faulty := s.faulty
	s.mu.Unlock()
	time.Sleep(time.Duration(s.draw(30)) * time.Millisecond)
	if !faulty || s.draw(3) > 0 {
		return false, false, false
	}
	s.mu.Lock()
	s.faults++
	s.mu.Unlock()
	switch s.draw(7) {
	case 0:
		return false, false, true
	case 1, 2, 3:
		return true, false, false
	default:
		return false, true, false
	}
}

func (s *flakyStore) Claim(ctx context.Context, requests []idempotency.ClaimRequest) ([]idempotency.ClaimResult, error) {
	before, after, silent := s.fault()
	if silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if before {
		return nil, errDown
	}
	results, err := s.Memory.Claim(ctx, requests)
	if err != nil || after {
		return nil, errDown
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range results {
		if s.faulty && s.draw(20) == 0 {
			results[i] = idempotency.ClaimResult{Err: errDown} // one throttled statement
			continue
		}
		if r.Outcome == idempotency.Claimed {
			s.grants[requests[i].Key] = r.Generation
		}
	}
	return results, nil
}

func (s *flakyStore) Settle(ctx context.Context, sets []idempotency.Settlement) []error {
	before, after, silent := s.fault()
	if silent {
		<-ctx.Done()
	}
	if silent || before {
		return slices.Repeat([]error{errDown}, len(sets))
	}
	errs := s.Memory.Settle(ctx, sets)
	if after {
		return slices.Repeat([]error{errDown}, len(sets))
	}
	return errs
}

// tally counts what the random batches reached: a property that is never put
// to the test shows nothing.
type tally struct{ n map[string]int }

func (s *tally) add(w *world) {
	if s.n == nil {
		s.n = map[string]int{}
	}
	count := func(name string, is bool) {
		if is {
			s.n[name]++
		}
	}
	ids := map[string]int{}
	for _, j := range w.jobs {
		ids[j.ID]++
	}
	count("fifo", w.batch.FIFO)
	count("standard", !w.batch.FIFO)
	count("more than one chunk", len(w.jobs) > 25)
	count("copies", len(ids) < len(w.jobs))
	count("no store", w.store == nil)
	count("store faults", w.store != nil && w.store.faults > 0)
	count("dead letters", len(w.sink.DeadLetters()) > 0)
	hangs, before := false, false
	for id, p := range w.plans {
		hangs = hangs || p.hangs && w.runs[id] > 0
		before = before || w.before[id] != 0
	}
	count("hung handlers", hangs)
	count("worked elsewhere", before)
}

func (s *tally) check(t *testing.T, batches int) {
	t.Helper()
	t.Logf("%d batches: %v", batches, s.n)
	for _, name := range []string{"fifo", "standard", "more than one chunk", "copies", "no store", "store faults", "dead letters", "hung handlers", "worked elsewhere"} {
		if want := batches / 40; s.n[name] < want {
			t.Errorf("%q was reached by %d batches of %d, want at least %d", name, s.n[name], batches, want)
		}
	}
}

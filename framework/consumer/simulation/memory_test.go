package simulation_test

import (
	"context"
	"errors"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// memory is idempotency.Memory at the end of an unreliable wire.
type memory struct {
	w     *world
	inner *idempotency.Memory
}

func (m *memory) peek(k *keyState) (idempotency.Record, bool) {
	rec, found, _ := m.inner.Get(context.Background(), k.store)
	return rec, found
}

func (m *memory) keys(n int, key func(int) string) []*keyState {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	keys := make([]*keyState, n)
	for i := range keys {
		if keys[i] = m.w.byKey[key(i)]; keys[i] == nil {
			m.w.violate("set-up: key %q is unknown", key(i))
			keys[i] = m.w.keys[0]
		}
	}
	return keys
}

// Claim implements idempotency.Store.
func (m *memory) Claim(ctx context.Context, requests []idempotency.ClaimRequest) (results []idempotency.ClaimResult, err error) {
	req := request{op: opClaim, keys: m.keys(len(requests), func(i int) string { return requests[i].Key })}
	var inner error
	req.apply = func(*dice) []*keyState {
		results, inner = m.inner.Claim(ctx, requests)
		return nil
	}
	if err := m.w.exchange(ctx, req); err != nil {
		return nil, err
	}
	return results, inner
}

// Settle implements idempotency.Store.
func (m *memory) Settle(ctx context.Context, settlements []idempotency.Settlement) (errs []error) {
	req := request{op: opSettle, keys: m.keys(len(settlements), func(i int) string { return settlements[i].Key })}
	for _, s := range settlements {
		req.complete = req.complete || s.Action == idempotency.Complete
		req.release = req.release || s.Action == idempotency.Release
	}
	req.apply = func(*dice) []*keyState {
		errs = m.inner.Settle(ctx, settlements)
		for i, err := range errs {
			if errors.Is(err, idempotency.ErrLost) {
				m.w.fenced(settlements[i].Action == idempotency.Complete)
			}
		}
		return nil
	}
	if err := m.w.exchange(ctx, req); err != nil {
		lost := make([]error, len(settlements))
		for i := range lost {
			lost[i] = err
		}
		return lost
	}
	return errs
}

// Get implements idempotency.Store.
func (m *memory) Get(ctx context.Context, key string) (rec idempotency.Record, found bool, err error) {
	req := request{op: opRead, keys: m.keys(1, func(int) string { return key })}
	var inner error
	req.apply = func(*dice) []*keyState {
		rec, found, inner = m.inner.Get(ctx, key)
		return nil
	}
	if err := m.w.exchange(ctx, req); err != nil {
		return idempotency.Record{}, false, err
	}
	return rec, found, inner
}

// inTx is a handler's transaction. Memory has no wire within it, so no response
// of it gets lost on the way to the claim.
func (m *memory) inTx(ctx context.Context, r *run) error {
	w := m.w
	w.mu.Lock()
	defer w.mu.Unlock()
	before, had := m.peek(r.key)
	err := m.inner.InTxPublish(ctx, r.outgoing(), func() error {
		w.txEffect(r)
		return nil
	})
	after, has := m.peek(r.key)
	w.observe(r.inv, r.key, before, had, after, has, true)
	if errors.Is(err, idempotency.ErrLost) {
		w.seen[txFenced]++
	}
	return err
}

// askedStore knows which keys the store itself was asked for.
type askedStore struct{ idempotency.Store }

func (s *askedStore) Claim(ctx context.Context, requests []idempotency.ClaimRequest) ([]idempotency.ClaimResult, error) {
	inv := invocationOf(ctx)
	inv.w.mu.Lock()
	for _, r := range requests {
		if k := inv.w.byKey[r.Key]; k != nil {
			inv.asked[k.no] = true
		}
	}
	inv.w.mu.Unlock()
	return s.Store.Claim(ctx, requests)
}

// checkedStore looks at what the real store, or a sandbox's cache before it,
// answers the consumer.
type checkedStore struct {
	idempotency.Store
	w *world
}

func (s *checkedStore) Claim(ctx context.Context, requests []idempotency.ClaimRequest) ([]idempotency.ClaimResult, error) {
	w, inv := s.w, invocationOf(ctx)
	w.mu.Lock()
	for _, r := range requests {
		if !inv.owns(r.Owner) {
			inv.owners = append(inv.owners, r.Owner)
		}
	}
	w.mu.Unlock()
	results, err := s.Store.Claim(ctx, requests)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, res := range results {
		k := w.byKey[requests[i].Key]
		switch res.Outcome {
		case idempotency.InProgress:
			inv.busyUntil[k.no] = res.Until
			if rec, found := w.peek(k); found && rec.Owner == requests[i].Owner && !inv.sb.dead && res.Until.After(inv.clock()) {
				w.violate("I9 key %s: invocation %d takes its own claim for another's", k.store, inv.no)
			}
		case idempotency.Completed:
			inv.waited[k.no] = false
			w.seen[duplicateSkipped]++
			if !inv.asked[k.no] {
				w.seen[cacheHit]++
			}
		case idempotency.Claimed:
			if len(res.Pending) > 0 {
				w.seen[outboxTaken]++
			}
			inv.claimed[k.no] = true
			if inv.resent[k.no] {
				w.seen[ownClaim]++
			}
			if inv.waited[k.no] {
				inv.waited[k.no] = false
				w.seen[awaitTookOver]++
			}
		default:
		}
	}
	return results, err
}

func (s *checkedStore) Settle(ctx context.Context, settlements []idempotency.Settlement) []error {
	errs := s.Store.Settle(ctx, settlements)
	w, inv := s.w, invocationOf(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, err := range errs {
		if err == nil {
			continue
		}
		k := w.byKey[settlements[i].Key]
		excuse(inv, k)
		if !errors.Is(err, idempotency.ErrLost) {
			continue
		}
		if settlements[i].Action == idempotency.Release {
			continue
		}
		if rec, found := w.peek(k); found && rec.Owner == settlements[i].Owner && rec.Status == idempotency.StatusInProgress {
			w.violate("I9 key %s: invocation %d may not complete its own claim", k.store, inv.no)
		}
	}
	return errs
}

func (s *checkedStore) Get(ctx context.Context, key string) (idempotency.Record, bool, error) {
	rec, found, err := s.Store.Get(ctx, key)
	w, inv := s.w, invocationOf(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if k := w.byKey[key]; err == nil && k != nil {
		inv.waited[k.no] = true
		if found && rec.Status == idempotency.StatusCompleted {
			inv.waited[k.no] = false
			w.seen[awaitCompleted]++
		}
	}
	return rec, found, err
}

// fenced counts a settlement that changed nothing.
func (w *world) fenced(complete bool) {
	if complete {
		w.seen[completeFenced]++
	} else {
		w.seen[releaseFenced]++
	}
}

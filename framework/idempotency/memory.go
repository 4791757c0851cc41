package idempotency

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Memory is a Store in memory, for tests and for trying things out: what it
// remembers ends with the process, and on Lambda another process handles the
// next copy of a message. Its zero value is ready, and safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	records map[string]Record
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{} }

// Claim implements Store. It fails only if a key occurs twice.
func (m *Memory) Claim(_ context.Context, requests []ClaimRequest) ([]ClaimResult, error) {
	if err := distinct(len(requests), func(i int) string { return requests[i].Key }); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	results := make([]ClaimResult, len(requests))
	for i, req := range requests {
		results[i] = m.claim(req)
	}
	return results, nil
}

func (m *Memory) claim(req ClaimRequest) ClaimResult {
	rec, found := m.records[req.Key]
	if found {
		switch Decide(rec, req) {
		case Claimed:
			return ClaimResult{Outcome: Claimed, Generation: rec.Generation, Pending: rec.Pending}
		case Completed:
			return ClaimResult{Outcome: Completed, Until: rec.Expires, Fingerprint: rec.Fingerprint}
		case InProgress:
			return ClaimResult{Outcome: InProgress, Until: rec.Lease, Fingerprint: rec.Fingerprint}
		}
	}
	if m.records == nil {
		m.records = make(map[string]Record)
	}
	next := Record{
		Key:        req.Key,
		Status:     StatusInProgress,
		Owner:      req.Owner,
		Generation: rec.Generation + 1,
		Lease:      req.Lease.Truncate(time.Millisecond),
		Expires:    CeilSecond(req.Expires),

		Fingerprint: req.Fingerprint,
	}
	if rec.Status == StatusInProgress && !rec.Expires.Before(req.Now) {
		next.Pending = rec.Pending // committed work stays committed
	}
	m.records[req.Key] = next
	return ClaimResult{
		Outcome: Claimed, Generation: next.Generation, TakenOver: found && rec.Status == StatusInProgress, Pending: next.Pending,
	}
}

// Settle implements Store.
func (m *Memory) Settle(_ context.Context, settlements []Settlement) []error {
	if err := distinct(len(settlements), func(i int) string { return settlements[i].Key }); err != nil {
		return slices.Repeat([]error{err}, len(settlements))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	errs := make([]error, len(settlements))
	for i, s := range settlements {
		errs[i] = m.settle(s)
	}
	return errs
}

func (m *Memory) settle(s Settlement) error {
	rec, found := m.records[s.Key]
	if !found || rec.Owner != s.Owner {
		return ErrLost
	}
	switch s.Action {
	case Complete:
		rec.Status, rec.Lease, rec.Expires, rec.Pending = StatusCompleted, time.Time{}, CeilSecond(s.Expires), nil
	case Release:
		if rec.Status != StatusInProgress {
			return ErrLost
		}
		rec.Lease = time.Time{}
	default:
		return fmt.Errorf("idempotency: settlement of key %q has action %d: it must be Complete or Release", s.Key, s.Action)
	}
	m.records[s.Key] = rec
	return nil
}

// distinct refuses what DynamoDB refuses, so that a test finds it.
func distinct(n int, key func(int) string) error {
	seen := make(map[string]bool, n)
	for i := range n {
		k := key(i)
		if seen[k] {
			return fmt.Errorf("idempotency: key %q occurs twice in one call: merge equal keys first", k)
		}
		seen[k] = true
	}
	return nil
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, key string) (Record, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rec, found := m.records[key]
	return rec, found, nil
}

// InTx runs apply and completes the claim of ctx as one step: if apply fails
// nothing is completed, and if the claim is lost apply does not run. It stands
// in for dynamostore's InTx in handler tests. It holds the store's lock, so
// apply must not call the store.
func (m *Memory) InTx(ctx context.Context, apply func() error) error {
	return m.InTxPublish(ctx, nil, apply)
}

// InTxPublish is InTx with events that are kept in the record, and published
// and forgotten after the handler returned.
func (m *Memory) InTxPublish(ctx context.Context, outgoing []Outgoing, apply func() error) error {
	claim, ok := FromContext(ctx)
	if !ok {
		return ErrNoClaim
	}
	return claim.CommitWith(outgoing, func(s Settlement) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		rec, found := m.records[s.Key]
		if !found || rec.Owner != s.Owner || rec.Status != StatusInProgress || len(rec.Pending) > 0 {
			return ErrLost
		}
		if err := apply(); err != nil {
			return err
		}
		if len(outgoing) > 0 {
			rec.Pending = outgoing
			m.records[s.Key] = rec
			return nil
		}
		return m.settle(s)
	})
}

// CeilSecond rounds t up to the second, as stores keep a record's expiry: a
// record lives at least as long as it was asked to.
func CeilSecond(t time.Time) time.Time {
	if s := t.Truncate(time.Second); !s.Equal(t) {
		return s.Add(time.Second)
	}
	return t
}

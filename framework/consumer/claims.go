package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// startClaims claims the next chunk of keys when at most one chunk is ahead of
// the workers: a claim made early is a lease that runs for nothing.
func (b *batch) startClaims() {
	if b.claiming || b.stopping || b.ahead >= min(chunk, b.c.cfg.concurrency) {
		return
	}
	var items []*item
	for len(b.toClaim) > 0 && len(items) < chunk {
		it := b.toClaim[0]
		b.toClaim = b.toClaim[1:]
		if it.phase == unclaimed { // its lane may have been stopped
			items = append(items, it)
		}
	}
	if len(items) == 0 {
		return
	}
	b.claiming = true
	requests := make([]idempotency.ClaimRequest, len(items))
	for i, it := range items {
		it.request = b.inv.claimRequest(it, b.c.cfg.recordLife)
		requests[i] = it.request
	}
	go func() {
		results, err := b.c.cfg.store.Claim(b.workCtx, requests)
		b.claimed <- claimedMsg{items, results, err}
	}()
}

func (i *invocation) claimRequest(it *item, life time.Duration) idempotency.ClaimRequest {
	now := i.now()
	expires := now.Add(life)
	lease := i.lease(expires)
	if expires.Before(lease) {
		expires = lease
	}
	return idempotency.ClaimRequest{Key: it.key, Owner: i.owner, Now: now, Lease: lease, Expires: expires, Fingerprint: it.fingerprint}
}

func (b *batch) onClaimed(m claimedMsg) {
	b.claiming = false
	for i, it := range m.items {
		result := idempotency.ClaimResult{Err: m.err}
		if m.err == nil {
			result = m.results[i]
		}
		b.onClaim(it, result)
	}
}

func (b *batch) onClaim(it *item, result idempotency.ClaimResult) {
	release := idempotency.Settlement{Key: it.request.Key, Owner: it.request.Owner, Action: idempotency.Release}
	it.busy = it.busy || result.Outcome == idempotency.InProgress
	switch {
	case it.phase == final:
		// Its lane, or the time for work, ended meanwhile.
		if result.Outcome == idempotency.Claimed || result.Err != nil {
			b.settle(release)
		}
	case result.Err != nil:
		// The claim may be written and its response lost. Releasing what may
		// be ours spares the next delivery the rest of the lease.
		b.settle(release)
		b.resolve(it, verdict{fate: retried, err: &storeError{result.Err}})
	case result.Outcome == idempotency.Claimed:
		it.claim = idempotency.NewClaim(it.request, result)
		it.meta.Generation, it.takenOver = result.Generation, result.TakenOver
		it.phase = ready
		b.ahead++
		b.advance(it.lane)
	case b.differs(it, result):
	case result.Outcome == idempotency.Completed:
		b.resolve(it, verdict{fate: duplicate})
	case result.Outcome == idempotency.InProgress && b.direct:
		it.phase = waiting
		b.awaiting++
		go func() { b.awaited <- b.await(b.workCtx, it, result.Until) }()
	case result.Outcome == idempotency.InProgress:
		b.resolve(it, verdict{fate: retried, err: &busyError{result.Until}})
	default:
		b.resolve(it, verdict{fate: retried, err: &storeError{errors.New("the store gave no outcome for the key")}})
	}
}

// differs sends an item away whose key another message has.
func (b *batch) differs(it *item, result idempotency.ClaimResult) bool {
	err := mismatch(it.meta.Key, result.Fingerprint, it.fingerprint)
	if err == nil {
		return false
	}
	it.reason, it.phase = err, ready
	b.advance(it.lane)
	return true
}

// The waiting for another attempt looks at the record this often.
const (
	firstLook = 100 * time.Millisecond
	lastLook  = 5 * time.Second
)

// await waits until the attempt that holds the item's key completes, releases
// or loses it, and then claims it. It gives up when ctx ends.
func (b *batch) await(ctx context.Context, it *item, leaseEnd time.Time) awaitedMsg {
	m := awaitedMsg{it: it, result: idempotency.ClaimResult{Outcome: idempotency.InProgress, Until: leaseEnd}}
	store := b.c.cfg.store
	for look := firstLook; ; look = min(2*look, lastLook) {
		// A lease is kept to the millisecond, and over after it.
		timer := time.NewTimer(min(look, max(m.result.Until.Sub(b.inv.now()), 0)+2*time.Millisecond))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return m
		}
		m.request = b.inv.claimRequest(it, b.c.cfg.recordLife)
		rec, found, err := store.Get(ctx, it.key)
		if err == nil && found {
			switch idempotency.Decide(rec, m.request) {
			case idempotency.Completed:
				m.result = idempotency.ClaimResult{Outcome: idempotency.Completed, Fingerprint: rec.Fingerprint}
				return m
			case idempotency.InProgress:
				m.result.Until = rec.Lease
				continue
			default:
			}
		}
		if err == nil {
			m.result, err = claimOne(ctx, store, m.request)
		}
		if err != nil {
			m.result = idempotency.ClaimResult{Err: err}
		}
		if m.result.Outcome != idempotency.InProgress {
			return m
		}
		// Another waiter was faster.
	}
}

func claimOne(ctx context.Context, store idempotency.Store, request idempotency.ClaimRequest) (idempotency.ClaimResult, error) {
	results, err := store.Claim(ctx, []idempotency.ClaimRequest{request})
	if err != nil {
		return idempotency.ClaimResult{}, err
	}
	return results[0], nil
}

func (b *batch) onAwaited(m awaitedMsg) {
	b.awaiting--
	if m.result.Outcome == idempotency.InProgress {
		b.resolve(m.it, verdict{fate: retried, err: &busyError{m.result.Until}})
		return
	}
	m.it.request = m.request
	b.onClaim(m.it, m.result)
}

// settle queues a settlement.
func (b *batch) settle(s idempotency.Settlement) {
	if len(b.pending) == 0 {
		b.oldest = systemTime()
	}
	b.pending = append(b.pending, s)
}

// startSettling is the group commit: one request at a time takes what has
// gathered, when it fills a request, has lingered, or nothing more can come.
// It returns how long to wait if it is too early.
func (b *batch) startSettling() (wait time.Duration) {
	if b.settling || len(b.pending) == 0 {
		return 0
	}
	more := !b.abandoned && (b.active > 0 || b.claiming || len(b.runnable) > 0)
	if more && b.c.cfg.completeAtEnd {
		return 0 // what ends last will start it
	}
	if more && len(b.pending) < chunk {
		if wait := linger - systemTime().Sub(b.oldest); wait > 0 {
			return wait
		}
	}
	n := min(chunk, len(b.pending))
	now := b.pending[:n:n]
	b.pending = b.pending[n:]
	b.oldest = systemTime()
	b.settling, b.sent = true, now
	go func() {
		ctx, cancel := until(b.base, b.inv.limits.settle)
		defer cancel()
		errs := b.c.cfg.store.Settle(ctx, now)
		for i, err := range errs {
			b.c.logSettled(b.base, now[i], err)
		}
		b.finished <- errs
	}()
	return 0
}

func (b *batch) onSettled(errs []error) {
	b.settling = false
	for i, err := range errs {
		if err == nil || b.sent[i].Action != idempotency.Complete {
			continue
		}
		for _, it := range b.items {
			if it.claim != nil && it.key == b.sent[i].Key {
				it.completionLost = true
			}
		}
	}
}

package idempotency

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ErrCommitted is returned by a second [Claim.Commit] of a claim that the first
// one completed.
var ErrCommitted = errors.New("idempotency: this claim is already committed: a handler may complete its work in one transaction only, as its last act")

// ErrNoClaim is returned where a claim is needed and the context has none.
var ErrNoClaim = errors.New("idempotency: no claim in this context: the consumer has no idempotency store, or the context is not the one that the handler was given")

// A Claim is the claim that a handler runs under. It is safe for concurrent use.
type Claim struct {
	key, owner string
	generation int64
	expires    time.Time
	state      atomic.Int32
	pending    atomic.Pointer[[]Outgoing]
}

const (
	claimOpen int32 = iota
	claimCommitting
	claimCommitted
)

// NewClaim returns the claim that a store granted with res for req.
func NewClaim(req ClaimRequest, res ClaimResult) *Claim {
	c := &Claim{key: req.Key, owner: req.Owner, generation: res.Generation, expires: req.Expires}
	if len(res.Pending) > 0 {
		c.state.Store(claimCommitted)
		c.pending.Store(&res.Pending)
	}
	return c
}

// Key returns the key as stores see it, scoped by consumer and event type.
func (c *Claim) Key() string { return c.key }

// Owner returns the token that fences this claim.
func (c *Claim) Owner() string { return c.owner }

// Generation returns the fencing number: see [ClaimResult].
func (c *Claim) Generation() int64 { return c.generation }

// Settlement returns what ends this claim by the given action.
func (c *Claim) Settlement(action Action) Settlement {
	return Settlement{Key: c.key, Owner: c.owner, Action: action, Expires: c.expires}
}

// Commit lets do complete this claim together with the handler's own writes, in
// one transaction, and remembers whether it did. Stores that can do this offer
// it to handlers in their own terms, as dynamostore's InTx and Memory's InTx.
//
// A do that fails may be tried again; after one that succeeded, Commit returns
// ErrCommitted. A do that failed without saying whether it was applied (a
// time-out) is safe too: do must be conditional on the claim still being open,
// so a second try is refused, the message comes again, and is then a duplicate.
func (c *Claim) Commit(do func(Settlement) error) error { return c.CommitWith(nil, do) }

// CommitWith is Commit with events to be published afterwards: do must keep
// them in the record, which stays in progress, instead of completing it. The
// consumer publishes them when the handler has returned, and then completes
// the claim; after a crash the message's next delivery does.
func (c *Claim) CommitWith(outgoing []Outgoing, do func(Settlement) error) error {
	if !c.state.CompareAndSwap(claimOpen, claimCommitting) {
		if c.state.Load() == claimCommitted {
			return ErrCommitted
		}
		return fmt.Errorf("idempotency: another transaction for key %q is under way: one claim, one transaction at a time", c.key)
	}
	// A panic in do must not leave the claim in limbo.
	next := claimOpen
	defer func() { c.state.Store(next) }()
	if err := do(c.Settlement(Complete)); err != nil {
		return err
	}
	next = claimCommitted
	if len(outgoing) > 0 {
		c.pending.Store(&outgoing)
	}
	return nil
}

// Committed reports whether a Commit succeeded: the work is done.
func (c *Claim) Committed() bool { return c.state.Load() == claimCommitted }

// Pending returns the events of a committed claim that are to be published
// before it is completed.
func (c *Claim) Pending() []Outgoing {
	if p := c.pending.Load(); p != nil {
		return *p
	}
	return nil
}

type contextKey struct{}

// NewContext returns a context that carries c to a handler.
func NewContext(ctx context.Context, c *Claim) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// FromContext returns the claim that the handler given ctx runs under, or
// false if it runs under none.
func FromContext(ctx context.Context) (*Claim, bool) {
	c, ok := ctx.Value(contextKey{}).(*Claim)
	return c, ok
}

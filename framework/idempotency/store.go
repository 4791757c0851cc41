package idempotency

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// ErrLost says that a claim is no longer its owner's: the lease ended and
// another attempt took over, or the record is gone. Nothing was written.
var ErrLost = errors.New("idempotency: claim lost: another attempt owns the key, or its record expired")

// A Store keeps claims. Implementations are safe for concurrent use and pass
// the suite in package idempotencytest.
//
// Calls are batched: keys within one call must differ, results are in the order
// of the requests, and one key's failure is told in its own result. Claim
// returns an error of its own only when nothing is known about any key.
type Store interface {
	// Claim tries to claim every key. A claim granted in this call or, by the
	// same owner, in an earlier one whose response was lost, is Claimed.
	Claim(ctx context.Context, requests []ClaimRequest) ([]ClaimResult, error)

	// Settle completes and releases claims. Each error is nil, ErrLost, or the
	// store's own; completing twice by the same owner is not an error.
	Settle(ctx context.Context, settlements []Settlement) []error

	// Get returns the record of key, and false if there is none. It reads
	// consistently: what any earlier call wrote is seen.
	Get(ctx context.Context, key string) (Record, bool, error)
}

// A ClaimRequest asks for one key.
type ClaimRequest struct {
	Key   string // at most 2,048 bytes, DynamoDB's limit for a partition key
	Owner string // random and unique to this attempt; it fences and recognises

	// Now is the caller's clock. A lease or record that ended before Now is over.
	Now time.Time

	// Lease is until when the claim excludes others, kept to the millisecond.
	Lease time.Time

	// Expires is when the record may be forgotten, kept to the second and
	// rounded up. It is not before Lease.
	Expires time.Time

	// Fingerprint, if set, is kept in the record: see ClaimResult.
	Fingerprint string
}

// Outcome is what became of a ClaimRequest.
type Outcome int

// The zero Outcome goes with an error.
const (
	Claimed    Outcome = iota + 1 // the key is the requester's until the lease ends
	Completed                     // the work was done before; do not run it
	InProgress                    // another attempt holds the key, until ClaimResult.Until
)

// String returns the outcome in lower case, as logs show it.
func (o Outcome) String() string {
	switch o {
	case Claimed:
		return "claimed"
	case Completed:
		return "completed"
	case InProgress:
		return "in progress"
	default:
		return "unknown"
	}
}

// A ClaimResult answers one ClaimRequest.
type ClaimResult struct {
	Outcome Outcome

	// Generation of a Claimed key: 1 for the first claim ever, and greater
	// than every earlier one's for each takeover. Give it to a system that can
	// refuse writes of an older generation.
	Generation int64

	// TakenOver is true if a Claimed key had an earlier claim that ended
	// without completion: it was released, or its lease ran out.
	TakenOver bool

	// Until is the end of the lease of a key that is InProgress, and of the
	// record's life of one that is Completed.
	Until time.Time

	// Fingerprint is the record's, of a key that is InProgress or Completed. It
	// tells a copy of a message from another message under the same key.
	Fingerprint string

	// Pending holds the events of a Claimed key whose work was committed
	// earlier, with events that were not known to be published. The work must
	// not run again: publish them and complete the claim.
	Pending []Outgoing

	// Err is set, and Outcome is zero, if this key's state is not known.
	Err error
}

// Action is what a Settlement does.
type Action int

// What may be done with a claim.
const (
	Complete Action = iota + 1 // the work is done: remember it until Expires
	Release                    // the work is not done: let the next attempt claim at once
)

// Outgoing is an event that the transaction of a handler's work leaves in the
// record, to be published after it: an outbox that the queue's own redelivery
// drives. It is published at least once.
type Outgoing struct {
	To              string          `json:"to"`   // the outbox's name at the consumer
	Type            string          `json:"type"` // the event's type
	Body            json.RawMessage `json:"body"`
	Group           string          `json:"group,omitempty"`
	DeduplicationID string          `json:"dedup,omitempty"`
}

// A Settlement ends one claim.
type Settlement struct {
	Key     string
	Owner   string
	Action  Action
	Expires time.Time // for Complete: until when the completion is remembered
}

// Status is the state of a record. The values are those of Powertools for AWS
// Lambda, whose readers can read our records.
type Status string

// The states of a record. A released claim is StatusInProgress with no lease.
const (
	StatusInProgress Status = "INPROGRESS"
	StatusCompleted  Status = "COMPLETED"
)

// A Record is what a store keeps for a key.
type Record struct {
	Key        string
	Status     Status
	Owner      string // of the last claim; kept after completion
	Generation int64
	Lease      time.Time // of a StatusInProgress record; zero once released
	Expires    time.Time

	Fingerprint string
	Pending     []Outgoing // of a StatusInProgress record whose work is committed
}

// Decide is the protocol's one decision, for stores to share: what a request
// meets in an existing record. The zero Outcome means that the record's claim
// is over and that the request may take the key over, if by the time of its
// write the record is still what it was.
func Decide(rec Record, req ClaimRequest) Outcome {
	switch {
	case rec.Expires.Before(req.Now):
		return 0
	case rec.Status == StatusCompleted:
		return Completed
	case rec.Lease.Before(req.Now):
		// One's own, too: others may take it over, so it must be claimed anew.
		return 0
	case rec.Owner == req.Owner && rec.Owner != "":
		return Claimed
	default:
		return InProgress
	}
}

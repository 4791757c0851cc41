package consumer

import (
	"errors"
	"runtime/debug"
	"time"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// fate is what becomes of a message. Every message starts undecided, which is
// reported: a mistake in here can cause a retry, not a loss.
type fate int

const (
	undecided    fate = iota
	retried           // reported
	done              // the handler returned nil
	duplicate         // done before, or by a copy in this batch
	skipped           // settled on purpose without work
	deadLettered      // safely in the dead-letter sink
)

func (f fate) settled() bool { return f >= done }

// phase is how far a message has come.
type phase int

const (
	unclaimed phase = iota // needs its key claimed
	waiting                // for a copy in this batch, or for another attempt elsewhere
	ready                  // may run when it is at the head of its lane
	running
	final
)

// verdict is a fate with its reason and, for a retry, the time to hide.
type verdict struct {
	fate   fate
	err    error
	hide   time.Duration
	hidden bool // hide is set
}

// item is one message of a batch.
type item struct {
	meta          Meta
	receiptHandle string
	outerBody     string
	outerAttrs    map[string]Attribute
	fifo          bool

	body        []byte
	route       *route
	event       any
	key         string // as stores see it; empty if the message has none
	fingerprint string
	reason      error // why it goes to the dead-letter sink without being run

	request idempotency.ClaimRequest
	claim   *idempotency.Claim

	phase     phase
	started   bool // its handler was
	verdict   verdict
	resolved  *verdict // decided before its turn in the lane
	lane      *lane
	leader    *item // the copy that runs instead
	followers []*item

	// For observers: how long the handler took, and what the store said.
	ran                             time.Duration
	takenOver, busy, completionLost bool
}

// lane is a sequence of messages that are worked one after another: a message
// group of a FIFO queue, or a single message.
type lane struct {
	items []*item
	next  int
}

func (l *lane) head() *item {
	if l.next < len(l.items) {
		return l.items[l.next]
	}
	return nil
}

// hideAlike gives what is reported of a FIFO group one visibility, that of its
// first: SQS unblocks the group only when all of it is visible, and a head that
// comes back alone would find its followers in flight.
func (l *lane) hideAlike() {
	var first *item
	for _, it := range l.items {
		switch {
		case it.verdict.fate != retried:
		case first == nil:
			first = it
		default:
			it.verdict.hide = first.verdict.hide
		}
	}
}

// decode finds the item's route and event. An error is permanent, except that
// ignored types are skipped.
func (c *Consumer) decode(it *item, in inner, err error) {
	// Decoding runs code of the event's: its UnmarshalJSON, Validate and key,
	// and upgrades. A panic there is this message's failure, as in a handler.
	defer func() {
		if p := recover(); p != nil {
			it.phase = ready
			it.resolved = &verdict{fate: retried, err: &PanicError{Value: p, Stack: debug.Stack()}}
		}
	}()
	it.phase = ready
	it.body = in.body
	it.meta.Consumer, it.meta.Source = c.name, c.source
	it.meta.ID, it.meta.Type, it.meta.Attributes = in.id, in.eventType, in.attrs
	if !in.sentAt.IsZero() {
		it.meta.SentAt = in.sentAt
	}
	it.meta.Key = in.id
	if err != nil {
		it.reason = err
		return
	}
	route, decode, err := c.mux.find(in.eventType)
	if err != nil {
		var unknown *UnknownTypeError
		if c.cfg.ignoreUnknown && errors.As(err, &unknown) {
			it.resolved = &verdict{fate: skipped, err: err}
			return
		}
		it.reason = err
		return
	}
	if it.meta.Type == "" {
		it.meta.Type = route.eventType
	}
	event, err := decode(in.body)
	if err != nil {
		it.reason = err
		return
	}
	it.route, it.event = route, event
	if route.keyed {
		it.meta.Key = route.key(event)
		if it.meta.Key == "" {
			it.reason = &DecodeError{Type: it.meta.Type, Err: errors.New("the idempotency key is empty: without one, different messages would be taken for copies of each other")}
			return
		}
	}
	if c.cfg.store != nil {
		it.key = storeKey(c.name, route.name, it.meta.Key)
		it.phase = unclaimed
		if route.fingerprint != nil {
			it.fingerprint = route.fingerprint(it.meta.Type, in.body)
		}
	}
}

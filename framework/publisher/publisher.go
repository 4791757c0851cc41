// Package publisher sends typed events to SQS, SNS and EventBridge.
//
// # Delivery semantics
//
// Publish returns nil once the service accepted every event, and so made it
// durable. An error names the events that were not accepted, or that may not
// have been: a request whose answer was lost is sent again, so an event can
// arrive twice. Consumers with an idempotency store settle the second copy if
// events carry their own key (IdempotencyKey).
//
// Events are sent in order, as few requests as the services' limits allow, one
// request at a time. Entries that the service refused for its own reasons
// (throttling) are sent again, with back-off, up to four times in all. To a FIFO
// queue or topic they are not, and no request follows one with a failure: what
// was refused would arrive after its successors.
//
// A Publisher is safe for concurrent use.
package publisher

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"
)

// An Event is what consumer.Event is: a plain struct with a stable type name.
type Event interface{ EventType() string }

// An Entry is an event with what concerns its sending.
type Entry struct {
	Event Event

	// Group is the message group: required on a FIFO queue, and what fair
	// queues call the tenant on a standard one. Not for SNS and EventBridge.
	Group string

	// DeduplicationID is by what a FIFO queue drops copies for 5 minutes. Both
	// ids are at most 128 letters, digits and ASCII punctuation. Default: the
	// name of the event's type and its IdempotencyKey, hashed where they do not
	// fit.
	DeduplicationID string

	// Attributes are further text attributes, at most nine. Not for EventBridge.
	Attributes map[string]string
}

// A Failure is one event that was not accepted.
type Failure struct {
	Index int // of the event among those given
	Err   error
}

// Error says which events were not accepted. The others were.
type Error struct {
	Failures []Failure
	Total    int // how many events were given
}

func (e *Error) Error() string {
	first := e.Failures[0]
	return fmt.Sprintf("publisher: %d of %d events not accepted; the first, event %d: %v", len(e.Failures), e.Total, first.Index, first.Err)
}

// Unwrap returns the failures' errors.
func (e *Error) Unwrap() []error {
	errs := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		errs[i] = f.Err
	}
	return errs
}

// Publisher sends events to one destination. Make one with SQS, SNS or
// EventBridge.
type Publisher struct {
	t transport
}

// transport is one service.
type transport interface {
	// limits returns how many entries and bytes one request takes.
	limits() (entries, bytes int)
	// overhead returns how many bytes the service counts for each entry besides
	// its body, its type and its attributes.
	overhead() int
	// ordered reports whether nothing may be sent after a failure.
	ordered() bool
	// check refuses an entry that the service would refuse.
	check(e Entry) error
	// send sends one request and returns an error for each entry. An error of
	// its own concerns all of them; the SDK has retried it.
	send(ctx context.Context, entries []encoded) ([]error, error)
}

type encoded struct {
	Entry
	index int
	body  string
	size  int
}

// refusedError is a service's refusal of one entry.
type refusedError struct {
	code, message string
	sender        bool // the entry is at fault: sending it again is useless
}

func (e *refusedError) Error() string { return e.code + ": " + e.message }

// Attempts and back-off for entries that the service refused.
const (
	attempts    = 4
	backoffBase = 50 * time.Millisecond
)

// Publish sends events. See PublishEntries.
func (p *Publisher) Publish(ctx context.Context, events ...Event) error {
	entries := make([]Entry, len(events))
	for i, e := range events {
		entries[i] = Entry{Event: e}
	}
	return p.PublishEntries(ctx, entries...)
}

// PublishEntries sends events with what concerns their sending. Nothing is sent
// if any entry cannot be: nil, not encodable, or over the service's size limit.
// Otherwise the error is an *Error.
func (p *Publisher) PublishEntries(ctx context.Context, entries ...Entry) error {
	all, err := p.encode(entries)
	if err != nil {
		return err
	}
	failed := &Error{Total: len(entries)}
	maxEntries, maxBytes := p.t.limits()
	for len(all) > 0 {
		n, size := 0, 0
		for n < len(all) && n < maxEntries && (n == 0 || size+all[n].size <= maxBytes) {
			size += all[n].size
			n++
		}
		failures := p.sendAll(ctx, all[:n])
		failed.Failures = append(failed.Failures, failures...)
		all = all[n:]
		if len(failures) > 0 && (p.t.ordered() || ctx.Err() != nil) {
			for _, e := range all {
				failed.Failures = append(failed.Failures, Failure{e.index, errors.New("not sent, for an earlier event failed")})
			}
			break
		}
	}
	if len(failed.Failures) > 0 {
		// What is tried again is known last.
		slices.SortFunc(failed.Failures, func(a, b Failure) int { return a.Index - b.Index })
		return failed
	}
	return nil
}

func (p *Publisher) encode(entries []Entry) ([]encoded, error) {
	_, maxBytes := p.t.limits()
	all := make([]encoded, len(entries))
	var errs []error
	for i, e := range entries {
		if v := reflect.ValueOf(e.Event); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
			errs = append(errs, fmt.Errorf("publisher: event %d is nil", i))
			continue
		}
		eventType := e.Event.EventType()
		body, err := json.Marshal(e.Event)
		if err == nil && eventType == "" {
			err = fmt.Errorf("%T has no EventType: return a name and version, as orders.placed.v2", e.Event)
		}
		if err == nil {
			err = p.t.check(e)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("publisher: event %d (%s): %w", i, eventType, err))
			continue
		}
		size := len(body) + len(eventType) + p.t.overhead()
		for name, v := range e.Attributes {
			size += len(name) + len("String") + len(v)
		}
		if size > maxBytes {
			errs = append(errs, fmt.Errorf("publisher: event %d (%s) has %d bytes, and the service takes %d: put what is large elsewhere and send where", i, eventType, size, maxBytes))
			continue
		}
		e.DeduplicationID = deduplicationID(e)
		all[i] = encoded{Entry: e, index: i, body: string(body), size: size}
	}
	return all, errors.Join(errs...)
}

// deduplicationID is by what a FIFO queue drops copies of the event, queue-wide:
// so the default is scoped by the type's name, as a consumer's key is, because
// different events may have one key. The version is left out, for an old and a
// new version of an event are the same event. What SQS would not take as an id
// is hashed.
func deduplicationID(e Entry) string {
	if e.DeduplicationID != "" {
		return e.DeduplicationID
	}
	k, ok := e.Event.(interface{ IdempotencyKey() string })
	if !ok || k.IdempotencyKey() == "" {
		return ""
	}
	name := e.Event.EventType()
	if i := strings.LastIndex(name, ".v"); i > 0 {
		name = name[:i]
	}
	id := name + "#" + k.IdempotencyKey()
	if checkID(id) != nil {
		sum := sha256.Sum256([]byte(id))
		return hex.EncodeToString(sum[:])
	}
	return id
}

// maxID is SQS's limit for deduplication and group ids.
const maxID = 128

// checkID refuses what SQS and SNS refuse as deduplication or group id: up to
// 128 alphanumeric characters and punctuation.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func checkID(id string) error {
	if len(id) > maxID {
		return fmt.Errorf("%d characters, and %d are allowed", len(id), maxID)
	}
	for _, r := range id {
		if r <= ' ' || r > '~' {
			return fmt.Errorf("the character %q, and only letters, digits and ASCII punctuation are allowed", r)
		}
	}
	return nil
}

// checkIDs refuses an entry whose ids the service would refuse, and with it the
// whole request.
func checkIDs(e Entry, ordered bool) error {
	if err := checkID(e.Group); err != nil {
		return fmt.Errorf("Entry.Group has %w", err)
	}
	if err := checkID(e.DeduplicationID); err != nil {
		return fmt.Errorf("Entry.DeduplicationID has %w", err)
	}
	if ordered && deduplicationID(e) == "" {
		return errors.New("a FIFO destination needs Entry.DeduplicationID, or an event with an IdempotencyKey: by it copies are dropped for 5 minutes")
	}
	return nil
}

// sendAll sends one request's worth, and what was refused again.
func (p *Publisher) sendAll(ctx context.Context, entries []encoded) []Failure {
	var failures []Failure
	for try := 1; ; try++ {
		errs, err := p.t.send(ctx, entries)
		var again []encoded
		for i, e := range entries {
			each := err
			if err == nil {
				each = errs[i]
			}
			var refused *refusedError
			switch {
			case each == nil:
			case errors.As(each, &refused) && !refused.sender && !p.t.ordered() && try < attempts && ctx.Err() == nil:
				again = append(again, e)
			default:
				failures = append(failures, Failure{e.index, each})
			}
		}
		if len(again) == 0 {
			return failures
		}
		entries = again
		wait := time.NewTimer(rand.N(backoffBase << try)) //nolint:gosec // jitter needs no secrecy
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop() // the next try fails with ctx's error
		}
	}
}

// eventTypeAttribute is consumer.AttributeEventType; importing the consumer
// would link it into every publisher.
const eventTypeAttribute = "event-type"

// Package traffic makes the batches that every comparison handles: the
// baseline's SQS events of 1 KB orders, with message ids that never repeat.
package traffic

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"bench/gen"
	"bench/variants"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// EventType is the type under which Sluice's consumers know an Order.
const EventType = "orders.confirmed.v1"

// Order is the baseline's event as a Sluice event: same members, same tags. It
// has no key of its own, so its key is the message id.
type Order gen.Order

// EventType implements consumer.Event.
func (Order) EventType() string { return EventType }

// A Source makes batches whose message ids never repeat, in whatever order and
// number the batches are used, for the first four thousand million of them. Its
// zero value is ready. It is safe for concurrent use, its batches are not.
type Source struct{ round atomic.Uint32 }

// A Batch is an SQS event that is made new again by [Batch.Next].
type Batch struct {
	source  *Source
	payload []byte
	at      []int // where each message id starts
}

const (
	idMark = `"messageId":"`
	// The baseline's ids are "%08x-3c2b-4b5a-8b0a-%012x" of the record's
	// number. The last group keeps telling records of one batch apart; the
	// first is where rounds go.
	idLength    = 36
	roundLength = 8
)

// NewBatch returns a batch of n records, n at least 1.
func (s *Source) NewBatch(n int) (*Batch, error) {
	if n < 1 {
		return nil, fmt.Errorf("a batch of %d records: at least one is needed", n)
	}
	b := &Batch{source: s, payload: gen.SQS(n)}
	for from := 0; ; {
		i := bytes.Index(b.payload[from:], []byte(idMark))
		if i < 0 {
			break
		}
		from += i + len(idMark)
		b.at = append(b.at, from)
	}
	if len(b.at) != n {
		return nil, fmt.Errorf("the baseline's event has %d message ids, want %d", len(b.at), n)
	}
	b.Next()
	return b, nil
}

// Len returns the number of records.
func (b *Batch) Len() int { return len(b.at) }

// Next gives every record a new id and returns the payload, which is the same
// memory each time.
func (b *Batch) Next() []byte {
	var r [roundLength / 2]byte
	binary.BigEndian.PutUint32(r[:], b.source.round.Add(1))
	for _, at := range b.at {
		hex.Encode(b.payload[at:at+roundLength], r[:])
	}
	return b.payload
}

// Payload returns the payload as the last Next left it.
func (b *Batch) Payload() []byte { return b.payload }

// IDs returns the message ids that the payload has now.
func (b *Batch) IDs() []string {
	ids := make([]string, len(b.at))
	for i, at := range b.at {
		ids[i] = string(b.payload[at : at+idLength])
	}
	return ids
}

// Spoil makes the body of one record undecodable, in place of the first byte
// of its JSON.
func (b *Batch) Spoil(record int) error {
	const mark = `"body":"{`
	i := bytes.Index(b.payload[b.at[record]:], []byte(mark))
	if i < 0 {
		return errors.New("the record has no body")
	}
	b.payload[b.at[record]+i+len(mark)-1] = '!'
	return nil
}

// Context returns the context of an invocation as Lambda makes it, with the
// longest timeout that a function can have. Every variant gets the same.
func Context(ctx context.Context) (context.Context, context.CancelFunc) {
	if lc, ok := lambdacontext.FromContext(variants.Ctx()); ok {
		ctx = lambdacontext.NewContext(ctx, lc)
	}
	return context.WithTimeout(ctx, 15*time.Minute)
}

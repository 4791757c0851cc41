// Package idem compares what protecting a batch from duplicates costs: the
// requests, the write units, the client's CPU time and the wall time of
// idempotency protocols, against one server that really holds conditional state.
//
// What is compared is not alike in one respect, to the disadvantage of Sluice:
// [Sluice] is the whole consumer, which also decodes the batch and its bodies
// and answers Lambda; [Classic] is the protocol's requests alone. [StoreAlone] is
// Sluice's requests alone.
package idem

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sluice-go/sluice/bench/internal/classic"
	"github.com/sluice-go/sluice/bench/internal/table"
	"github.com/sluice-go/sluice/bench/internal/traffic"
	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/idempotency/dynamostore"
)

// consumerName and typeName are the first parts of the keys under which Sluice
// stores messages: "<consumer>#<type name without version>#<key>".
const (
	consumerName = "orders"
	typeName     = "orders.confirmed"
	sluiceTable  = "claims"
)

// Tables are the tables that the protocols use, one each.
func Tables() []string { return []string{classic.Table(), sluiceTable} }

// A Protocol protects batches.
type Protocol struct {
	Name string

	client  *dynamodb.Client
	counter *table.Counter
	ran     atomic.Int64
	run     func(ctx context.Context, b *traffic.Batch) error
	crash   func(ctx context.Context, ids []string) error
}

// Classic is Powertools' protocol, the records worked one after another, as its
// batch processors do, or concurrent of them at a time.
func Classic(name string, concurrent int, client *dynamodb.Client, counter *table.Counter) *Protocol {
	p := &Protocol{Name: name, client: client, counter: counter}
	p.run = func(ctx context.Context, b *traffic.Batch) error {
		return classic.Do(ctx, client, classicKeys(b.IDs()), concurrent, func(string) error {
			p.ran.Add(1)
			return nil
		})
	}
	p.crash = func(ctx context.Context, ids []string) error {
		for _, key := range classicKeys(ids) {
			if _, err := client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(classic.Table()), Item: classic.Crashed(key)}); err != nil {
				return fmt.Errorf("leave a crashed claim: %w", err)
			}
		}
		return nil
	}
	return p
}

func classicKeys(ids []string) []string {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = consumerName + "#" + id
	}
	return keys
}

// Sluice is a Sluice consumer of a queue with its DynamoDB store, by default in
// all but what opts say.
func Sluice(name string, client *dynamodb.Client, counter *table.Counter, opts ...consumer.SQSOption) (*Protocol, error) {
	p, store, err := overStore(name, client, counter)
	if err != nil {
		return nil, err
	}
	handler := func(context.Context, consumer.Message[traffic.Order]) error {
		p.ran.Add(1)
		return nil
	}
	all := append([]consumer.SQSOption{consumer.WithIdempotency(store), consumer.WithLogger(slog.New(slog.DiscardHandler))}, opts...)
	c, err := consumer.NewSQS(consumerName, handler, all...)
	if err != nil {
		return nil, err
	}
	p.run = func(ctx context.Context, b *traffic.Batch) error {
		answer, err := c.Invoke(ctx, b.Payload())
		if err == nil && string(answer) != `{"batchItemFailures":[]}` {
			err = fmt.Errorf("the consumer reported records: %s", answer)
		}
		return err
	}
	return p, nil
}

// StoreAlone is the requests of Sluice's protocol without a consumer around
// them, as the classic variants are: one Claim of all keys, the work of those
// that were granted, one Settle that completes them.
func StoreAlone(name string, client *dynamodb.Client, counter *table.Counter) (*Protocol, error) {
	p, store, err := overStore(name, client, counter)
	if err != nil {
		return nil, err
	}
	p.run = func(ctx context.Context, b *traffic.Batch) error {
		now := time.Now()
		requests := claims(b.IDs(), rand.Text(), now, 15*time.Minute)
		results, err := store.Claim(ctx, requests)
		if err != nil {
			return err
		}
		var done []idempotency.Settlement
		for i, r := range results {
			switch {
			case r.Err != nil:
				return r.Err
			case r.Outcome == idempotency.Claimed:
				p.ran.Add(1)
				done = append(done, idempotency.NewClaim(requests[i], r).Settlement(idempotency.Complete))
			case r.Outcome != idempotency.Completed:
				return fmt.Errorf("key %q is %s", requests[i].Key, r.Outcome)
			}
		}
		return errors.Join(store.Settle(ctx, done)...)
	}
	return p, nil
}

// overStore begins a protocol whose records are Sluice's.
func overStore(name string, client *dynamodb.Client, counter *table.Counter) (*Protocol, *dynamostore.Store, error) {
	store, err := dynamostore.New(client, sluiceTable)
	if err != nil {
		return nil, nil, err
	}
	p := &Protocol{Name: name, client: client, counter: counter}
	p.crash = func(ctx context.Context, ids []string) error {
		requests := claims(ids, "crashed", time.Now().Add(-time.Hour), time.Minute)
		results, err := store.Claim(ctx, requests)
		if err != nil {
			return fmt.Errorf("leave crashed claims: %w", err)
		}
		for i, r := range results {
			if r.Outcome != idempotency.Claimed {
				return fmt.Errorf("leave a crashed claim of %s: it was %s: %w", requests[i].Key, r.Outcome, r.Err)
			}
		}
		return nil
	}
	return p, store, nil
}

// claims are the requests that the consumer would make for messages of the ids.
func claims(ids []string, owner string, now time.Time, lease time.Duration) []idempotency.ClaimRequest {
	requests := make([]idempotency.ClaimRequest, len(ids))
	for i, id := range ids {
		requests[i] = idempotency.ClaimRequest{
			Key: consumerName + "#" + typeName + "#" + id, Owner: owner,
			Now: now, Lease: now.Add(lease), Expires: now.Add(consumer.DefaultRecordLife),
		}
	}
	return requests
}

// A Scenario is a state of the table that batches of N records meet.
type Scenario struct {
	N         int
	Duplicate bool // all records were completed before
	Crashed   int  // of the records, how many were claimed by an attempt that died
}

// String describes the scenario as the tables' heads do.
func (s Scenario) String() string {
	switch {
	case s.Duplicate:
		return fmt.Sprintf("%d records, all completed before", s.N)
	case s.Crashed > 0:
		return fmt.Sprintf("%d records, %d of them claimed by an attempt that crashed", s.N, s.Crashed)
	case s.N == 1:
		return "1 fresh record"
	default:
		return fmt.Sprintf("%d fresh records", s.N)
	}
}

// Prepare gives the batch new ids and brings the table into the scenario's state.
func (p *Protocol) Prepare(ctx context.Context, s Scenario, b *traffic.Batch) error {
	b.Next()
	switch {
	case s.Duplicate:
		ctx, cancel := traffic.Context(ctx)
		defer cancel()
		return p.run(ctx, b)
	case s.Crashed > 0:
		return p.crash(ctx, b.IDs()[:s.Crashed])
	default:
		return nil
	}
}

// Run protects one batch that was prepared, as one invocation. It fails unless
// the work of every record that was not completed before ran exactly once.
func (p *Protocol) Run(ctx context.Context, s Scenario, b *traffic.Batch) error {
	ctx, cancel := traffic.Context(ctx)
	defer cancel()
	before := p.ran.Load()
	if err := p.run(ctx, b); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	want := int64(s.N)
	if s.Duplicate {
		want = 0
	}
	if ran := p.ran.Load() - before; ran != want {
		return fmt.Errorf("%s: %d records ran, want %d", p.Name, ran, want)
	}
	return nil
}

// Requests returns how many requests the protocol's client sent so far.
func (p *Protocol) Requests() int { return p.counter.Count() }

// Package dynamostore keeps idempotency claims in a DynamoDB table.
//
// # Semantics
//
// The protocol is that of package idempotency. Every write is conditional, so
// two attempts never both hold a key, whatever the table's TTL has or has not
// deleted. A completed record excludes further work until the time it was
// completed for; conditions compare the caller's clock, never TTL's doings.
//
// # Requests
//
// Fresh keys cost one BatchExecuteStatement per 25, with one INSERT per key,
// which DynamoDB treats as put-if-absent. Keys that exist cost one consistent
// BatchGetItem per 100 and, for those whose claim is over, one more
// BatchExecuteStatement per 25 of fenced UPDATEs. Settling costs one
// BatchExecuteStatement per 25. Statements of one request succeed and fail
// each on its own: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.multiplestatements.batching.html
//
// # The table
//
// A string partition key "id", and "expiration" as TTL attribute. Attributes
// are named as Powertools for AWS Lambda names them ("status", "expiration" in
// epoch seconds, "in_progress_expiration" in epoch milliseconds), plus "owner"
// and "generation". Its readers can read our records; but its writers write
// unconditionally, so they must not share keys with ours.
//
// The role needs the actions of env.IdempotencyActions on the table.
package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// Client is what a Store needs of *dynamodb.Client.
type Client interface {
	BatchExecuteStatement(context.Context, *dynamodb.BatchExecuteStatementInput, ...func(*dynamodb.Options)) (*dynamodb.BatchExecuteStatementOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// DynamoDB's limits per request.
const (
	maxStatements = 25
	maxKeys       = 100
)

// Store is an idempotency.Store over one table. It is safe for concurrent use.
type Store struct {
	client Client
	table  string

	// attempts bounds how often a throttled statement is sent again, and how
	// often a key that changes under our hands is looked at again.
	attempts int
	backoff  time.Duration
}

var _ idempotency.Store = (*Store)(nil)

// New returns a Store over the named table. It makes no request.
func New(client Client, table string) (*Store, error) {
	if client == nil {
		return nil, errors.New("dynamostore: client is nil: pass dynamodb.NewFromConfig(cfg)")
	}
	if table == "" {
		return nil, errors.New("dynamostore: table name is empty: pass the idempotency table's name")
	}
	return &Store{client: client, table: table, attempts: 4, backoff: 25 * time.Millisecond}, nil
}

// Table returns the table's name.
func (s *Store) Table() string { return s.table }

// Claim implements idempotency.Store.
func (s *Store) Claim(ctx context.Context, requests []idempotency.ClaimRequest) ([]idempotency.ClaimResult, error) {
	c := claiming{store: s, requests: requests, results: make([]idempotency.ClaimResult, len(requests))}
	if err := distinct(len(requests), func(i int) string { return requests[i].Key }); err != nil {
		return nil, err
	}
	fresh := make([]int, len(requests))
	for i := range fresh {
		fresh[i] = i
	}
	taken := c.insert(ctx, fresh)
	// A key can change between our read and our write: somebody completes,
	// takes over, or TTL deletes. Look again, a bounded number of times.
	for try := 0; len(taken) > 0; try++ {
		if try == s.attempts {
			c.fail(taken, fmt.Errorf("dynamostore: key keeps changing under %d attempts to claim it; the message will be retried", try))
			break
		}
		if try > 0 && !s.pause(ctx, try) {
			c.fail(taken, ctx.Err())
			break
		}
		absent, over := c.look(ctx, taken)
		taken = append(c.insert(ctx, absent), c.takeOver(ctx, over)...)
	}
	if len(c.results) > 0 {
		unknown := func(r idempotency.ClaimResult) bool { return r.Err != nil }
		if !slices.ContainsFunc(c.results, func(r idempotency.ClaimResult) bool { return !unknown(r) }) {
			return nil, c.results[0].Err
		}
	}
	return c.results, nil
}

// claiming is one call of Claim: indexes are into requests and results.
type claiming struct {
	store    *Store
	requests []idempotency.ClaimRequest
	results  []idempotency.ClaimResult
}

func (c *claiming) fail(indexes []int, err error) {
	for _, i := range indexes {
		c.results[i] = idempotency.ClaimResult{Err: err}
	}
}

// insert claims keys as new and returns those that exist already.
func (c *claiming) insert(ctx context.Context, indexes []int) (taken []int) {
	errs := c.store.execute(ctx, len(indexes), func(n int) types.BatchStatementRequest {
		return c.store.insertStatement(c.requests[indexes[n]])
	})
	for n, i := range indexes {
		switch err := errs[n]; {
		case err == nil:
			c.results[i] = idempotency.ClaimResult{Outcome: idempotency.Claimed, Generation: 1}
		case isCode(err, types.BatchStatementErrorCodeEnumDuplicateItem):
			taken = append(taken, i)
		default:
			c.results[i] = idempotency.ClaimResult{Err: err}
		}
	}
	return taken
}

// over is a record whose claim ended, as it was seen.
type over struct {
	index int
	seen  item
}

// look reads the records of taken keys, settles what they decide, and returns
// the keys that have no record after all and those whose claim is over.
func (c *claiming) look(ctx context.Context, taken []int) (absent []int, lapsed []over) {
	for chunk := range slices.Chunk(taken, maxKeys) {
		keys := make([]string, len(chunk))
		for n, i := range chunk {
			keys[n] = c.requests[i].Key
		}
		items, err := c.store.read(ctx, keys)
		if err != nil {
			c.fail(chunk, err)
			continue
		}
		for _, i := range chunk {
			seen, found := items[c.requests[i].Key]
			if !found {
				absent = append(absent, i)
				continue
			}
			switch rec := seen.record(); idempotency.Decide(rec, c.requests[i]) {
			case idempotency.Claimed:
				c.results[i] = idempotency.ClaimResult{Outcome: idempotency.Claimed, Generation: rec.Generation, Pending: rec.Pending}
			case idempotency.Completed:
				c.results[i] = idempotency.ClaimResult{Outcome: idempotency.Completed, Until: rec.Expires, Fingerprint: rec.Fingerprint}
			case idempotency.InProgress:
				c.results[i] = idempotency.ClaimResult{Outcome: idempotency.InProgress, Until: rec.Lease, Fingerprint: rec.Fingerprint}
			default:
				lapsed = append(lapsed, over{i, seen})
			}
		}
	}
	return absent, lapsed
}

// takeOver claims keys whose earlier claim is over, and returns those whose
// record changed since it was seen.
func (c *claiming) takeOver(ctx context.Context, lapsed []over) (changed []int) {
	errs := c.store.execute(ctx, len(lapsed), func(n int) types.BatchStatementRequest {
		return c.store.takeOverStatement(c.requests[lapsed[n].index], lapsed[n].seen)
	})
	for n, l := range lapsed {
		rec := l.seen.record()
		switch err := errs[n]; {
		case err == nil:
			c.results[l.index] = idempotency.ClaimResult{
				Outcome:    idempotency.Claimed,
				Generation: rec.Generation + 1,
				TakenOver:  rec.Status == idempotency.StatusInProgress,
				Pending:    pending(rec, c.requests[l.index]),
			}
		case isCode(err, types.BatchStatementErrorCodeEnumConditionalCheckFailed):
			changed = append(changed, l.index)
		default:
			c.results[l.index] = idempotency.ClaimResult{Err: err}
		}
	}
	return changed
}

// pending are the events of committed work, which a takeover leaves in the
// record. Those of a record that expired are as forgotten as the work itself.
func pending(rec idempotency.Record, req idempotency.ClaimRequest) []idempotency.Outgoing {
	if rec.Expires.Before(req.Now) || rec.Status != idempotency.StatusInProgress {
		return nil
	}
	return rec.Pending
}

// Settle implements idempotency.Store.
func (s *Store) Settle(ctx context.Context, settlements []idempotency.Settlement) []error {
	if err := distinct(len(settlements), func(i int) string { return settlements[i].Key }); err != nil {
		return slices.Repeat([]error{err}, len(settlements))
	}
	for _, set := range settlements {
		if set.Action != idempotency.Complete && set.Action != idempotency.Release {
			err := fmt.Errorf("dynamostore: settlement of key %q has action %d: it must be Complete or Release", set.Key, set.Action)
			return slices.Repeat([]error{err}, len(settlements))
		}
	}
	errs := s.execute(ctx, len(settlements), func(i int) types.BatchStatementRequest {
		return s.settleStatement(settlements[i])
	})
	for i, err := range errs {
		if isCode(err, types.BatchStatementErrorCodeEnumConditionalCheckFailed) {
			errs[i] = idempotency.ErrLost
		}
	}
	return errs
}

// Get implements idempotency.Store.
func (s *Store) Get(ctx context.Context, key string) (idempotency.Record, bool, error) {
	items, err := s.read(ctx, []string{key})
	if err != nil {
		return idempotency.Record{}, false, err
	}
	it, found := items[key]
	if !found {
		return idempotency.Record{}, false, nil
	}
	return it.record(), true, nil
}

// distinct guards a rule of BatchExecuteStatement that DynamoDB enforces on the
// whole request, and DynamoDB Local only after it applied the first statement.
func distinct(n int, key func(int) string) error {
	seen := make(map[string]bool, n)
	for i := range n {
		k := key(i)
		if seen[k] {
			return fmt.Errorf("dynamostore: key %q occurs twice in one call: merge equal keys first", k)
		}
		seen[k] = true
	}
	return nil
}

// pause waits before try number n, with full jitter, and reports false if ctx
// ended first.
func (s *Store) pause(ctx context.Context, n int) bool {
	d := rand.N(s.backoff << min(n, 6)) //nolint:gosec // jitter needs no secrecy
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Package classic is the idempotency protocol that others use, in the shape of
// Powertools for AWS Lambda: for every record a conditional PutItem that claims
// its key, the work, and an UpdateItem that completes it.
//
// The requests are the baseline's own code. Its clock stands still: it claims at
// second 1 and millisecond 2, so a claim is over where in_progress_expiration is
// 1 ([Crashed]), and held where it is 2.
package classic

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Table is the table that the protocol's requests name. Its partition key is
// the string "id".
func Table() string { return aws.ToString(tbl) }

// Crashed returns the item that an attempt left which claimed key and died, and
// whose claim is over.
func Crashed(key string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"id": s(key), "status": s("INPROGRESS"), "expiration": n(1), "in_progress_expiration": n(1)}
}

// Do works the keys with at most concurrent of them at a time, and returns when
// all are done. work is called for every key that was not completed before; it
// must be safe for concurrent use.
func Do(ctx context.Context, c *dynamodb.Client, keys []string, concurrent int, work func(key string) error) error {
	errs := make([]error, len(keys))
	if concurrent <= 1 {
		for i, k := range keys {
			errs[i] = one(ctx, c, k, work)
		}
		return errors.Join(errs...)
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, concurrent)
	for i, k := range keys {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = one(ctx, c, k, work)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func one(ctx context.Context, c *dynamodb.Client, key string, work func(string) error) error {
	completed, err := claim(ctx, c, key)
	if err != nil || completed {
		return err
	}
	if err := work(key); err != nil {
		return err
	}
	return complete(ctx, c, key)
}

// errHeld says that another attempt holds the key.
var errHeld = errors.New("in progress elsewhere")

// claim reports whether the key was completed before. A refused condition comes
// with the item that refused it.
func claim(ctx context.Context, c *dynamodb.Client, key string) (completed bool, err error) {
	err = caught(func() { put(ctx, c, key) })
	refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok {
		return false, err
	}
	if status, ok := refused.Item["status"].(*types.AttributeValueMemberS); ok && status.Value == "COMPLETED" {
		return true, nil
	}
	return false, fmt.Errorf("key %q: %w", key, errHeld)
}

func complete(ctx context.Context, c *dynamodb.Client, key string) error {
	return caught(func() { upd(ctx, c, key) })
}

// caught turns the panic by which the baseline's code says that a request
// failed into its error.
func caught(request func()) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case error:
			err = p
		default:
			err = fmt.Errorf("request failed: %v", p)
		}
	}()
	request()
	return nil
}

package consumer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// guardedStore turns a store's panics and miscounts into errors. Its methods
// run in goroutines of their own, where a panic would end the process, and with
// it every other message of the batch.
type guardedStore struct{ store idempotency.Store }

var errCount = errors.New("the store answered a different number of keys than it was asked for")

func (g guardedStore) Claim(ctx context.Context, requests []idempotency.ClaimRequest) (results []idempotency.ClaimResult, err error) {
	defer recovered(&err)
	results, err = g.store.Claim(ctx, requests)
	if err == nil && len(results) != len(requests) {
		return nil, errCount
	}
	return results, err
}

func (g guardedStore) Settle(ctx context.Context, settlements []idempotency.Settlement) []error {
	var errs []error
	err := func() (err error) {
		defer recovered(&err)
		errs = g.store.Settle(ctx, settlements)
		if len(errs) != len(settlements) {
			return errCount
		}
		return nil
	}()
	if err != nil {
		return slices.Repeat([]error{err}, len(settlements))
	}
	return errs
}

func (g guardedStore) Get(ctx context.Context, key string) (rec idempotency.Record, found bool, err error) {
	defer recovered(&err)
	return g.store.Get(ctx, key)
}

// recovered is deferred: it makes a panic the error of what panicked.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panicked: %v\n%s", p, debug.Stack())
	}
}

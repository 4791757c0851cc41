package idempotency_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/idempotency/idempotencytest"
)

func TestMemoryIsAStore(t *testing.T) {
	t.Parallel()
	idempotencytest.Run(t, func(*testing.T) idempotency.Store { return idempotency.NewMemory() }, idempotencytest.WithOutbox(commitMemory))
}

func TestZeroMemoryIsAStore(t *testing.T) {
	t.Parallel()
	idempotencytest.Run(t, func(*testing.T) idempotency.Store { return new(idempotency.Memory) }, idempotencytest.WithOutbox(commitMemory))
}

// R26: what a cache answers is what the store would have answered.
func TestR26CachedIsAStore(t *testing.T) {
	t.Parallel()
	idempotencytest.Run(t, func(*testing.T) idempotency.Store {
		memory := idempotency.NewMemory()
		return cachedMemory{idempotency.Cached(memory, 1000), memory}
	}, idempotencytest.WithOutbox(commitMemory))
}

// cachedMemory knows what is under the cache: transactions go there.
type cachedMemory struct {
	idempotency.Store
	memory *idempotency.Memory
}

func commitMemory(ctx context.Context, store idempotency.Store, outgoing []idempotency.Outgoing) error {
	memory, ok := store.(*idempotency.Memory)
	if cached, is := store.(cachedMemory); is {
		memory, ok = cached.memory, true
	}
	if !ok {
		return fmt.Errorf("the store is a %T", store)
	}
	return memory.InTxPublish(ctx, outgoing, func() error { return nil })
}

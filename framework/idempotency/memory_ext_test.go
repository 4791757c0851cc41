package idempotency_test

import (
	"testing"

	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/idempotency/idempotencytest"
)

func TestMemoryIsAStore(t *testing.T) {
	t.Parallel()
	idempotencytest.Run(t, func(*testing.T) idempotency.Store { return idempotency.NewMemory() })
}

func TestZeroMemoryIsAStore(t *testing.T) {
	t.Parallel()
	idempotencytest.Run(t, func(*testing.T) idempotency.Store { return new(idempotency.Memory) })
}

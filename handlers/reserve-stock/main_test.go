package main

import (
	"context"
	"fmt"
	"slices"
	"testing"

	stockv1 "github.com/sluice-go/sluice/events/stock/v1"
	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// fakeStock counts in the same transaction as the store, as the real one does.
type fakeStock struct {
	store     *idempotency.Memory
	available map[string]int64
	reserved  []string
}

func (f *fakeStock) Reserve(ctx context.Context, line stockv1.Requested) error {
	return f.store.InTx(ctx, func() error {
		if f.available[line.SKU] < line.Quantity {
			return fmt.Errorf("sku %s: fewer than %d in stock", line.SKU, line.Quantity)
		}
		f.available[line.SKU] -= line.Quantity
		f.reserved = append(f.reserved, line.LineID())
		return nil
	})
}

func setupTest(t *testing.T) (*consumer.Consumer, *fakeStock) {
	t.Helper()
	store := idempotency.NewMemory()
	s := &fakeStock{store: store, available: map[string]int64{"mug": 10, "tea": 10}}
	c, err := newConsumer(s, consumer.WithIdempotency(store))
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

func line(order string, n int, sku string) stockv1.Requested {
	return stockv1.Requested{OrderID: order, Line: n, SKU: sku, Quantity: 1}
}

func bySKU(r stockv1.Requested) string { return r.SKU }

func TestReservesOnceInOrder(t *testing.T) {
	t.Parallel()
	c, s := setupTest(t)
	batch := consumertest.FIFO(bySKU, line("o-1", 1, "mug"), line("o-2", 1, "mug"), line("o-1", 1, "mug"))
	if o := consumertest.Deliver(t, c, batch); !o.Settled() {
		t.Fatalf("outcome = %+v", o)
	}
	if o := consumertest.Deliver(t, c, batch.Redeliver()); !o.Settled() {
		t.Fatalf("second outcome = %+v", o)
	}
	if want := []string{"o-1/1", "o-2/1"}; !slices.Equal(s.reserved, want) {
		t.Errorf("reserved %v, want %v", s.reserved, want)
	}
	if s.available["mug"] != 8 {
		t.Errorf("%d mugs left, want 8", s.available["mug"])
	}
}

func TestOneArticleOutOfStockHoldsOnlyItsOwnLines(t *testing.T) {
	t.Parallel()
	c, s := setupTest(t)
	batch := consumertest.FIFO(bySKU, line("o-1", 1, "unicorn"), line("o-1", 2, "mug"), line("o-2", 1, "unicorn"), line("o-2", 2, "tea"))
	o := consumertest.Deliver(t, c, batch)
	if want := []int{0, 2}; !slices.Equal(o.Failed, want) {
		t.Errorf("failed = %v, want %v", o.Failed, want)
	}
	s.available["unicorn"] = 5
	if o := consumertest.Deliver(t, c, batch.Retry(o)); !o.Settled() {
		t.Fatalf("retry = %+v", o)
	}
	if n := s.available["unicorn"]; n != 3 {
		t.Errorf("%d unicorns left, want 3", n)
	}
}

func TestSurvives(t *testing.T) {
	t.Parallel()
	var stocks []*fakeStock
	t.Run("exercise", func(t *testing.T) {
		consumertest.Exercise(t, func(store *idempotency.Memory, opts ...consumer.Option) (*consumer.Consumer, error) {
			s := &fakeStock{store: store, available: map[string]int64{"mug": 10, "tea": 10}}
			stocks = append(stocks, s)
			return newConsumer(s, append([]consumer.Option{consumer.WithIdempotency(store)}, opts...)...)
		}, line("o-1", 1, "mug"), line("o-1", 2, "tea"), line("o-2", 1, "mug"))
	})
	// The work is in the message's transaction: whatever happened, once.
	for _, s := range stocks {
		if s.available["mug"] != 8 || s.available["tea"] != 9 {
			t.Errorf("reserved %v: available %v", s.reserved, s.available)
		}
	}
}

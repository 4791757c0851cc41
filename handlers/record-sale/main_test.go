package main

import (
	"context"
	"errors"
	"slices"
	"testing"

	paymentsv1 "github.com/sluice-go/sluice/events/payments/v1"
	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

type fakeBooks struct {
	sales []string
	fail  bool
}

func (f *fakeBooks) Append(_ context.Context, _, key, _ string) error {
	if f.fail {
		return errors.New("the books are closed")
	}
	f.sales = append(f.sales, key)
	return nil
}

func TestRecordsEachSaleOnce(t *testing.T) {
	t.Parallel()
	b := &fakeBooks{}
	c, err := newConsumer(b, consumer.WithIdempotency(idempotency.NewMemory()))
	if err != nil {
		t.Fatal(err)
	}
	batch := consumertest.EventBridge(paymentsv1.Captured{PaymentID: "pay-1", OrderID: "o-1"})
	b.fail = true
	if o := consumertest.Deliver(t, c, batch); o.Err == nil {
		t.Fatal("no error, so Lambda would not retry")
	}
	b.fail = false
	for range 2 {
		if o := consumertest.Deliver(t, c, batch); !o.Settled() {
			t.Fatalf("outcome = %+v", o)
		}
	}
	if want := []string{"pay-1"}; !slices.Equal(b.sales, want) {
		t.Errorf("sales = %v, want %v", b.sales, want)
	}
}

func TestSurvives(t *testing.T) {
	t.Parallel()
	consumertest.Exercise(t, func(store *idempotency.Memory, opts ...consumer.Option) (*consumer.Consumer, error) {
		return newConsumer(&fakeBooks{}, append([]consumer.Option{consumer.WithIdempotency(store)}, opts...)...)
	}, paymentsv1.Captured{PaymentID: "pay-1", OrderID: "o-1"}, paymentsv1.Captured{PaymentID: "pay-2", OrderID: "o-2"})
}

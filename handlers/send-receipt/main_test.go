package main

import (
	"context"
	"errors"
	"slices"
	"testing"

	ordersv1 "github.com/sluice-go/sluice/events/orders/v1"
	ordersv2 "github.com/sluice-go/sluice/events/orders/v2"
	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

type fakeMailer struct {
	sent  []string
	fails int
}

func (f *fakeMailer) Append(_ context.Context, _, key, _ string) error {
	if f.fails > 0 {
		f.fails--
		return errors.New("the mail service is away")
	}
	f.sent = append(f.sent, key)
	return nil
}

func TestSendsOneReceiptPerOrder(t *testing.T) {
	t.Parallel()
	m := &fakeMailer{fails: 2}
	c, err := newConsumer(m, consumer.WithIdempotency(idempotency.NewMemory()))
	if err != nil {
		t.Fatal(err)
	}
	batch := consumertest.SNS(ordersv2.Placed{OrderID: "o-1", Total: ordersv2.Money{Currency: "EUR"}})
	for try := 1; try <= 2; try++ {
		if o := consumertest.Deliver(t, c, batch); o.Err == nil {
			t.Fatalf("try %d: no error, so Lambda would not retry", try)
		}
	}
	old := consumertest.SNS(ordersv1.Placed{OrderID: "o-1"})
	for _, b := range []consumertest.Batch{batch, batch, old} {
		if o := consumertest.Deliver(t, c, b); !o.Settled() {
			t.Fatalf("outcome = %+v", o)
		}
	}
	if want := []string{"o-1"}; !slices.Equal(m.sent, want) {
		t.Errorf("receipts = %v, want %v", m.sent, want)
	}
}

func TestSurvives(t *testing.T) {
	t.Parallel()
	consumertest.Exercise(t, func(store *idempotency.Memory, opts ...consumer.Option) (*consumer.Consumer, error) {
		return newConsumer(&fakeMailer{}, append([]consumer.Option{consumer.WithIdempotency(store)}, opts...)...)
	}, ordersv1.Placed{OrderID: "o-1"}, ordersv2.Placed{OrderID: "o-1", Total: ordersv2.Money{Currency: "EUR"}}, ordersv2.Placed{OrderID: "o-2", Total: ordersv2.Money{Currency: "EUR"}})
}

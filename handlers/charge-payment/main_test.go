package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	ordersv1 "github.com/sluice-go/sluice/events/orders/v1"
	ordersv2 "github.com/sluice-go/sluice/events/orders/v2"
	paymentsv1 "github.com/sluice-go/sluice/events/payments/v1"
	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/publisher"
)

// fakePayments charges once per id, as the real ones do.
type fakePayments struct {
	mu     sync.Mutex
	booked []string
	fail   func(id string) error
}

func (f *fakePayments) Charge(_ context.Context, c paymentsv1.Captured) error {
	return f.book(c.PaymentID)
}

func (f *fakePayments) Refund(_ context.Context, r paymentsv1.RefundRequested) error {
	return f.book(r.RefundID)
}

func (f *fakePayments) book(id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		if err := f.fail(id); err != nil {
			return err
		}
	}
	if !slices.Contains(f.booked, id) {
		f.booked = append(f.booked, id)
	}
	return nil
}

type fakeBus struct {
	mu        sync.Mutex
	published []string
}

func (f *fakeBus) publish(_ context.Context, events ...publisher.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range events {
		f.published = append(f.published, e.(paymentsv1.Captured).PaymentID)
	}
	return nil
}

type testBundle struct {
	payments *fakePayments
	bus      *fakeBus
	queue    *consumertest.Queue
}

func setupTest(t *testing.T) (*consumer.Consumer, *testBundle) {
	t.Helper()
	b := &testBundle{&fakePayments{}, &fakeBus{}, &consumertest.Queue{}}
	c, err := newConsumer(b.payments, b.bus.publish, consumer.WithIdempotency(idempotency.NewMemory()), b.queue.Option())
	if err != nil {
		t.Fatal(err)
	}
	return c, b
}

func order(id string) ordersv2.Placed {
	return ordersv2.Placed{OrderID: id, Total: ordersv2.Money{Minor: 100, Currency: "EUR"}}
}

func TestChargesOnceAndPublishes(t *testing.T) {
	t.Parallel()
	c, b := setupTest(t)
	batch := consumertest.SNSInSQS(order("o-1"), order("o-2"), order("o-1"))
	if o := consumertest.Deliver(t, c, batch); !o.Settled() {
		t.Fatalf("outcome = %+v, want all settled", o)
	}
	if o := consumertest.Deliver(t, c, batch.Redeliver()); !o.Settled() {
		t.Fatalf("second outcome = %+v, want all settled", o)
	}
	slices.Sort(b.bus.published)
	if want := []string{"pay-o-1", "pay-o-2"}; !slices.Equal(b.bus.published, want) {
		t.Errorf("published %v, want %v", b.bus.published, want)
	}
}

func TestRetriesWhatFailed(t *testing.T) {
	t.Parallel()
	c, b := setupTest(t)
	down := true
	b.payments.fail = func(id string) error {
		if id == "pay-o-2" && down {
			return errors.New("the bank is closed")
		}
		return nil
	}
	batch := consumertest.SNSInSQS(order("o-1"), order("o-2"))
	first := consumertest.Deliver(t, c, batch)
	if want := []int{1}; !slices.Equal(first.Failed, want) {
		t.Fatalf("failed = %v, want %v", first.Failed, want)
	}
	down = false
	if o := consumertest.Deliver(t, c, batch.Retry(first)); !o.Settled() {
		t.Fatalf("retry = %+v, want all settled", o)
	}
	if want := []string{"pay-o-1", "pay-o-2"}; !slices.Equal(b.payments.booked, want) {
		t.Errorf("charged %v, want %v", b.payments.booked, want)
	}
}

func TestUpgradedOrderKeepsItsKey(t *testing.T) {
	t.Parallel()
	c, b := setupTest(t)
	batch := consumertest.SNSInSQS(ordersv1.Placed{OrderID: "o-1", TotalCents: 5}, order("o-1"))
	if o := consumertest.Deliver(t, c, batch); !o.Settled() {
		t.Fatalf("outcome = %+v", o)
	}
	if len(b.bus.published) != 1 {
		t.Errorf("published %v: the two versions of one order are one charge", b.bus.published)
	}
}

func TestRefundComesFromTheBus(t *testing.T) {
	t.Parallel()
	c, b := setupTest(t)
	batch := consumertest.EventBridgeInSQS(paymentsv1.RefundRequested{RefundID: "r-1", PaymentID: "pay-o-1", Minor: 5, Currency: "EUR"})
	if o := consumertest.Deliver(t, c, batch); !o.Settled() {
		t.Fatalf("outcome = %+v", o)
	}
	if want := []string{"r-1"}; !slices.Equal(b.payments.booked, want) {
		t.Errorf("booked %v, want %v", b.payments.booked, want)
	}
}

func TestPoisonGoesToTheDeadLetters(t *testing.T) {
	t.Parallel()
	c, b := setupTest(t)
	if o := consumertest.Deliver(t, c, consumertest.SNSInSQS(order("o-1")).AddRaw("{no json")); !o.Settled() {
		t.Fatalf("outcome = %+v", o)
	}
	if dl := b.queue.DeadLetters(); len(dl) != 1 || dl[0].Body != "{no json" {
		t.Errorf("dead letters = %+v", dl)
	}
}

func TestSurvives(t *testing.T) {
	t.Parallel()
	consumertest.Exercise(t, func(store *idempotency.Memory, opts ...consumer.Option) (*consumer.Consumer, error) {
		opts = append([]consumer.Option{consumer.WithIdempotency(store)}, opts...)
		return newConsumer(&fakePayments{}, (&fakeBus{}).publish, opts...)
	}, ordersv1.Placed{OrderID: "o-1", TotalCents: 100}, order("o-1"), order("o-2"),
		paymentsv1.RefundRequested{RefundID: "r-1", PaymentID: "pay-o-1", Minor: 5, Currency: "EUR"})
}

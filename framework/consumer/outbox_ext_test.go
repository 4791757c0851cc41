package consumer_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

type fakeOutbox struct {
	err       error
	published []string
	after     func() // once published, before the answer
}

func (f *fakeOutbox) PublishOutgoing(_ context.Context, events []idempotency.Outgoing) error {
	if f.err != nil {
		return f.err
	}
	for _, e := range events {
		f.published = append(f.published, string(e.Body))
	}
	if f.after != nil {
		f.after()
	}
	return nil
}

type outboxBench struct {
	t      *testing.T
	store  *idempotency.Memory
	outbox *fakeOutbox
	works  int
	c      *consumer.Consumer
}

func newOutboxBench(t *testing.T, store idempotency.Store, memory *idempotency.Memory) *outboxBench {
	t.Helper()
	b := &outboxBench{t: t, store: memory, outbox: &fakeOutbox{}}
	var err error
	b.c, err = consumer.NewSQS("test", func(ctx context.Context, msg consumer.Message[placed]) error {
		return memory.InTxPublish(ctx, []idempotency.Outgoing{
			{To: "bus", Type: "x.v1", Body: json.RawMessage(`"` + msg.Event.ID + `"`)},
		}, func() error { b.works++; return nil })
	}, consumer.WithIdempotency(store), consumer.WithOutbox("bus", b.outbox))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *outboxBench) want(works int, published ...string) {
	b.t.Helper()
	if b.works != works || strings.Join(b.outbox.published, " ") != strings.Join(published, " ") {
		b.t.Errorf("worked %d times and published %v; want %d and %v", b.works, b.outbox.published, works, published)
	}
}

func (b *outboxBench) record() idempotency.Record {
	b.t.Helper()
	rec, _, err := b.store.Get(b.t.Context(), "test#orders.placed#o-1")
	if err != nil {
		b.t.Fatal(err)
	}
	return rec
}

func TestOutboxPublishesAfterTheWorkAndCompletes(t *testing.T) {
	t.Parallel()
	memory := idempotency.NewMemory()
	b := newOutboxBench(t, memory, memory)
	if o := consumertest.Deliver(t, b.c, consumertest.SQS(placed{ID: "o-1"})); !o.Settled() {
		t.Fatalf("outcome %+v", o)
	}
	b.want(1, `"o-1"`)
	if rec := b.record(); rec.Status != idempotency.StatusCompleted || len(rec.Pending) != 0 {
		t.Errorf("record = %+v, want completed with nothing pending", rec)
	}
}

// A redelivery that finds events pending publishes them, and never works again.
func TestOutboxThatFailsIsPublishedByTheNextDelivery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := idempotency.NewMemory()
		b := newOutboxBench(t, memory, memory)
		b.outbox.err = errors.New("the bus is away")
		batch := consumertest.SQS(placed{ID: "o-1"})
		if o := consumertest.Deliver(t, b.c, batch); len(o.Failed) != 1 {
			t.Fatalf("outcome %+v, want reported", o)
		}
		b.want(1)
		if rec := b.record(); rec.Status != idempotency.StatusInProgress || len(rec.Pending) != 1 {
			t.Fatalf("record = %+v, want released with one event pending", rec)
		}
		b.outbox.err = nil
		time.Sleep(time.Second)
		if o := consumertest.Deliver(t, b.c, batch.Redeliver()); !o.Settled() {
			t.Fatalf("outcome %+v", o)
		}
		b.want(1, `"o-1"`)
		if o := consumertest.Deliver(t, b.c, batch.Redeliver()); !o.Settled() {
			t.Fatalf("outcome %+v", o)
		}
		b.want(1, `"o-1"`)
	})
}

// A crash after publishing and before the completion publishes again, and
// still does not work again.
func TestOutboxCrashBeforeCompletion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := idempotency.NewMemory()
		crashed := &forgetfulStore{memory}
		b := newOutboxBench(t, crashed, memory)
		batch := consumertest.SQS(placed{ID: "o-1"})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		consumertest.DeliverContext(ctx, t, b.c, batch)
		b.want(1, `"o-1"`)

		again := newOutboxBench(t, memory, memory)
		time.Sleep(time.Minute) // past the lease
		if o := consumertest.Deliver(t, again.c, batch.Redeliver()); !o.Settled() {
			t.Fatalf("outcome %+v", o)
		}
		again.want(0, `"o-1"`)
		if rec := again.record(); rec.Status != idempotency.StatusCompleted {
			t.Errorf("record = %+v, want completed", rec)
		}
	})
}

func TestOutboxThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	memory := idempotency.NewMemory()
	var logs strings.Builder
	c, err := consumer.NewSQS("test", func(ctx context.Context, _ consumer.Message[placed]) error {
		return memory.InTxPublish(ctx, []idempotency.Outgoing{{To: "bus", Type: "x.v1", Body: json.RawMessage(`1`)}}, func() error { return nil })
	}, consumer.WithIdempotency(memory), consumer.WithLogger(logger(&logs)))
	if err != nil {
		t.Fatal(err)
	}
	if o := consumertest.Deliver(t, c, consumertest.SQS(placed{ID: "o-1"})); len(o.Failed) != 1 {
		t.Fatalf("outcome %+v, want reported: its events are not published", o)
	}
	if !strings.Contains(logs.String(), `WithOutbox(\"bus\"`) {
		t.Errorf("the missing option is not named:\n%s", logs.String())
	}
}

func TestOptionsThatContradict(t *testing.T) {
	t.Parallel()
	handler := func(context.Context, consumer.Message[placed]) error { return nil }
	for name, build := range map[string]func() (*consumer.Consumer, error){
		"CompleteAtEnd": func() (*consumer.Consumer, error) {
			return consumer.NewSQS("test", handler, consumer.CompleteAtEnd())
		},
		"WithOutbox": func() (*consumer.Consumer, error) {
			return consumer.NewSNS("test", handler, consumer.WithOutbox("bus", &fakeOutbox{}))
		},
		"Fingerprint": func() (*consumer.Consumer, error) {
			return consumer.NewEventBridgeMux("test", []consumer.Route{consumer.On(handler, consumer.Fingerprint[placed]())})
		},
	} {
		if _, err := build(); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "WithIdempotency") {
			t.Errorf("%s without a store: %v", name, err)
		}
	}
	if _, err := consumer.NewSQS("test", handler, consumer.WithIdempotency(idempotency.NewMemory()),
		consumer.WithOutbox("bus", &fakeOutbox{}), consumer.WithOutbox("bus", &fakeOutbox{})); err == nil {
		t.Error("one outbox given twice: no error")
	}
}

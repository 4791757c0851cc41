package consumertest_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

type placed struct{ ID string }

func (placed) EventType() string        { return "orders.placed.v1" }
func (p placed) IdempotencyKey() string { return p.ID }

var errWork = errors.New("the work failed")

// failing returns a consumer that fails some orders, and a list of what ran.
func failing(t *testing.T, source consumer.Source, bad ...string) (c *consumer.Consumer, ran *[]consumer.Message[placed]) {
	t.Helper()
	ran = new([]consumer.Message[placed])
	h := func(_ context.Context, msg consumer.Message[placed]) error {
		*ran = append(*ran, msg)
		if slices.Contains(bad, msg.Event.ID) {
			return errWork
		}
		return nil
	}
	quiet := consumer.WithLogger(slog.New(slog.DiscardHandler))
	var err error
	switch source {
	case consumer.SQS:
		c, err = consumer.NewSQS("c", h, quiet, consumer.WithConcurrency(1))
	case consumer.SNS:
		c, err = consumer.NewSNS("c", h, quiet)
	default:
		c, err = consumer.NewEventBridge("c", h, quiet)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c, ran
}

func TestSourcesDeliver(t *testing.T) {
	t.Parallel()
	events := []consumer.Event{placed{"o-1"}, placed{"o-2"}}
	for name, test := range map[string]struct {
		batch consumertest.Batch
		id    string // of the first, innermost
	}{
		"SQS":              {consumertest.SQS(events...), "00000000-0000-4000-8000-000000000000"},
		"FIFO":             {consumertest.FIFO(func(consumer.Event) string { return "g" }, events...), "00000000-0000-4000-8000-000000000000"},
		"SNS in SQS":       {consumertest.SNSInSQS(events...), "sns-00000000-0000-4000-8000-000000000000"},
		"EventBridgeInSQS": {consumertest.EventBridgeInSQS(events...), "eb-00000000-0000-4000-8000-000000000000"},
		"SNS":              {consumertest.SNS(events...), "00000000-0000-4000-8000-000000000000"},
		"EventBridge":      {consumertest.EventBridge(events...), "00000000-0000-4000-8000-000000000000"},
	} {
		c, ran := failing(t, test.batch.Source)
		if o := consumertest.Deliver(t, c, test.batch); !o.Settled() || len(*ran) != 2 {
			t.Errorf("%s: %+v, ran %v", name, o, *ran)
			continue
		}
		if got := (*ran)[0]; got.ID != test.id || got.Type != "orders.placed.v1" || got.Event.ID != "o-1" || got.SentAt.IsZero() {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestRetry returns what the source would deliver again, and no more.
func TestRetry(t *testing.T) {
	t.Parallel()
	events := []consumer.Event{placed{"o-1"}, placed{"bad"}, placed{"o-2"}}
	for name, batch := range map[string]consumertest.Batch{
		"SQS": consumertest.SQS(events...), "SNS": consumertest.SNS(events...), "EventBridge": consumertest.EventBridge(events...),
	} {
		c, ran := failing(t, batch.Source, "bad")
		o := consumertest.Deliver(t, c, batch)
		if !slices.Equal(o.Failed, []int{1}) || o.Settled() || (o.Err != nil) != (batch.Source != consumer.SQS) {
			t.Errorf("%s: %+v", name, o)
		}
		// The other messages were invocations of their own, or settled.
		again := batch.Retry(o)
		if len(again.Messages) != 1 || again.Messages[0].ReceiveCount != 2 || again.Messages[0].ID != batch.Messages[1].ID || batch.Messages[1].ReceiveCount != 1 {
			t.Errorf("%s: retry of %+v", name, again.Messages)
		}
		consumertest.Deliver(t, c, again)
		if len(*ran) != 4 || (*ran)[3].Event.ID != "bad" {
			t.Errorf("%s: ran %+v", name, *ran)
		}
		if rest := batch.Retry(consumertest.Outcome{}); len(rest.Messages) != 0 {
			t.Errorf("%s: retry of what is settled: %+v", name, rest.Messages)
		}
	}
}

func TestArray(t *testing.T) {
	t.Parallel()
	batch := consumertest.EventBridge(placed{"o-1"}, placed{"bad"})
	batch.Array = true
	c, ran := failing(t, consumer.EventBridge)
	o := consumertest.Deliver(t, c, batch) // no store: refused
	if o.Err == nil || len(*ran) > 0 || !slices.Equal(o.Failed, []int{0, 1}) || len(batch.Retry(o).Messages) != 2 {
		t.Errorf("outcome %+v, ran %v", o, *ran)
	}
}

func TestWholeInvocationFails(t *testing.T) {
	t.Parallel()
	c, _ := failing(t, consumer.SQS)
	batch := consumertest.SQS(placed{"o-1"}, placed{"o-2"})
	batch.Messages[1].ID = batch.Messages[0].ID
	o := consumertest.Deliver(t, c, batch)
	if o.Err == nil || !slices.Equal(o.Failed, []int{0, 1}) || o.Settled() {
		t.Errorf("outcome %+v", o)
	}
}

func TestAdd(t *testing.T) {
	t.Parallel()
	batch := consumertest.SQS(placed{"o-1"})
	more := batch.Add(consumertest.SNSInSQS(placed{"o-2"})).AddRaw("{", "event-type", "x", "odd")
	ids := map[string]bool{}
	for _, m := range more.Messages {
		ids[m.ID] = true
	}
	if len(more.Messages) != 3 || len(ids) != 3 || len(batch.Messages) != 1 {
		t.Errorf("messages %+v, of %+v", more.Messages, batch.Messages)
	}
	if m := more.Messages[2]; m.Body != "{" || len(m.Attributes) != 1 || m.Attributes["event-type"] != "x" {
		t.Errorf("raw message %+v", m)
	}
}

func TestQueueRemembers(t *testing.T) {
	t.Parallel()
	q := &consumertest.Queue{}
	letters := []consumer.DeadLetter{{Meta: consumer.Meta{ID: "inner", MessageID: "m", GroupID: "g"}, Body: "b", FIFO: true, Reason: errWork, AllAttrs: map[string]consumer.Attribute{
		"event-type": {DataType: "String", String: "orders.placed.v1"},
	}}}
	if err := q.Send(t.Context(), letters[0]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(letters[0].Body, q.DeadLetters()[0].Body); diff != "" {
		t.Error(diff)
	}
	if _, ok := q.Hidden("m"); ok {
		t.Error("hidden before it is")
	}
	for _, d := range []time.Duration{time.Second, time.Minute} {
		if err := q.ChangeVisibility(t.Context(), []consumer.VisibilityChange{{MessageID: "m", Timeout: d}}); err != nil {
			t.Fatal(err)
		}
	}
	if d, ok := q.Hidden("m"); !ok || d != time.Minute || q.VisibilityCalls() != 2 {
		t.Errorf("hidden %t for %s by %d calls", ok, d, q.VisibilityCalls())
	}
	q.SendErr = func(consumer.DeadLetter) error { return errWork }
	q.VisibilityErr = func([]consumer.VisibilityChange) error { return errWork }
	if q.Send(t.Context(), letters[0]) == nil || q.ChangeVisibility(t.Context(), nil) == nil || len(q.DeadLetters()) != 1 || q.VisibilityCalls() != 2 {
		t.Error("what failed was remembered")
	}
	back := consumertest.Redrive(q.DeadLetters())
	want := consumertest.Batch{Source: consumer.SQS, FIFO: true, Messages: []consumertest.Message{{
		ID: "redriven-0", Body: "b", Group: "g", ReceiveCount: 1,
		Attributes: map[string]string{"event-type": "orders.placed.v1", "sluice-id": "inner", "sluice-reason": "the work failed"},
	}}}
	if diff := cmp.Diff(want, back); diff != "" {
		t.Errorf("redriven (-want +got):\n%s", diff)
	}
}

// TestDuplicates: a batch delivered twice is settled twice, and runs once.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	runs := 0
	c, err := consumer.NewSQS("c", func(context.Context, consumer.Message[placed]) error { runs++; return nil },
		consumer.WithIdempotency(idempotency.NewMemory()), consumer.WithConcurrency(1), consumer.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	batch := consumertest.SQS(placed{"o-1"}, placed{"o-2"})
	for _, b := range []consumertest.Batch{batch, batch.Redeliver()} {
		if o := consumertest.Deliver(t, c, b); !o.Settled() {
			t.Errorf("%+v", o)
		}
	}
	if runs != 2 {
		t.Errorf("%d runs of 2 messages", runs)
	}
}

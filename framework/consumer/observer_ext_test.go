package consumer_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

type reports []consumer.Report

func (r *reports) Observe(_ context.Context, report consumer.Report) { *r = append(*r, report) }

func TestObserverIsToldOfEachMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory, q, got := idempotency.NewMemory(), &consumertest.Queue{}, &reports{}
		c, err := consumer.NewSQS("test", func(_ context.Context, msg consumer.Message[placed]) error {
			time.Sleep(2 * time.Second)
			switch msg.Event.ID {
			case "bad":
				return errWork
			case "skip":
				return consumer.Skip("test")
			case "dead":
				return consumer.Permanent(errWork)
			}
			return nil
		}, consumer.WithIdempotency(memory), q.Option(), consumer.WithObserver(got))
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{t: t, memory: memory}
		claimElsewhere(b, "busy", time.Minute)
		claimElsewhere(b, "taken", time.Millisecond)
		time.Sleep(time.Second)
		batch := consumertest.SQS(placed{ID: "good"}, placed{ID: "bad"}, placed{ID: "skip"}, placed{ID: "dead"}, placed{ID: "busy"}, placed{ID: "taken"}, placed{ID: "good"})
		for i := range batch.Messages {
			batch.Messages[i].SentAt = time.Now().Add(-30 * time.Second)
		}
		consumertest.Deliver(t, c, batch.AddRaw("{"))
		consumertest.Deliver(t, c, consumertest.SQS())

		if len(*got) != 2 || !(*got)[0].ColdStart || (*got)[1].ColdStart {
			t.Fatalf("reports = %+v, want two, the first of a cold start", *got)
		}
		r := (*got)[0]
		if r.Consumer != "test" || r.Source != consumer.SQS || r.Duration < 2*time.Second || r.Err != nil {
			t.Errorf("report = %+v", r)
		}
		var outcomes []consumer.MessageOutcome
		for _, m := range r.Messages {
			outcomes = append(outcomes, m.Outcome)
		}
		want := []consumer.MessageOutcome{"done", "retried", "skipped", "dead-lettered", "retried", "done", "duplicate", "dead-lettered"}
		if !slices.Equal(outcomes, want) {
			t.Fatalf("outcomes = %v, want %v", outcomes, want)
		}
		for i, m := range r.Messages {
			ran := i < 4 || i == 5
			if (m.Run == 2*time.Second) != ran || ran == (m.Run == 0) {
				t.Errorf("message %d ran %s", i, m.Run)
			}
			if i < 7 && m.Age != 30*time.Second {
				t.Errorf("message %d is %s old", i, m.Age)
			}
			if m.TakenOver != (i == 5) || m.InProgress != (i == 4) || m.CompletionLost {
				t.Errorf("message %d: %+v", i, m)
			}
		}
		if !errors.Is(r.Messages[1].Err, errWork) {
			t.Errorf("error = %v", r.Messages[1].Err)
		}
	})
}

func TestObserverOfTrouble(t *testing.T) {
	t.Parallel()
	got := &reports{}
	build := func(opts ...consumer.SQSOption) *consumer.Consumer {
		c, err := consumer.NewSQS("test", func(ctx context.Context, _ consumer.Message[placed]) error {
			if m, ok := consumer.FromContext(ctx); !ok || m.Key != "o-1" {
				t.Errorf("FromContext = %+v, %t", m, ok)
			}
			return nil
		}, append(opts, consumer.WithObserver(panickingObserver{}), consumer.WithObserver(got))...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	// An observer that panics touches neither the messages nor other observers.
	if o := consumertest.Deliver(t, build(consumer.WithIdempotency(forgetfulStore{idempotency.NewMemory()})), consumertest.SQS(placed{ID: "o-1"})); !o.Settled() {
		t.Errorf("outcome %+v", o)
	}
	if m := (*got)[0].Messages; len(m) != 1 || !m[0].CompletionLost {
		t.Errorf("messages = %+v, want one whose completion is lost", m)
	}
	if _, err := build().Invoke(t.Context(), []byte("nonsense")); err == nil {
		t.Error("no error")
	}
	if r := (*got)[1]; r.Err == nil || len(r.Messages) != 0 {
		t.Errorf("report = %+v, want the invocation's error", r)
	}
	if _, ok := consumer.FromContext(t.Context()); ok {
		t.Error("a context of nobody's has a message")
	}
}

type panickingObserver struct{}

func (panickingObserver) Observe(context.Context, consumer.Report) { panic("out of cheese") }

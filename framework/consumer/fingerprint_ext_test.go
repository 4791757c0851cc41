package consumer_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

type paid struct {
	ID     string `json:"id"`
	Amount int64  `json:"amount"`
	SentAt string `json:"sent_at,omitempty"`
}

func (paid) EventType() string        { return "payments.paid.v2" }
func (p paid) IdempotencyKey() string { return p.ID }

type paidV1 struct {
	ID    string `json:"id"`
	Cents int64  `json:"cents"`
}

func (paidV1) EventType() string        { return "payments.paid.v1" }
func (p paidV1) IdempotencyKey() string { return p.ID }

func TestFingerprint(t *testing.T) {
	t.Parallel()
	var ran []int64
	fail := false
	q := &consumertest.Queue{}
	c, err := consumer.NewSQSMux("test", []consumer.Route{consumer.On(
		func(_ context.Context, msg consumer.Message[paid]) error {
			if fail {
				return errWork
			}
			ran = append(ran, msg.Event.Amount)
			return nil
		},
		consumer.Fingerprint[paid]("sent_at"),
		consumer.Upgrade(func(p paidV1) (paid, error) { return paid{ID: p.ID, Amount: p.Cents}, nil }),
	)}, consumer.WithIdempotency(idempotency.NewMemory()), consumer.WithConcurrency(1), q.Option())
	if err != nil {
		t.Fatal(err)
	}
	wantLetters := func(n int, fields ...string) {
		t.Helper()
		letters := q.DeadLetters()
		if len(letters) != n {
			t.Fatalf("%d dead letters, want %d", len(letters), n)
		}
		if len(fields) == 0 {
			return
		}
		var mismatch *consumer.MismatchError
		if !errors.As(letters[n-1].Reason, &mismatch) || !slices.Equal(mismatch.Fields, fields) || mismatch.Key != "p-1" {
			t.Errorf("reason = %v, want one that names %v", letters[n-1].Reason, fields)
		}
	}
	deliver := func(events ...consumer.Event) {
		t.Helper()
		if o := consumertest.Deliver(t, c, consumertest.SQS(events...)); !o.Settled() {
			t.Errorf("outcome %+v", o)
		}
	}

	deliver(paid{ID: "p-1", Amount: 5, SentAt: "now"})
	deliver(paid{ID: "p-1", Amount: 5, SentAt: "then"})
	wantLetters(0) // what is ignored may differ
	deliver(paid{ID: "p-1", Amount: 6})
	wantLetters(1, "amount")
	deliver(paidV1{ID: "p-1", Cents: 7})
	wantLetters(1) // versions are not compared with each other
	if want := []int64{5}; !slices.Equal(ran, want) {
		t.Errorf("ran %v, want %v", ran, want)
	}

	// Copies within a batch are compared too; what failed before is not.
	deliver(paid{ID: "p-2", Amount: 1}, paid{ID: "p-2", Amount: 1})
	wantLetters(1)
	ran = nil
	deliver(paid{ID: "p-3", Amount: 1}, paid{ID: "p-3", Amount: 2})
	if n := len(q.DeadLetters()); n != 2 || !slices.Equal(ran, []int64{1}) {
		t.Errorf("%d dead letters, ran %v", n, ran)
	}
	fail = true
	if o := consumertest.Deliver(t, c, consumertest.SQS(paid{ID: "p-4", Amount: 1})); len(o.Failed) != 1 {
		t.Fatalf("outcome %+v", o)
	}
	fail = false
	deliver(paid{ID: "p-4", Amount: 2})
	if n := len(q.DeadLetters()); n != 2 {
		t.Errorf("%d dead letters: a corrected message under a released key is no mismatch", n)
	}
}

package consumertest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
)

// Outcome is what a delivery came to, as its source sees it.
type Outcome struct {
	// Failed holds the indexes, within the batch, of the messages that the
	// source will deliver again: those reported to a queue, or every message
	// of a failed invocation.
	Failed []int

	// Err is the error of an invocation. A queue's batch has one only if
	// nothing could be said about single messages.
	Err error
}

// Settled reports whether nothing will be delivered again.
func (o Outcome) Settled() bool { return len(o.Failed) == 0 && o.Err == nil }

// Deliver invokes c with the batch and checks its answer as Lambda would: an
// answer that names an unknown, empty or repeated message fails the test.
func Deliver(t testing.TB, c *consumer.Consumer, b Batch) Outcome {
	t.Helper()
	return DeliverContext(t.Context(), t, c, b)
}

// DeliverContext is Deliver with a context: give it a deadline to see what a
// function's timeout does.
func DeliverContext(ctx context.Context, t testing.TB, c *consumer.Consumer, b Batch) Outcome {
	t.Helper()
	if c.Source() != b.Source {
		t.Fatalf("consumertest: consumer %q is built for %s, and the batch comes from %s", c.Name(), c.Source(), b.Source)
	}
	if b.Source == consumer.SQS {
		return deliverQueue(ctx, t, c, b)
	}
	var o Outcome
	for i, payload := range b.payloads() {
		if _, err := c.Invoke(ctx, payload); err != nil {
			o.Err = err
			o.Failed = append(o.Failed, i)
			if b.Array {
				o.Failed = nil
				for i := range b.Messages {
					o.Failed = append(o.Failed, i)
				}
			}
		}
	}
	return o
}

func deliverQueue(ctx context.Context, t testing.TB, c *consumer.Consumer, b Batch) Outcome {
	t.Helper()
	answer, err := c.Invoke(ctx, b.sqs())
	if err != nil {
		o := Outcome{Err: err}
		for i := range b.Messages {
			o.Failed = append(o.Failed, i)
		}
		return o
	}
	var response struct {
		Failures *[]struct {
			ID string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(answer, &response); err != nil || response.Failures == nil {
		t.Fatalf("consumertest: consumer %q answered %s, which is not a batch response with a list", c.Name(), answer)
	}
	var o Outcome
	for _, f := range *response.Failures {
		i := slices.IndexFunc(b.Messages, func(m Message) bool { return m.ID == f.ID })
		if i < 0 || slices.Contains(o.Failed, i) {
			t.Fatalf("consumertest: consumer %q reported %q, which is unknown or repeated: Lambda would retry the whole batch", c.Name(), f.ID)
		}
		o.Failed = append(o.Failed, i)
	}
	slices.Sort(o.Failed)
	return o
}

// Queue stands for a queue's actions: it is a consumer.DeadLetterSink and a
// consumer.VisibilityChanger that remembers. Its zero value is ready, and safe
// for concurrent use.
type Queue struct {
	// SendErr and VisibilityErr, if set, decide whether an action fails.
	SendErr       func(consumer.DeadLetter) error
	VisibilityErr func([]consumer.VisibilityChange) error

	mu      sync.Mutex
	letters []consumer.DeadLetter
	changes [][]consumer.VisibilityChange
}

var (
	_ consumer.DeadLetterSink    = (*Queue)(nil)
	_ consumer.VisibilityChanger = (*Queue)(nil)
)

// Option gives a consumer the queue's actions.
func (q *Queue) Option() consumer.Option {
	return consumer.WithOptions(consumer.WithDeadLetters(q), consumer.WithQueueActions(q))
}

// Send implements consumer.DeadLetterSink.
func (q *Queue) Send(_ context.Context, dl consumer.DeadLetter) error {
	if q.SendErr != nil {
		if err := q.SendErr(dl); err != nil {
			return err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.letters = append(q.letters, dl)
	return nil
}

// ChangeVisibility implements consumer.VisibilityChanger.
func (q *Queue) ChangeVisibility(_ context.Context, changes []consumer.VisibilityChange) error {
	if q.VisibilityErr != nil {
		if err := q.VisibilityErr(changes); err != nil {
			return err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.changes = append(q.changes, slices.Clone(changes))
	return nil
}

// DeadLetters returns what was sent so far.
func (q *Queue) DeadLetters() []consumer.DeadLetter {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.letters)
}

// VisibilityCalls returns how often visibility was changed.
func (q *Queue) VisibilityCalls() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.changes)
}

// Hidden returns for how long the message with an id was last hidden.
func (q *Queue) Hidden(messageID string) (time.Duration, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, call := range slices.Backward(q.changes) {
		for _, c := range call {
			if c.MessageID == messageID {
				return c.Timeout, true
			}
		}
	}
	return 0, false
}

// Redrive returns dead letters as the batch that a queue delivers after they
// were moved back to it: with new message ids, as AWS gives them, and with the
// attributes that the sink adds.
func Redrive(letters []consumer.DeadLetter) Batch {
	b := Batch{Source: consumer.SQS}
	for i, dl := range letters {
		m := Message{ID: fmt.Sprintf("redriven-%d", i), Body: dl.Body, Group: dl.GroupID, Attributes: map[string]string{}, ReceiveCount: 1, SentAt: dl.SentAt}
		for name, a := range dl.AllAttrs {
			m.Attributes[name] = a.String
		}
		m.Attributes[consumer.AttributeID] = dl.ID
		if dl.Reason != nil {
			m.Attributes[consumer.AttributeReason] = dl.Reason.Error()
		}
		b.FIFO = b.FIFO || dl.FIFO
		b.Messages = append(b.Messages, m)
	}
	return b
}

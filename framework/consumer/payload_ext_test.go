package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// TestPayloadsRefused: where nothing can be said about single messages, the
// whole invocation fails, and says why.
func TestPayloadsRefused(t *testing.T) {
	t.Parallel()
	sqs := record("m-1", "{}", nil)
	other := func(source string) string { return text(object{"Records": []object{{"eventSource": source}}}) }
	snsEvent := text(object{"Records": []object{{"EventSource": "aws:sns", "Sns": object{"MessageId": "1", "Message": "{}"}}}})
	for name, test := range map[string]struct {
		source        consumer.Source
		payload, want string
	}{
		"SQS: no JSON":              {consumer.SQS, "{", "not an SQS event"},
		"SQS: trailing garbage":     {consumer.SQS, records(sqs) + "x", "not an SQS event"},
		"SQS: null":                 {consumer.SQS, "null", "not an SQS event"},
		"SQS: another object":       {consumer.SQS, `{"hello":1}`, "check what invokes"},
		"SQS: S3's":                 {consumer.SQS, other("aws:s3"), `records of "aws:s3"`},
		"SQS: SNS's":                {consumer.SQS, snsEvent, `records of "aws:sns"`},
		"SQS: EventBridge's":        {consumer.SQS, bridged(object{}, nil), "NewEventBridge"},
		"SQS: missing message id":   {consumer.SQS, records(sqs, record("", "{}", nil)), "record 1 has no messageId"},
		"SQS: repeated message id":  {consumer.SQS, records(sqs, record("m-2", "{}", nil), sqs), "record 2 repeats messageId m-1"},
		"SNS: SQS's":                {consumer.SNS, records(sqs), `records of "aws:sqs"`},
		"SNS: EventBridge's":        {consumer.SNS, bridged(object{}, nil), "NewEventBridge"},
		"SNS: null":                 {consumer.SNS, "null", "not an SNS event"},
		"SNS: no JSON":              {consumer.SNS, "", "not an SNS event"},
		"SNS: missing message id":   {consumer.SNS, text(object{"Records": []object{{"EventSource": "aws:sns", "Sns": object{"Message": "{}"}}}}), "record 0 has no MessageId"},
		"EventBridge: SQS's":        {consumer.EventBridge, records(sqs), `records of "aws:sqs"`},
		"EventBridge: null":         {consumer.EventBridge, "null", "not an EventBridge event"},
		"EventBridge: no JSON":      {consumer.EventBridge, "[", "not an array of EventBridge events"},
		"EventBridge: a string":     {consumer.EventBridge, `"x"`, "not an EventBridge event"},
		"EventBridge: no id":        {consumer.EventBridge, bridged(object{}, object{"id": nil}), "check what invokes"},
		"EventBridge: a bare array": {consumer.EventBridge, "[" + bridged(object{}, nil) + "]", "needs an idempotency store|give the consumer an idempotency store"},
		"EventBridge: odd element":  {consumer.EventBridge, "[" + bridged(object{}, nil) + ",{}]", "element 1"},
	} {
		seen, letters, err := arrive(t, test.source, test.payload)
		ok := false
		for want := range strings.SplitSeq(test.want, "|") {
			ok = ok || err != nil && strings.Contains(err.Error(), want)
		}
		if !ok || len(seen)+len(letters) > 0 {
			t.Errorf("%s: error is %v, want it to say %q; %d arrived, %d dead letters", name, err, test.want, len(seen), len(letters))
		}
	}
}

func TestEmptyBatches(t *testing.T) {
	t.Parallel()
	for source, payload := range map[consumer.Source]string{consumer.SQS: `{"Records":[]}`, consumer.SNS: `{"Records":[]}`} {
		if seen, _, err := arrive(t, source, payload); err != nil || len(seen) > 0 {
			t.Errorf("%s: %v, %d arrived", source, err, len(seen))
		}
	}
}

// TestEventBridgeArray: it can only fail whole, and what completed is then a
// duplicate.
func TestEventBridgeArray(t *testing.T) {
	t.Parallel()
	ran, fail := map[string]int{}, true
	c, err := consumer.NewEventBridge("c", func(_ context.Context, msg consumer.Message[placed]) error {
		if fail && msg.Event.ID == "bad" {
			return errWork
		}
		return nil
	}, quiet(), consumer.WithIdempotency(idempotency.NewMemory()), consumer.WithMiddleware(countRuns(ran)))
	if err != nil {
		t.Fatal(err)
	}
	batch := consumertest.EventBridge(placed{ID: "o-1"}, placed{ID: "bad"}, placed{ID: "o-2"})
	batch.Array = true
	first := consumertest.Deliver(t, c, batch)
	if !errors.Is(first.Err, errWork) || len(first.Failed) != 3 {
		t.Fatalf("outcome %+v", first)
	}
	fail = false
	if o := consumertest.Deliver(t, c, batch.Retry(first)); !o.Settled() {
		t.Errorf("outcome %+v", o)
	}
	if fmt.Sprint(ran) != "map[bad:2 o-1:1 o-2:1]" {
		t.Errorf("ran %v", ran)
	}
	if _, err := c.Invoke(t.Context(), []byte("[]")); err != nil {
		t.Errorf("an empty array: %v", err)
	}
}

// TestBodies are those that no type promises: dead letters, each for a reason.
func TestBodies(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"null": "null", "null with space": " null\n", "no JSON": "hello", "empty": "", "a number": "5", "a string": `"x"`, "an array": "[]",
		"another type": `{"ID":5}`, "trailing garbage": `{"ID":"o-1"} x`, "two documents": `{"ID":"o-1"}{"ID":"o-2"}`, "cut": `{"ID":"o-`,
		"EventBridge with null in it": bridged(nil, nil), "SNS with nothing in it": notification("", nil), "SNS with null in it": notification("null", nil),
		"EventBridge with null": strings.Replace(bridged(object{}, nil), `"detail":{}`, `"detail":null`, 1),
	} {
		seen, letters, err := arrive(t, consumer.SQS, records(record("m-1", body, nil)))
		if err != nil || len(seen) > 0 || len(letters) != 1 {
			t.Errorf("%s: %d arrived, %d dead letters, error %v", name, len(seen), len(letters), err)
			continue
		}
		var decode *consumer.DecodeError
		if !errors.As(letters[0].Reason, &decode) || letters[0].Body != body {
			t.Errorf("%s: reason %v, body %q", name, letters[0].Reason, letters[0].Body)
		}
	}
	large := text(object{"ID": strings.Repeat("\u00e9\"", 1<<19/2)})
	seen, _, err := arrive(t, consumer.SQS, records(record("m-1", large, nil)))
	if err != nil || len(seen) != 1 || seen[0].Body != large || len(large) < 1<<20 {
		t.Errorf("%d bytes: %d arrived, error %v", len(large), len(seen), err)
	}
}

// TestFairQueueGroups: on a standard queue a group id is a tenant, and orders
// nothing: what follows a failure runs.
func TestFairQueueGroups(t *testing.T) {
	t.Parallel()
	ran := map[string]int{}
	queue := &consumertest.Queue{}
	c, err := consumer.NewSQS("c", func(_ context.Context, msg consumer.Message[placed]) error {
		if msg.GroupID != "tenant" {
			t.Errorf("group id = %q", msg.GroupID)
		}
		return errWork
	}, quiet(), queue.Option(), consumer.WithMiddleware(countRuns(ran)), consumer.WithConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	batch := consumertest.SQS(placed{ID: "o-1"}, placed{ID: "o-2"}, placed{ID: "o-3"})
	for i := range batch.Messages {
		batch.Messages[i].Group = "tenant"
		batch.Messages[i].ReceiveCount = 1 + 2*i
	}
	if o := consumertest.Deliver(t, c, batch); len(o.Failed) != 3 || len(ran) != 3 {
		t.Errorf("outcome %+v, ran %v", o, ran)
	}
	// Nor do they share a visibility.
	first, _ := queue.Hidden(batch.Messages[0].ID)
	last, _ := queue.Hidden(batch.Messages[2].ID)
	if queue.VisibilityCalls() != 1 || first >= last {
		t.Errorf("%d visibility calls, hidden for %s and %s", queue.VisibilityCalls(), first, last)
	}
}

func countRuns(ran map[string]int) consumer.Middleware {
	var mu = make(chan struct{}, 1)
	return func(next consumer.Next) consumer.Next {
		return func(ctx context.Context, d *consumer.Delivery) error {
			mu <- struct{}{}
			ran[d.Key]++
			<-mu
			return next(ctx, d)
		}
	}
}

package awsio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/awsio"
	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// sender is a dead-letter queue that refuses what SQS refuses.
type sender struct {
	sent []*sqs.SendMessageInput
	err  error
}

func (s *sender) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	if s.err != nil {
		return nil, s.err
	}
	size := len(aws.ToString(in.MessageBody))
	for name, a := range in.MessageAttributes {
		text := aws.ToString(a.StringValue)
		size += len(name) + len(aws.ToString(a.DataType)) + len(text) + len(a.BinaryValue)
		binary := strings.HasPrefix(aws.ToString(a.DataType), "Binary")
		if binary && len(a.BinaryValue) == 0 || !binary && text == "" || !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\x01\x0b\ufffe\uffff") {
			return nil, fmt.Errorf("InvalidParameterValue: attribute %s", name)
		}
	}
	fifo := strings.HasSuffix(aws.ToString(in.QueueUrl), ".fifo")
	switch {
	case size > 1<<20:
		return nil, fmt.Errorf("InvalidParameterValue: %d bytes", size)
	case len(in.MessageAttributes) > 10:
		return nil, fmt.Errorf("InvalidParameterValue: %d attributes", len(in.MessageAttributes))
	case fifo && (in.MessageGroupId == nil || in.MessageDeduplicationId == nil), !fifo && in.MessageDeduplicationId != nil:
		return nil, fmt.Errorf("InvalidParameterValue: group %v, deduplication %v", in.MessageGroupId, in.MessageDeduplicationId)
	}
	s.sent = append(s.sent, in)
	return &sqs.SendMessageOutput{}, nil
}

func send(t *testing.T, url string, dl consumer.DeadLetter) (*sqs.SendMessageInput, map[string]string) {
	t.Helper()
	s := &sender{}
	d, err := awsio.NewDeadLetters(s, url)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Send(t.Context(), dl); err != nil {
		t.Fatal(err)
	}
	attrs := map[string]string{}
	for name, a := range s.sent[0].MessageAttributes {
		attrs[name] = aws.ToString(a.DataType) + ":" + aws.ToString(a.StringValue) + string(a.BinaryValue)
	}
	return s.sent[0], attrs
}

func letter(reason, body string, attributes map[string]consumer.Attribute) consumer.DeadLetter {
	return consumer.DeadLetter{Meta: consumer.Meta{ID: "inner", MessageID: "outer", GroupID: "g"}, Body: body, AllAttrs: attributes, Reason: errors.New(reason)}
}

const dlq = "https://sqs.test/1/dlq"

func TestDeadLetterKeepsItsAttributes(t *testing.T) {
	t.Parallel()
	in, attrs := send(t, dlq, letter("no such order", "body", map[string]consumer.Attribute{
		"event-type": {DataType: "String", String: "orders.placed.v1"}, "n": {DataType: "Number.int", String: "5"}, "sig": {DataType: "Binary.sig", Binary: []byte{0, 1}},
		// Of an earlier journey through a dead-letter queue.
		consumer.AttributeID: {DataType: "String", String: "inner"}, consumer.AttributeReason: {DataType: "String", String: "old"},
	}))
	want := map[string]string{
		"event-type": "String:orders.placed.v1", "n": "Number.int:5", "sig": "Binary.sig:\x00\x01", "sluice-id": "String:inner", "sluice-reason": "String:no such order",
	}
	if diff := cmp.Diff(want, attrs); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if aws.ToString(in.MessageBody) != "body" || aws.ToString(in.QueueUrl) != dlq || in.MessageGroupId != nil || in.MessageDeduplicationId != nil {
		t.Errorf("message %+v", in)
	}
}

func TestDeadLetterHasTenAttributes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{7: "id reason", 8: "id reason", 9: "id", 10: ""} {
		all := map[string]consumer.Attribute{}
		for i := range n {
			all[fmt.Sprint("a", i)] = consumer.Attribute{DataType: "String", String: "v"}
		}
		_, attrs := send(t, dlq, letter("why", "body", all))
		var got []string
		if attrs["sluice-id"] != "" {
			got = append(got, "id")
		}
		if attrs["sluice-reason"] != "" {
			got = append(got, "reason")
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%d attributes leave room for %q, want %q", n, got, want)
		}
	}
	// What is there already takes no room of its own.
	all := map[string]consumer.Attribute{consumer.AttributeID: {DataType: "String", String: "inner"}, consumer.AttributeReason: {DataType: "String", String: "old"}}
	for i := range 8 {
		all[fmt.Sprint("a", i)] = consumer.Attribute{DataType: "String", String: "v"}
	}
	if _, attrs := send(t, dlq, letter("new", "body", all)); attrs["sluice-reason"] != "String:new" || attrs["sluice-id"] != "String:inner" {
		t.Errorf("attributes %v", attrs)
	}
}

func TestDeadLetterFits(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	id := len("sluice-id") + len("String") + len("inner")
	reason := len("sluice-reason") + len("String")
	for left, want := range map[int]string{ // bytes that the body leaves
		0: "", 5: "", id - 1: "", id: "id", id + reason: "id", id + reason + 1: "id 1", id + reason + 10: "id 10", 1 << 19: "id 1024",
	} {
		_, attrs := send(t, dlq, letter(strings.Repeat("r", 1100), strings.Repeat("b", limit-left), nil))
		got := ""
		if attrs["sluice-id"] != "" {
			got = "id"
		}
		if n := len(strings.TrimPrefix(attrs["sluice-reason"], "String:")); n > 0 {
			got = strings.TrimSpace(fmt.Sprint(got, " ", n))
		}
		if got != want {
			t.Errorf("%d bytes left hold %q, want %q", left, got, want)
		}
	}
	// Cut between characters, not within one.
	_, attrs := send(t, dlq, letter(strings.Repeat("\u4e16", 400), "b", nil))
	if got := strings.TrimPrefix(attrs["sluice-reason"], "String:"); got != strings.Repeat("\u4e16", 341) {
		t.Errorf("reason of %d bytes", len(got))
	}
}

func TestDeadLetterOfRefusedCharacters(t *testing.T) {
	t.Parallel()
	_, attrs := send(t, dlq, letter("a\x00b\x0bc\xffd\ufffee\n\t\U0001F642", "b", nil))
	if want := "String:a?b?c\ufffdd?e\n\t\U0001F642"; attrs["sluice-reason"] != want {
		t.Errorf("reason %q, want %q", attrs["sluice-reason"], want)
	}
	// An id cannot be mended: another id would be another message.
	dl := letter("why", "b", nil)
	dl.ID = "a\x01b"
	if _, attrs := send(t, dlq, dl); attrs["sluice-id"] != "" || attrs["sluice-reason"] == "" {
		t.Errorf("attributes %q", attrs)
	}
	dl.ID = ""
	if _, attrs := send(t, dlq, dl); len(attrs) != 1 {
		t.Errorf("attributes %q", attrs)
	}
}

func TestDeadLetterOnFIFO(t *testing.T) {
	t.Parallel()
	in, _ := send(t, dlq+".fifo", letter("why", "b", nil))
	if aws.ToString(in.MessageGroupId) != "g" || aws.ToString(in.MessageDeduplicationId) != "outer" {
		t.Errorf("group %q, deduplication %q", aws.ToString(in.MessageGroupId), aws.ToString(in.MessageDeduplicationId))
	}
	dl := letter("why", "b", nil)
	dl.GroupID = ""
	if in, _ := send(t, dlq+".fifo", dl); aws.ToString(in.MessageGroupId) == "" {
		t.Error("no group")
	}
}

func TestDeadLetterErrors(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	d, err := awsio.NewDeadLetters(&sender{err: boom}, dlq)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Send(t.Context(), letter("why", "b", nil)); !errors.Is(err, boom) || !strings.Contains(err.Error(), dlq) {
		t.Errorf("error = %v", err)
	}
	for _, url := range []string{"", "dlq", "arn:aws:sqs:eu-west-1:123456789012:dlq"} {
		if _, err := awsio.NewDeadLetters(&sender{}, url); err == nil {
			t.Errorf("%q was accepted", url)
		}
	}
}

// noKey is an event whose key is its message's id.
type noKey struct{ ID string }

func (noKey) EventType() string { return "orders.placed.v1" }

// TestRedriveKeepsItsKey: through the queue and back, with the MessageId that
// AWS gives it anew, a message is still the message that it was.
func TestRedriveKeepsItsKey(t *testing.T) {
	t.Parallel()
	s := &sender{}
	sink, err := awsio.NewDeadLetters(s, dlq)
	if err != nil {
		t.Fatal(err)
	}
	store := idempotency.NewMemory()
	var keys []string
	fail := true
	c, err := consumer.NewSQS("c", func(_ context.Context, msg consumer.Message[noKey]) error {
		keys = append(keys, msg.Key)
		if fail {
			return consumer.Permanent(errors.New("no such order"))
		}
		return nil
	}, consumer.WithDeadLetters(sink), consumer.WithIdempotency(store), consumer.WithConcurrency(1), consumer.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	batch := consumertest.SQS(noKey{"raw"}).Add(consumertest.SNSInSQS(noKey{"sns"})).Add(consumertest.EventBridgeInSQS(noKey{"eb"}))
	redrive := func() consumertest.Batch {
		back := consumertest.Batch{Source: consumer.SQS}
		for i, in := range s.sent {
			m := consumertest.Message{ID: fmt.Sprint("new-", len(keys), i), Body: aws.ToString(in.MessageBody), Attributes: map[string]string{}, ReceiveCount: 1}
			for name, a := range in.MessageAttributes {
				m.Attributes[name] = aws.ToString(a.StringValue)
			}
			back.Messages = append(back.Messages, m)
		}
		s.sent = nil
		return back
	}
	for round := range 3 { // twice to the queue, and then done
		if o := consumertest.Deliver(t, c, batch); !o.Settled() {
			t.Fatalf("round %d: %+v", round, o)
		}
		if round == 2 {
			break
		}
		batch = redrive()
		fail = round == 0 // the first redrive fails again
	}
	if len(keys) != 9 || len(s.sent) != 0 {
		t.Fatalf("ran %v, %d dead letters", keys, len(s.sent))
	}
	if diff := cmp.Diff(keys[:3], keys[3:6]); diff != "" || keys[0] == keys[1] {
		t.Errorf("keys changed (-first +redriven):\n%s", diff)
	}
	if o := consumertest.Deliver(t, c, batch.Redeliver()); !o.Settled() || len(keys) != 9 {
		t.Errorf("a copy of what is done: %+v, ran %v", o, keys)
	}
}

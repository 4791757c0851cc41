package consumer_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
)

func quiet() consumer.Option { return consumer.WithLogger(slog.New(slog.DiscardHandler)) }

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

type object = map[string]any

const (
	standardARN = "arn:aws:sqs:us-east-1:123456789012:q"
	sentMillis  = 1767323045000
)

func sent() time.Time { return time.UnixMilli(sentMillis).UTC() }

// record is one of an SQS event, in AWS's own shape.
func record(id, body string, attributes object) object {
	return object{
		"messageId": id, "receiptHandle": "handle-" + id, "body": body,
		"attributes":        object{"ApproximateReceiveCount": "3", "SentTimestamp": "1767323045000", "SenderId": "AIDA", "ApproximateFirstReceiveTimestamp": "1767323045001"},
		"messageAttributes": attributes, "md5OfBody": "00", "eventSource": "aws:sqs", "eventSourceARN": standardARN, "awsRegion": "us-east-1",
	}
}

func records(r ...object) string { return text(object{"Records": r}) }

func stringAttribute(v string) object {
	return object{"stringValue": v, "stringListValues": []string{}, "binaryListValues": []string{}, "dataType": "String"}
}

// notification is SNS's envelope in a queue, as recorded, with what changes.
func notification(message string, change object) string {
	env := object{
		"Type": "Notification", "MessageId": "sns-1", "TopicArn": "arn:aws:sns:us-east-1:123456789012:t", "Message": message,
		"Timestamp": "2026-01-02T03:04:05.678Z", "SignatureVersion": "1", "Signature": "c2ln", "SigningCertURL": "https://sns/cert.pem", "UnsubscribeURL": "https://sns/",
	}
	maps.Copy(env, change)
	return text(env)
}

// bridged is EventBridge's envelope, as recorded, with what changes.
func bridged(detail, change object) string {
	env := object{
		"version": "0", "id": "eb-1", "detail-type": "shop.placed.v1", "source": "shop", "account": "123456789012",
		"time": "2026-01-02T03:04:05Z", "region": "us-east-1", "resources": []string{}, "detail": detail,
	}
	for name, v := range change {
		env[name] = v
		if v == nil {
			delete(env, name)
		}
	}
	return text(env)
}

// arrival is what a handler is told about a message.
type arrival struct {
	Meta  consumer.Meta
	Event placedV1
	Body  string
}

// arrive invokes a one-type consumer and returns what its handler saw, and the
// reasons of what went to the sink.
func arrive(t *testing.T, source consumer.Source, payload string) (seen []arrival, letters []consumer.DeadLetter, err error) {
	t.Helper()
	queue := &consumertest.Queue{}
	body := consumer.WithMiddleware(func(next consumer.Next) consumer.Next {
		return func(ctx context.Context, d *consumer.Delivery) error {
			seen = append(seen, arrival{Body: string(d.Body)})
			return next(ctx, d)
		}
	})
	handle := func(_ context.Context, msg consumer.Message[placedV1]) error {
		a := &seen[len(seen)-1]
		a.Meta, a.Event = msg.Meta, msg.Event
		a.Meta.SentAt = a.Meta.SentAt.UTC()
		return nil
	}
	opts := consumer.WithOptions(quiet(), queue.Option(), body)
	var c *consumer.Consumer
	switch source {
	case consumer.SQS:
		c, err = consumer.NewSQS("c", handle, opts, consumer.WithConcurrency(1))
	case consumer.SNS:
		c, err = consumer.NewSNS("c", handle, opts)
	default:
		c, err = consumer.NewEventBridge("c", handle, opts)
	}
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Invoke(t.Context(), []byte(payload))
	if err == nil && source == consumer.SQS && string(answer) != `{"batchItemFailures":[]}` {
		t.Errorf("answer = %s", answer)
	}
	return seen, queue.DeadLetters(), err
}

func TestEnvelopes(t *testing.T) {
	t.Parallel()
	event := text(object{"ID": "o-1"})
	sns := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	bus := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	named := object{"event-type": object{"Type": "String", "Value": "shop.placed.v1"}, "tenant": object{"Type": "String", "Value": "t-1"}}
	in := func(id string, attrs map[string]string, at time.Time) consumer.Meta {
		return consumer.Meta{
			Consumer: "c", Source: consumer.SQS, ID: id, MessageID: "m-1", Type: "shop.placed.v1", Key: id, ARN: standardARN,
			ReceiveCount: 3, SentAt: at, Attributes: attrs,
		}
	}
	for name, test := range map[string]struct {
		record object
		want   consumer.Meta
		body   string
	}{
		"raw, with a type": {
			record("m-1", event, object{"event-type": stringAttribute("shop.placed.v1")}),
			in("m-1", map[string]string{"event-type": "shop.placed.v1"}, sent()), event,
		},
		"raw, without a type": {record("m-1", event, object{}), in("m-1", map[string]string{}, sent()), event},
		"raw, with binary attributes": {
			record("m-1", event, object{"sig": object{"binaryValue": "AAEC", "dataType": "Binary"}, "n": object{"stringValue": "5", "dataType": "Number.int"}}),
			in("m-1", map[string]string{"n": "5"}, sent()), event,
		},
		"a dead letter come back": {
			record("m-1", event, object{"sluice-id": stringAttribute("original"), "sluice-reason": stringAttribute("why")}),
			in("original", map[string]string{"sluice-id": "original", "sluice-reason": "why"}, sent()), event,
		},
		"SNS": {record("m-1", notification(event, nil), object{}), in("sns-1", map[string]string{}, sns), event},
		"SNS, with attributes": {
			record("m-1", notification(event, object{"MessageAttributes": named, "Subject": "s", "SequenceNumber": "1"}), object{}),
			in("sns-1", map[string]string{"event-type": "shop.placed.v1", "tenant": "t-1"}, sns), event,
		},
		"SNS, a dead letter come back": {
			record("m-1", notification(event, nil), object{"sluice-id": stringAttribute("original")}), in("original", map[string]string{}, sns), event,
		},
		"EventBridge":             {record("m-1", bridged(object{"ID": "o-1"}, nil), object{}), in("eb-1", nil, bus), event},
		"EventBridge through SNS": {record("m-1", notification(bridged(object{"ID": "o-1"}, nil), nil), object{}), in("eb-1", nil, bus), event},
		"an envelope with space around it": {
			record("m-1", "\n\t "+notification("  "+bridged(object{"ID": "o-1"}, nil), nil), object{}), in("eb-1", nil, bus), event,
		},
		// What has an event-type attribute is that event, whatever it looks like.
		"an event that looks like SNS": {
			record("m-1", notification("x", object{"ID": "o-1"}), object{"event-type": stringAttribute("shop.placed.v1")}),
			in("m-1", map[string]string{"event-type": "shop.placed.v1"}, sent()), notification("x", object{"ID": "o-1"}),
		},
	} {
		seen, letters, err := arrive(t, consumer.SQS, records(test.record))
		if err != nil || len(letters) > 0 || len(seen) != 1 {
			t.Errorf("%s: %d arrived, dead letters %v, error %v", name, len(seen), letters, err)
			continue
		}
		want := arrival{Meta: test.want, Event: placedV1{"o-1"}, Body: test.body}
		if diff := cmp.Diff(want, seen[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestEnvelopeLookalikes are events, not envelopes: members are missing, of
// another type, or spelt otherwise than AWS spells them.
func TestEnvelopeLookalikes(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"SNS without a topic":         notification("{}", object{"ID": "o-1", "TopicArn": ""}),
		"SNS of another Type":         notification("{}", object{"ID": "o-1", "Type": "SubscriptionConfirmation"}),
		"SNS without a message id":    notification("{}", object{"ID": "o-1", "MessageId": nil}),
		"SNS with an object in it":    notification("{}", object{"ID": "o-1", "Message": object{}}),
		"SNS in lower case":           text(object{"ID": "o-1", "type": "Notification", "messageId": "1", "topicArn": "arn", "message": "{}"}),
		"EventBridge without source":  text(object{"ID": "o-1", "detail-type": "shop.placed.v1", "account": "1", "detail": object{}}),
		"EventBridge, id in capitals": text(object{"ID": "o-1", "detail-type": "shop.placed.v1", "source": "s", "account": "1", "detail": object{}}),
		"EventBridge without detail":  text(object{"ID": "o-1", "detail-type": "shop.placed.v1", "source": "s", "account": "1"}),
		"a number for an id":          text(object{"ID": "o-1", "source": 5, "account": []int{1}}),
	} {
		seen, letters, err := arrive(t, consumer.SQS, records(record("m-1", body, object{})))
		if err != nil || len(letters) > 0 || len(seen) != 1 {
			t.Errorf("%s: %d arrived, dead letters %+v, error %v", name, len(seen), letters, err)
			continue
		}
		if seen[0].Meta.ID != "m-1" || seen[0].Event.ID != "o-1" || seen[0].Body != body {
			t.Errorf("%s: unwrapped to %+v", name, seen[0])
		}
	}
}

func TestDirectSources(t *testing.T) {
	t.Parallel()
	event := text(object{"ID": "o-1"})
	delivery := func(attributes object) string {
		return text(object{"Records": []object{{"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": "arn:sub", "Sns": object{
			"Type": "Notification", "MessageId": "sns-1", "TopicArn": "arn:topic", "Subject": nil, "Message": event, "Timestamp": "2026-01-02T03:04:05.678Z",
			"SignatureVersion": "1", "Signature": "c2ln", "SigningCertUrl": "https://sns", "UnsubscribeUrl": "https://sns", "MessageAttributes": attributes,
		}}}})
	}
	seen, _, err := arrive(t, consumer.SNS, delivery(object{"event-type": object{"Type": "String", "Value": "shop.placed.v1"}}))
	want := []arrival{{Event: placedV1{"o-1"}, Body: event, Meta: consumer.Meta{
		Consumer: "c", Source: consumer.SNS, ID: "sns-1", MessageID: "sns-1", Type: "shop.placed.v1", Key: "sns-1", ARN: "arn:topic", ReceiveCount: 1,
		SentAt: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), Attributes: map[string]string{"event-type": "shop.placed.v1"},
	}}}
	if diff := cmp.Diff(want, seen); diff != "" || err != nil {
		t.Errorf("SNS: %v (-want +got):\n%s", err, diff)
	}
	seen, _, err = arrive(t, consumer.EventBridge, bridged(object{"ID": "o-1"}, nil))
	want = []arrival{{Event: placedV1{"o-1"}, Body: event, Meta: consumer.Meta{
		Consumer: "c", Source: consumer.EventBridge, ID: "eb-1", MessageID: "eb-1", Type: "shop.placed.v1", Key: "eb-1", ARN: "shop", ReceiveCount: 1,
		SentAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}}}
	if diff := cmp.Diff(want, seen); diff != "" || err != nil {
		t.Errorf("EventBridge: %v (-want +got):\n%s", err, diff)
	}
	// A dead letter keeps its attributes as SQS has them, binary ones as bytes.
	_, letters, err := arrive(t, consumer.SNS, delivery(object{
		"event-type": object{"Type": "String", "Value": "shop.unheard.v1"}, "sig": object{"Type": "Binary", "Value": "AAEC"}, "list": object{"Type": "String.Array", "Value": `["a"]`},
	}))
	if err != nil || len(letters) != 1 {
		t.Fatalf("letters %v, error %v", letters, err)
	}
	attrs := map[string]consumer.Attribute{
		"event-type": {DataType: "String", String: "shop.unheard.v1"}, "sig": {DataType: "Binary", Binary: []byte{0, 1, 2}}, "list": {DataType: "String.Array", String: `["a"]`},
	}
	if diff := cmp.Diff(attrs, letters[0].AllAttrs); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	_, letters, err = arrive(t, consumer.EventBridge, bridged(object{"ID": "o-1"}, object{"detail-type": ""}))
	if err != nil || len(letters) != 1 || letters[0].ID != "eb-1" || !strings.Contains(letters[0].Reason.Error(), "empty detail-type") {
		t.Errorf("empty detail-type: letters %+v, error %v", letters, err)
	}
}

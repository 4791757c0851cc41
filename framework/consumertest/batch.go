package consumertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
)

// A Batch is messages of one source, on their way to a consumer. It is a plain
// value: change its Messages as a test needs.
type Batch struct {
	Source   consumer.Source
	FIFO     bool // an SQS FIFO queue: messages need a Group, or share one
	Messages []Message

	// Array sends EventBridge events as one array, as custom buses with
	// batching do. Default: an invocation for each, as rules do.
	Array bool
}

// A Message is one message of a Batch.
type Message struct {
	ID           string            // the source's message id; stays the same over Retry
	Body         string            // of the outermost envelope, as the source sends it
	Attributes   map[string]string // text attributes of the outermost envelope
	Group        string            // SQS message group id
	ReceiveCount int
	SentAt       time.Time

	// EventBridge and SNS only: the event's type, which is the detail-type.
	Type string
}

// SQS returns a batch of a standard queue that carries events as raw bodies,
// with their type in the event-type attribute.
func SQS(events ...consumer.Event) Batch {
	b := Batch{Source: consumer.SQS}
	for i, e := range events {
		b.Messages = append(b.Messages, Message{
			ID: id(i), Body: encode(e), Attributes: typed(e), ReceiveCount: 1, SentAt: epoch,
		})
	}
	return b
}

// FIFO returns a batch of a FIFO queue. Group says each event's message group.
func FIFO[E consumer.Event](group func(E) string, events ...E) Batch {
	b := Batch{Source: consumer.SQS, FIFO: true}
	for i, e := range events {
		b.Messages = append(b.Messages, Message{
			ID: id(i), Body: encode(e), Attributes: typed(e), Group: group(e), ReceiveCount: 1, SentAt: epoch,
		})
	}
	return b
}

// SNSInSQS returns a batch of a queue that is subscribed to a topic without raw
// delivery.
func SNSInSQS(events ...consumer.Event) Batch {
	b := Batch{Source: consumer.SQS}
	for i, e := range events {
		b.Messages = append(b.Messages, Message{
			ID: id(i), ReceiveCount: 1, SentAt: epoch,
			Body: encode(map[string]any{
				"Type": "Notification", "MessageId": "sns-" + id(i), "TopicArn": topicARN, "Message": encode(e),
				"Timestamp": timestamp, "SignatureVersion": "1", "Signature": "c2lnbmF0dXJl",
				"SigningCertURL": "https://sns.us-east-1.amazonaws.com/cert.pem", "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/",
				"MessageAttributes": map[string]any{consumer.AttributeEventType: map[string]string{"Type": "String", "Value": e.EventType()}},
			}),
		})
	}
	return b
}

// EventBridgeInSQS returns a batch of a queue that is a rule's target.
func EventBridgeInSQS(events ...consumer.Event) Batch {
	b := Batch{Source: consumer.SQS}
	for i, e := range events {
		b.Messages = append(b.Messages, Message{ID: id(i), ReceiveCount: 1, SentAt: epoch, Body: string(eventBridge("eb-"+id(i), e.EventType(), encode(e)))})
	}
	return b
}

// SNS returns the delivery of events by a topic to a function directly: an
// invocation for each.
func SNS(events ...consumer.Event) Batch {
	b := Batch{Source: consumer.SNS}
	for i, e := range events {
		b.Messages = append(b.Messages, Message{ID: id(i), Body: encode(e), Attributes: typed(e), ReceiveCount: 1, SentAt: epoch})
	}
	return b
}

// EventBridge returns the delivery of events by a rule to a function directly.
func EventBridge(events ...consumer.Event) Batch {
	b := Batch{Source: consumer.EventBridge}
	for i, e := range events {
		b.Messages = append(b.Messages, Message{ID: id(i), Type: e.EventType(), Body: encode(e), ReceiveCount: 1, SentAt: epoch})
	}
	return b
}

// Add appends messages of another batch of the same source, with ids of their
// own: several event types in one batch, or a copy of what is there.
func (b Batch) Add(other Batch) Batch {
	b.Messages = slices.Clone(b.Messages)
	for _, m := range other.Messages {
		m.ID = id(len(b.Messages))
		b.Messages = append(b.Messages, m)
	}
	return b
}

// AddRaw appends a message with any body, and attributes in pairs of name and
// value: a poison message.
func (b Batch) AddRaw(body string, attributes ...string) Batch {
	m := Message{Body: body, Attributes: map[string]string{}, ReceiveCount: 1, SentAt: epoch}
	for i := 0; i+1 < len(attributes); i += 2 {
		m.Attributes[attributes[i]] = attributes[i+1]
	}
	return b.Add(Batch{Messages: []Message{m}})
}

// Redeliver returns all messages again, each received once more.
func (b Batch) Redeliver() Batch {
	b.Messages = slices.Clone(b.Messages)
	for i := range b.Messages {
		b.Messages[i].ReceiveCount++
	}
	return b
}

// Retry returns what the source would deliver again after an outcome: the
// reported messages of a queue's batch, the messages of invocations that
// failed.
func (b Batch) Retry(o Outcome) Batch {
	all := b.Redeliver()
	b.Messages = nil
	for _, i := range o.Failed {
		b.Messages = append(b.Messages, all.Messages[i])
	}
	return b
}

const (
	queueARN  = "arn:aws:sqs:us-east-1:123456789012:test"
	topicARN  = "arn:aws:sns:us-east-1:123456789012:test"
	timestamp = "2026-01-02T03:04:05.000Z"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) //nolint:gochecknoglobals // a constant that Go cannot declare as one

func id(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }

func typed(e consumer.Event) map[string]string {
	return map[string]string{consumer.AttributeEventType: e.EventType()}
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		// It becomes the body: the consumer's decode error shows it.
		return "consumertest: " + err.Error()
	}
	return string(b)
}

func eventBridge(id, eventType, detail string) json.RawMessage {
	d := json.RawMessage(detail)
	if !json.Valid(d) {
		d = json.RawMessage(encode(detail))
	}
	return json.RawMessage(encode(map[string]any{
		"version": "0", "id": id, "detail-type": eventType, "source": "consumertest", "account": "123456789012",
		"time": "2026-01-02T03:04:05Z", "region": "us-east-1", "resources": []string{}, "detail": d,
	}))
}

// payloads returns what Lambda is invoked with: one invocation for a queue's
// batch or an array of events, one for each message otherwise.
func (b Batch) payloads() [][]byte {
	switch b.Source {
	case consumer.SQS:
		return [][]byte{b.sqs()}
	case consumer.SNS:
		var out [][]byte
		for _, m := range b.Messages {
			attrs := map[string]any{}
			for name, v := range m.Attributes {
				attrs[name] = map[string]string{"Type": "String", "Value": v}
			}
			out = append(out, []byte(encode(map[string]any{"Records": []any{map[string]any{
				"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": topicARN + ":subscription",
				"Sns": map[string]any{
					"Type": "Notification", "MessageId": m.ID, "TopicArn": topicARN, "Message": m.Body, "Timestamp": timestamp,
					"MessageAttributes": attrs,
				},
			}}})))
		}
		return out
	default:
		var events []json.RawMessage
		for _, m := range b.Messages {
			events = append(events, eventBridge(m.ID, m.Type, m.Body))
		}
		if b.Array {
			return [][]byte{[]byte(encode(events))}
		}
		var out [][]byte
		for _, e := range events {
			out = append(out, e)
		}
		return out
	}
}

func (b Batch) sqs() []byte {
	arn := queueARN
	if b.FIFO {
		arn += ".fifo"
	}
	records := make([]any, len(b.Messages))
	for i, m := range b.Messages {
		attrs := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(m.Attributes)) {
			attrs[name] = map[string]any{"stringValue": m.Attributes[name], "stringListValues": []string{}, "binaryListValues": []string{}, "dataType": "String"}
		}
		system := map[string]string{
			"ApproximateReceiveCount": strconv.Itoa(m.ReceiveCount), "SentTimestamp": strconv.FormatInt(m.SentAt.UnixMilli(), 10),
			"SenderId": "AIDATEST", "ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.SentAt.UnixMilli(), 10),
		}
		if m.Group != "" {
			system["MessageGroupId"] = m.Group
		}
		records[i] = map[string]any{
			"messageId": m.ID, "receiptHandle": fmt.Sprintf("handle-%s-%d", m.ID, m.ReceiveCount), "body": m.Body,
			"attributes": system, "messageAttributes": attrs, "eventSource": "aws:sqs", "eventSourceARN": arn, "awsRegion": "us-east-1",
		}
	}
	return []byte(encode(map[string]any{"Records": records}))
}

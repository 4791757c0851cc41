package consumer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// AttributeID is the message attribute that carries a message's ID through a
// dead-letter sink: AWS gives a redriven message a new MessageId.
const AttributeID = "sluice-id"

// AttributeReason is the message attribute in which a dead letter says why it
// is one.
const AttributeReason = "sluice-reason"

// An Attribute is a message attribute of SQS or SNS.
type Attribute struct {
	DataType string // String, Number, Binary, or one of them with a custom suffix
	String   string // the value of a String or Number
	Binary   []byte // the value of a Binary
}

// inner is what an envelope holds: the innermost of at most three, as SNS in
// SQS, EventBridge in SQS, and EventBridge through SNS in SQS.
type inner struct {
	id        string
	eventType string
	body      []byte
	attrs     map[string]string
	sentAt    time.Time
}

// maxEnvelopes bounds the unwrapping: EventBridge > SNS > SQS is the deepest
// that AWS makes, and a body that nests further is an event about events.
const maxEnvelopes = 3

// envelope is the union of the members that tell SNS's and EventBridge's
// envelopes apart from each other and from events of one's own.
type envelope struct {
	// SNS, https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
	Type              string                  `json:"Type"`
	MessageID         string                  `json:"MessageId"`
	TopicARN          string                  `json:"TopicArn"`
	Message           *string                 `json:"Message"`
	Timestamp         string                  `json:"Timestamp"`
	MessageAttributes map[string]snsAttribute `json:"MessageAttributes"`

	// EventBridge, https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
	ID         string          `json:"id"`
	DetailType *string         `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Detail     json.RawMessage `json:"detail"`
}

type snsAttribute struct {
	Type  string `json:"Type"`
	Value string `json:"Value"`
}

// attribute is the SQS form, in which binary values are bytes and not base64.
func (a snsAttribute) attribute() Attribute {
	if strings.HasPrefix(a.Type, "Binary") {
		if b, err := base64.StdEncoding.DecodeString(a.Value); err == nil {
			return Attribute{DataType: a.Type, Binary: b}
		}
	}
	return Attribute{DataType: a.Type, String: a.Value}
}

func (e *envelope) isSNS() bool {
	return e.Type == "Notification" && e.Message != nil && e.MessageID != "" && e.TopicARN != ""
}

func (e *envelope) isEventBridge() bool {
	return e.DetailType != nil && e.ID != "" && e.Source != "" && e.Account != "" && len(e.Detail) > 0
}

// unwrap takes body out of the envelopes around it. What has an event-type
// attribute is not an envelope, whatever it looks like.
func unwrap(in inner) (inner, error) {
	for range maxEnvelopes {
		// Most bodies are events: a search tells them without a second decode.
		if in.eventType != "" || !looksLikeObject(in.body) || !spelt(in.body, "TopicArn") && !spelt(in.body, "detail-type") {
			return in, nil
		}
		var env envelope
		if err := json.Unmarshal(in.body, &env); err != nil {
			// No JSON, or members of other types than an envelope's: not an
			// envelope. Decoding the event will say what is wrong with it.
			return in, nil //nolint:nilerr // see above
		}
		switch {
		case env.isSNS() && spelt(in.body, "Type", "MessageId", "TopicArn", "Message"):
			in = inner{id: env.MessageID, body: []byte(*env.Message), sentAt: parseTime(env.Timestamp), attrs: map[string]string{}}
			for name, a := range env.MessageAttributes {
				in.attrs[name] = a.Value
			}
			in.eventType = in.attrs[AttributeEventType]
		case env.isEventBridge() && spelt(in.body, "id", "detail-type", "source", "account", "detail"):
			if *env.DetailType == "" {
				in.id = env.ID
				return in, &DecodeError{Err: fmt.Errorf("EventBridge event %s has an empty detail-type", env.ID)}
			}
			return inner{id: env.ID, eventType: *env.DetailType, body: env.Detail, sentAt: parseTime(env.Time)}, nil
		default:
			return in, nil
		}
	}
	return in, nil
}

// spelt reports whether names occur in body exactly so. encoding/json takes
// members in any case, and an event of one's own may have a "topicArn".
func spelt(body []byte, names ...string) bool {
	for _, name := range names {
		if !bytes.Contains(body, []byte(`"`+name+`"`)) {
			return false
		}
	}
	return true
}

func looksLikeObject(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '{'
}

func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// The shapes in which Lambda is invoked. Only what is used is decoded.
type (
	sqsEvent struct {
		Records *[]sqsRecord `json:"Records"`
	}
	sqsRecord struct {
		MessageID         string                  `json:"messageId"`
		ReceiptHandle     string                  `json:"receiptHandle"`
		Body              string                  `json:"body"`
		Attributes        sqsSystemAttributes     `json:"attributes"`
		MessageAttributes map[string]sqsAttribute `json:"messageAttributes"`
		EventSource       string                  `json:"eventSource"`
		ARN               string                  `json:"eventSourceARN"`
	}
	sqsSystemAttributes struct {
		ReceiveCount string `json:"ApproximateReceiveCount"`
		SentAt       string `json:"SentTimestamp"`
		GroupID      string `json:"MessageGroupId"`
	}
	sqsAttribute struct {
		DataType string `json:"dataType"`
		String   string `json:"stringValue"`
		Binary   []byte `json:"binaryValue"`
	}

	snsEvent struct {
		Records *[]struct {
			EventSource string  `json:"EventSource"`
			SNS         snsBody `json:"Sns"`
		} `json:"Records"`
	}
	snsBody struct {
		MessageID         string                  `json:"MessageId"`
		TopicARN          string                  `json:"TopicArn"`
		Message           string                  `json:"Message"`
		Timestamp         string                  `json:"Timestamp"`
		MessageAttributes map[string]snsAttribute `json:"MessageAttributes"`
	}
)

func (a sqsAttribute) attribute() Attribute {
	return Attribute(a)
}

func (r *sqsRecord) inner() (inner, error) {
	in := inner{id: r.MessageID, body: []byte(r.Body), sentAt: parseMillis(r.Attributes.SentAt), attrs: map[string]string{}}
	for name, a := range r.MessageAttributes {
		if a.DataType != "" && a.DataType[0] != 'B' {
			in.attrs[name] = a.String
		}
	}
	in.eventType = in.attrs[AttributeEventType]
	kept := in.attrs[AttributeID]
	in, err := unwrap(in)
	if kept != "" {
		in.id = kept
	}
	return in, err
}

func (b *snsBody) inner() (inner, error) {
	in := inner{id: b.MessageID, body: []byte(b.Message), sentAt: parseTime(b.Timestamp), attrs: map[string]string{}}
	for name, a := range b.MessageAttributes {
		in.attrs[name] = a.Value
	}
	in.eventType = in.attrs[AttributeEventType]
	return unwrap(in)
}

func parseMillis(s string) time.Time {
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// parseSQS reads an invocation by an event source mapping. An error concerns
// the invocation as a whole: nothing can be reported by record.
func parseSQS(payload []byte) ([]sqsRecord, error) {
	var e sqsEvent
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("payload is not an SQS event: %w", err)
	}
	if e.Records == nil {
		return nil, wrongSource(payload, "an SQS event")
	}
	ids := make(map[string]bool, len(*e.Records))
	for i := range *e.Records {
		r := &(*e.Records)[i]
		switch {
		case r.EventSource != "" && r.EventSource != "aws:sqs":
			return nil, wrongSource(payload, "an SQS event")
		case r.MessageID == "":
			return nil, fmt.Errorf("record %d has no messageId, so it could not be reported: the whole batch is failed", i)
		case ids[r.MessageID]:
			return nil, fmt.Errorf("record %d repeats messageId %s, so reporting one would report both: the whole batch is failed", i, r.MessageID)
		}
		ids[r.MessageID] = true
	}
	return *e.Records, nil
}

func parseSNS(payload []byte) ([]snsBody, error) {
	var e snsEvent
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("payload is not an SNS event: %w", err)
	}
	if e.Records == nil {
		return nil, wrongSource(payload, "an SNS event")
	}
	bodies := make([]snsBody, len(*e.Records))
	for i, r := range *e.Records {
		if r.EventSource != "aws:sns" {
			return nil, wrongSource(payload, "an SNS event")
		}
		if r.SNS.MessageID == "" {
			return nil, fmt.Errorf("record %d has no MessageId, by which copies of a message are told from other messages", i)
		}
		bodies[i] = r.SNS
	}
	return bodies, nil
}

// parseEventBridge reads one event, or the array of them that the newer custom
// event buses send unless their batch size is 1.
func parseEventBridge(payload []byte) (events []json.RawMessage, array bool, err error) {
	trimmed := bytes.TrimLeft(payload, " \t\r\n")
	if len(trimmed) > 0 && trimmed[0] == '[' {
		if err := json.Unmarshal(payload, &events); err != nil {
			return nil, true, fmt.Errorf("payload is not an array of EventBridge events: %w", err)
		}
		array = true
	} else {
		events = []json.RawMessage{payload}
	}
	for i, e := range events {
		var env envelope
		if err := json.Unmarshal(e, &env); err != nil {
			return nil, array, fmt.Errorf("payload is not an EventBridge event: %w", err)
		}
		if !env.isEventBridge() {
			if array {
				return nil, array, fmt.Errorf("element %d of the payload is not an EventBridge event: it lacks id, source, account, detail-type or detail", i)
			}
			return nil, array, wrongSource(payload, "an EventBridge event")
		}
	}
	return events, array, nil
}

// wrongSource says what invoked the function instead of what it was built for.
func wrongSource(payload []byte, want string) error {
	var seen struct {
		Records []struct {
			SQS string `json:"eventSource"`
		} `json:"Records"`
		envelope
	}
	got := "something else: check what invokes the function"
	if json.Unmarshal(payload, &seen) == nil {
		switch {
		case len(seen.Records) > 0 && seen.Records[0].SQS != "":
			// encoding/json matches EventSource and eventSource alike.
			got = fmt.Sprintf("records of %q: build the consumer with the constructor of that source", seen.Records[0].SQS)
		case seen.isEventBridge():
			got = "an EventBridge event: build the consumer with NewEventBridge"
		}
	}
	return errors.New("payload is not " + want + " but " + got)
}

package local

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// The field order below is AWS's own, as recorded.

type sqsRecord struct {
	MessageID         string                  `json:"messageId"`
	ReceiptHandle     string                  `json:"receiptHandle"`
	Body              string                  `json:"body"`
	Attributes        sqsAttributes           `json:"attributes"`
	MessageAttributes map[string]sqsAttribute `json:"messageAttributes"`
	MD5OfAttributes   any                     `json:"md5OfMessageAttributes,omitempty"`
	MD5OfBody         string                  `json:"md5OfBody"`
	EventSource       string                  `json:"eventSource"`
	EventSourceARN    string                  `json:"eventSourceARN"`
	AWSRegion         string                  `json:"awsRegion"`
}

type sqsAttributes struct {
	ApproximateReceiveCount          string `json:"ApproximateReceiveCount"`
	AWSTraceHeader                   string `json:"AWSTraceHeader,omitempty"`
	SentTimestamp                    string `json:"SentTimestamp"`
	SequenceNumber                   string `json:"SequenceNumber,omitempty"`
	MessageGroupID                   string `json:"MessageGroupId,omitempty"`
	SenderID                         string `json:"SenderId"`
	MessageDeduplicationID           string `json:"MessageDeduplicationId,omitempty"`
	ApproximateFirstReceiveTimestamp string `json:"ApproximateFirstReceiveTimestamp"`
	DeadLetterQueueSourceARN         string `json:"DeadLetterQueueSourceArn,omitempty"`
}

type sqsAttribute struct {
	StringValue      *string  `json:"stringValue,omitempty"`
	BinaryValue      []byte   `json:"binaryValue,omitempty"`
	StringListValues []string `json:"stringListValues"`
	BinaryListValues []string `json:"binaryListValues"`
	DataType         string   `json:"dataType"`
}

func (m *Mapping) record(msg *message, handle string) sqsRecord {
	millis := func(ms int64) string { return strconv.FormatInt(ms, 10) }
	r := sqsRecord{
		MessageID: msg.id, ReceiptHandle: handle, Body: msg.body,
		Attributes: sqsAttributes{
			ApproximateReceiveCount: strconv.Itoa(msg.receives), AWSTraceHeader: msg.trace, SentTimestamp: millis(msg.sent.UnixMilli()),
			SequenceNumber: msg.sequence, MessageGroupID: msg.group, SenderID: msg.sender, MessageDeduplicationID: msg.dedup,
			ApproximateFirstReceiveTimestamp: millis(msg.firstReceived.UnixMilli()), DeadLetterQueueSourceARN: msg.source,
		},
		MessageAttributes: map[string]sqsAttribute{},
		MD5OfBody:         msg.md5Body, EventSource: "aws:sqs", EventSourceARN: m.queue.arn, AWSRegion: m.engine.region,
	}
	for name, a := range msg.attrs {
		v := sqsAttribute{StringListValues: []string{}, BinaryListValues: []string{}, DataType: a.DataType}
		if a.Binary() {
			v.BinaryValue = a.BinaryValue
		} else {
			v.StringValue = &a.StringValue
		}
		r.MessageAttributes[name] = v
	}
	switch {
	case msg.md5Attrs != "":
		r.MD5OfAttributes = msg.md5Attrs
	case m.config.Window > 0:
		// Recorded: a mapping with a batching window writes null where one without leaves the field out.
		r.MD5OfAttributes = json.RawMessage("null")
	}
	return r
}

// event is the payload of an invocation.
func (m *Mapping) event(messages []*message, handles []string) []byte {
	records := make([]sqsRecord, len(messages))
	for i, msg := range messages {
		records[i] = m.record(msg, handles[i])
	}
	return encodeJSON(struct {
		Records []sqsRecord `json:"Records"`
	}{records})
}

// recordSize is an upper bound for the bytes a message takes in the event, before it is received.
func (m *Mapping) recordSize(msg *message) int {
	const handle, digits, comma = 240, 32, 1 // the longest handle; the count and the first receive's time, which are not known yet
	return len(encodeJSON(m.record(msg, ""))) + handle + digits + comma
}

// encodeJSON writes v without HTML escapes and without a newline. v is a type of this package that always can be encoded.
func encodeJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return []byte("null")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

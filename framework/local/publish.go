package local

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// PublishInput is a message for a topic.
type PublishInput struct {
	Message string
	// Subject, up to 100 printable ASCII characters.
	Subject string
	// JSON means MessageStructure=json: Message is an object with a text per protocol and a "default".
	JSON       bool
	Attributes map[string]AttributeValue // String, String.Array, Number, Binary
	// GroupID is passed on to standard queues (fair queues).
	GroupID string
	// TraceHeader is the request's X-Amzn-Trace-Id.
	TraceHeader string

	originARN, originID string
}

func (in PublishInput) size() int {
	n := len(in.Message)
	for name, a := range in.Attributes {
		n += len(name) + a.size()
	}
	return n
}

// Publish delivers a message to the topic's subscriptions and returns its id. Queues have it when Publish returns; functions are invoked asynchronously, one
// record an invocation. What cannot be delivered goes to the subscription's dead-letter queue, or is lost with a warning.
func (t *Topic) Publish(in PublishInput) (messageID string, err error) {
	t.engine.mu.Lock()
	defer t.engine.unlock()
	return t.publish(in)
}

func (t *Topic) publish(in PublishInput) (string, error) {
	if t.deleted {
		return "", errTopicMissing()
	}
	if err := in.check(t.config.MaximumMessageSize); err != nil {
		return "", err
	}
	return t.accept(in), nil
}

// PublishBatch publishes 1 to 10 messages as one step: a mapping behind a subscribed queue sees all of them or none.
func (t *Topic) PublishBatch(entries []BatchEntry[PublishInput]) ([]BatchResult[string], error) {
	switch {
	case len(entries) == 0:
		return nil, &Error{Code: "EmptyBatchRequest", Shape: "EmptyBatchRequestException", Message: "The batch request doesn't contain any entries."}
	case len(entries) > 10:
		return nil, &Error{Code: "TooManyEntriesInBatchRequest", Shape: "TooManyEntriesInBatchRequestException", Message: "The batch request contains more entries than permissible."}
	}
	seen, total := map[string]bool{}, 0
	for _, entry := range entries {
		if !batchID.MatchString(entry.ID) {
			return nil, &Error{Code: "InvalidBatchEntryId", Shape: "InvalidBatchEntryIdException", Message: "The Id of a batch entry in a batch request doesn't abide by the specification."}
		}
		if seen[entry.ID] {
			return nil, &Error{Code: "BatchEntryIdsNotDistinct", Shape: "BatchEntryIdsNotDistinctException", Message: "Two or more batch entries in the request have the same Id."}
		}
		seen[entry.ID] = true
		total += entry.Input.size()
	}
	if total > t.config.MaximumMessageSize {
		return nil, &Error{Code: "BatchRequestTooLong", Shape: "BatchRequestTooLongException", Message: "The length of all the messages put together is more than the limit."}
	}
	t.engine.mu.Lock()
	defer t.engine.unlock()
	if t.deleted {
		return nil, errTopicMissing()
	}
	results := make([]BatchResult[string], len(entries))
	for i, entry := range entries {
		results[i].ID = entry.ID
		if err := entry.Input.check(t.config.MaximumMessageSize); err != nil {
			results[i].Err = asError(err)
			continue
		}
		results[i].Result = t.accept(entry.Input)
	}
	return results, nil
}

func (in PublishInput) check(limit int) error {
	if in.Message == "" {
		return errSNS("Empty message")
	}
	if in.size() > limit {
		return errSNS("Message too long")
	}
	if len(in.Subject) > 100 {
		return errSNS("Subject")
	}
	for i, r := range in.Subject {
		if r < 0x20 || r > 0x7e || i == 0 && r == ' ' {
			return errSNS("Subject")
		}
	}
	if in.GroupID != "" {
		if err := CheckMessageGroupID(in.GroupID); err != nil {
			return errSNS("The MessageGroupId parameter is not valid: 1 to 128 alphanumeric and punctuation characters")
		}
	}
	if in.JSON {
		var texts map[string]json.RawMessage
		if json.Unmarshal([]byte(in.Message), &texts) != nil {
			return errSNS("Message Structure - JSON message body failed to parse")
		}
		if _, ok := texts["default"]; !ok {
			return errSNS("Message Structure - No default entry in JSON message body")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.Attributes)) {
		a := in.Attributes[name]
		switch {
		case !attributeName.MatchString(name):
			return errSNS("Message attribute name '%s' is invalid", name)
		case a.DataType == "":
			return &Error{Code: "ParameterValueInvalid", Shape: "InvalidParameterValueException", Message: "The message attribute '" + name + "' must contain non-empty message attribute type."}
		case !attributeType.MatchString(a.DataType):
			return &Error{Code: "ParameterValueInvalid", Shape: "InvalidParameterValueException", Message: "The message attribute '" + name + "' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."}
		case a.Binary() && len(a.BinaryValue) == 0, !a.Binary() && a.StringValue == "":
			return &Error{Code: "ParameterValueInvalid", Shape: "InvalidParameterValueException", Message: "The message attribute '" + name + "' must contain non-empty message attribute value for message attribute type '" + a.DataType + "'."}
		case a.DataType == "Number" && !decimalNumber.MatchString(a.StringValue):
			return &Error{Code: "ParameterValueInvalid", Shape: "InvalidParameterValueException", Message: "Could not cast message attribute '" + name + "' value to number."}
		}
	}
	return nil
}

func (t *Topic) accept(in PublishInput) string {
	e := t.engine
	n := notification{topic: t, id: e.newID(), in: in, at: e.now(), signature: base64.StdEncoding.EncodeToString(e.randomBytes(64))}
	e.record(Entry{Kind: TopicPublished, Topic: t.name, MessageID: n.id, Body: in.Message, Detail: in.Subject, Trace: in.TraceHeader,
		OriginARN: in.originARN, OriginID: in.originID})
	for _, s := range t.subscriptions {
		s.deliver(n)
	}
	return n.id
}

// notification is a message on its way to the subscriptions.
type notification struct {
	topic     *Topic
	id        string
	in        PublishInput
	at        time.Time
	signature string
}

// deliver brings a message to one endpoint. The caller holds mu.
func (s *Subscription) deliver(n notification) {
	e := s.topic.engine
	entry := Entry{Kind: TopicDelivered, Topic: s.topic.name, MessageID: n.id, Subscription: s.arn, Target: s.config.Endpoint}
	if s.filter != nil && !s.filter.matches(n.in.Attributes) {
		entry.Cause = "filtered"
		e.record(entry)
		return
	}
	var err error
	if s.config.Protocol == "lambda" {
		entry.TargetID, err = e.invokeAsync(AsyncInput{Function: s.config.Endpoint, Payload: n.event(s), TraceHeader: n.in.TraceHeader, OriginARN: n.topic.arn, OriginID: n.id})
	} else {
		entry.TargetID, err = n.send(s, s.config.Endpoint, s.config.RawMessageDelivery)
	}
	entry.Cause = "delivered"
	if err != nil {
		entry.Cause, entry.Detail = "failed", err.Error()
		if s.config.DeadLetter != "" {
			// SNS sends the whole envelope, also for functions; raw subscriptions keep their messages raw (recorded).
			id, dlqErr := n.send(s, s.config.DeadLetter, s.config.RawMessageDelivery)
			if dlqErr == nil {
				entry.Cause, entry.Target, entry.TargetID = "dead-lettered", s.config.DeadLetter, id
			} else {
				entry.Detail += "; its dead-letter queue: " + dlqErr.Error()
			}
		}
	}
	e.record(entry)
	if entry.Cause == "failed" {
		e.record(Entry{Kind: Warning, Topic: s.topic.name, MessageID: n.id, Subscription: s.arn, Target: s.config.Endpoint, Detail: "a message is lost: " + entry.Detail})
	}
}

// send puts the message into a queue.
func (n notification) send(s *Subscription, queueARN string, raw bool) (string, error) {
	q := n.topic.engine.queueByARN(queueARN)
	if q == nil {
		return "", errQueueMissing()
	}
	in := SendInput{Body: n.envelope(s), GroupID: n.in.GroupID, RequestTrace: n.in.TraceHeader, Sender: "AIDAISMY7JYY5F7RTT6AO", originARN: n.topic.arn, originID: n.id}
	if raw {
		// More than ten attributes make SQS refuse the message, which SNS does not retry.
		in.Body, in.Attributes = n.text(s.config.Protocol), n.in.Attributes
	}
	sent, err := q.send(in)
	return sent.MessageID, err
}

// text is the message for a protocol.
func (n notification) text(protocol string) string {
	if !n.in.JSON {
		return n.in.Message
	}
	var texts map[string]json.RawMessage
	if json.Unmarshal([]byte(n.in.Message), &texts) != nil {
		return n.in.Message
	}
	for _, key := range []string{protocol, "default"} {
		if raw, ok := texts[key]; ok {
			var text string
			if json.Unmarshal(raw, &text) == nil {
				return text
			}
			return string(raw)
		}
	}
	return n.in.Message
}

type snsAttribute struct {
	Type  string `json:"Type"`
	Value string `json:"Value"`
}

func (n notification) attributes() map[string]snsAttribute {
	out := make(map[string]snsAttribute, len(n.in.Attributes))
	for name, a := range n.in.Attributes {
		v := snsAttribute{Type: a.DataType, Value: a.StringValue}
		if a.Binary() {
			v.Value = base64.StdEncoding.EncodeToString(a.BinaryValue)
		}
		out[name] = v
	}
	return out
}

func (n notification) certificateURL() string {
	return "https://sns." + n.topic.engine.region + ".amazonaws.com/SimpleNotificationService-0000000000000000000000000000000000000000.pem"
}

func (n notification) unsubscribeURL(s *Subscription) string {
	return "https://sns." + n.topic.engine.region + ".amazonaws.com/?Action=Unsubscribe&SubscriptionArn=" + s.arn
}

// envelope is the body that SNS sends to a queue: its key order, its ...URL spelling, its spaces.
func (n notification) envelope(s *Subscription) string {
	var b strings.Builder
	b.WriteString("{")
	sep := "\n"
	put := func(key string, value any) {
		fmt.Fprintf(&b, "%s  %q : %s", sep, key, encodeJSON(value))
		sep = ",\n"
	}
	put("Type", "Notification")
	put("MessageId", n.id)
	put("TopicArn", n.topic.arn)
	if n.in.Subject != "" {
		put("Subject", n.in.Subject)
	}
	put("Message", n.text(s.config.Protocol))
	put("Timestamp", n.at.UTC().Format(millis))
	put("SignatureVersion", "1")
	put("Signature", n.signature)
	put("SigningCertURL", n.certificateURL())
	put("UnsubscribeURL", n.unsubscribeURL(s))
	if attrs := n.attributes(); len(attrs) > 0 {
		fmt.Fprintf(&b, "%s  %q : {", sep, "MessageAttributes")
		sep = "\n"
		for _, name := range slices.Sorted(maps.Keys(attrs)) {
			fmt.Fprintf(&b, "%s    %s : %s", sep, encodeJSON(name), encodeJSON(attrs[name]))
			sep = ",\n"
		}
		b.WriteString("\n  }")
	}
	b.WriteString("\n}")
	return b.String()
}

// event is the payload of a subscribed function: always one record, with ...Url spelled so.
func (n notification) event(s *Subscription) []byte {
	type sns struct {
		Type              string                  `json:"Type"`
		MessageID         string                  `json:"MessageId"`
		TopicARN          string                  `json:"TopicArn"`
		Subject           *string                 `json:"Subject"`
		Message           string                  `json:"Message"`
		Timestamp         string                  `json:"Timestamp"`
		SignatureVersion  string                  `json:"SignatureVersion"`
		Signature         string                  `json:"Signature"`
		SigningCertURL    string                  `json:"SigningCertUrl"`
		UnsubscribeURL    string                  `json:"UnsubscribeUrl"`
		MessageAttributes map[string]snsAttribute `json:"MessageAttributes"`
	}
	type record struct {
		EventSource          string `json:"EventSource"`
		EventVersion         string `json:"EventVersion"`
		EventSubscriptionARN string `json:"EventSubscriptionArn"`
		SNS                  sns    `json:"Sns"`
	}
	m := sns{Type: "Notification", MessageID: n.id, TopicARN: n.topic.arn, Message: n.text(s.config.Protocol), Timestamp: n.at.UTC().Format(millis),
		SignatureVersion: "1", Signature: n.signature, SigningCertURL: n.certificateURL(), UnsubscribeURL: n.unsubscribeURL(s), MessageAttributes: n.attributes()}
	if n.in.Subject != "" {
		m.Subject = &n.in.Subject
	}
	return encodeJSON(struct {
		Records []record `json:"Records"`
	}{[]record{{EventSource: "aws:sns", EventVersion: "1.0", EventSubscriptionARN: s.arn, SNS: m}}})
}

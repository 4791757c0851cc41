package local

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// EventInput is an entry of PutEvents.
type EventInput struct {
	Source, DetailType string
	Detail             string // a JSON object
	Bus                string // name or ARN; "" is the default bus
	Resources          []string
	Time               time.Time // zero means now
	// TraceHeader is the entry's TraceHeader, or the request's X-Amzn-Trace-Id.
	TraceHeader string

	service bool // an AWS service puts it: source names that are reserved are allowed
}

// EventResult is the result of an entry: an id, or an error.
type EventResult struct {
	EventID string
	Err     *Error
}

// eventSizeLimit is the limit for one PutEvents request, 1 MB (EventBridge quotas).
const eventSizeLimit = 1 << 20

// PutEvents puts 1 to 10 events on their buses. Queues have them when PutEvents returns; functions are invoked asynchronously. An event for a bus that does not
// exist is accepted and dropped, as on AWS, with a warning.
func (e *Engine) PutEvents(entries []EventInput) ([]EventResult, error) {
	if len(entries) < 1 || len(entries) > 10 {
		return nil, errValidation("1 validation error detected: Value '[PutEventsRequestEntry]' at 'entries' failed to satisfy constraint: Member must have length %s",
			map[bool]string{true: "greater than or equal to 1", false: "less than or equal to 10"}[len(entries) < 1])
	}
	total := 0
	for _, in := range entries {
		total += in.size()
	}
	if total > eventSizeLimit {
		return nil, errValidation("Total size of the entries in the request is over the limit.")
	}
	e.mu.Lock()
	defer e.unlock()
	return e.putEvents(entries), nil
}

// size counts as the user guide's "Calculating PutEvents event entry size" does.
func (in EventInput) size() int {
	n := len(in.Source) + len(in.DetailType) + len(in.Detail)
	if !in.Time.IsZero() {
		n += 14
	}
	for _, r := range in.Resources {
		n += len(r)
	}
	return n
}

func (in EventInput) check() *Error {
	required := func(name string) *Error {
		return &Error{Code: "InvalidArgument", Message: "Parameter " + name + " is not valid. Reason: " + name + " is a required argument."}
	}
	switch {
	case in.Source == "":
		return required("Source")
	case strings.HasPrefix(in.Source, "aws.") && !in.service:
		return &Error{Code: "NotAuthorizedForSourceException", Message: "Not authorized for the source."}
	case in.DetailType == "":
		return required("DetailType")
	case in.Detail == "":
		return required("Detail")
	}
	if detail, err := decodeJSON([]byte(in.Detail)); err != nil || !isObject(detail) {
		return &Error{Code: "MalformedDetail", Message: "Detail is malformed."}
	}
	return nil
}

func isObject(v any) bool {
	_, ok := v.(map[string]any)
	return ok
}

// event is an event on a bus, in AWS's field order.
type event struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

func (e *Engine) putEvents(entries []EventInput) []EventResult {
	results := make([]EventResult, len(entries))
	for i, in := range entries {
		if err := in.check(); err != nil {
			results[i].Err = err
			continue
		}
		results[i].EventID = e.newID()
		b := e.bus(in.Bus)
		if b == nil {
			e.record(Entry{Kind: Warning, EventID: results[i].EventID, Bus: in.Bus, Detail: "event bus " + in.Bus + " does not exist: the event was accepted and dropped, as on AWS"})
			continue
		}
		b.accept(in, results[i].EventID)
	}
	return results
}

// accept matches an event against the rules of the bus. The caller holds mu.
func (b *Bus) accept(in EventInput, id string) {
	e := b.engine
	at := in.Time
	if at.IsZero() {
		at = e.now()
	}
	var detail bytes.Buffer
	if err := json.Compact(&detail, []byte(in.Detail)); err != nil {
		return // checked before
	}
	if in.Resources == nil {
		in.Resources = []string{}
	}
	body := encodeJSON(event{Version: "0", ID: id, DetailType: in.DetailType, Source: in.Source, Account: e.account, Time: at.UTC().Format("2006-01-02T15:04:05Z"),
		Region: e.region, Resources: in.Resources, Detail: detail.Bytes()})
	e.record(Entry{Kind: EventAccepted, Bus: b.name, EventID: id, Body: string(body), Detail: in.DetailType, Trace: in.TraceHeader})
	value, err := decodeJSON(body)
	if err != nil {
		return
	}
	for _, r := range b.rules {
		if r.config.Disabled || !r.pattern.matches(value, true) {
			continue
		}
		for _, t := range r.config.Targets {
			r.deliver(t, id, body, in.TraceHeader)
		}
	}
}

// deliver brings an event to one target. A target that does not exist, or refuses the event for good, is not retried: the event goes to the
// target's dead-letter queue (EventBridge user guide, "Event retry policy and using dead-letter queues").
func (r *Rule) deliver(t TargetConfig, id string, body []byte, trace string) {
	e := r.bus.engine
	entry := Entry{Kind: EventMatched, Bus: r.bus.name, Rule: r.config.Name, EventID: id, Target: t.ARN, Cause: "delivered"}
	var err error
	if service, _, _ := parseARN(t.ARN); service == "lambda" {
		entry.TargetID, err = e.invokeAsync(AsyncInput{Function: t.ARN, Payload: body, TraceHeader: trace, OriginARN: r.arn, OriginID: id})
	} else {
		entry.TargetID, err = r.send(t.ARN, SendInput{Body: string(body), GroupID: t.MessageGroupID, RequestTrace: trace, originID: id})
	}
	if err != nil {
		entry.Cause, entry.Detail = "failed", err.Error()
		if t.DeadLetter != "" {
			code := "INVALID_PARAMETER"
			if c := asError(err).Code; strings.Contains(c, "NonExistentQueue") || c == "ResourceNotFoundException" {
				code = "NO_RESOURCE"
			}
			text := func(s string) AttributeValue { return AttributeValue{DataType: "String", StringValue: s} }
			dlqID, dlqErr := r.send(t.DeadLetter, SendInput{Body: string(body), RequestTrace: trace, originID: id, Attributes: map[string]AttributeValue{
				"RULE_ARN": text(r.arn), "TARGET_ARN": text(t.ARN), "ERROR_CODE": text(code), "ERROR_MESSAGE": text(asError(err).Message),
				"RETRY_ATTEMPTS": {DataType: "Number", StringValue: "0"},
			}})
			if dlqErr == nil {
				entry.Cause, entry.Target, entry.TargetID = "dead-lettered", t.DeadLetter, dlqID
			} else {
				entry.Detail += fmt.Sprintf("; its dead-letter queue: %v", dlqErr)
			}
		}
	}
	e.record(entry)
	if entry.Cause == "failed" {
		e.record(Entry{Kind: Warning, Bus: r.bus.name, Rule: r.config.Name, EventID: id, Target: t.ARN, Detail: "an event is lost: " + entry.Detail})
	}
}

func (r *Rule) send(arn string, in SendInput) (string, error) {
	q := r.bus.engine.queueByARN(arn)
	if q == nil {
		return "", errQueueMissing()
	}
	in.originARN = r.arn
	sent, err := q.send(in)
	return sent.MessageID, err
}

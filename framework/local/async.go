package local

import (
	"encoding/json"
	"slices"
	"time"
)

// asyncEvent waits in Lambda's internal queue, or is being worked on.
type asyncEvent struct {
	function  *function
	id        string
	payload   []byte
	trace     string
	originARN string
	originID  string
	accepted  time.Time
	due       time.Time
	running   bool
	attempts  int // runs that ended with a function error or success
	throttles int // in a row
	last      Result
}

// AsyncInput is an asynchronous invocation (invocation type Event).
type AsyncInput struct {
	Function    string // name or ARN
	Payload     []byte
	TraceHeader string // "" makes a new trace
	OriginARN   string // see [Entry]
	OriginID    string
}

// asyncPayloadLimit is Lambda's limit for asynchronous payloads, 1 MB (Lambda quotas).
const asyncPayloadLimit = 1 << 20

// InvokeAsync queues an event for a function and returns its request id. The function is run by [Engine.Run]: a function error is retried after
// 1 minute and then after 2 minutes, a throttle with a back-off from 1 s to 5 min, as far as the maximum event age allows (Lambda developer
// guide, "How Lambda handles errors and retries with asynchronous invocation"). An event that is given up goes to the failure destination and the
// dead-letter target.
func (e *Engine) InvokeAsync(in AsyncInput) (requestID string, err error) {
	e.mu.Lock()
	defer e.unlock()
	return e.invokeAsync(in)
}

func (e *Engine) invokeAsync(in AsyncInput) (string, error) {
	f := e.function(in.Function)
	if f == nil {
		return "", errFunctionMissing(in.Function)
	}
	if len(in.Payload) == 0 {
		in.Payload = []byte("{}")
	}
	if !json.Valid(in.Payload) {
		return "", &Error{Code: "InvalidRequestContentException", Message: "Could not parse request body into json: the payload of an asynchronous invocation is not valid JSON"}
	}
	if len(in.Payload) > asyncPayloadLimit {
		return "", &Error{Code: "RequestTooLargeException", Status: 413, Message: "the payload of an asynchronous invocation is larger than 1,048,576 bytes"}
	}
	now := e.now()
	a := &asyncEvent{function: f, id: e.newID(), payload: slices.Clone(in.Payload), trace: in.TraceHeader, accepted: now, due: now,
		originARN: in.OriginARN, originID: in.OriginID}
	if a.trace == "" {
		a.trace = e.newTrace(now)
	}
	e.async = append(e.async, a)
	e.bump()
	return a.id, nil
}

// AsyncState is an event in a function's asynchronous queue.
type AsyncState struct {
	Function, RequestID string
	Attempts            int       // runs that ended
	Running             bool      // a run is in flight
	Due                 time.Time // next run
	Payload             []byte
	OriginARN, OriginID string
}

// AsyncEvents returns the asynchronous events that are neither done nor given up, in the order in which they were accepted.
func (e *Engine) AsyncEvents() []AsyncState {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]AsyncState, len(e.async))
	for i, a := range e.async {
		out[i] = AsyncState{Function: a.function.name, RequestID: a.id, Attempts: a.attempts, Running: a.running, Due: a.due,
			Payload: slices.Clone(a.payload), OriginARN: a.originARN, OriginID: a.originID}
	}
	return out
}

func (e *Engine) dispatchAsync(now time.Time) (starts []func()) {
	for _, a := range slices.Clone(e.async) {
		if a.running || a.due.After(now) {
			continue
		}
		a.running = true
		entry := Entry{Attempt: a.attempts + 1, Cause: "async", OriginARN: a.originARN, OriginID: a.originID}
		starts = append(starts, e.begin(a.function, a.id, a.payload, a.trace, entry, func(r Result, ended Entry) { e.finishAsync(a, r, ended) }))
	}
	return starts
}

// finishAsync acts on a run's result. The caller holds mu.
func (e *Engine) finishAsync(a *asyncEvent, r Result, ended Entry) {
	now := e.now()
	a.running = false
	ended.Cause = cause(r)
	e.record(ended)
	var wait time.Duration
	switch {
	case r.Throttled:
		wait = min(time.Second<<min(a.throttles, 10), 5*time.Minute)
		a.throttles++
	case r.FunctionError == "":
		e.dropAsync(a)
		return
	default:
		a.attempts, a.throttles, a.last = a.attempts+1, 0, r
		if a.attempts > a.function.retries {
			e.giveUp(a, "RetriesExhausted", now)
			return
		}
		wait = time.Duration(a.attempts) * time.Minute
	}
	// An event whose next run would come too late is given up at once (recorded: age 60 s has no retry, and the record comes without waiting).
	if now.Add(wait).Sub(a.accepted) >= a.function.age {
		e.giveUp(a, "EventAgeExceeded", now)
		return
	}
	a.due = now.Add(wait)
	e.record(Entry{Kind: AsyncRetry, Function: a.function.name, RequestID: a.id, Attempt: a.attempts, VisibleAt: a.due.UTC(), Cause: ended.Cause,
		OriginARN: a.originARN, OriginID: a.originID})
}

func (e *Engine) dropAsync(a *asyncEvent) {
	e.async = slices.DeleteFunc(e.async, func(o *asyncEvent) bool { return o == a })
}

// failureRecord is what an on-failure destination gets, in AWS's field order (recorded).
type failureRecord struct {
	Version         string           `json:"version"`
	Timestamp       string           `json:"timestamp"`
	RequestContext  failureContext   `json:"requestContext"`
	RequestPayload  json.RawMessage  `json:"requestPayload"`
	ResponseContext *failureResponse `json:"responseContext,omitempty"`
	ResponsePayload json.RawMessage  `json:"responsePayload,omitempty"`
}

type failureContext struct {
	RequestID              string `json:"requestId"`
	FunctionARN            string `json:"functionArn"`
	Condition              string `json:"condition"`
	ApproximateInvokeCount int    `json:"approximateInvokeCount"`
}

type failureResponse struct {
	StatusCode      int    `json:"statusCode"`
	ExecutedVersion string `json:"executedVersion"`
	FunctionError   string `json:"functionError,omitempty"`
}

// giveUp sends an event to the failure destination and the dead-letter target.
func (e *Engine) giveUp(a *asyncEvent, condition string, now time.Time) {
	e.dropAsync(a)
	f := a.function
	failed := Entry{Kind: AsyncFailed, Function: f.name, RequestID: a.id, Attempt: a.attempts, Cause: condition, OriginARN: a.originARN, OriginID: a.originID}
	if f.onFailure == "" && f.deadLet == "" {
		failed.Detail = "the event is lost: the function has neither an on-failure destination nor a dead-letter target"
		e.record(failed)
		return
	}
	if f.onFailure != "" {
		record := failureRecord{Version: "1.0", Timestamp: now.UTC().Format(millis), RequestPayload: a.payload,
			RequestContext: failureContext{RequestID: a.id, FunctionARN: f.arn + ":$LATEST", Condition: condition, ApproximateInvokeCount: a.attempts}}
		if a.attempts > 0 {
			record.ResponseContext = &failureResponse{StatusCode: 200, ExecutedVersion: "$LATEST", FunctionError: a.last.FunctionError}
			record.ResponsePayload = rawOrString(a.last.Payload)
		}
		entry := failed
		entry.Target = f.onFailure
		entry.TargetID, entry.Detail = e.sendFailure(a, f.onFailure, encodeJSON(record), nil)
		e.record(entry)
	}
	if f.deadLet != "" {
		attrs := map[string]AttributeValue{
			"RequestID":    {DataType: "String", StringValue: a.id},
			"ErrorCode":    {DataType: "Number", StringValue: "200"},
			"ErrorMessage": {DataType: "String", StringValue: errorMessage(a.last)},
		}
		entry := failed
		entry.Target = f.deadLet
		entry.TargetID, entry.Detail = e.sendFailure(a, f.deadLet, a.payload, attrs)
		e.record(entry)
	}
}

// errorMessage is the function's error, cut to the 1 KB that Lambda keeps in a dead-letter attribute.
func errorMessage(r Result) string {
	var doc struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(r.Payload, &doc) != nil || doc.Message == "" {
		return "Unhandled"
	}
	if len(doc.Message) > 1024 {
		return doc.Message[:1024]
	}
	return doc.Message
}

func rawOrString(payload []byte) json.RawMessage {
	if json.Valid(payload) {
		return payload
	}
	return encodeJSON(string(payload))
}

// sendFailure delivers to a queue, topic, function or bus. problem is "" when it arrived.
func (e *Engine) sendFailure(a *asyncEvent, arn string, body []byte, attrs map[string]AttributeValue) (id, problem string) {
	service, _, _ := parseARN(arn)
	lost := func(err error) (string, string) {
		problem := "the event is lost: sending it to " + arn + " failed: " + err.Error()
		e.record(Entry{Kind: Warning, Function: a.function.name, RequestID: a.id, Target: arn, Detail: problem})
		return "", problem
	}
	switch service {
	case "sqs":
		q := e.queueByARN(arn)
		if q == nil {
			return lost(errQueueMissing())
		}
		sent, err := q.send(SendInput{Body: string(body), Attributes: attrs, TraceHeader: a.trace, originARN: a.function.arn, originID: a.id})
		if err != nil {
			return lost(err)
		}
		return sent.MessageID, ""
	case "sns":
		t := e.topicByARN(arn)
		if t == nil {
			return lost(errTopicMissing())
		}
		id, err := t.publish(PublishInput{Message: string(body), Attributes: attrs, TraceHeader: a.trace, originARN: a.function.arn, originID: a.id})
		if err != nil {
			return lost(err)
		}
		return id, ""
	case "lambda":
		id, err := e.invokeAsync(AsyncInput{Function: arn, Payload: body, TraceHeader: a.trace, OriginARN: a.function.arn, OriginID: a.id})
		if err != nil {
			return lost(err)
		}
		return id, ""
	default: // events
		results := e.putEvents([]EventInput{{
			Source: "lambda", DetailType: "Lambda Function Invocation Result - Failure", Detail: string(body), Bus: arn, TraceHeader: a.trace,
			Resources: []string{a.function.arn + ":$LATEST", arn}, service: true,
		}})
		if err := results[0].Err; err != nil {
			return lost(err)
		}
		return results[0].EventID, ""
	}
}

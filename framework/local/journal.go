package local

import "time"

// Kind says what a journal entry reports.
type Kind string

// The kinds of journal entries. Each comment names the fields that are set besides Seq, Time and Kind.
const (
	// MessageSent: a queue accepted a message. Queue, MessageID, GroupID, Body, VisibleAt when delayed, Trace, Origin*.
	MessageSent Kind = "message.sent"
	// MessageReceived: a message was handed out. Queue, MessageID, GroupID, ReceiveCount, VisibleAt; Function, Mapping and
	// RequestID when a mapping received it; Cause is "mapping" or "client".
	MessageReceived Kind = "message.received"
	// MessageDeleted: a message left its queue for good. Queue, MessageID, GroupID, ReceiveCount; Cause is "client", "mapping", "purge",
	// "queue deleted" or "moved"; RequestID and Function when a mapping deleted it.
	MessageDeleted Kind = "message.deleted"
	// MessageVisibility: the visibility of a message in flight was changed. Queue, MessageID, ReceiveCount, VisibleAt.
	MessageVisibility Kind = "message.visibility"
	// MessageReturned: a message became visible again. Queue, MessageID, GroupID, ReceiveCount; Cause is "visibility timeout" or
	// "visibility set to 0".
	MessageReturned Kind = "message.returned"
	// MessageDeadLettered: the redrive policy moved a message. Queue is the source, Target the dead-letter queue's ARN,
	// MessageID, GroupID, ReceiveCount.
	MessageDeadLettered Kind = "message.dead-lettered"
	// MoveStarted: a message move task started (its messages are told as deleted with Cause "moved", and as sent with Origin*). Queue is its source,
	// Target the destination's ARN if one was given, Detail how many messages it found.
	MoveStarted Kind = "move.started"
	// MoveEnded: a message move task ended. Queue, Target, Cause is the status (COMPLETED, CANCELLED or FAILED), Detail how many messages were moved
	// and why it failed.
	MoveEnded Kind = "move.ended"
	// MessageExpired: the retention period ended. Queue, MessageID, ReceiveCount.
	MessageExpired Kind = "message.expired"
	// MessageDeduplicated: a FIFO queue accepted a send and dropped it as a duplicate. Queue, MessageID (of the first one), GroupID,
	// Detail is the deduplication id, Origin*.
	MessageDeduplicated Kind = "message.deduplicated"
	// TopicPublished: a topic accepted a message. Topic, MessageID, Subject in Detail, Body, Trace.
	TopicPublished Kind = "topic.published"
	// TopicDelivered: a subscription's endpoint got, did not get or filtered out a message. Topic, MessageID, Subscription, Target (endpoint ARN);
	// TargetID is the SQS message id or the Lambda request id; Cause is "delivered", "filtered", "dead-lettered" or "failed"; Detail the reason.
	TopicDelivered Kind = "topic.delivered"
	// EventAccepted: a bus accepted an event. Bus, EventID, Body (the event), Detail (its detail-type), Trace.
	EventAccepted Kind = "event.accepted"
	// EventMatched: a rule's target got or did not get an event. Bus, Rule, EventID, Target, TargetID; Cause and Detail as for TopicDelivered.
	EventMatched Kind = "event.matched"
	// InvocationStarted: a function was invoked. Function, RequestID, Attempt (from 1), Body (the payload), Trace; Mapping, Queue and
	// MessageIDs for a batch; Origin* for an asynchronous invocation; Cause is "mapping", "async" or "sync".
	InvocationStarted Kind = "invocation.started"
	// InvocationEnded: the invocation's result arrived and was acted on. As InvocationStarted, and Response; Cause is "ok", "function error",
	// "throttled" or "invalid response"; Settled and Reported partition MessageIDs of a batch; Detail explains.
	InvocationEnded Kind = "invocation.ended"
	// AsyncRetry: an asynchronous invocation will be tried again. Function, RequestID, Attempt (runs so far), VisibleAt (when), Cause.
	AsyncRetry Kind = "async.retry"
	// AsyncFailed: an asynchronous event was given up. Function, RequestID, Attempt, Target (where it went, if anywhere), TargetID; Cause is AWS's
	// condition, RetriesExhausted or EventAgeExceeded.
	AsyncFailed Kind = "async.failed"
	// ClockJumped: the clock moved by itself or by hand. Jump; Cause is "idle" or "by hand".
	ClockJumped Kind = "clock.jumped"
	// Warning: something AWS would do that the engine cannot, or that loses data on AWS too. Detail.
	Warning Kind = "warning"
)

// Entry is one thing that happened. It is flat: which fields are set is said at each [Kind]. Slices are the receiver's own.
type Entry struct {
	Seq  uint64    `json:"seq"`  // from 1, without gaps
	Time time.Time `json:"time"` // the engine's clock
	Kind Kind      `json:"kind"`

	Queue        string `json:"queue,omitempty"`        // queue name
	Topic        string `json:"topic,omitempty"`        // topic name
	Subscription string `json:"subscription,omitempty"` // subscription ARN
	Bus          string `json:"bus,omitempty"`          // bus name
	Rule         string `json:"rule,omitempty"`         // rule name
	Function     string `json:"function,omitempty"`     // function name
	Mapping      string `json:"mapping,omitempty"`      // event source mapping UUID
	Target       string `json:"target,omitempty"`       // ARN of where something went
	TargetID     string `json:"targetId,omitempty"`     // id it has there

	MessageID    string    `json:"messageId,omitempty"`
	EventID      string    `json:"eventId,omitempty"`
	RequestID    string    `json:"requestId,omitempty"`
	GroupID      string    `json:"groupId,omitempty"`
	ReceiveCount int       `json:"receiveCount,omitempty"`
	Attempt      int       `json:"attempt,omitempty"`
	VisibleAt    time.Time `json:"visibleAt,omitzero"`

	MessageIDs []string `json:"messageIds,omitempty"` // the batch, in order
	Settled    []string `json:"settled,omitempty"`    // deleted after the invocation
	Reported   []string `json:"reported,omitempty"`   // kept: they come back

	// OriginARN and OriginID tie a message or invocation to what it came from: the topic and SNS message id, the rule and
	// event id, the function and request id of a failure record, the dead-letter queue and former message id of a move.
	OriginARN string `json:"originArn,omitempty"`
	OriginID  string `json:"originId,omitempty"`

	Trace    string        `json:"trace,omitempty"` // X-Ray trace header
	Body     string        `json:"body,omitempty"`
	Response string        `json:"response,omitempty"`
	Jump     time.Duration `json:"jump,omitempty"`
	Cause    string        `json:"cause,omitempty"`
	Detail   string        `json:"detail,omitempty"`
}

// record appends an entry for the journal. The caller holds mu.
func (e *Engine) record(entry Entry) {
	if e.journal == nil {
		return
	}
	e.seq++
	entry.Seq = e.seq
	entry.Time = e.now().UTC().Round(0)
	e.entries = append(e.entries, entry)
}

// unlock releases mu and tells the journal what happened under it.
func (e *Engine) unlock() {
	pending := len(e.entries) > 0 && !e.flushing
	e.mu.Unlock()
	if pending {
		e.flush()
	}
}

// flush hands entries to the journal in order. Only one goroutine does so at a time; another one that finds it at work
// leaves its entries to it, so that a journal may call the engine without a deadlock.
func (e *Engine) flush() {
	e.mu.Lock()
	if e.flushing {
		e.mu.Unlock()
		return
	}
	e.flushing = true
	for len(e.entries) > 0 {
		batch := e.entries
		e.entries = nil
		e.mu.Unlock()
		for _, entry := range batch {
			e.journal(entry)
		}
		e.mu.Lock()
	}
	e.flushing = false
	e.bump() // Quiet waits for the journal, too
	e.mu.Unlock()
}

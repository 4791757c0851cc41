package local

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// MoveStatus is the status of a message move task, as ListMessageMoveTasks answers it.
type MoveStatus string

// The statuses of a move task. The first two are active: a queue has one active task at most.
const (
	MoveRunning    MoveStatus = "RUNNING"
	MoveCancelling MoveStatus = "CANCELLING"
	MoveCompleted  MoveStatus = "COMPLETED"
	MoveCancelled  MoveStatus = "CANCELLED"
	MoveFailed     MoveStatus = "FAILED"
)

// MoveInput says what to move (SQS API reference, StartMessageMoveTask).
type MoveInput struct {
	// SourceARN names a queue that some queue's redrive policy names as its dead-letter queue.
	SourceARN string
	// DestinationARN is where the messages go; empty means that each goes back to the queue it was dead-lettered from.
	DestinationARN string
	// MaxPerSecond, 1 to 500; nil means all at once. (AWS then chooses a rate by the backlog.)
	MaxPerSecond *int
}

// MoveTask is a message move task as it stands.
type MoveTask struct {
	Handle         string
	SourceARN      string
	DestinationARN string // "" when none was given
	MaxPerSecond   int    // 0 when none was given
	Started        time.Time
	Status         MoveStatus
	// FailureReason is set when the status is FAILED.
	FailureReason string
	// Moved counts what was moved so far, ToMove what was visible in the source when the task started.
	Moved, ToMove int
}

// moveTask is a task in its source queue. It moves what was there when it started: a message that comes later, or that is in flight when the task
// comes by, stays.
type moveTask struct {
	MoveTask
	id     string
	newest uint64 // the order of the last message that is part of it
	due    time.Time
}

func (m *moveTask) active() bool { return m.Status == MoveRunning || m.Status == MoveCancelling }

// movesKept is how many tasks ListMessageMoveTasks can answer for a queue.
const movesKept = 10

// Why a task failed (SQS developer guide, "Troubleshoot Amazon SQS dead-letter queue and DLQ redrive issues"; the second was recorded).
const (
	reasonNoSource = "CouldNotDetermineMessageSource"
	reasonNoQueue  = "AWS.SimpleQueueService.NonExistentQueue"
	reasonTooLong  = "InvalidParameterValue" // what SendMessage answers; AWS's task was not seen
)

// StartMove starts a task that moves messages out of a dead-letter queue, and returns its handle. [Engine.Run] moves them: up to MaxPerSecond at once and
// then again every second.
//
// A moved message is a new one: new message id, new enqueue time, receive count 0, no DeadLetterQueueSourceArn (SQS developer guide, "Configure a dead-letter
// queue redrive"). Body, attributes, trace header and message group stay. In a FIFO queue it has a new deduplication id, so that nothing
// the destination remembers drops it.
//
// A message that was sent to the dead-letter queue has no queue to go back to: without DestinationARN it fails the task and stays, and so does what is behind it.
func (e *Engine) StartMove(in MoveInput) (handle string, err error) {
	if in.SourceARN == "" {
		return "", errMissingParameter("SourceArn")
	}
	if n := in.MaxPerSecond; n != nil && (*n < 1 || *n > 500) {
		return "", errInvalidValue("Value %d for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and 500, if provided.", *n)
	}
	e.mu.Lock()
	defer e.unlock()
	q := e.queueByARN(in.SourceARN)
	if q == nil {
		return "", errNoResource("SourceArn")
	}
	if len(q.sources()) == 0 {
		return "", errInvalidValue("Source queue must be configured as a Dead Letter Queue.")
	}
	if in.DestinationARN != "" {
		switch to := e.queueByARN(in.DestinationARN); {
		case to == nil:
			return "", errNoResource("DestinationArn")
		case to == q:
			return "", errInvalidValue("Value %s for parameter DestinationArn is invalid. Reason: It is the source queue.", in.DestinationARN)
		case to.config.FIFO != q.config.FIFO:
			return "", errInvalidValue("Value %s for parameter DestinationArn is invalid. Reason: It must be the same type of queue as the source.", in.DestinationARN)
		}
	}
	if q.activeMove() != nil {
		return "", errInvalidValue("There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
	}
	now := e.now()
	q.settle(now)
	task := &moveTask{id: e.newID(), newest: e.order, due: now, MoveTask: MoveTask{
		SourceARN: q.arn, DestinationARN: in.DestinationARN, Started: now, Status: MoveRunning,
	}}
	for _, m := range q.messages {
		if !m.visibleAt.After(now) {
			task.ToMove++
		}
	}
	if in.MaxPerSecond != nil {
		task.MaxPerSecond = *in.MaxPerSecond
	}
	task.Handle = moveHandle{TaskID: task.id, SourceARN: q.arn}.text()
	q.moves = append(q.moves, task)
	q.moves = q.moves[max(0, len(q.moves)-movesKept):]
	e.record(Entry{Kind: MoveStarted, Queue: q.name, Target: in.DestinationARN, Detail: fmt.Sprintf("%d messages to move", task.ToMove)})
	e.bump()
	return task.Handle, nil
}

// Moves returns the latest tasks of a source queue, at most limit (1 to 10), the newest first.
func (e *Engine) Moves(sourceARN string, limit int) ([]MoveTask, error) {
	if sourceARN == "" {
		return nil, errMissingParameter("SourceArn")
	}
	if limit < 1 || limit > movesKept {
		return nil, errInvalidValue("Value %d for parameter MaxResults is invalid. Reason: Must be between 1 and %d, if provided.", limit, movesKept)
	}
	e.mu.Lock()
	defer e.unlock()
	q := e.queueByARN(sourceARN)
	if q == nil {
		return nil, errNoResource("SourceArn")
	}
	var tasks []MoveTask
	for _, task := range slices.Backward(q.moves) {
		if len(tasks) == limit {
			break
		}
		tasks = append(tasks, task.MoveTask)
	}
	return tasks, nil
}

// CancelMove ends a running task and returns how many messages it has moved, which stay where they are. The task is CANCELLING until [Engine.Run]
// comes by.
func (e *Engine) CancelMove(handle string) (moved int, err error) {
	if handle == "" {
		return 0, errMissingParameter("TaskHandle")
	}
	h, ok := parseMoveHandle(handle)
	if !ok {
		return 0, errInvalidValue("Value for parameter TaskHandle is invalid.")
	}
	e.mu.Lock()
	defer e.unlock()
	q := e.queueByARN(h.SourceARN)
	if q == nil {
		return 0, errNoResource("SourceArn")
	}
	i := slices.IndexFunc(q.moves, func(m *moveTask) bool { return m.id == h.TaskID })
	if i < 0 {
		return 0, &Error{Code: "ResourceNotFoundException", Message: "Task does not exist.", Status: http.StatusNotFound}
	}
	task := q.moves[i]
	if task.Status != MoveRunning {
		return 0, &Error{Code: "AWS.SimpleQueueService.UnsupportedOperation", Shape: "UnsupportedOperation",
			Message: fmt.Sprintf("A task can be cancelled while it is RUNNING; this one is %s.", task.Status)}
	}
	task.Status, task.due = MoveCancelling, e.now()
	e.bump()
	return task.Moved, nil
}

// moveHandle is what a task handle holds on AWS: its tests' recordings accept one that was made by hand in this form.
type moveHandle struct {
	TaskID    string `json:"taskId"`
	SourceARN string `json:"sourceArn"`
}

func (h moveHandle) text() string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"taskId":%q,"sourceArn":%q}`, h.TaskID, h.SourceARN))
}

func parseMoveHandle(text string) (h moveHandle, ok bool) {
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(decoded, &h) != nil {
		return h, false
	}
	return h, h.TaskID != "" && h.SourceARN != ""
}

func errNoResource(parameter string) *Error {
	return &Error{Code: "ResourceNotFoundException", Status: http.StatusNotFound,
		Message: "The resource that you specified for the " + parameter + " parameter doesn't exist."}
}

// activeMove is the queue's task that has not ended, or nil. It can only be the last one.
func (q *Queue) activeMove() *moveTask {
	if n := len(q.moves); n > 0 && q.moves[n-1].active() {
		return q.moves[n-1]
	}
	return nil
}

// advanceMove does what the queue's task has to do by now. The caller holds mu and has settled the queue.
func (q *Queue) advanceMove(now time.Time) {
	task := q.activeMove()
	if task == nil || task.due.After(now) {
		return
	}
	if task.Status == MoveCancelling {
		q.endMove(task, MoveCancelled, "")
		return
	}
	for n := 0; task.MaxPerSecond == 0 || n < task.MaxPerSecond; n++ {
		m := q.nextToMove(task, now)
		if m == nil {
			break
		}
		if reason := q.move(task, m, now); reason != "" {
			q.endMove(task, MoveFailed, reason)
			return
		}
	}
	if q.nextToMove(task, now) == nil {
		q.endMove(task, MoveCompleted, "")
		return
	}
	task.due = now.Add(time.Second)
}

// nextToMove is the oldest message that a task may take: one that a receive could.
func (q *Queue) nextToMove(task *moveTask, now time.Time) *message {
	blocked := map[string]bool{}
	for _, m := range q.messages {
		switch {
		case m.order > task.newest:
			return nil
		case m.visibleAt.After(now):
			blocked[m.group] = true
		case !q.config.FIFO || !blocked[m.group]:
			return m
		}
	}
	return nil
}

// move takes one message to its destination, or says why it cannot.
func (q *Queue) move(task *moveTask, m *message, now time.Time) (reason string) {
	e := q.engine
	arn := task.DestinationARN
	if arn == "" {
		arn = m.source
	}
	if arn == "" {
		return reasonNoSource
	}
	to := e.queueByARN(arn)
	if to == nil {
		return reasonNoQueue
	}
	in := SendInput{Body: m.body, Attributes: m.attrs, GroupID: m.group, TraceHeader: m.trace, Sender: m.sender, originARN: q.arn, originID: m.id}
	if in.size() > to.config.MaximumMessageSize {
		return reasonTooLong
	}
	to.settle(now)
	if to.config.FIFO {
		in.DeduplicationID = e.newID()
	}
	to.accept(in, now)
	q.remove(m)
	q.recordDeleted(m, "moved", nil)
	task.Moved++
	return ""
}

// endMove ends a task. Messages that it did not move stay.
func (q *Queue) endMove(task *moveTask, status MoveStatus, reason string) {
	task.Status, task.FailureReason = status, reason
	detail := fmt.Sprintf("%d of %d messages moved", task.Moved, task.ToMove)
	if reason != "" {
		detail += ": " + reason
	}
	q.engine.record(Entry{Kind: MoveEnded, Queue: q.name, Target: task.DestinationARN, Cause: string(status), Detail: detail})
	q.engine.bump()
}

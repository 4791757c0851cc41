package local

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// BatchEntry is an entry of a batch call: its Id and what it asks for.
type BatchEntry[T any] struct {
	ID    string
	Input T
}

// BatchResult is one entry's result, in the order of the entries. Err is nil when it succeeded.
type BatchResult[T any] struct {
	ID     string
	Result T
	Err    *Error
}

// Visibility is what an entry of a ChangeMessageVisibilityBatch asks for.
type Visibility struct {
	ReceiptHandle string
	Timeout       time.Duration
}

var batchID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// checkBatch applies the rules about the ids and the number of entries of SQS's batch calls.
func checkBatch[T any](operation string, entries []BatchEntry[T]) error {
	if len(entries) == 0 {
		return &Error{Code: "AWS.SimpleQueueService.EmptyBatchRequest", Shape: "EmptyBatchRequest",
			Message: "There should be at least one " + operation + "RequestEntry in the request."}
	}
	if len(entries) > 10 {
		return &Error{Code: "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", Shape: "TooManyEntriesInBatchRequest",
			Message: fmt.Sprintf("Maximum number of entries per request are 10. You have sent %d.", len(entries))}
	}
	seen := map[string]bool{}
	for _, entry := range entries {
		if !batchID.MatchString(entry.ID) {
			return &Error{Code: "AWS.SimpleQueueService.InvalidBatchEntryId", Shape: "InvalidBatchEntryId",
				Message: "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."}
		}
		if seen[entry.ID] {
			return &Error{Code: "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", Shape: "BatchEntryIdsNotDistinct",
				Message: "Id " + entry.ID + " repeated."}
		}
		seen[entry.ID] = true
	}
	return nil
}

// SendBatch sends 1 to 10 messages as one step: a mapping sees all of them or none. A missing group or deduplication id fails the whole call, as on AWS;
// other faults fail their entry.
func (q *Queue) SendBatch(entries []BatchEntry[SendInput]) ([]BatchResult[SendResult], error) {
	if err := checkBatch("SendMessageBatch", entries); err != nil {
		return nil, err
	}
	q.engine.mu.Lock()
	defer q.engine.unlock()
	if q.deleted {
		return nil, errQueueMissing()
	}
	now := q.engine.now()
	q.settle(now)
	total := 0
	for i := range entries {
		total += entries[i].Input.size()
	}
	if total > maximumSize {
		return nil, &Error{Code: "AWS.SimpleQueueService.BatchRequestTooLong", Shape: "BatchRequestTooLong",
			Message: fmt.Sprintf("Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maximumSize, total)}
	}
	inputs := make([]SendInput, len(entries))
	for i := range entries {
		inputs[i] = entries[i].Input
		if err := q.checkFIFO(&inputs[i]); err != nil {
			// A batch answers a missing group id with InvalidParameterValue, a single call with MissingParameter (recorded).
			if aws, ok := errors.AsType[*Error](err); ok && aws.Code == "MissingParameter" {
				err = errInvalidValue("%s", aws.Message)
			}
			return nil, err
		}
	}
	results := make([]BatchResult[SendResult], len(entries))
	for i, in := range inputs {
		results[i].ID = entries[i].ID
		if err := q.checkSend(in, "One or more parameters cannot be validated. Reason: Message must be shorter than %d bytes."); err != nil {
			results[i].Err = asError(err)
			continue
		}
		results[i].Result = q.accept(in, now)
	}
	return results, nil
}

// DeleteBatch deletes 1 to 10 messages by receipt handle.
func (q *Queue) DeleteBatch(entries []BatchEntry[string]) ([]BatchResult[struct{}], error) {
	return each(q, "DeleteMessageBatch", entries, func(handle string, now time.Time) error { return q.delete(handle, now) })
}

// ChangeVisibilityBatch changes the visibility of 1 to 10 messages.
func (q *Queue) ChangeVisibilityBatch(entries []BatchEntry[Visibility]) ([]BatchResult[struct{}], error) {
	return each(q, "ChangeMessageVisibilityBatch", entries, func(v Visibility, now time.Time) error {
		return q.changeVisibility(v.ReceiptHandle, v.Timeout, now)
	})
}

func each[T any](q *Queue, operation string, entries []BatchEntry[T], apply func(T, time.Time) error) ([]BatchResult[struct{}], error) {
	if err := checkBatch(operation, entries); err != nil {
		return nil, err
	}
	q.engine.mu.Lock()
	defer q.engine.unlock()
	if q.deleted {
		return nil, errQueueMissing()
	}
	now := q.engine.now()
	q.settle(now)
	results := make([]BatchResult[struct{}], len(entries))
	for i, entry := range entries {
		results[i].ID = entry.ID
		if err := apply(entry.Input, now); err != nil {
			results[i].Err = asError(err)
		}
	}
	return results, nil
}

// asError makes an AWS error of err, which in this package always is one already.
func asError(err error) *Error {
	if aws, ok := errors.AsType[*Error](err); ok {
		return aws
	}
	return &Error{Code: "InternalFailure", Message: err.Error(), Status: 500}
}

package consumer

import (
	"errors"
	"fmt"
	"time"
)

// Permanent says that no delivery of this message can ever succeed. The message
// goes to the dead-letter sink and is settled; without a sink, or if the send
// fails, it is retried like any other error, so that it is never lost. So it is
// if the error is joined with others: those may pass. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// RetryAfter says that the message should be delivered again, not before d has
// passed. On SQS its visibility is set so, between 0 and 12 hours, if the
// consumer can change it; other sources retry on their own schedule.
// RetryAfter(d, nil) is nil.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{d, err}
}

type retryAfterError struct {
	after time.Duration
	err   error
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

// Skip settles the message without work done, for a reason that is logged.
func Skip(reason string) error { return &skipError{reason} }

type skipError struct{ reason string }

func (e *skipError) Error() string { return "skipped: " + e.reason }

// IsSkip reports whether err is, or wraps, a Skip. One that was joined with
// other errors is none: something else failed, and that must be retried.
func IsSkip(err error) bool {
	return within(err, func(err error) bool { _, ok := err.(*skipError); return ok }) //nolint:errorlint // see within
}

// within looks for an error along what err wraps, and not, as errors.As does,
// among errors that were joined: a failure that may pass counts for more than
// one beside it that will not.
func within(err error, is func(error) bool) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if is(err) {
			return true
		}
	}
	return false
}

// DecodeError says that a message's body or envelope is not what its type
// promises. It is permanent.
type DecodeError struct {
	Type string // the event type that was expected, if known
	Err  error
}

func (e *DecodeError) Error() string {
	if e.Type == "" {
		return fmt.Sprintf("decode message: %v", e.Err)
	}
	return fmt.Sprintf("decode %s: %v", e.Type, e.Err)
}

func (e *DecodeError) Unwrap() error { return e.Err }

// UnknownTypeError says that a message's event type has no route here. It is
// permanent, unless IgnoreUnknownTypes skips it.
type UnknownTypeError struct {
	Type  string   // empty if the message names none
	Known []string // the types that have a route, upgrades included
}

func (e *UnknownTypeError) Error() string {
	if e.Type == "" {
		return fmt.Sprintf("message names no event type (attribute %q) and this consumer handles several: %v", AttributeEventType, e.Known)
	}
	return fmt.Sprintf("event type %q is not handled here: this consumer handles %v", e.Type, e.Known)
}

// PanicError is a panic of a handler, or of an event's own methods, recovered.
// It is retried.
type PanicError struct {
	Value any    // what was passed to panic; nil for runtime.Goexit
	Stack []byte // of the goroutine that panicked
}

func (e *PanicError) Error() string {
	if e.Value == nil {
		return "handler ended its goroutine (runtime.Goexit)"
	}
	return fmt.Sprintf("handler panicked: %v", e.Value)
}

// InvocationError is what Invoke returns when Lambda is to retry the invocation
// as a whole: messages of SNS or EventBridge that were not settled, or a payload
// of which no message could be told. Lambda shows the type's name as errorType.
type InvocationError struct {
	Consumer string
	Errs     []error // one for each message, or one for all; never empty
}

func (e *InvocationError) Error() string {
	return fmt.Sprintf("consumer %q: %v", e.Consumer, errors.Join(e.Errs...))
}

// Unwrap returns the messages' errors.
func (e *InvocationError) Unwrap() []error { return e.Errs }

// IsPermanent reports whether err is, or wraps, a permanent failure. One that
// was joined with other errors is none: those may pass, so the message is
// retried.
func IsPermanent(err error) bool {
	return within(err, func(err error) bool {
		switch err.(type) { //nolint:errorlint // see within
		case *permanentError, *DecodeError, *UnknownTypeError, *MismatchError:
			return true
		default:
			return false
		}
	})
}

var (
	errDeadlineUnstarted = errors.New("not started: the invocation's deadline is near; raise the function's timeout or lower the batch size")
	errDeadlineRunning   = errors.New("still running when the invocation's deadline came near; raise the function's timeout or heed the context")
	errGroupStopped      = errors.New("not run: an earlier message of its group was not settled")
)

// storeError marks a failure of the idempotency store, which hides a message
// for the longest back-off: the handler is never run unguarded.
type storeError struct{ err error }

func (e *storeError) Error() string { return "idempotency store: " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// busyError says that another attempt holds the key until a time.
type busyError struct{ until time.Time }

func (e *busyError) Error() string {
	return "in progress elsewhere until " + e.until.UTC().Format(time.RFC3339)
}

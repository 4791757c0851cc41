package lambdaapi

import (
	"encoding/json"
	"fmt"
	"time"
)

// Invocation is one call of a function.
type Invocation struct {
	// RequestID is the invocation's id. Empty: a fresh UUID.
	RequestID string

	// FunctionARN is what the caller invoked: a function, a version or an
	// alias. Empty: the function's own ARN.
	FunctionARN string

	// Payload is the event, at most 6,291,456 bytes of JSON. Empty is "{}",
	// as for a Lambda function that is invoked without a payload.
	Payload []byte

	// TraceHeader is the X-Ray trace header, "Root=1-...;Parent=...;Sampled=1".
	// Empty: a fresh, sampled trace.
	TraceHeader string

	// ClientContext is the caller's client context, a JSON object, or nothing.
	// The clock offset is added to its "custom" member.
	ClientContext []byte

	// ClockOffset is how far the handler's clock is ahead of the wall clock.
	ClockOffset time.Duration
}

// Result is how an invocation ended.
type Result struct {
	// Payload is the response, or with FunctionError the error document.
	Payload []byte

	// FunctionError is empty for a success and "Unhandled" for a failure, as
	// in the Invoke API's X-Amz-Function-Error.
	FunctionError string

	// Throttled says that the function never ran, because every process that
	// it may have was taken. Only with Options.Throttle.
	Throttled bool

	// ErrorType and ErrorMessage are read from the error document:
	// "Runtime.ExitError", "Sandbox.Timedout", the handler's own type.
	ErrorType, ErrorMessage string

	// Log is the end of what the process wrote while it ran the invocation,
	// at most 4 KiB, as the Invoke API's log tail. It is complete if the process
	// ended; a process that lives may have written more than has arrived.
	Log []byte

	// Token names the process that ran the invocation. Empty if none did.
	Token string

	// Duration is the wall time from the hand-over to the process until its
	// answer or its end. 0 if the invocation never ran.
	Duration time.Duration
}

// Error types of Lambda itself, as opposed to a handler's own.
const (
	ErrorTypeExit         = "Runtime.ExitError"
	ErrorTypeTimeout      = "Sandbox.Timedout"
	ErrorTypeEntrypoint   = "Runtime.InvalidEntrypoint"
	ErrorTypeResponseSize = "Function.ResponseSizeTooLarge"
	ErrorTypeRequestSize  = "RequestTooLargeException"
	ErrorTypeBadRequest   = "InvalidRequestContentException"
	ErrorTypeThrottled    = "TooManyRequestsException"
	ErrorTypeClosed       = "ServiceException"
)

// Sizes of Lambda's synchronous invocation, in bytes. A response may be 100
// bytes larger than a request (the emulator's interop.MaxPayloadSize).
const (
	maxRequestBytes  = 6 << 20
	maxResponseBytes = maxRequestBytes + 100
)

// unhandled is the only value of X-Amz-Function-Error for a custom runtime.
const unhandled = "Unhandled"

// errorDocument is the JSON of a failure, in the order in which Lambda writes
// its members.
type errorDocument struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

// failure is a Result with an error document of Lambda's own.
func failure(errorType, message string) Result {
	// Marshalling two strings can not fail.
	payload, _ := json.Marshal(errorDocument{Type: errorType, Message: message})
	return Result{Payload: payload, FunctionError: unhandled, ErrorType: errorType, ErrorMessage: message}
}

// reported is a Result with the error document that a process sent. The
// header's type is used where the document has none.
func reported(body []byte, headerType string) Result {
	r := Result{Payload: body, FunctionError: unhandled, ErrorType: headerType}
	var doc errorDocument
	if err := json.Unmarshal(body, &doc); err == nil {
		r.ErrorMessage = doc.Message
		if doc.Type != "" {
			r.ErrorType = doc.Type
		}
	}
	return r
}

// timeoutMessage is the text of Lambda's answer. The log line differs, see
// timeoutLogLine.
func timeoutMessage(requestID string, timeout time.Duration) string {
	return fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", requestID, timeout.Seconds())
}

// timeoutLogLine is what Lambda writes to the function's log group.
func timeoutLogLine(now time.Time, requestID string, timeout time.Duration) string {
	return fmt.Sprintf("%s %s Task timed out after %.2f seconds",
		now.UTC().Format("2006-01-02T15:04:05.000Z"), requestID, timeout.Seconds())
}

// exitMessage is Lambda's text for a process that ended while it was needed.
func exitMessage(requestID, reason string) string {
	if reason == "" {
		return fmt.Sprintf("RequestId: %s Error: Runtime exited without providing a reason", requestID)
	}
	return fmt.Sprintf("RequestId: %s Error: Runtime exited with error: %s", requestID, reason)
}

package itemstore

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The namespaces that DynamoDB puts before an error's name in "__type".
const (
	nsDynamo   = "com.amazonaws.dynamodb.v20120810#"
	nsValidate = "com.amazon.coral.validate#"
	nsCoral    = "com.amazon.coral.service#"
)

// Error is what AWS would answer in place of a response. It is immutable.
type Error struct {
	// Type is the full "__type", namespace and all.
	Type string
	// Message is AWS's text, or for what this package does not emulate a
	// text that names it.
	Message string
	// Item is the old item of a failed condition, when the request asked
	// for it with ReturnValuesOnConditionCheckFailure.
	Item map[string]Value
	// Reasons are the cancellation reasons of a transaction, one for each of
	// its items, in their order.
	Reasons []CancellationReason
}

// CancellationReason says why one item of a transaction stood in its way; its
// Code is "None" for an item that did not.
type CancellationReason struct {
	Code    string           `json:"Code"`
	Message string           `json:"Message,omitempty"`
	Item    map[string]Value `json:"Item,omitempty"`
}

// Name is the error's name without its namespace, such as
// "ConditionalCheckFailedException".
func (e *Error) Name() string {
	_, name, _ := strings.Cut(e.Type, "#")
	return name
}

// Status is the HTTP status: 400, or 500 for an internal failure.
func (e *Error) Status() int {
	if e.Name() == "InternalServerError" {
		return 500
	}
	return 400
}

// Error gives the name and the message.
func (e *Error) Error() string { return e.Name() + ": " + e.Message }

// JSON is the body of the answer. The message is "message", as AWS spells it
// for most errors; for transactions and malformed requests it is "Message".
func (e *Error) JSON() []byte {
	members := map[string]any{"__type": e.Type}
	switch e.Name() {
	case "TransactionCanceledException", "SerializationException":
		members["Message"] = e.Message
	default:
		members["message"] = e.Message
	}
	if e.Item != nil {
		members["Item"] = e.Item
	}
	if e.Reasons != nil {
		members["CancellationReasons"] = e.Reasons
	}
	body, err := json.Marshal(members)
	if err != nil { // cannot happen: every member is plain data
		return []byte(`{"__type":"` + nsDynamo + `InternalServerError","message":"the error could not be encoded"}`)
	}
	return body
}

func invalid(format string, args ...any) *Error {
	return &Error{Type: nsValidate + "ValidationException", Message: fmt.Sprintf(format, args...)}
}

// notEmulated refuses by name what AWS would do and this package does not.
func notEmulated(what string) *Error {
	return invalid("%s is not emulated by the local runtime", what)
}

func serialization(format string, args ...any) *Error {
	return &Error{Type: nsCoral + "SerializationException", Message: fmt.Sprintf(format, args...)}
}

func dynamoError(name, format string, args ...any) *Error {
	return &Error{Type: nsDynamo + name, Message: fmt.Sprintf(format, args...)}
}

func internalError(err error) *Error {
	return dynamoError("InternalServerError", "the item store failed: %v", err)
}

func conditionFailed(old item) *Error {
	return &Error{Type: nsDynamo + "ConditionalCheckFailedException", Message: errConditionFailed, Item: old}
}

const (
	errConditionFailed = "The conditional request failed"
	errNoTable         = "Requested resource not found"
	errKeySchema       = "The provided key element does not match the schema"
	errDuplicateKeys   = "Provided list of item keys contains duplicates"
	errRepeatedItem    = "Transaction request cannot include multiple operations on one item"
	errParameter       = "One or more parameter values were invalid: "
	errItemSize        = "Item size has exceeded the maximum allowed size"
	errUpdateSize      = "Item size to update has exceeded the maximum allowed size"
	errNesting         = "Nesting Levels have exceeded supported limits"
	errNestingItem     = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
	errDocumentPath    = "The document path provided in the update expression is invalid for update"
	errOperandType     = "An operand in the update expression has an incorrect data type"
	errNoAttribute     = "The provided expression refers to an attribute that does not exist in the item"
)

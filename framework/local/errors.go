package local

import (
	"fmt"
	"net/http"
)

// Error is an error as AWS would answer it.
type Error struct {
	// Code is the code SDKs and boto3 show, such as AWS.SimpleQueueService.NonExistentQueue.
	Code string
	// Shape is the modelled shape's name where it differs from Code, as in SQS's JSON protocol (QueueDoesNotExist).
	Shape string
	// Message is AWS's text.
	Message string
	// Status is the HTTP status, 400 when zero.
	Status int
}

// Error returns "code: message".
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// HTTPStatus is Status, or 400 when none is set.
func (e *Error) HTTPStatus() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// ShapeName is Shape, or Code when none is set.
func (e *Error) ShapeName() string {
	if e.Shape == "" {
		return e.Code
	}
	return e.Shape
}

// NotEmulated is the error for a feature AWS has and the engine has not. feature names it as AWS's API does.
func NotEmulated(feature, instead string) *Error {
	msg := feature + " is not emulated by the local runtime"
	if instead != "" {
		msg += "; " + instead
	}
	return &Error{Code: "NotImplemented", Message: msg, Status: http.StatusNotImplemented}
}

// The texts below were recorded on AWS unless a comment says otherwise.

func errQueueMissing() *Error {
	return &Error{Code: "AWS.SimpleQueueService.NonExistentQueue", Shape: "QueueDoesNotExist", Message: "The specified queue does not exist."}
}

func errInvalidValue(format string, args ...any) *Error {
	return &Error{Code: "InvalidParameterValue", Shape: "InvalidParameterValueException", Message: fmt.Sprintf(format, args...)}
}

func errMissingParameter(name string) *Error {
	return &Error{Code: "MissingParameter", Shape: "MissingRequiredParameterException", Message: "The request must contain the parameter " + name + "."}
}

func errAttributeName(format string, args ...any) *Error {
	return &Error{Code: "InvalidAttributeName", Message: fmt.Sprintf(format, args...)}
}

func errAttributeValue(name string) *Error {
	return &Error{Code: "InvalidAttributeValue", Message: "Invalid value for the parameter " + name + "."}
}

// errSNS is SNS's InvalidParameter. The doubled prefix of some texts is AWS's own.
func errSNS(format string, args ...any) *Error {
	return &Error{Code: "InvalidParameter", Shape: "InvalidParameterException", Message: "Invalid parameter: " + fmt.Sprintf(format, args...)}
}

func errValidation(format string, args ...any) *Error {
	return &Error{Code: "ValidationException", Message: fmt.Sprintf(format, args...)}
}

// errLambda is Lambda's InvalidParameterValueException.
func errLambda(format string, args ...any) *Error {
	return &Error{Code: "InvalidParameterValueException", Message: fmt.Sprintf(format, args...)}
}

package awsapi

import (
	"encoding/json"
	"net/http"

	"github.com/sluice-go/sluice/framework/local"
)

// jsonProtocol is AWS JSON 1.0 or 1.1: the operation is in X-Amz-Target, input and output are JSON.
type jsonProtocol struct {
	name       string
	version    string
	namespace  string // of error types, with a trailing #
	queryCodes bool   // answer the codes of the old query protocol in x-amzn-query-error, as SQS does
	operations map[string]func(*server, *request) (any, error)
}

// jsonServices are the services by the prefix of X-Amz-Target.
var jsonServices = map[string]jsonProtocol{
	"AmazonSQS":         {name: "sqs", version: "1.0", namespace: "com.amazonaws.sqs#", queryCodes: true, operations: sqsOperations},
	"AWSEvents":         {name: "events", version: "1.1", operations: eventsOperations},
	"DynamoDB_20120810": {name: "dynamodb", version: "1.0", namespace: "com.amazonaws.dynamodb.v20120810#"},
}

func (p jsonProtocol) apply(s *server, req *request) (Response, error) {
	if p.name == "dynamodb" && s.opts.DynamoDB != nil {
		status, body := s.opts.DynamoDB(req.call.Operation, req.call.Body)
		return p.respond(req, status, body), nil
	}
	operation, ok := p.operations[req.call.Operation]
	if !ok {
		return Response{}, notEmulated(req)
	}
	out, err := operation(s, req)
	if err != nil {
		return Response{}, err
	}
	if out == nil {
		out = struct{}{}
	}
	body, err := json.Marshal(out)
	if err != nil {
		return Response{}, err
	}
	return p.respond(req, http.StatusOK, body), nil
}

func (p jsonProtocol) respond(req *request, status int, body []byte) Response {
	h := http.Header{}
	h.Set("Content-Type", "application/x-amz-json-"+p.version)
	h.Set("X-Amzn-Requestid", req.id)
	return Response{Status: status, Header: h, Body: body}
}

func (p jsonProtocol) fail(_ *server, req *request, e *local.Error) Response {
	body, err := json.Marshal(map[string]string{"__type": p.namespace + e.ShapeName(), "message": e.Message})
	if err != nil {
		body = []byte("{}")
	}
	response := p.respond(req, e.HTTPStatus(), body)
	if p.queryCodes {
		fault := "Sender"
		if e.HTTPStatus() >= 500 {
			fault = "Receiver"
		}
		response.Header.Set("X-Amzn-Query-Error", e.Code+";"+fault)
	}
	return response
}

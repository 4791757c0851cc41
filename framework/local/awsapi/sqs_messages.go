package awsapi

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-go/sluice/framework/local"
)

type attributeValue struct {
	DataType         string   `json:"DataType"`
	StringValue      string   `json:"StringValue,omitempty"`
	BinaryValue      []byte   `json:"BinaryValue,omitempty"`
	StringListValues []string `json:"StringListValues,omitempty"`
	BinaryListValues [][]byte `json:"BinaryListValues,omitempty"`
}

func attributesIn(in map[string]attributeValue) (map[string]local.AttributeValue, error) {
	var out map[string]local.AttributeValue
	for name, a := range in {
		if a.StringListValues != nil || a.BinaryListValues != nil {
			return nil, &local.Error{Code: "UnsupportedOperation", Message: "Message attribute list values in SendMessage operation are not supported."} // so it is on AWS
		}
		if out == nil {
			out = map[string]local.AttributeValue{}
		}
		out[name] = local.AttributeValue{DataType: a.DataType, StringValue: a.StringValue, BinaryValue: a.BinaryValue}
	}
	return out, nil
}

type message struct {
	MessageBody             *string
	DelaySeconds            *int
	MessageAttributes       map[string]attributeValue
	MessageSystemAttributes map[string]attributeValue
	MessageGroupId          *string
	MessageDeduplicationId  *string
}

// input makes the engine's input of a message. An id that is given but empty is an error, unlike one that is left out.
func (m message) input(req *request) (local.SendInput, error) {
	in := local.SendInput{Delay: seconds(m.DelaySeconds), RequestTrace: req.traceHeader()}
	if m.MessageBody != nil {
		in.Body = *m.MessageBody
	}
	var err error
	if in.Attributes, err = attributesIn(m.MessageAttributes); err != nil {
		return in, err
	}
	if m.MessageGroupId != nil {
		if in.GroupID = *m.MessageGroupId; in.GroupID == "" {
			return in, local.CheckMessageGroupID("")
		}
	}
	if m.MessageDeduplicationId != nil {
		if in.DeduplicationID = *m.MessageDeduplicationId; in.DeduplicationID == "" {
			return in, local.CheckDeduplicationID("")
		}
	}
	for name, a := range m.MessageSystemAttributes {
		if name != "AWSTraceHeader" || a.DataType != "String" {
			return in, &local.Error{Code: "InvalidParameterValue", Shape: "InvalidParameterValueException", Message: "Message system attribute name '" + name + "' is invalid."}
		}
		in.TraceHeader = a.StringValue
	}
	return in, nil
}

func sent(r local.SendResult) map[string]any {
	out := map[string]any{"MessageId": r.MessageID, "MD5OfMessageBody": r.MD5OfBody}
	for name, value := range map[string]string{"MD5OfMessageAttributes": r.MD5OfAttributes, "MD5OfMessageSystemAttributes": r.MD5OfSystem, "SequenceNumber": r.SequenceNumber} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

func sendMessage(s *server, req *request) (any, error) {
	in, err := decode[struct {
		QueueUrl string
		message
	}](req)
	if err != nil {
		return nil, err
	}
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	input, err := in.input(req)
	if err != nil {
		return nil, err
	}
	result, err := q.Send(input)
	if err != nil {
		return nil, err
	}
	return sent(result), nil
}

// batchOut is the answer to a batch call: the entries that succeeded and those that failed.
func batchOut[T any](results []local.BatchResult[T], success func(T) map[string]any) map[string]any {
	ok, bad := []any{}, []any{}
	for _, r := range results {
		if r.Err != nil {
			bad = append(bad, map[string]any{"Id": r.ID, "Code": r.Err.Code, "Message": r.Err.Message, "SenderFault": r.Err.HTTPStatus() < 500})
			continue
		}
		entry := success(r.Result)
		entry["Id"] = r.ID
		ok = append(ok, entry)
	}
	out := map[string]any{"Successful": ok}
	if len(bad) > 0 {
		out["Failed"] = bad
	}
	return out
}

func empty(struct{}) map[string]any { return map[string]any{} }

func sendMessageBatch(s *server, req *request) (any, error) {
	in, err := decode[struct {
		QueueUrl string
		Entries  []struct {
			Id string
			message
		}
	}](req)
	if err != nil {
		return nil, err
	}
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	entries := make([]local.BatchEntry[local.SendInput], len(in.Entries))
	for i, entry := range in.Entries {
		entries[i].ID = entry.Id
		if entries[i].Input, err = entry.input(req); err != nil {
			return nil, err
		}
	}
	results, err := q.SendBatch(entries)
	if err != nil {
		return nil, err
	}
	return batchOut(results, sent), nil
}

func receiveMessage(s *server, req *request) (any, error) {
	in, err := decode[struct {
		QueueUrl                    string
		AttributeNames              []string
		MessageSystemAttributeNames []string
		MessageAttributeNames       []string
		MaxNumberOfMessages         *int
		VisibilityTimeout           *int
		WaitTimeSeconds             *int
	}](req)
	if err != nil {
		return nil, err
	}
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	input := local.ReceiveInput{Visibility: seconds(in.VisibilityTimeout), Wait: seconds(in.WaitTimeSeconds), YieldHold: true}
	if in.MaxNumberOfMessages != nil {
		if input.Max = *in.MaxNumberOfMessages; input.Max == 0 { // to the engine 0 means not given
			return nil, &local.Error{Code: "InvalidParameterValue", Shape: "InvalidParameterValueException",
				Message: "Value 0 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."}
		}
	}
	received, err := q.Receive(req.http.Context(), input)
	if err != nil {
		return nil, err
	}
	if len(received) == 0 {
		return nil, nil
	}
	system := slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames)
	messages := make([]map[string]any, len(received))
	for i, r := range received {
		messages[i] = messageOut(r, system, in.MessageAttributeNames)
	}
	return map[string]any{"Messages": messages}, nil
}

func messageOut(r local.Received, system, names []string) map[string]any {
	m := map[string]any{"MessageId": r.MessageID, "ReceiptHandle": r.ReceiptHandle, "Body": r.Body, "MD5OfBody": r.MD5OfBody}
	if !slices.Contains(system, "All") {
		maps.DeleteFunc(r.System, func(name, _ string) bool { return !slices.Contains(system, name) })
	}
	if len(r.System) > 0 {
		m["Attributes"] = r.System
	}
	maps.DeleteFunc(r.Attributes, func(name string, _ local.AttributeValue) bool { return !wanted(name, names) })
	if len(r.Attributes) > 0 {
		out := map[string]attributeValue{}
		for name, a := range r.Attributes {
			out[name] = attributeValue{DataType: a.DataType, StringValue: a.StringValue, BinaryValue: a.BinaryValue}
		}
		m["MessageAttributes"] = out
		m["MD5OfMessageAttributes"] = local.MD5OfAttributes(r.Attributes) // of those returned, as recorded on AWS
	}
	return m
}

// wanted applies MessageAttributeNames: All, .*, a name, or a prefix ending in .* (recorded).
func wanted(name string, names []string) bool {
	return slices.ContainsFunc(names, func(pattern string) bool {
		prefix, isPrefix := strings.CutSuffix(pattern, "*")
		return pattern == "All" || pattern == name || isPrefix && strings.HasPrefix(name, strings.TrimSuffix(prefix, "."))
	})
}

func deleteMessage(s *server, req *request) (any, error) {
	in, err := decode[struct{ QueueUrl, ReceiptHandle string }](req)
	if err != nil {
		return nil, err
	}
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, q.Delete(in.ReceiptHandle)
}

func deleteMessageBatch(s *server, req *request) (any, error) {
	in, err := decode[struct {
		QueueUrl string
		Entries  []struct{ Id, ReceiptHandle string }
	}](req)
	if err != nil {
		return nil, err
	}
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	entries := make([]local.BatchEntry[string], len(in.Entries))
	for i, entry := range in.Entries {
		entries[i] = local.BatchEntry[string]{ID: entry.Id, Input: entry.ReceiptHandle}
	}
	results, err := q.DeleteBatch(entries)
	if err != nil {
		return nil, err
	}
	return batchOut(results, empty), nil
}

func changeMessageVisibility(s *server, req *request) (any, error) {
	in, err := decode[struct {
		QueueUrl, ReceiptHandle string
		VisibilityTimeout       *int
	}](req)
	if err != nil {
		return nil, err
	}
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if in.VisibilityTimeout == nil {
		return nil, &local.Error{Code: "MissingParameter", Shape: "MissingRequiredParameterException", Message: "The request must contain the parameter VisibilityTimeout."}
	}
	return nil, q.ChangeVisibility(in.ReceiptHandle, *seconds(in.VisibilityTimeout))
}

func changeMessageVisibilityBatch(s *server, req *request) (any, error) {
	in, err := decode[struct {
		QueueUrl string
		Entries  []struct {
			Id, ReceiptHandle string
			VisibilityTimeout int
		}
	}](req)
	if err != nil {
		return nil, err
	}
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	entries := make([]local.BatchEntry[local.Visibility], len(in.Entries))
	for i, entry := range in.Entries {
		entries[i] = local.BatchEntry[local.Visibility]{ID: entry.Id, Input: local.Visibility{ReceiptHandle: entry.ReceiptHandle,
			Timeout: time.Duration(entry.VisibilityTimeout) * time.Second}}
	}
	results, err := q.ChangeVisibilityBatch(entries)
	if err != nil {
		return nil, err
	}
	return batchOut(results, empty), nil
}

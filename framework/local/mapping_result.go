package local

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
)

// finish acts on a batch's result. The caller holds mu.
func (m *Mapping) finish(b *batch, r Result, ended Entry) {
	e := m.engine
	now := e.now()
	m.queue.settle(now)
	ended.Cause = cause(r)
	if r.Throttled {
		ended.Reported = ids(b.messages)
		e.record(ended)
		// Lambda backs off and tries the same batch until its visibility timeout ends (services-sqs-errorhandling). The steps are ours: 1 s doubled, at most 1 min.
		b.due = now.Add(min(time.Second<<min(b.attempts-1, 10), time.Minute))
		if b.due.After(b.until) {
			b.due = b.until
		}
		return
	}
	m.release(b)

	keep := map[string]bool{}
	all := func(why string) {
		ended.Detail = why
		for _, msg := range b.messages {
			keep[msg.id] = true
		}
	}
	switch {
	case r.FunctionError != "":
		all("nothing is deleted: the messages come back when their visibility timeout ends")
	case m.config.ReportBatchItemFailures:
		reported, problem := parseResponse(r.Payload, ids(b.messages))
		if problem != "" {
			ended.Cause = "invalid response"
			all("the whole batch failed: " + problem)
			e.record(Entry{Kind: Warning, Queue: m.queue.name, Function: m.function.name, Mapping: m.uuid, RequestID: b.id,
				Detail: "invalid partial batch response, the whole batch failed: " + problem})
		}
		for _, id := range reported {
			keep[id] = true
		}
	default:
		if reported, _ := parseResponse(r.Payload, ids(b.messages)); len(reported) > 0 {
			e.record(Entry{Kind: Warning, Queue: m.queue.name, Function: m.function.name, Mapping: m.uuid, RequestID: b.id, MessageIDs: reported,
				Detail: "the function reported batch item failures, but the mapping has no ReportBatchItemFailures: Lambda deletes these messages"})
		}
	}
	for _, msg := range b.messages {
		if keep[msg.id] {
			ended.Reported = append(ended.Reported, msg.id)
		} else {
			ended.Settled = append(ended.Settled, msg.id)
		}
	}
	e.record(ended)
	for i, msg := range b.messages {
		if !keep[msg.id] {
			m.settleMessage(b, msg, b.handles[i])
		}
	}
}

// settleMessage deletes a message that was worked off. The delete fails, as Lambda's would, when the visibility timeout ended meanwhile.
func (m *Mapping) settleMessage(b *batch, msg *message, handle string) {
	q := m.queue
	switch {
	case msg.gone:
	case msg.handle != handle || q.config.FIFO && !msg.inFlight:
		m.engine.record(Entry{Kind: Warning, Queue: q.name, MessageID: msg.id, Function: m.function.name, Mapping: m.uuid, RequestID: b.id, ReceiveCount: msg.receives,
			Detail: "the message was worked off, but not deleted: its visibility timeout had ended, so it is delivered again"})
	default:
		q.remove(msg)
		q.recordDeleted(msg, "mapping", b)
	}
}

// parseResponse reads a partial batch response as Lambda does (services-sqs-errorhandling; the cells of the table in the tests). problem says why
// the whole batch fails, or is "".
func parseResponse(payload []byte, batch []string) (reported []string, problem string) {
	if !json.Valid(payload) {
		return nil, "the response is not valid JSON"
	}
	text := bytes.TrimSpace(payload)
	if string(text) == "null" {
		return nil, ""
	}
	if text[0] != '{' {
		return nil, "the response is JSON, but not an object"
	}
	var response map[string]json.RawMessage
	if err := json.Unmarshal(text, &response); err != nil {
		return nil, "the response is not valid JSON: " + err.Error()
	}
	failures, ok := response["batchItemFailures"]
	if !ok || string(failures) == "null" {
		return nil, ""
	}
	var items []map[string]json.RawMessage
	if err := json.Unmarshal(failures, &items); err != nil {
		return nil, "batchItemFailures is not a list of objects"
	}
	for _, item := range items {
		var id *string
		raw, ok := item["itemIdentifier"]
		switch {
		case !ok:
			return nil, "an entry of batchItemFailures has no itemIdentifier"
		case json.Unmarshal(raw, &id) != nil || id == nil:
			return nil, "an itemIdentifier is not a string"
		case *id == "":
			return nil, "an itemIdentifier is empty"
		case !slices.Contains(batch, *id):
			return nil, "itemIdentifier " + *id + " is not a message id of the batch"
		}
		reported = append(reported, *id)
	}
	return reported, ""
}

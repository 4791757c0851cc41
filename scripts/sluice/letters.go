package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/local"
)

// readDeadLetters returns the queue that holds each dead letter, by consumer
// and the innermost id of the message.
func (c *counter) readDeadLetters() map[string]string {
	found := map[string]string{}
	for _, q := range c.h.Topology.Queues {
		owner := c.deadLetterOwner(q.ARN)
		if owner == "" {
			continue
		}
		queue, ok := c.h.Engine.Queue(q.Name)
		if !ok {
			c.problem("queue %s is gone", q.Name)
			continue
		}
		for _, m := range queue.Snapshot() {
			found[owner+" "+letterID(m)] = q.Name
		}
	}
	return found
}

// waiting returns the source queue in which a message still is.
func (c *counter) waiting() map[string]string {
	found := map[string]string{}
	for _, m := range c.h.Topology.Mappings {
		name := m.QueueARN[strings.LastIndex(m.QueueARN, ":")+1:]
		if queue, ok := c.h.Engine.Queue(name); ok {
			for _, msg := range queue.Snapshot() {
				found[c.consumer(m.QueueARN)+" "+letterID(msg)] = name
			}
		}
	}
	return found
}

// deadLetterOwner is the consumer whose dead letters come to a queue: by its
// source queue's redrive, by its function's failure destination, or because
// what leads to it could not be delivered.
func (c *counter) deadLetterOwner(arn string) string {
	t := c.h.Topology
	for _, q := range t.Queues {
		if q.Redrive != nil && q.Redrive.DeadLetterARN == arn {
			return c.consumer(q.ARN)
		}
	}
	for i := range t.Functions {
		f := &t.Functions[i]
		if f.DeadLetter == arn {
			return handlerName(f)
		}
		for _, a := range f.AsyncConfig {
			if a.OnFailureARN == arn {
				return handlerName(f)
			}
		}
	}
	for _, s := range t.Subscriptions {
		if s.DeadLetterARN == arn {
			return c.consumer(s.Endpoint)
		}
	}
	for _, r := range t.Rules {
		for _, target := range r.Targets {
			if target.DeadLetterARN == arn {
				return c.consumer(target.ARN)
			}
		}
	}
	return ""
}

// letterID is the innermost id of a message in a queue, however it came there:
// sent by the framework's sink, moved by SQS, or told by Lambda as a failure.
func letterID(m local.MessageState) string {
	if a, ok := m.Attributes[consumer.AttributeID]; ok {
		return a.StringValue
	}
	var record struct {
		Request *struct {
			ID      string `json:"id"` // EventBridge
			Records []struct {
				SNS struct {
					MessageID string `json:"MessageId"`
				} `json:"Sns"`
			} `json:"Records"`
		} `json:"requestPayload"`
	}
	if json.Unmarshal([]byte(m.Body), &record) == nil && record.Request != nil {
		if len(record.Request.Records) == 1 {
			return record.Request.Records[0].SNS.MessageID
		}
		return record.Request.ID
	}
	if m.OriginID != "" {
		return m.OriginID
	}
	return m.MessageID
}

// deliveredOK is a delivery after which the message was settled.
const deliveredOK = "ok"

// deliveries says what each delivery of a message to its consumer came to.
func (c *counter) deliveries(p *pair) []string {
	// A message has an id of its own in each queue.
	inQueue := map[string]bool{p.id: true}
	var out []string
	for _, e := range c.entries {
		switch {
		case e.Kind == local.MessageSent && e.OriginID == p.id:
			inQueue[e.MessageID] = true
		case e.Kind != local.InvocationEnded || c.functionConsumer(e.Function) != p.Consumer:
		case e.OriginID == p.id:
			if e.Cause == "ok" {
				out = append(out, deliveredOK)
			} else {
				out = append(out, "error")
			}
		default:
			for _, id := range e.MessageIDs {
				if inQueue[id] {
					out = append(out, sentence(e, id))
				}
			}
		}
	}
	return out
}

func sentence(e local.Entry, id string) string {
	if slices.Contains(e.Settled, id) {
		return deliveredOK
	}
	if e.Cause == "ok" {
		return "reported"
	}
	return e.Cause
}

func (c *counter) functionConsumer(name string) string {
	for i := range c.h.Topology.Functions {
		if f := &c.h.Topology.Functions[i]; f.Name == name {
			return handlerName(f)
		}
	}
	return name
}

// summary shortens deliveries: "reported x8", "reported, ok".
func summary(deliveries []string) string {
	if len(deliveries) == 0 {
		return "never delivered"
	}
	var parts []string
	for i := 0; i < len(deliveries); {
		n := 1
		for i+n < len(deliveries) && deliveries[i+n] == deliveries[i] {
			n++
		}
		part := deliveries[i]
		if n > 1 {
			part = fmt.Sprintf("%s x%d", part, n)
		}
		parts = append(parts, part)
		i += n
	}
	return strings.Join(parts, ", ")
}

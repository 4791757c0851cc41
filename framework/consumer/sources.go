package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// invokeSQS works a batch of a queue and answers with what was not settled.
func (c *Consumer) invokeSQS(ctx context.Context, inv *invocation, payload []byte) ([]byte, error) {
	records, err := parseSQS(payload)
	if err != nil {
		return nil, c.failed(err)
	}
	items := make([]*item, len(records))
	arrivals := make([]arrival, len(records))
	lanes := make([]*lane, 0, len(records))
	groups := map[string]*lane{}
	for i := range records {
		r := &records[i]
		it := &item{
			receiptHandle: r.ReceiptHandle,
			outerBody:     r.Body,
			outerAttrs:    make(map[string]Attribute, len(r.MessageAttributes)),
			// By its name, as AWS defines it: fair queues put a group id on
			// the messages of standard queues too.
			fifo: strings.HasSuffix(r.ARN, ".fifo"),
			meta: Meta{MessageID: r.MessageID, ARN: r.ARN, GroupID: r.Attributes.GroupID, ReceiveCount: 1, SentAt: parseMillis(r.Attributes.SentAt)},
		}
		if n, err := strconv.Atoi(r.Attributes.ReceiveCount); err == nil && n > 0 {
			it.meta.ReceiveCount = n
		}
		for name, a := range r.MessageAttributes {
			it.outerAttrs[name] = a.attribute()
		}
		in, err := r.inner()
		arrivals[i] = arrival{it, in, err}
		items[i] = it
		if !it.fifo {
			lanes = append(lanes, &lane{items: []*item{it}})
			continue
		}
		l := groups[it.meta.GroupID]
		if l == nil {
			l = &lane{}
			groups[it.meta.GroupID] = l
			lanes = append(lanes, l)
		}
		l.items = append(l.items, it)
	}
	c.decodeAll(ctx, inv, arrivals)
	c.run(ctx, inv, items, lanes, false)
	for _, l := range groups {
		l.hideAlike()
	}
	c.hide(ctx, inv, items)
	c.logItems(ctx, items)

	failures := make([]batchItemFailure, 0, len(items)) // [] and not null
	for _, it := range items {
		if !it.verdict.fate.settled() {
			failures = append(failures, batchItemFailure{it.meta.MessageID})
		}
	}
	return json.Marshal(batchResponse{failures})
}

// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
type (
	batchResponse struct {
		Failures []batchItemFailure `json:"batchItemFailures"`
	}
	batchItemFailure struct {
		ID string `json:"itemIdentifier"`
	}
)

// hide sends the visibility changes of what is reported, all at once.
func (c *Consumer) hide(ctx context.Context, inv *invocation, items []*item) {
	if c.cfg.visibility == nil {
		c.noticeUnhidden(ctx, items)
		return
	}
	var changes []VisibilityChange
	for _, it := range items {
		if it.verdict.fate == retried {
			changes = append(changes, VisibilityChange{
				QueueARN: it.meta.ARN, MessageID: it.meta.MessageID, ReceiptHandle: it.receiptHandle, Timeout: wholeSeconds(it.verdict.hide),
			})
		}
	}
	if len(changes) == 0 {
		return
	}
	ctx, cancel := until(ctx, inv.limits.answer)
	defer cancel()
	err := func() (err error) {
		defer recovered(&err)
		return c.cfg.visibility.ChangeVisibility(ctx, changes)
	}()
	if err != nil {
		c.log().WarnContext(ctx, "visibility not changed: messages come back when the queue's visibility timeout ends",
			"consumer", c.name, "messages", len(changes), "error", err)
	}
}

// noticeUnhidden says that a RetryAfter is in vain.
func (c *Consumer) noticeUnhidden(ctx context.Context, items []*item) {
	for _, it := range items {
		var after *retryAfterError
		if it.verdict.fate == retried && errors.As(it.verdict.err, &after) {
			c.log().WarnContext(ctx, "RetryAfter has no effect, for the consumer cannot change visibility (WithQueueActions): the message comes back when the queue's visibility timeout ends",
				c.attrs(it)...)
		}
	}
}

// invokeSNS works what SNS sends to a function: one record, though the shape
// allows more.
func (c *Consumer) invokeSNS(ctx context.Context, inv *invocation, payload []byte) ([]byte, error) {
	bodies, err := parseSNS(payload)
	if err != nil {
		return nil, c.failed(err)
	}
	items := make([]*item, len(bodies))
	arrivals := make([]arrival, len(bodies))
	for i := range bodies {
		b := &bodies[i]
		items[i] = &item{
			outerBody:  b.Message,
			outerAttrs: make(map[string]Attribute, len(b.MessageAttributes)),
			meta:       Meta{MessageID: b.MessageID, ARN: b.TopicARN, ReceiveCount: 1},
		}
		for name, a := range b.MessageAttributes {
			items[i].outerAttrs[name] = a.attribute()
		}
		in, err := b.inner()
		arrivals[i] = arrival{items[i], in, err}
	}
	c.decodeAll(ctx, inv, arrivals)
	return c.runDirect(ctx, inv, items)
}

// invokeEventBridge works one event, or an array of them.
func (c *Consumer) invokeEventBridge(ctx context.Context, inv *invocation, payload []byte) ([]byte, error) {
	events, array, err := parseEventBridge(payload)
	if err != nil {
		return nil, c.failed(err)
	}
	if array && c.cfg.store == nil {
		return nil, c.failed(errors.New("the bus sends arrays of events, which are only retried whole: give the consumer an idempotency store, or set the subscriber's MaxBatchSize to 1"))
	}
	items := make([]*item, len(events))
	for i, e := range events {
		it := &item{outerBody: string(e), meta: Meta{ReceiveCount: 1}}
		in, err := unwrap(inner{body: []byte(it.outerBody)})
		it.meta.MessageID = in.id
		it.meta.ARN = eventSource(e)
		c.decode(it, in, err)
		items[i] = it
	}
	return c.runDirect(ctx, inv, items)
}

func eventSource(event []byte) string {
	var e envelope
	if json.Unmarshal(event, &e) != nil {
		return ""
	}
	return e.Source
}

// runDirect works items that can only be answered together: an error has Lambda
// retry all, and what completed is then a duplicate.
func (c *Consumer) runDirect(ctx context.Context, inv *invocation, items []*item) ([]byte, error) {
	lanes := make([]*lane, len(items))
	for i, it := range items {
		lanes[i] = &lane{items: []*item{it}}
	}
	c.run(ctx, inv, items, lanes, true)
	c.logItems(ctx, items)
	failed := &InvocationError{Consumer: c.name}
	for _, it := range items {
		if it.verdict.fate.settled() {
			continue
		}
		err := it.verdict.err
		if err == nil {
			err = errors.New("not worked")
		}
		failed.Errs = append(failed.Errs, fmt.Errorf("message %s: %w", it.meta.ID, err))
	}
	if len(failed.Errs) > 0 {
		return nil, failed
	}
	return []byte("null"), nil
}

func (c *Consumer) attrs(it *item) []any {
	return []any{
		"consumer", c.name, "message_id", it.meta.MessageID, "id", it.meta.ID,
		"event_type", it.meta.Type, "receive_count", it.meta.ReceiveCount,
	}
}

// logItems writes a line for each message that did not simply succeed.
func (c *Consumer) logItems(ctx context.Context, items []*item) {
	log := c.log()
	for _, it := range items {
		v := it.verdict
		attrs := append(c.attrs(it), "error", v.err)
		var panicked *PanicError
		if errors.As(v.err, &panicked) && panicked.Stack != nil {
			attrs = append(attrs, "stack", string(panicked.Stack))
		}
		switch v.fate {
		case done:
		case duplicate:
			log.InfoContext(ctx, "duplicate: the work was done before", c.attrs(it)...)
		case skipped:
			log.InfoContext(ctx, "message skipped", attrs...)
		case deadLettered:
			log.ErrorContext(ctx, "message sent to the dead-letter sink", attrs...)
		default:
			if c.source == SQS && c.cfg.visibility != nil {
				attrs = append(attrs, "retry_after", v.hide.String())
			}
			log.WarnContext(ctx, "message failed and will be retried", attrs...)
		}
	}
}

// failed is the error of an invocation as a whole.
func (c *Consumer) failed(err error) error {
	return &InvocationError{Consumer: c.name, Errs: []error{err}}
}

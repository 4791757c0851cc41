package local

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"time"
)

// DefaultSender is the SenderId of messages whose sender gave none.
const DefaultSender = "AIDASLUICELOCAL000000"

// SendInput is a message to send.
type SendInput struct {
	Body       string
	Attributes map[string]AttributeValue
	// Delay hides the message after it is sent, 0 s to 15 min in whole seconds; nil means the queue's delay. FIFO queues accept 0 only, which
	// there means the queue's delay.
	Delay *time.Duration
	// GroupID is required on a FIFO queue. On a standard queue it marks the tenant (fair queues) and changes nothing but the message's MessageGroupId.
	GroupID string
	// DeduplicationID is required on a FIFO queue without content-based deduplication and refused on a standard one.
	DeduplicationID string
	// TraceHeader is the AWSTraceHeader system attribute; where it is empty, RequestTrace, the request's X-Amzn-Trace-Id, takes its place.
	TraceHeader, RequestTrace string
	// Sender is the SenderId; empty means [DefaultSender].
	Sender string

	originARN, originID string
}

// SendResult is what SendMessage answers.
type SendResult struct {
	MessageID       string
	MD5OfBody       string
	MD5OfAttributes string // "" without attributes
	MD5OfSystem     string // digest of the AWSTraceHeader system attribute, "" without
	SequenceNumber  string // FIFO only
}

type dedupEntry struct {
	id, sequence string
	until        time.Time
}

// dedupWindow is how long a FIFO queue remembers a deduplication id (SQS developer guide, "Exactly-once processing").
const dedupWindow = 5 * time.Minute

var punctuated = regexp.MustCompile("^[A-Za-z0-9!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]{1,128}$")

// CheckMessageGroupID returns AWS's error for a group id that is given but not valid.
func CheckMessageGroupID(id string) error { return checkToken("MessageGroupId", id) }

// CheckDeduplicationID returns AWS's error for a deduplication id that is given but not valid.
func CheckDeduplicationID(id string) error { return checkToken("MessageDeduplicationId", id) }

func checkToken(name, id string) error {
	if punctuated.MatchString(id) {
		return nil
	}
	return errInvalidValue("Value %s for parameter %s is invalid. Reason: %s can only include alphanumeric and punctuation characters. 1 to 128 in length.", id, name, name)
}

// Send puts a message into the queue. A FIFO queue that has seen the deduplication id within five minutes answers with the first message's id and
// keeps no second one.
func (q *Queue) Send(in SendInput) (SendResult, error) {
	q.engine.mu.Lock()
	defer q.engine.unlock()
	return q.send(in)
}

func (q *Queue) send(in SendInput) (SendResult, error) {
	if q.deleted {
		return SendResult{}, errQueueMissing()
	}
	now := q.engine.now()
	q.settle(now)
	if err := q.checkFIFO(&in); err != nil {
		return SendResult{}, err
	}
	if err := q.checkSend(in, "One or more parameters are invalid. Reason: Message must be shorter than %d bytes."); err != nil {
		return SendResult{}, err
	}
	return q.accept(in, now), nil
}

// checkFIFO applies the rules about groups and deduplication, which fail a whole batch on AWS, and fills in a content-based id.
func (q *Queue) checkFIFO(in *SendInput) error {
	if in.GroupID != "" {
		if err := CheckMessageGroupID(in.GroupID); err != nil {
			return err
		}
	}
	if in.DeduplicationID != "" {
		if err := CheckDeduplicationID(in.DeduplicationID); err != nil {
			return err
		}
	}
	if !q.config.FIFO {
		if in.DeduplicationID != "" {
			return errInvalidValue("Value %s for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not valid for this queue type.", in.DeduplicationID)
		}
		return nil
	}
	if in.GroupID == "" {
		return errMissingParameter("MessageGroupId")
	}
	if in.DeduplicationID == "" {
		if !q.config.ContentBasedDeduplication {
			return errInvalidValue("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
		}
		sum := sha256.Sum256([]byte(in.Body))
		in.DeduplicationID = hex.EncodeToString(sum[:])
	}
	return nil
}

// checkSend applies the rules about one message; tooLong is the text about its size, which differs between single and batch calls.
func (q *Queue) checkSend(in SendInput, tooLong string) error {
	if in.Body == "" {
		return errMissingParameter("MessageBody")
	}
	if r, found := invalidRune(in.Body); found {
		return errInvalidContents(fmt.Sprintf("Invalid binary character '#x%X' was found in the message body", r))
	}
	if err := checkAttributes(in.Attributes); err != nil {
		return err
	}
	if in.size() > q.config.MaximumMessageSize {
		return errInvalidValue(tooLong, q.config.MaximumMessageSize)
	}
	if in.Delay != nil {
		d := *in.Delay
		if q.config.FIFO && d != 0 {
			return errInvalidValue("Value %d for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.", d/time.Second)
		}
		if d < 0 || d > 15*time.Minute || d%time.Second != 0 {
			return errInvalidValue("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", d/time.Second)
		}
	}
	return nil
}

// size is what counts towards the limits: body, attribute names, types and values; the trace header does not (SQS developer guide).
func (in SendInput) size() int {
	n := len(in.Body)
	for name, a := range in.Attributes {
		n += len(name) + a.size()
	}
	return n
}

// accept appends a message that passed all checks.
func (q *Queue) accept(in SendInput, now time.Time) SendResult {
	e := q.engine
	m := &message{
		id: e.newID(), body: in.Body, md5Body: md5Hex(in.Body), attrs: maps.Clone(in.Attributes), md5Attrs: MD5OfAttributes(in.Attributes),
		group: in.GroupID, dedup: in.DeduplicationID, trace: in.TraceHeader, sender: in.Sender, sent: now,
		originARN: in.originARN, originID: in.originID,
	}
	if m.trace == "" {
		m.trace = in.RequestTrace
	}
	if m.sender == "" {
		m.sender = DefaultSender
	}
	result := SendResult{MessageID: m.id, MD5OfBody: m.md5Body, MD5OfAttributes: m.md5Attrs}
	if in.TraceHeader != "" {
		result.MD5OfSystem = MD5OfAttributes(map[string]AttributeValue{"AWSTraceHeader": {DataType: "String", StringValue: in.TraceHeader}})
	}
	if q.config.FIFO {
		key := in.DeduplicationID
		if q.config.DeduplicationScope == "messageGroup" {
			key = in.GroupID + "\x00" + key
		}
		if first, ok := q.dedup[key]; ok {
			e.record(Entry{Kind: MessageDeduplicated, Queue: q.name, MessageID: first.id, GroupID: in.GroupID, Detail: in.DeduplicationID,
				OriginARN: in.originARN, OriginID: in.originID})
			result.MessageID, result.SequenceNumber = first.id, first.sequence
			return result
		}
		defer func() { q.dedup[key] = dedupEntry{id: m.id, sequence: m.sequence, until: now.Add(dedupWindow)} }()
	}
	delay := q.config.Delay
	if in.Delay != nil && !q.config.FIFO {
		delay = *in.Delay
	}
	if delay > 0 {
		m.visibleAt = now.Add(delay)
	}
	q.put(m)
	result.SequenceNumber = m.sequence
	e.record(Entry{Kind: MessageSent, Queue: q.name, MessageID: m.id, GroupID: m.group, Body: m.body, VisibleAt: m.visibleAt, Trace: m.trace,
		OriginARN: m.originARN, OriginID: m.originID})
	return result
}

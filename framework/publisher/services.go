package publisher

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// What the publishers need of the SDK's clients.
type (
	SQSClient interface {
		SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
	}
	SNSClient interface {
		PublishBatch(context.Context, *sns.PublishBatchInput, ...func(*sns.Options)) (*sns.PublishBatchOutput, error)
	}
	EventBridgeClient interface {
		PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
	}
)

// Limits of one request, in entries and bytes:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
// https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html (256 KB until January 2026)
const (
	batchEntries     = 10
	sqsBytes         = 1 << 20
	snsBytes         = 256 << 10
	eventBridgeBytes = 1 << 20
	maxAttributes    = 10
)

// SQS returns a Publisher to a queue. The event's type goes as attribute
// "event-type". The role needs sqs:SendMessage.
func SQS(client SQSClient, queueURL string) *Publisher {
	return &Publisher{&queue{client, queueURL}}
}

type queue struct {
	client SQSClient
	url    string
}

func (q *queue) limits() (int, int) { return batchEntries, sqsBytes }
func (q *queue) overhead() int      { return len(eventTypeAttribute) + len("String") }
func (q *queue) ordered() bool      { return strings.HasSuffix(q.url, ".fifo") }

func (q *queue) check(e Entry) error {
	if q.ordered() && e.Group == "" {
		return errors.New("a FIFO queue needs Entry.Group: messages of one group are delivered in order")
	}
	return errors.Join(checkIDs(e, q.ordered()), checkAttributes(e))
}

func (q *queue) send(ctx context.Context, entries []encoded) ([]error, error) {
	in := &sqs.SendMessageBatchInput{QueueUrl: aws.String(q.url)}
	for i, e := range entries {
		m := sqstypes.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(e.body), MessageGroupId: optional(e.Group),
			MessageAttributes: map[string]sqstypes.MessageAttributeValue{eventTypeAttribute: sqsText(e.Event.EventType())},
		}
		if q.ordered() {
			m.MessageDeduplicationId = optional(e.DeduplicationID)
		}
		for name, v := range e.Attributes {
			m.MessageAttributes[name] = sqsText(v)
		}
		in.Entries = append(in.Entries, m)
	}
	out, err := q.client.SendMessageBatch(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("send to queue %s: %w", q.url, err)
	}
	a := newAnswers(len(entries))
	for _, s := range out.Successful {
		a.set(aws.ToString(s.Id), nil)
	}
	for _, f := range out.Failed {
		a.set(aws.ToString(f.Id), &refusedError{aws.ToString(f.Code), aws.ToString(f.Message), f.SenderFault})
	}
	return a, nil
}

// SNS returns a Publisher to a topic. The event's type goes as attribute
// "event-type", by which subscriptions can filter. The role needs sns:Publish.
func SNS(client SNSClient, topicARN string) *Publisher {
	return &Publisher{&topic{client, topicARN}}
}

type topic struct {
	client SNSClient
	arn    string
}

func (t *topic) limits() (int, int) { return batchEntries, snsBytes }
func (t *topic) overhead() int      { return len(eventTypeAttribute) + len("String") }
func (t *topic) ordered() bool      { return strings.HasSuffix(t.arn, ".fifo") }

func (t *topic) check(e Entry) error {
	if t.ordered() && e.Group == "" {
		return errors.New("a FIFO topic needs Entry.Group: messages of one group are delivered in order")
	}
	return errors.Join(checkIDs(e, t.ordered()), checkAttributes(e))
}

func (t *topic) send(ctx context.Context, entries []encoded) ([]error, error) {
	in := &sns.PublishBatchInput{TopicArn: aws.String(t.arn)}
	for i, e := range entries {
		m := snstypes.PublishBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), Message: aws.String(e.body), MessageGroupId: optional(e.Group),
			MessageAttributes: map[string]snstypes.MessageAttributeValue{eventTypeAttribute: snsText(e.Event.EventType())},
		}
		if t.ordered() {
			m.MessageDeduplicationId = optional(e.DeduplicationID)
		}
		for name, v := range e.Attributes {
			m.MessageAttributes[name] = snsText(v)
		}
		in.PublishBatchRequestEntries = append(in.PublishBatchRequestEntries, m)
	}
	out, err := t.client.PublishBatch(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("publish to topic %s: %w", t.arn, err)
	}
	a := newAnswers(len(entries))
	for _, s := range out.Successful {
		a.set(aws.ToString(s.Id), nil)
	}
	for _, f := range out.Failed {
		a.set(aws.ToString(f.Id), &refusedError{aws.ToString(f.Code), aws.ToString(f.Message), f.SenderFault})
	}
	return a, nil
}

// EventBridge returns a Publisher to an event bus, by name or ARN. Source says
// who publishes; rules can match on it. The event's type is the detail-type.
// The role needs events:PutEvents.
func EventBridge(client EventBridgeClient, bus, source string) *Publisher {
	return &Publisher{&eventBus{client, bus, source}}
}

type eventBus struct {
	client      EventBridgeClient
	bus, source string
}

func (b *eventBus) limits() (int, int) { return batchEntries, eventBridgeBytes }
func (b *eventBus) overhead() int      { return len(b.source) }
func (b *eventBus) ordered() bool      { return false }

func (b *eventBus) check(e Entry) error {
	switch {
	case b.source == "":
		return errors.New("EventBridge needs a source: say who publishes")
	case len(e.Attributes) > 0 || e.Group != "":
		return errors.New("EventBridge events have no attributes and no groups")
	default:
		return nil
	}
}

func (b *eventBus) send(ctx context.Context, entries []encoded) ([]error, error) {
	in := &eventbridge.PutEventsInput{}
	for _, e := range entries {
		in.Entries = append(in.Entries, eventbridgetypes.PutEventsRequestEntry{
			EventBusName: optional(b.bus), Source: aws.String(b.source), DetailType: aws.String(e.Event.EventType()), Detail: aws.String(e.body),
		})
	}
	out, err := b.client.PutEvents(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("put events on bus %s: %w", b.bus, err)
	}
	a := newAnswers(len(entries))
	for i, r := range out.Entries {
		var err error
		if code := aws.ToString(r.ErrorCode); code != "" {
			// These two are the service's doing; the others are the entry's.
			own := code == "ThrottlingException" || code == "InternalFailure"
			err = &refusedError{code, aws.ToString(r.ErrorMessage), !own}
		}
		a.set(strconv.Itoa(i), err)
	}
	return a, nil
}

// newAnswers assumes of every entry that it failed, until the service says
// otherwise.
func newAnswers(n int) answers {
	a := make(answers, n)
	for i := range a {
		a[i] = errors.New("the service did not answer for this event")
	}
	return a
}

type answers []error

func (a answers) set(id string, err error) {
	if i, e := strconv.Atoi(id); e == nil && i >= 0 && i < len(a) {
		a[i] = err
	}
}

func checkAttributes(e Entry) error {
	if _, own := e.Attributes[eventTypeAttribute]; own {
		return fmt.Errorf("attribute %q is the event's type and cannot be set", eventTypeAttribute)
	}
	if len(e.Attributes) >= maxAttributes {
		return fmt.Errorf("%d attributes: the service takes %d, and one is the event's type", len(e.Attributes), maxAttributes)
	}
	for name, v := range e.Attributes {
		if v == "" {
			return fmt.Errorf("attribute %q is empty: leave it out", name)
		}
	}
	return nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return aws.String(s)
}

func sqsText(s string) sqstypes.MessageAttributeValue {
	return sqstypes.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(s)}
}

func snsText(s string) snstypes.MessageAttributeValue {
	return snstypes.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(s)}
}

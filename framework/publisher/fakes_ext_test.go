package publisher_test

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sluice-go/sluice/framework/publisher"
)

// note is the event of these tests.
type note struct {
	Text string
	key  string
}

func (note) EventType() string        { return "tests.noted.v1" }
func (n note) IdempotencyKey() string { return n.key }

// refusal is what a service says of one entry; the zero value accepts it.
type refusal struct {
	code   string
	sender bool
	silent bool // the answer leaves the entry out
}

// service is all three at once. It remembers bodies, request by request.
type service struct {
	requests [][]string
	refuse   func(request int, body string) refusal
	fail     func(ctx context.Context, request int) error

	sqs []sqstypes.SendMessageBatchRequestEntry
	sns []snstypes.PublishBatchRequestEntry
	eb  []eventbridgetypes.PutEventsRequestEntry
}

func (s *service) take(ctx context.Context, bodies []string) ([]refusal, error) {
	n := len(s.requests)
	s.requests = append(s.requests, bodies)
	if s.fail != nil {
		if err := s.fail(ctx, n); err != nil {
			return nil, err
		}
	}
	out := make([]refusal, len(bodies))
	for i, b := range bodies {
		if s.refuse != nil {
			out[i] = s.refuse(n, b)
		}
	}
	return out, nil
}

func (s *service) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	bodies := make([]string, len(in.Entries))
	for i, e := range in.Entries {
		bodies[i] = aws.ToString(e.MessageBody)
	}
	refusals, err := s.take(ctx, bodies)
	if err != nil {
		return nil, err
	}
	s.sqs = append(s.sqs, in.Entries...)
	out := &sqs.SendMessageBatchOutput{}
	for i, r := range refusals {
		switch {
		case r.silent:
		case r.code != "":
			out.Failed = append(out.Failed, sqstypes.BatchResultErrorEntry{Id: in.Entries[i].Id, Code: aws.String(r.code), Message: aws.String("no"), SenderFault: r.sender})
		default:
			out.Successful = append(out.Successful, sqstypes.SendMessageBatchResultEntry{Id: in.Entries[i].Id})
		}
	}
	return out, nil
}

func (s *service) PublishBatch(ctx context.Context, in *sns.PublishBatchInput, _ ...func(*sns.Options)) (*sns.PublishBatchOutput, error) {
	bodies := make([]string, len(in.PublishBatchRequestEntries))
	for i, e := range in.PublishBatchRequestEntries {
		bodies[i] = aws.ToString(e.Message)
	}
	refusals, err := s.take(ctx, bodies)
	if err != nil {
		return nil, err
	}
	s.sns = append(s.sns, in.PublishBatchRequestEntries...)
	out := &sns.PublishBatchOutput{}
	for i, r := range refusals {
		id := in.PublishBatchRequestEntries[i].Id
		switch {
		case r.silent:
		case r.code != "":
			out.Failed = append(out.Failed, snstypes.BatchResultErrorEntry{Id: id, Code: aws.String(r.code), Message: aws.String("no"), SenderFault: r.sender})
		default:
			out.Successful = append(out.Successful, snstypes.PublishBatchResultEntry{Id: id})
		}
	}
	return out, nil
}

func (s *service) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	bodies := make([]string, len(in.Entries))
	for i, e := range in.Entries {
		bodies[i] = aws.ToString(e.Detail)
	}
	refusals, err := s.take(ctx, bodies)
	if err != nil {
		return nil, err
	}
	s.eb = append(s.eb, in.Entries...)
	out := &eventbridge.PutEventsOutput{}
	for _, r := range refusals {
		if r.silent {
			break // its answer is a list, by position
		}
		e := eventbridgetypes.PutEventsResultEntry{EventId: aws.String("id")}
		if r.code != "" {
			e = eventbridgetypes.PutEventsResultEntry{ErrorCode: aws.String(r.code), ErrorMessage: aws.String("no")}
		}
		out.Entries = append(out.Entries, e)
	}
	return out, nil
}

// publishers are the three services over one fake.
func publishers(s *service) map[string]*publisher.Publisher {
	return map[string]*publisher.Publisher{
		"sqs": publisher.SQS(s, "https://q"), "sns": publisher.SNS(s, "arn:topic"), "eventbridge": publisher.EventBridge(s, "bus", "shop"),
	}
}

func notes(n int) []publisher.Event {
	out := make([]publisher.Event, n)
	for i := range out {
		out[i] = note{Text: strings.Repeat("x", i)}
	}
	return out
}

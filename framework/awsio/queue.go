package awsio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sluice-go/sluice/framework/consumer"
)

// VisibilityClient is what Visibility needs of *sqs.Client.
type VisibilityClient interface {
	ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
}

// Visibility hides messages of a queue for a while, ten a request. The role
// needs sqs:ChangeMessageVisibility on the queue.
type Visibility struct {
	client VisibilityClient
	url    string
}

var _ consumer.VisibilityChanger = (*Visibility)(nil)

// NewVisibility returns a Visibility. QueueURL is the source queue's; if it is
// empty, the URL is made from the ARN that each message carries.
func NewVisibility(client VisibilityClient, queueURL string) *Visibility {
	return &Visibility{client: client, url: queueURL}
}

// maxEntries is SQS's limit for batch calls.
const maxEntries = 10

// parallelChanges is how many requests of visibility changes are under way at
// once: the round must fit into the margin before the deadline.
const parallelChanges = 8

// ChangeVisibility implements consumer.VisibilityChanger. It sends every
// request, whatever became of the others, and joins their errors.
func (v *Visibility) ChangeVisibility(ctx context.Context, changes []consumer.VisibilityChange) error {
	chunks := slices.Collect(slices.Chunk(changes, maxEntries))
	errs := make([]error, len(chunks))
	var wg sync.WaitGroup
	gate := make(chan struct{}, parallelChanges)
	for i, chunk := range chunks {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			errs[i] = v.change(ctx, chunk)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (v *Visibility) change(ctx context.Context, chunk []consumer.VisibilityChange) error {
	url := v.url
	if url == "" {
		var err error
		if url, err = queueURL(chunk[0].QueueARN); err != nil {
			return err
		}
	}
	in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: aws.String(url)}
	for i, c := range chunk {
		in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(c.ReceiptHandle), VisibilityTimeout: seconds(c.Timeout),
		})
	}
	out, err := v.client.ChangeMessageVisibilityBatch(ctx, in)
	if err != nil {
		return fmt.Errorf("awsio: change visibility on %s: %w", url, err)
	}
	var errs []error
	for _, f := range out.Failed {
		errs = append(errs, fmt.Errorf("awsio: change visibility on %s: %s: %s", url, aws.ToString(f.Code), aws.ToString(f.Message)))
	}
	return errors.Join(errs...)
}

// seconds is a visibility timeout as SQS takes it, within its limits.
func seconds(d time.Duration) int32 {
	const most = 12 * time.Hour
	return int32(min(max(d, 0), most) / time.Second) // within 0 to 43,200
}

// queueURL is the URL that AWS gives a queue, by partition.
func queueURL(queueARN string) (string, error) {
	a, err := arn.Parse(queueARN)
	if err != nil {
		return "", fmt.Errorf("awsio: queue ARN %q: %w", queueARN, err)
	}
	suffix := "amazonaws.com"
	if a.Partition == "aws-cn" {
		suffix = "amazonaws.com.cn"
	}
	return fmt.Sprintf("https://sqs.%s.%s/%s/%s", a.Region, suffix, a.AccountID, a.Resource), nil
}

// DeadLetterClient is what DeadLetters needs of *sqs.Client.
type DeadLetterClient interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// DeadLetters is a dead-letter sink that is a queue. The role needs
// sqs:SendMessage on it.
//
// A message is sent with its body and attributes unchanged, plus its id in
// attribute consumer.AttributeID, by which a redriven message keeps its
// identity, and the reason in consumer.AttributeReason, cut to fit. SQS allows
// ten attributes; where they leave no room the reason is logged instead, and
// the message still goes. To a FIFO queue it goes under its own group, with its
// MessageId as deduplication id.
//
// SQS's own redrive refuses messages that were sent to a dead-letter queue
// unless it is told the destination.
type DeadLetters struct {
	client DeadLetterClient
	url    string
}

var _ consumer.DeadLetterSink = (*DeadLetters)(nil)

// NewDeadLetters returns a sink that sends to the queue of the URL.
func NewDeadLetters(client DeadLetterClient, queueURL string) (*DeadLetters, error) {
	if !strings.Contains(queueURL, "://") {
		return nil, fmt.Errorf("awsio: %q is no queue URL: give the URL, not the name or ARN", queueURL)
	}
	return &DeadLetters{client: client, url: queueURL}, nil
}

// SQS's limits: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const (
	maxAttributes = 10
	maxMessage    = 1 << 20 // bytes of body and attributes together
	maxReason     = 1 << 10 // more says no more
)

// Send implements consumer.DeadLetterSink.
func (d *DeadLetters) Send(ctx context.Context, dl consumer.DeadLetter) error {
	in := &sqs.SendMessageInput{QueueUrl: aws.String(d.url), MessageBody: aws.String(dl.Body), MessageAttributes: map[string]types.MessageAttributeValue{}}
	size := len(dl.Body)
	for name, a := range dl.AllAttrs {
		v := types.MessageAttributeValue{DataType: aws.String(a.DataType)}
		if strings.HasPrefix(a.DataType, "Binary") {
			v.BinaryValue = a.Binary
		} else {
			v.StringValue = aws.String(a.String)
		}
		in.MessageAttributes[name] = v
		size += len(name) + len(a.DataType) + len(a.String) + len(a.Binary)
	}
	room := func(name string) int {
		if _, replaces := in.MessageAttributes[name]; !replaces && len(in.MessageAttributes) >= maxAttributes {
			return 0
		}
		return maxMessage - size - len(name) - len("String")
	}
	// An id cannot be cut or mended: another id would be another message.
	if id := dl.ID; id != "" && cut(id, room(consumer.AttributeID)) == id {
		in.MessageAttributes[consumer.AttributeID] = text(id)
		size += len(consumer.AttributeID) + len("String") + len(id)
	} else {
		slog.WarnContext(ctx, "dead letter cannot carry its id: a redrive is a new message", "id", dl.ID, "message_id", dl.MessageID)
	}
	if reason := cut(dl.Reason.Error(), min(maxReason, room(consumer.AttributeReason))); reason != "" {
		in.MessageAttributes[consumer.AttributeReason] = text(reason)
	} else {
		slog.WarnContext(ctx, "dead letter has no room for its reason", "id", dl.ID, "message_id", dl.MessageID, "reason", dl.Reason)
	}
	if strings.HasSuffix(d.url, ".fifo") {
		group := dl.GroupID
		if group == "" {
			group = "sluice" // the source has no groups; the sink must have one
		}
		in.MessageGroupId, in.MessageDeduplicationId = aws.String(group), aws.String(dl.MessageID)
	}
	if _, err := d.client.SendMessage(ctx, in); err != nil {
		return fmt.Errorf("awsio: send to dead-letter queue %s: %w", d.url, err)
	}
	return nil
}

func text(s string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(s)}
}

// cut shortens s to n bytes at a rune's start, and replaces what SQS refuses:
// it takes the characters of XML 1.0.
func cut(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xFFFD || r >= 0x10000:
			return r
		default:
			return '?'
		}
	}, s)
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:max(n, 0)]
}

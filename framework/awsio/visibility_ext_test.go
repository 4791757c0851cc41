package awsio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sluice-go/sluice/framework/awsio"
	"github.com/sluice-go/sluice/framework/consumer"
)

// hider is SQS, of which each call may fail.
type hider struct {
	mu    sync.Mutex
	calls []*sqs.ChangeMessageVisibilityBatchInput
	fail  func(call int) (*sqs.ChangeMessageVisibilityBatchOutput, error)
}

func (h *hider) ChangeMessageVisibilityBatch(_ context.Context, in *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, in)
	if h.fail != nil {
		return h.fail(len(h.calls) - 1)
	}
	return &sqs.ChangeMessageVisibilityBatchOutput{}, nil
}

func changes(n int, arn string) []consumer.VisibilityChange {
	out := make([]consumer.VisibilityChange, n)
	for i := range out {
		out[i] = consumer.VisibilityChange{QueueARN: arn, MessageID: fmt.Sprint("m", i), ReceiptHandle: fmt.Sprint("h", i), Timeout: time.Duration(i) * time.Second}
	}
	return out
}

func TestVisibilityIsChangedTenAtATime(t *testing.T) {
	t.Parallel()
	for n, want := range map[int][]int{0: nil, 1: {1}, 10: {10}, 11: {10, 1}, 25: {10, 10, 5}} {
		h := &hider{}
		if err := awsio.NewVisibility(h, "https://q").ChangeVisibility(t.Context(), changes(n, "ignored")); err != nil {
			t.Fatal(err)
		}
		// Requests are under way together; which comes first is open.
		slices.SortFunc(h.calls, func(a, b *sqs.ChangeMessageVisibilityBatchInput) int {
			return int(a.Entries[0].VisibilityTimeout - b.Entries[0].VisibilityTimeout)
		})
		var sizes []int
		next := 0
		for _, in := range h.calls {
			sizes = append(sizes, len(in.Entries))
			ids := map[string]bool{}
			for _, e := range in.Entries {
				if aws.ToString(e.ReceiptHandle) != fmt.Sprint("h", next) || int(e.VisibilityTimeout) != next || ids[aws.ToString(e.Id)] {
					t.Errorf("entry %d is %+v", next, e)
				}
				ids[aws.ToString(e.Id)] = true
				next++
			}
			if aws.ToString(in.QueueUrl) != "https://q" {
				t.Errorf("queue %s", aws.ToString(in.QueueUrl))
			}
		}
		if fmt.Sprint(sizes) != fmt.Sprint(want) {
			t.Errorf("%d changes went as %v, want %v", n, sizes, want)
		}
	}
}

// TestVisibilityFailures: one request's failure does not keep the others, and
// all are told.
func TestVisibilityFailures(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	h := &hider{fail: func(call int) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
		switch call {
		case 0:
			return nil, boom
		case 1:
			return &sqs.ChangeMessageVisibilityBatchOutput{Failed: []types.BatchResultErrorEntry{
				{Id: aws.String("3"), Code: aws.String("InvalidParameterValue"), Message: aws.String("the receipt handle has expired")},
			}}, nil
		default:
			return &sqs.ChangeMessageVisibilityBatchOutput{}, nil
		}
	}}
	err := awsio.NewVisibility(h, "https://q").ChangeVisibility(t.Context(), changes(25, ""))
	if len(h.calls) != 3 || !errors.Is(err, boom) || !strings.Contains(err.Error(), "the receipt handle has expired") {
		t.Errorf("%d calls, error %v", len(h.calls), err)
	}
}

func TestQueueURLFromARN(t *testing.T) {
	t.Parallel()
	for arn, want := range map[string]string{
		"arn:aws:sqs:eu-west-1:123456789012:q":            "https://sqs.eu-west-1.amazonaws.com/123456789012/q",
		"arn:aws:sqs:us-east-1:123456789012:q.fifo":       "https://sqs.us-east-1.amazonaws.com/123456789012/q.fifo",
		"arn:aws-cn:sqs:cn-north-1:123456789012:q":        "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q",
		"arn:aws-us-gov:sqs:us-gov-west-1:123456789012:q": "https://sqs.us-gov-west-1.amazonaws.com/123456789012/q",
		"no arn": "",
		"":       "",
	} {
		h := &hider{}
		err := awsio.NewVisibility(h, "").ChangeVisibility(t.Context(), changes(1, arn))
		if want == "" {
			if err == nil || len(h.calls) > 0 || !strings.Contains(err.Error(), fmt.Sprintf("%q", arn)) {
				t.Errorf("%q: %d calls, error %v", arn, len(h.calls), err)
			}
			continue
		}
		if err != nil || len(h.calls) != 1 || aws.ToString(h.calls[0].QueueUrl) != want {
			t.Errorf("%s: %+v, %v, want %s", arn, h.calls, err, want)
		}
	}
}

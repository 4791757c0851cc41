package awsapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"
)

// The SDK checks the MD5 digests of what it sends and receives, so this also proves them.
func TestSQSSendReceiveDelete(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	ctx := t.Context()
	url := a.createQueue("q", nil)
	sent, err := a.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("hällo <&>"),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"s": {DataType: aws.String("String"), StringValue: aws.String("v")},
			"b": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 255}},
		},
		MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String("Root=1-5759e988-bd862e3fe1be46a994272793")}},
	}, sqs.WithAPIOptions(smithyhttp.SetHeaderValue("X-Amzn-Trace-Id", "Root=1-00000000-000000000000000000000000")))
	a.must(err)
	if sent.MD5OfMessageSystemAttributes == nil {
		t.Error("no digest of the system attributes")
	}
	got, err := a.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}, MessageAttributeNames: []string{"All"}})
	a.must(err)
	m := got.Messages[0]
	if *m.MessageId != *sent.MessageId || *m.Body != "hällo <&>" || string(m.MessageAttributes["b"].BinaryValue) != "\x00\x01\xff" {
		t.Errorf("received %+v", m)
	}
	if m.Attributes["AWSTraceHeader"] != "Root=1-5759e988-bd862e3fe1be46a994272793" {
		t.Errorf("the system attribute should win over the request's header: %v", m.Attributes)
	}
	_, err = a.sqs.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0})
	a.must(err)
	got, err = a.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url})
	a.must(err)
	if got.Messages[0].Attributes != nil || got.Messages[0].MessageAttributes != nil {
		t.Error("attributes that were not asked for")
	}
	_, err = a.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: got.Messages[0].ReceiptHandle})
	a.must(err)
	attrs, err := a.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"ApproximateNumberOfMessages", "QueueArn"}})
	a.must(err)
	if diff := cmp.Diff(map[string]string{"ApproximateNumberOfMessages": "0", "QueueArn": "arn:aws:sqs:us-east-1:000000000000:q"}, attrs.Attributes); diff != "" {
		t.Error(diff)
	}
}

func TestSQSTraceHeaderOfTheRequest(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	url := a.createQueue("q", nil)
	trace := "Root=1-3152b799-8954dae64eda91bc9a23a7e8;Parent=7fa8c0f79203be72;Sampled=1"
	_, err := a.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("m")}, sqs.WithAPIOptions(smithyhttp.SetHeaderValue("X-Amzn-Trace-Id", trace)))
	a.must(err)
	got, err := a.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"AWSTraceHeader"}})
	a.must(err)
	if diff := cmp.Diff(map[string]string{"AWSTraceHeader": trace}, got.Messages[0].Attributes); diff != "" {
		t.Error(diff)
	}
}

// Names and results recorded on AWS: test_receive_message_message_attribute_names_filters.
func TestMessageAttributeNames(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	url := a.createQueue("q", map[string]string{"VisibilityTimeout": "0"})
	text := func(v string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &v}
	}
	_, err := a.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("msg"),
		MessageAttributes: map[string]types.MessageAttributeValue{"Help.Me": text("Me"), "Hello": text("There"), "General": text("Kenobi")}})
	a.must(err)
	for _, c := range []struct {
		names []string
		md5   string
	}{
		{nil, ""},
		{[]string{"All"}, "4c360f3fdafd970e05fae2f149d997f5"},
		{[]string{".*"}, "4c360f3fdafd970e05fae2f149d997f5"},
		{[]string{"Hello", "General"}, "fca026605781cb4126a1e9044df24232"},
		{[]string{"Hello", "Foo"}, "a311262e065454b75da111d535b8dacd"},
		{[]string{"Hel.*"}, "83fee93c1bcd8b9a5a923ffacdc636c7"},
		{[]string{"Foo"}, ""},
	} {
		got, err := a.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MessageAttributeNames: c.names})
		a.must(err)
		if md5 := aws.ToString(got.Messages[0].MD5OfMessageAttributes); md5 != c.md5 {
			t.Errorf("%v: digest %q, AWS recorded %q", c.names, md5, c.md5)
		}
	}
}

func TestSQSBatches(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	ctx := t.Context()
	url := a.createQueue("q.fifo", map[string]string{"FifoQueue": "true"})
	var entries []types.SendMessageBatchRequestEntry
	for i := range 3 {
		entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), MessageBody: aws.String(fmt.Sprint("m", i)), MessageGroupId: aws.String("g"),
			MessageDeduplicationId: aws.String(fmt.Sprint("d", i))})
	}
	sent, err := a.sqs.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries})
	a.must(err)
	if len(sent.Successful) != 3 || len(sent.Failed) != 0 || *sent.Successful[0].SequenceNumber >= *sent.Successful[1].SequenceNumber {
		t.Errorf("sent: %+v", sent)
	}
	got, err := a.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10})
	a.must(err)
	changed, err := a.sqs.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &url, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
		{Id: aws.String("a"), ReceiptHandle: got.Messages[2].ReceiptHandle, VisibilityTimeout: 100}}})
	a.must(err)
	deleted, err := a.sqs.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &url, Entries: []types.DeleteMessageBatchRequestEntry{
		{Id: aws.String("a"), ReceiptHandle: got.Messages[0].ReceiptHandle}, {Id: aws.String("b"), ReceiptHandle: aws.String("garbage")}}})
	a.must(err)
	if len(changed.Successful) != 1 || len(deleted.Successful) != 1 || len(deleted.Failed) != 1 || *deleted.Failed[0].Code != "ReceiptHandleIsInvalid" || !deleted.Failed[0].SenderFault {
		t.Errorf("changed %+v, deleted %+v", changed, deleted)
	}
	_, err = a.sqs.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: append(entries, entries[0])})
	if _, ok := errors.AsType[*types.BatchEntryIdsNotDistinct](err); !ok {
		t.Errorf("got %v, want the modelled error BatchEntryIdsNotDistinct", err)
	}
}

// Codes are those of the old query protocol, as AWS sends them in x-amzn-query-error and SDKs report them; the modelled types come from __type.
func TestSQSErrors(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	ctx := t.Context()
	url := a.createQueue("q", nil)
	none := a.url + "/000000000000/none"

	_, err := a.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("none")})
	if _, ok := errors.AsType[*types.QueueDoesNotExist](err); !ok {
		t.Errorf("got %v, want the modelled error QueueDoesNotExist", err)
	}
	_, err = a.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &none, MessageBody: aws.String("m")})
	wantCode(t, err, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
	_, err = a.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("q"), Attributes: map[string]string{"DelaySeconds": "2"}})
	wantCode(t, err, "QueueAlreadyExists", "a different value for attribute DelaySeconds")
	if _, ok := errors.AsType[*types.QueueNameExists](err); !ok {
		t.Errorf("got %v, want the modelled error QueueNameExists", err)
	}
	_, err = a.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("r"), Attributes: map[string]string{"FifoQueue": "false"}})
	wantCode(t, err, "InvalidAttributeName", "Unknown Attribute FifoQueue.")
	_, err = a.sqs.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"FifoQueue": "true"}})
	wantCode(t, err, "InvalidAttributeName", "Unknown Attribute FifoQueue.")
	_, err = a.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"Colour"}})
	wantCode(t, err, "InvalidAttributeName", "Unknown Attribute Colour.")
	_, err = a.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 11})
	wantCode(t, err, "InvalidParameterValue", "Value 11 for parameter MaxNumberOfMessages is invalid.")
	_, err = a.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("m"), MessageGroupId: aws.String("")})
	wantCode(t, err, "InvalidParameterValue", "Value  for parameter MessageGroupId is invalid.")
	_, err = a.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("")})
	wantCode(t, err, "MissingParameter", "The request must contain the parameter MessageBody.")
	_, err = a.sqs.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: &url})
	a.must(err)
	_, err = a.sqs.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: &url})
	wantCode(t, err, "AWS.SimpleQueueService.PurgeQueueInProgress", "every 60 seconds")
	if re, ok := errors.AsType[*smithyhttp.ResponseError](err); !ok || re.HTTPStatusCode() != http.StatusForbidden {
		t.Errorf("status of PurgeQueueInProgress: %v, AWS recorded 403", err)
	}
}

// Recorded: test_set_queue_attributes_default_values, test_fifo_set_content_based_deduplication_strategy.
func TestQueueAttributes(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	ctx := t.Context()
	get := func(url string) map[string]string {
		out, err := a.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"All"}})
		a.must(err)
		out.Attributes["CreatedTimestamp"], out.Attributes["LastModifiedTimestamp"] = "timestamp", "timestamp"
		return out.Attributes
	}
	dlq := a.createQueue("dlq", nil)
	want := map[string]string{"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesDelayed": "0", "ApproximateNumberOfMessagesNotVisible": "0", "CreatedTimestamp": "timestamp",
		"DelaySeconds": "0", "LastModifiedTimestamp": "timestamp", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600", "QueueArn": "arn:aws:sqs:us-east-1:000000000000:dlq",
		"ReceiveMessageWaitTimeSeconds": "0", "SqsManagedSseEnabled": "true", "VisibilityTimeout": "30"}
	if diff := cmp.Diff(want, get(dlq)); diff != "" {
		t.Errorf("defaults: %s", diff)
	}

	q := a.createQueue("q", nil)
	redrive := `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dlq","maxReceiveCount":3}`
	set := map[string]string{"VisibilityTimeout": "69", "DelaySeconds": "420", "MaximumMessageSize": "2048", "MessageRetentionPeriod": "604800", "ReceiveMessageWaitTimeSeconds": "10",
		"RedrivePolicy": redrive, "RedriveAllowPolicy": `{"redrivePermission":"denyAll"}`, "Policy": `{"Statement":[]}`}
	_, err := a.sqs.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &q, Attributes: set})
	a.must(err)
	got := get(q)
	for name, value := range set {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
	sources, err := a.sqs.ListDeadLetterSourceQueues(ctx, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: &dlq})
	a.must(err)
	if diff := cmp.Diff([]string{q}, sources.QueueUrls); diff != "" {
		t.Error(diff)
	}
	_, err = a.sqs.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &q, Attributes: map[string]string{"RedrivePolicy": "", "Policy": ""}})
	a.must(err)
	if got := get(q); got["RedrivePolicy"] != "" || got["Policy"] != "" {
		t.Errorf("empty values did not remove the policies: %v", got)
	}

	fifo := a.createQueue("q.fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
	got = get(fifo)
	for name, value := range map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true", "DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"} {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
	_, err = a.sqs.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &fifo, Attributes: map[string]string{"FifoQueue": "false"}})
	wantCode(t, err, "InvalidAttributeValue", "Modifying queue type is not supported.")
}

func TestListQueuesPages(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	var want []string
	for i := range 5 {
		want = append(want, a.createQueue(fmt.Sprint("test-", i), nil))
	}
	a.createQueue("other", nil)
	var got []string
	pages := sqs.NewListQueuesPaginator(a.sqs, &sqs.ListQueuesInput{QueueNamePrefix: aws.String("test-"), MaxResults: aws.Int32(2)})
	n := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		a.must(err)
		got = append(got, page.QueueUrls...)
		n++
	}
	if diff := cmp.Diff(want, got); diff != "" || n != 3 {
		t.Errorf("%d pages: %s", n, diff)
	}
}

// A client may have a queue URL with another host than the one it now talks to; the last two parts of the path count.
func TestQueueURLs(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	if url := a.createQueue("q", nil); url != a.url+"/000000000000/q" {
		t.Errorf("queue URL %s", url)
	}
	for _, url := range []string{"https://sqs.us-east-1.amazonaws.com/000000000000/q", "http://localhost:1/queue/000000000000/q", "q"} {
		_, err := a.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("m")}, func(o *sqs.Options) { o.BaseEndpoint = &a.url })
		if err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	other := a.url + "/111111111111/q"
	_, err := a.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &other, MessageBody: aws.String("m")})
	wantCode(t, err, "AWS.SimpleQueueService.NonExistentQueue", "")
	if q, _ := a.engine.Queue("q"); q.Counts().Visible != 3 {
		t.Errorf("%d messages, want 3", q.Counts().Visible)
	}
}

func TestTagsAndDeleteQueue(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	ctx := t.Context()
	url := a.createQueue("q", nil)
	_, err := a.sqs.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: &url, Tags: map[string]string{"a": "1", "b": ""}})
	a.must(err)
	_, err = a.sqs.UntagQueue(ctx, &sqs.UntagQueueInput{QueueUrl: &url, TagKeys: []string{"a"}})
	a.must(err)
	tags, err := a.sqs.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: &url})
	a.must(err)
	if diff := cmp.Diff(map[string]string{"b": ""}, tags.Tags); diff != "" {
		t.Error(diff)
	}
	_, err = a.sqs.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &url})
	a.must(err)
	_, err = a.sqs.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &url})
	wantCode(t, err, "AWS.SimpleQueueService.NonExistentQueue", "")
}

// A long poll of an empty queue lets the clock jump to its end, so it takes no time.
func TestLongPollOverTheWire(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	a.run()
	url := a.createQueue("q", nil)
	before := a.engine.Offset()
	out, err := a.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20})
	a.must(err)
	if jumped := a.engine.Offset() - before; len(out.Messages) != 0 || jumped.Seconds() < 19 {
		t.Errorf("%d messages, jumped %v, want none and about 20 s", len(out.Messages), jumped)
	}
}

func TestUnknownParametersAreRefused(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	url := a.createQueue("q", nil)
	_, err := a.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, ReceiveRequestAttemptId: aws.String("x")})
	wantCode(t, err, "NotImplemented", "the parameter ReceiveRequestAttemptId of ReceiveMessage is not emulated")
	if !containsAny(a.warnings(), "ReceiveRequestAttemptId") {
		t.Errorf("no warning in the journal: %s", strings.Join(a.warnings(), "; "))
	}
}

func TestSQSOperationsThatAreRefused(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	url := a.createQueue("q", nil)
	_, err := a.sqs.AddPermission(t.Context(), &sqs.AddPermissionInput{QueueUrl: &url, Label: aws.String("l"), AWSAccountIds: []string{"111111111111"}, Actions: []string{"*"}})
	wantCode(t, err, "NotImplemented", "sqs AddPermission is not emulated")
}

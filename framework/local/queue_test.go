package local_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/local"
)

func TestVisibilityHidesAndReturns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	q := w.queue(local.QueueConfig{Name: "q", VisibilityTimeout: new(20 * time.Second)})
	id := w.send(q, "m")

	first := w.receive(q, 10)
	if len(first) != 1 || first[0].MessageID != id || first[0].System["ApproximateReceiveCount"] != "1" {
		t.Fatalf("first receive: %+v", first)
	}
	if got := w.receive(q, 10); len(got) != 0 {
		t.Fatalf("a message in flight was received: %+v", got)
	}
	w.must(w.Jump(19 * time.Second))
	if got := q.Counts(); got != (local.Counts{InFlight: 1}) {
		t.Errorf("counts before the timeout: %+v", got)
	}
	w.must(w.Jump(time.Second))
	second := w.receive(q, 10)
	if len(second) != 1 || second[0].System["ApproximateReceiveCount"] != "2" {
		t.Fatalf("after the timeout: %+v", second)
	}
	if second[0].ReceiptHandle == first[0].ReceiptHandle {
		t.Error("the second delivery has the first one's receipt handle")
	}
	for _, name := range []string{"SentTimestamp", "ApproximateFirstReceiveTimestamp"} {
		if first[0].System[name] != second[0].System[name] {
			t.Errorf("%s changed from %s to %s", name, first[0].System[name], second[0].System[name])
		}
	}
	if got := w.journal(local.MessageReturned); len(got) != 1 || got[0].Cause != "visibility timeout" {
		t.Errorf("journal of returns: %+v", got)
	}
}

// Recorded: test_delete_after_visibility_timeout.
func TestStandardDeleteWithOldHandles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	q := w.queue(local.QueueConfig{Name: "q", VisibilityTimeout: new(time.Second)})
	w.send(q, "m")
	stale := w.receive(q, 1)[0].ReceiptHandle
	w.must(w.Jump(2 * time.Second))
	current := w.receive(q, 1)[0].ReceiptHandle

	w.must(q.Delete(stale))
	if q.Counts().Total() != 1 {
		t.Error("a handle older than the last receive deleted the message")
	}
	w.must(w.Jump(2 * time.Second))
	w.must(q.Delete(current))
	if q.Counts().Total() != 0 {
		t.Error("the last handle did not delete the message after its visibility timeout")
	}
	w.must(q.Delete(current))
	wantError(t, q.Delete("garbage"), "ReceiptHandleIsInvalid", "not a valid receipt handle")
}

func TestChangeVisibility(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	q := w.queue(local.QueueConfig{Name: "q"})
	w.send(q, "m")
	h := w.receive(q, 1)[0].ReceiptHandle

	w.must(q.ChangeVisibility(h, 100*time.Second))
	w.must(w.Jump(99 * time.Second))
	if len(w.receive(q, 1)) != 0 {
		t.Error("visible before the changed timeout")
	}
	w.must(q.ChangeVisibility(h, 0))
	got := w.receive(q, 1)
	if len(got) != 1 {
		t.Fatal("a visibility of 0 did not return the message")
	}
	h = got[0].ReceiptHandle
	wantError(t, q.ChangeVisibility(h, 12*time.Hour+time.Second), "InvalidParameterValue", "VisibilityTimeout")
	w.must(w.Jump(10 * time.Second))
	wantError(t, q.ChangeVisibility(h, 12*time.Hour), "InvalidParameterValue", "beyond the limit [43200 seconds]")
	w.must(q.Delete(h))
	wantError(t, q.ChangeVisibility(h, 5*time.Second), "InvalidParameterValue", "Message does not exist or is not available for visibility timeout change.")
}

func TestDelay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	q := w.queue(local.QueueConfig{Name: "q", Delay: 5 * time.Second})
	w.send(q, "queue's delay")
	w.send(q, "own delay", func(in *local.SendInput) { in.Delay = new(60 * time.Second) })
	w.send(q, "none", func(in *local.SendInput) { in.Delay = new(time.Duration(0)) })
	if diff := cmp.Diff([]string{"none"}, bodies(w.receive(q, 10))); diff != "" {
		t.Error(diff)
	}
	if got := q.Counts(); got != (local.Counts{InFlight: 1, Delayed: 2}) {
		t.Errorf("counts: %+v", got)
	}
	w.must(w.Jump(5 * time.Second))
	if diff := cmp.Diff([]string{"queue's delay"}, bodies(w.receive(q, 10))); diff != "" {
		t.Error(diff)
	}
	_, err := q.Send(local.SendInput{Body: "m", Delay: new(901 * time.Second)})
	wantError(t, err, "InvalidParameterValue", "DelaySeconds")
}

// Recorded 2024: maxReceiveCount 1, the first read from the dead-letter queue shows count 2; id, body, attributes and trace header stay.
func TestRedriveAtReceive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	dlq := w.queue(local.QueueConfig{Name: "dlq"})
	q := w.queue(local.QueueConfig{Name: "q", Redrive: &local.RedrivePolicy{DeadLetterTargetARN: dlq.ARN(), MaxReceiveCount: 1}})
	trace := "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
	attrs := map[string]local.AttributeValue{"MyAttribute": {DataType: "String", StringValue: "foobar"}}
	id := w.send(q, "message-1", func(in *local.SendInput) { in.TraceHeader, in.Attributes = trace, attrs })

	first := w.receive(q, 1)[0]
	w.must(w.Jump(40 * time.Second))
	if dlq.Counts().Total() != 0 {
		t.Error("the message moved before a receive")
	}
	if got := w.receive(q, 1); len(got) != 0 {
		t.Errorf("received more often than maxReceiveCount: %+v", got)
	}
	dead := w.receive(dlq, 1)[0]
	dead.ReceiptHandle = ""
	want := local.Received{
		MessageID: id, Body: "message-1", MD5OfBody: "3d6b824fd8c1520e9a047d21fee6fb1f", Attributes: attrs, MD5OfAttributes: "adb59cd4678ea5a855436b949cd07ab6",
		System: map[string]string{"ApproximateReceiveCount": "2", "AWSTraceHeader": trace, "DeadLetterQueueSourceArn": q.ARN(), "SenderId": local.DefaultSender,
			"SentTimestamp": first.System["SentTimestamp"], "ApproximateFirstReceiveTimestamp": first.System["ApproximateFirstReceiveTimestamp"]},
	}
	if diff := cmp.Diff(want, dead); diff != "" {
		t.Error(diff)
	}
	if got := w.journal(local.MessageDeadLettered); len(got) != 1 || got[0].Target != dlq.ARN() || got[0].ReceiveCount != 1 {
		t.Errorf("journal: %+v", got)
	}
}

func TestRetentionCountsFromTheFirstQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	dlq := w.queue(local.QueueConfig{Name: "dlq", Retention: time.Hour})
	q := w.queue(local.QueueConfig{Name: "q", Redrive: &local.RedrivePolicy{DeadLetterTargetARN: dlq.ARN(), MaxReceiveCount: 1}})
	w.send(q, "m")
	w.receive(q, 1)
	w.must(w.Jump(59 * time.Minute))
	w.receive(q, 1)
	if dlq.Counts().Total() != 1 {
		t.Fatal("not dead-lettered")
	}
	w.must(w.Jump(2 * time.Minute))
	if dlq.Counts().Total() != 0 {
		t.Error("a standard dead-letter queue keeps the time the message was sent: it should have expired after one hour")
	}
	if len(w.journal(local.MessageExpired)) != 1 {
		t.Error("no journal entry about the expiry")
	}
}

func TestSendLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	q := w.queue(local.QueueConfig{Name: "q"})
	small := w.queue(local.QueueConfig{Name: "small", MaximumMessageSize: 1024})
	eleven := map[string]local.AttributeValue{}
	for name := range strings.SplitSeq("abcdefghijk", "") {
		eleven[name] = local.AttributeValue{DataType: "String", StringValue: "v"}
	}
	one := func(name, kind, value string) map[string]local.AttributeValue {
		return map[string]local.AttributeValue{name: {DataType: kind, StringValue: value}}
	}
	for _, c := range []struct {
		name       string
		q          *local.Queue
		in         local.SendInput
		code, text string
	}{
		{"empty", q, local.SendInput{}, "MissingParameter", "The request must contain the parameter MessageBody."},
		{"oversized", q, local.SendInput{Body: strings.Repeat("a", 1<<20+1)}, "InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes."},
		{"attributes count", small, local.SendInput{Body: strings.Repeat("a", 1000), Attributes: one("name", "String", "0123456789012345")}, "InvalidParameterValue", "Message must be shorter than 1024 bytes."},
		{"control character", q, local.SendInput{Body: "a\x00b"}, "InvalidMessageContents", "#x0"},
		{"11 attributes", q, local.SendInput{Body: "m", Attributes: eleven}, "InvalidParameterValue", "exceeds the allowed maximum [10]"},
		{"empty attribute", q, local.SendInput{Body: "m", Attributes: one("ErrorDetails", "String", "")}, "InvalidParameterValue", "Message (user) attribute 'ErrorDetails' must contain a non-empty value of type 'String'."},
		{"not a number", q, local.SendInput{Body: "m", Attributes: one("n", "Number", "x")}, "InvalidParameterValue", "Can't cast the value of message (user) attribute 'n' to a number."},
		{"unknown type", q, local.SendInput{Body: "m", Attributes: one("n", "Strings", "x")}, "InvalidParameterValue", "invalid message attribute type"},
		{"reserved name", q, local.SendInput{Body: "m", Attributes: one("AWS.x", "String", "x")}, "InvalidParameterValue", "name 'AWS.x' is invalid"},
		{"group with space", q, local.SendInput{Body: "m", GroupID: "group 123"}, "InvalidParameterValue", "Value group 123 for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length."},
		{"deduplication on standard", q, local.SendInput{Body: "m", DeduplicationID: "d"}, "InvalidParameterValue", "not valid for this queue type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.q.Send(c.in)
			wantError(t, err, c.code, c.text)
		})
	}
}

// Digests recorded on AWS: test_send_message_batch_with_oversized_contents..., test_receive_message_message_attribute_names_filters,
// test_message_body_and_attributes_passed_correctly, test_send_message_with_binary_attributes.
func TestMD5OfAttributes(t *testing.T) {
	t.Parallel()
	text := func(v string) local.AttributeValue { return local.AttributeValue{DataType: "String", StringValue: v} }
	for want, attrs := range map[string]map[string]local.AttributeValue{
		"":                                 nil,
		"4c360f3fdafd970e05fae2f149d997f5": {"Help.Me": text("Me"), "Hello": text("There"), "General": text("Kenobi")},
		"d25a6aea97eb8f585bfa92d314504a92": {"Title": text("The Whistler"), "Author": text("John Grisham"), "WeeksOn": {DataType: "Number", StringValue: "6"}},
		"8cbe4db156db8a94db8b801b7addb984": {"attr1": {DataType: "Binary", BinaryValue: []byte("traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01")}},
	} {
		if got := local.MD5OfAttributes(attrs); got != want {
			t.Errorf("MD5OfAttributes(%v) = %s, AWS recorded %s", attrs, got, want)
		}
	}
}

func TestBatchCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	q := w.queue(local.QueueConfig{Name: "q", MaximumMessageSize: 1024})
	entries := func(ids ...string) (out []local.BatchEntry[local.SendInput]) {
		for _, id := range ids {
			out = append(out, local.BatchEntry[local.SendInput]{ID: id, Input: local.SendInput{Body: "m"}})
		}
		return out
	}
	for _, c := range []struct {
		entries    []local.BatchEntry[local.SendInput]
		code, text string
	}{
		{nil, "AWS.SimpleQueueService.EmptyBatchRequest", "at least one SendMessageBatchRequestEntry"},
		{entries(strings.Split("abcdefghijklmnopqrst", "")...), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent 20."},
		{entries("invalid:id"), "AWS.SimpleQueueService.InvalidBatchEntryId", "It can be at most 80 letters long."},
		{entries("a", "a"), "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Id a repeated."},
	} {
		_, err := q.SendBatch(c.entries)
		wantError(t, err, c.code, c.text)
	}
	mixed := entries("good", "long")
	mixed[1].Input.Body = strings.Repeat("a", 1025)
	got, err := q.SendBatch(mixed)
	w.must(err)
	if got[0].Err != nil || got[0].Result.MessageID == "" || got[1].Err == nil ||
		got[1].Err.Message != "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes." {
		t.Errorf("results: %+v", got)
	}
	big := w.queue(local.QueueConfig{Name: "big"})
	mixed[0].Input.Body = strings.Repeat("a", 1<<20-1024)
	_, err = big.SendBatch(mixed)
	wantError(t, err, "AWS.SimpleQueueService.BatchRequestTooLong", "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.")

	w.send(q, "second")
	received := w.receive(q, 10)
	deleted, err := q.DeleteBatch([]local.BatchEntry[string]{{ID: "ok", Input: received[0].ReceiptHandle}, {ID: "bad", Input: "x"}})
	w.must(err)
	if deleted[0].Err != nil || deleted[1].Err == nil || deleted[1].Err.Code != "ReceiptHandleIsInvalid" {
		t.Errorf("delete results: %+v", deleted)
	}
	changed, err := q.ChangeVisibilityBatch([]local.BatchEntry[local.Visibility]{{ID: "ok", Input: local.Visibility{ReceiptHandle: received[1].ReceiptHandle}}})
	w.must(err)
	if changed[0].Err != nil || q.Counts() != (local.Counts{Visible: 1}) {
		t.Errorf("after batch calls: %+v, %+v", changed, q.Counts())
	}
}

func TestPurge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	q := w.queue(local.QueueConfig{Name: "q"})
	w.send(q, "a")
	w.send(q, "b")
	w.receive(q, 1)
	w.must(q.Purge())
	if q.Counts().Total() != 0 {
		t.Error("messages left after a purge")
	}
	wantError(t, q.Purge(), "AWS.SimpleQueueService.PurgeQueueInProgress", "Only one PurgeQueue operation on q is allowed every 60 seconds.")
	w.must(w.Jump(time.Minute))
	w.must(q.Purge())
}

func TestCreateQueueValidates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	w.queue(local.QueueConfig{Name: "other.fifo"})
	w.queue(local.QueueConfig{Name: "picky", RedriveAllow: &local.RedriveAllowPolicy{Permission: "denyAll"}})
	w.queue(local.QueueConfig{Name: "exists"})
	arn := func(name string) *local.RedrivePolicy {
		return &local.RedrivePolicy{DeadLetterTargetARN: "arn:aws:sqs:us-east-1:000000000000:" + name, MaxReceiveCount: 3}
	}
	for _, c := range []struct {
		config     local.QueueConfig
		code, text string
	}{
		{local.QueueConfig{Name: "a b"}, "InvalidParameterValue", "alphanumeric characters, hyphens, or underscores"},
		{local.QueueConfig{Name: "a.fifo"}, "InvalidParameterValue", "alphanumeric"},
		{local.QueueConfig{Name: "a", FIFO: true}, "InvalidParameterValue", "must end with .fifo"},
		{local.QueueConfig{Name: "a", ContentBasedDeduplication: true}, "InvalidAttributeName", "Unknown Attribute ContentBasedDeduplication."},
		{local.QueueConfig{Name: "a", DeduplicationScope: "queue"}, "InvalidAttributeName", "You can specify the DeduplicationScope only when FifoQueue is set to true."},
		{local.QueueConfig{Name: "a", Retention: time.Second}, "InvalidAttributeValue", "MessageRetentionPeriod"},
		{local.QueueConfig{Name: "a", VisibilityTimeout: new(13 * time.Hour)}, "InvalidAttributeValue", "VisibilityTimeout"},
		{local.QueueConfig{Name: "a", Redrive: arn("missing")}, "InvalidParameterValue", "Dead letter target does not exist."},
		{local.QueueConfig{Name: "a", Redrive: arn("other.fifo")}, "InvalidParameterValue", "same type of queue"},
		{local.QueueConfig{Name: "a", Redrive: arn("picky")}, "InvalidParameterValue", "does not have permission"},
		{local.QueueConfig{Name: "exists", Delay: time.Second}, "QueueAlreadyExists", "A queue already exists with the same name and a different value for attribute DelaySeconds"},
		{local.QueueConfig{Name: "a", Stored: map[string]string{"Colour": "red"}}, "InvalidAttributeName", "Unknown Attribute Colour."},
	} {
		_, err := w.CreateQueue(c.config)
		wantError(t, err, c.code, c.text)
	}
	again, err := w.CreateQueue(local.QueueConfig{Name: "exists"})
	w.must(err)
	if first, _ := w.Queue("exists"); first != again {
		t.Error("the same configuration made a second queue")
	}
	for _, ref := range []string{"exists", again.ARN(), "http://127.0.0.1:9/000000000000/exists"} {
		if q, ok := w.Queue(ref); !ok || q != again {
			t.Errorf("queue not found as %s", ref)
		}
	}
}

func TestReceiveValidatesAsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	q := w.queue(local.QueueConfig{Name: "q"})
	for _, c := range []struct {
		in   local.ReceiveInput
		text string
	}{
		{local.ReceiveInput{Max: 11}, "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."},
		{local.ReceiveInput{Wait: new(21 * time.Second)}, "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."},
		{local.ReceiveInput{Wait: new(-time.Second)}, "Value -1 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."},
	} {
		_, err := q.Receive(t.Context(), c.in)
		wantError(t, err, "InvalidParameterValue", c.text)
	}
}

func TestLongPollWakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, local.Options{})
		q := w.queue(local.QueueConfig{Name: "q"})
		poll := func() ([]local.Received, time.Duration) {
			begun := time.Now()
			got, err := q.Receive(t.Context(), local.ReceiveInput{Max: 10, Wait: new(20 * time.Second)})
			w.must(err)
			return got, time.Since(begun)
		}
		time.AfterFunc(7*time.Second, func() { _, _ = q.Send(local.SendInput{Body: "sent"}) })
		if got, took := poll(); len(got) != 1 || took != 7*time.Second {
			t.Errorf("a message sent after 7 s: got %v after %v", got, took)
		}
		w.send(q, "delayed", func(in *local.SendInput) { in.Delay = new(3 * time.Second) })
		if got, took := poll(); len(got) != 1 || took != 3*time.Second {
			t.Errorf("a message delayed by 3 s: got %v after %v", got, took)
		}
		w.must(q.Purge())
		if got, took := poll(); len(got) != 0 || took != 20*time.Second {
			t.Errorf("an empty queue: got %v after %v", got, took)
		}
	})
}

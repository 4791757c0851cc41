package local_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/local"
)

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

var (
	uuidText   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	handleText = regexp.MustCompile(`"receiptHandle":"[^"]+"`)
	millisText = regexp.MustCompile(`"\d{12,13}"`)
	signature  = regexp.MustCompile(`("Signature" ?: ?)"[^"]+"`)
)

// mask replaces what differs from run to run.
func mask(s string) string {
	s = uuidText.ReplaceAllString(s, "<uuid>")
	s = handleText.ReplaceAllString(s, `"receiptHandle":"<handle>"`)
	s = signature.ReplaceAllString(s, `$1"<signature>"`)
	return millisText.ReplaceAllString(s, `"<ms>"`)
}

// The shapes below are those that AWS invoked functions with, field by field and in AWS's order (recorded: test_failing_lambda..., test_message_body_and_attributes...,
// test_report_batch_item_failures, test_sqs_event_source_mapping).
func TestSQSEventShape(t *testing.T) {
	t.Parallel()
	const head = `{"Records":[{"messageId":"<uuid>","receiptHandle":"<handle>","body":`
	for _, c := range []struct {
		name   string
		queue  local.QueueConfig
		window time.Duration
		in     local.SendInput
		want   string
	}{
		{"plain", local.QueueConfig{Name: "q"}, 0, local.SendInput{Body: `{"a": "<&>"}`},
			head + `"{\"a\": \"<&>\"}","attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"<ms>","SenderId":"AIDASLUICELOCAL000000","ApproximateFirstReceiveTimestamp":"<ms>"},"messageAttributes":{},"md5OfBody":"d5229a3ad9345790e0af1e040c3410f7","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:000000000000:q","awsRegion":"us-east-1"}]}`},
		{"window", local.QueueConfig{Name: "q"}, time.Second, local.SendInput{Body: "m"},
			head + `"m","attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"<ms>","SenderId":"AIDASLUICELOCAL000000","ApproximateFirstReceiveTimestamp":"<ms>"},"messageAttributes":{},"md5OfMessageAttributes":null,"md5OfBody":"6f8f57715090da2632453988d9a1501b","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:000000000000:q","awsRegion":"us-east-1"}]}`},
		{"attributes", local.QueueConfig{Name: "q"}, 0, local.SendInput{Body: "m", RequestTrace: "Root=1-5759e988-bd862e3fe1be46a994272793", Attributes: map[string]local.AttributeValue{
			"Title": {DataType: "String", StringValue: "The Whistler"}, "WeeksOn": {DataType: "Number", StringValue: "6"}, "Raw": {DataType: "Binary", BinaryValue: []byte("xyz")}}},
			head + `"m","attributes":{"ApproximateReceiveCount":"1","AWSTraceHeader":"Root=1-5759e988-bd862e3fe1be46a994272793","SentTimestamp":"<ms>","SenderId":"AIDASLUICELOCAL000000","ApproximateFirstReceiveTimestamp":"<ms>"},"messageAttributes":{"Raw":{"binaryValue":"eHl6","stringListValues":[],"binaryListValues":[],"dataType":"Binary"},"Title":{"stringValue":"The Whistler","stringListValues":[],"binaryListValues":[],"dataType":"String"},"WeeksOn":{"stringValue":"6","stringListValues":[],"binaryListValues":[],"dataType":"Number"}},"md5OfMessageAttributes":"<md5>","md5OfBody":"6f8f57715090da2632453988d9a1501b","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:000000000000:q","awsRegion":"us-east-1"}]}`},
		{"FIFO", local.QueueConfig{Name: "q.fifo"}, 0, local.SendInput{Body: "m", GroupID: "1", DeduplicationID: "dedup-1"},
			head + `"m","attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"<ms>","SequenceNumber":"18849496460400000001","MessageGroupId":"1","SenderId":"AIDASLUICELOCAL000000","MessageDeduplicationId":"dedup-1","ApproximateFirstReceiveTimestamp":"<ms>"},"messageAttributes":{},"md5OfBody":"6f8f57715090da2632453988d9a1501b","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:000000000000:q.fifo","awsRegion":"us-east-1"}]}`},
		{"fair queue", local.QueueConfig{Name: "q"}, 0, local.SendInput{Body: "m", GroupID: "tenant"},
			head + `"m","attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"<ms>","MessageGroupId":"tenant","SenderId":"AIDASLUICELOCAL000000","ApproximateFirstReceiveTimestamp":"<ms>"},"messageAttributes":{},"md5OfBody":"6f8f57715090da2632453988d9a1501b","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:000000000000:q","awsRegion":"us-east-1"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				q := w.queue(c.queue)
				f := w.function("f", nil, nil)
				w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f", Window: c.window})
				_, err := q.Send(c.in)
				w.must(err)
				w.quiet()
				got := mask(string(f.invocations()[0].Payload))
				if c.in.Attributes != nil {
					got = strings.Replace(got, local.MD5OfAttributes(c.in.Attributes), "<md5>", 1)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestSNSEnvelopeShape(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{Wall: func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 45_000_000, time.UTC) }})
	q := w.queue(local.QueueConfig{Name: "q"})
	topic, err := w.CreateTopic(local.TopicConfig{Name: "orders"})
	w.must(err)
	s, err := w.Subscribe(local.SubscriptionConfig{TopicARN: topic.ARN(), Protocol: "sqs", Endpoint: q.ARN()})
	w.must(err)
	id, err := topic.Publish(local.PublishInput{Message: `{"a":"<b>"}`, Subject: "subject", TraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793", Attributes: map[string]local.AttributeValue{
		"event-type": {DataType: "String", StringValue: "orders.placed.v2"}, "raw": {DataType: "Binary", BinaryValue: []byte("xyz")}}})
	w.must(err)
	got := w.receive(q, 1)[0]
	want := `{
  "Type" : "Notification",
  "MessageId" : "` + id + `",
  "TopicArn" : "arn:aws:sns:us-east-1:000000000000:orders",
  "Subject" : "subject",
  "Message" : "{\"a\":\"<b>\"}",
  "Timestamp" : "2026-11-23T12:00:00.045Z",
  "SignatureVersion" : "1",
  "Signature" : "<signature>",
  "SigningCertURL" : "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0000000000000000000000000000000000000000.pem",
  "UnsubscribeURL" : "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=` + s.ARN() + `",
  "MessageAttributes" : {
    "event-type" : {"Type":"String","Value":"orders.placed.v2"},
    "raw" : {"Type":"Binary","Value":"eHl6"}
  }
}`
	if diff := cmp.Diff(want, signature.ReplaceAllString(got.Body, `$1"<signature>"`)); diff != "" {
		t.Error(diff)
	}
	if !json.Valid([]byte(got.Body)) {
		t.Error("the envelope is not JSON")
	}
	if got.System["AWSTraceHeader"] != "Root=1-5759e988-bd862e3fe1be46a994272793" || len(got.Attributes) != 0 {
		t.Errorf("system %v, attributes %v", got.System, got.Attributes)
	}
	if sent := w.journal(local.MessageSent); len(sent) != 1 || sent[0].OriginARN != topic.ARN() || sent[0].OriginID != id {
		t.Errorf("the SQS message is not tied to the SNS message: %+v", sent)
	}
}

func TestSNSLambdaEventShape(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		f := w.function("f", nil, nil)
		topic, err := w.CreateTopic(local.TopicConfig{Name: "orders"})
		w.must(err)
		_, err = w.Subscribe(local.SubscriptionConfig{TopicARN: topic.ARN(), Protocol: "lambda", Endpoint: w.Functions()[0].ARN})
		w.must(err)
		_, err = topic.PublishBatch([]local.BatchEntry[local.PublishInput]{
			{ID: "1", Input: local.PublishInput{Message: "one", Attributes: map[string]local.AttributeValue{"event-type": {DataType: "String", StringValue: "x"}}}},
			{ID: "2", Input: local.PublishInput{Message: "two", Subject: "s"}},
		})
		w.must(err)
		w.quiet()
		stamp := regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`)
		record := func(subject, message, attributes string) string {
			return `{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","EventSubscriptionArn":"arn:aws:sns:us-east-1:000000000000:orders:<uuid>","Sns":{"Type":"Notification","MessageId":"<uuid>","TopicArn":"arn:aws:sns:us-east-1:000000000000:orders","Subject":` + subject + `,"Message":"` + message + `","Timestamp":"<time>","SignatureVersion":"1","Signature":"<signature>","SigningCertUrl":"https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0000000000000000000000000000000000000000.pem","UnsubscribeUrl":"https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-east-1:000000000000:orders:<uuid>","MessageAttributes":` + attributes + `}}]}`
		}
		var got []string
		for _, inv := range f.invocations() {
			got = append(got, stamp.ReplaceAllString(mask(string(inv.Payload)), `"<time>"`))
		}
		want := []string{record("null", "one", `{"event-type":{"Type":"String","Value":"x"}}`), record(`"s"`, "two", `{}`)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEventBridgeEventShape(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	q := w.queue(local.QueueConfig{Name: "q"})
	rule, err := w.PutRule(local.RuleConfig{Name: "r", Pattern: `{"source":["shop"]}`, Targets: []local.TargetConfig{{ID: "1", ARN: q.ARN()}}})
	w.must(err)
	results, err := w.PutEvents([]local.EventInput{{Source: "shop", DetailType: "orders.placed.v2", Detail: `{ "n": 1.50, "html": "<a>" }`, Time: time.Date(2026, 11, 23, 13, 0, 0, 5, time.FixedZone("", 3600))}})
	w.must(err)
	want := `{"version":"0","id":"` + results[0].EventID + `","detail-type":"orders.placed.v2","source":"shop","account":"000000000000","time":"2026-11-23T12:00:00Z","region":"us-east-1","resources":[],"detail":{"n":1.50,"html":"<a>"}}`
	got := w.receive(q, 1)[0]
	if diff := cmp.Diff(want, got.Body); diff != "" {
		t.Error(diff)
	}
	if len(got.Attributes) != 0 {
		t.Errorf("EventBridge sends no attributes: %v", got.Attributes)
	}
	if sent := w.journal(local.MessageSent); sent[0].OriginARN != rule.ARN() || sent[0].OriginID != results[0].EventID {
		t.Errorf("the message is not tied to the event: %+v", sent)
	}
}

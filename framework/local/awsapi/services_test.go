package awsapi_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/local/awsapi"
)

func TestSNSOverTheWire(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	ctx := t.Context()
	a.createQueue("q", nil)
	topic, err := a.sns.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("t"), Attributes: map[string]string{"DisplayName": "a & b"}, Tags: []snstypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
	a.must(err)
	sub, err := a.sns.Subscribe(ctx, &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String("arn:aws:sqs:us-east-1:000000000000:q"),
		Attributes: map[string]string{"FilterPolicy": `{"event-type":["x"]}`}, ReturnSubscriptionArn: true})
	a.must(err)

	trace := "Root=1-3152b799-8954dae64eda91bc9a23a7e8;Parent=7fa8c0f79203be72;Sampled=1"
	attrs := map[string]snstypes.MessageAttributeValue{"event-type": {DataType: aws.String("String"), StringValue: aws.String("x")}, "raw": {DataType: aws.String("Binary"), BinaryValue: []byte{1, 2}}}
	published, err := a.sns.Publish(ctx, &sns.PublishInput{TopicArn: topic.TopicArn, Message: aws.String("<m> & ü"), Subject: aws.String("s"), MessageAttributes: attrs},
		sns.WithAPIOptions(smithyhttp.SetHeaderValue("X-Amzn-Trace-Id", trace)))
	a.must(err)
	_, err = a.sns.Publish(ctx, &sns.PublishInput{TopicArn: topic.TopicArn, Message: aws.String("filtered out")})
	a.must(err)
	batch, err := a.sns.PublishBatch(ctx, &sns.PublishBatchInput{TopicArn: topic.TopicArn, PublishBatchRequestEntries: []snstypes.PublishBatchRequestEntry{
		{Id: aws.String("1"), Message: aws.String("one"), MessageAttributes: attrs}, {Id: aws.String("2"), Message: aws.String("")}}})
	a.must(err)
	if len(batch.Successful) != 1 || len(batch.Failed) != 1 || *batch.Failed[0].Code != "InvalidParameter" || !batch.Failed[0].SenderFault {
		t.Errorf("batch: %+v", batch)
	}

	q, _ := a.engine.Queue("q")
	got := q.Snapshot()
	if len(got) != 2 || got[0].System["AWSTraceHeader"] != trace {
		t.Fatalf("queue: %+v", got)
	}
	var envelope struct {
		MessageID         string `json:"MessageId"`
		Message           string
		MessageAttributes map[string]map[string]string
	}
	if err := json.Unmarshal([]byte(got[0].Body), &envelope); err != nil {
		t.Fatal(err)
	}
	if envelope.MessageID != *published.MessageId || envelope.Message != "<m> & ü" || envelope.MessageAttributes["raw"]["Value"] != "AQI=" {
		t.Errorf("envelope: %+v", envelope)
	}

	_, err = a.sns.SetSubscriptionAttributes(ctx, &sns.SetSubscriptionAttributesInput{SubscriptionArn: sub.SubscriptionArn, AttributeName: aws.String("RawMessageDelivery"), AttributeValue: aws.String("true")})
	a.must(err)
	state, err := a.sns.GetSubscriptionAttributes(ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: sub.SubscriptionArn})
	a.must(err)
	if state.Attributes["RawMessageDelivery"] != "true" || state.Attributes["FilterPolicy"] != `{"event-type":["x"]}` {
		t.Errorf("attributes: %v", state.Attributes)
	}
	list, err := a.sns.ListSubscriptionsByTopic(ctx, &sns.ListSubscriptionsByTopicInput{TopicArn: topic.TopicArn})
	a.must(err)
	topicState, err := a.sns.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: topic.TopicArn})
	a.must(err)
	if len(list.Subscriptions) != 1 || topicState.Attributes["DisplayName"] != "a & b" || topicState.Attributes["SubscriptionsConfirmed"] != "1" {
		t.Errorf("list %+v, topic %v", list.Subscriptions, topicState.Attributes)
	}
	_, err = a.sns.Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: sub.SubscriptionArn})
	a.must(err)
	all, err := a.sns.ListSubscriptions(ctx, &sns.ListSubscriptionsInput{})
	a.must(err)
	topics, err := a.sns.ListTopics(ctx, &sns.ListTopicsInput{})
	a.must(err)
	if len(all.Subscriptions) != 0 || len(topics.Topics) != 1 {
		t.Errorf("%d subscriptions and %d topics left, want 0 and 1", len(all.Subscriptions), len(topics.Topics))
	}
	_, err = a.sns.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: topic.TopicArn})
	a.must(err)
	_, err = a.sns.Publish(ctx, &sns.PublishInput{TopicArn: topic.TopicArn, Message: aws.String("m")})
	if _, ok := errors.AsType[*snstypes.NotFoundException](err); !ok {
		t.Errorf("got %v, want the modelled error NotFoundException", err)
	}
}

func TestSNSErrors(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	ctx := t.Context()
	_, err := a.sns.Publish(ctx, &sns.PublishInput{TopicArn: aws.String("t"), Message: aws.String("m")})
	wantCode(t, err, "InvalidParameter", "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1")
	_, err = a.sns.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("t.fifo"), Attributes: map[string]string{"FifoTopic": "true"}})
	wantCode(t, err, "NotImplemented", "a FIFO topic (SNS FifoTopic) is not emulated")
	_, err = a.sns.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("t"), Attributes: map[string]string{"TracingConfig": "Active"}})
	wantCode(t, err, "NotImplemented", "the attribute TracingConfig of an SNS topic is not emulated")
	topic, err := a.sns.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("t")})
	a.must(err)
	_, err = a.sns.Publish(ctx, &sns.PublishInput{PhoneNumber: aws.String("+41"), Message: aws.String("m")})
	wantCode(t, err, "NotImplemented", "the parameter PhoneNumber of Publish is not emulated")
	_, err = a.sns.Publish(ctx, &sns.PublishInput{TopicArn: topic.TopicArn, Message: aws.String("m"), MessageDeduplicationId: aws.String("d")})
	wantCode(t, err, "InvalidParameter", "MessageDeduplicationId")
	_, err = a.sns.Subscribe(ctx, &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String("arn:aws:sqs:us-east-1:000000000000:q"),
		Attributes: map[string]string{"DeliveryPolicy": "{}"}})
	wantCode(t, err, "NotImplemented", "the attribute DeliveryPolicy of an SNS subscription is not emulated")
	_, err = a.sns.ConfirmSubscription(ctx, &sns.ConfirmSubscriptionInput{TopicArn: topic.TopicArn, Token: aws.String("x")})
	wantCode(t, err, "NotImplemented", "sns ConfirmSubscription is not emulated")
}

func TestEventBridgeOverTheWire(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	ctx := t.Context()
	a.createQueue("q.fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
	bus, err := a.events.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: aws.String("shop")})
	a.must(err)
	rule, err := a.events.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String("r"), EventBusName: aws.String("shop"), EventPattern: aws.String(`{"detail":{"n":[{"numeric":[">",1]}]}}`), Description: aws.String("d")})
	a.must(err)
	target := ebtypes.Target{Id: aws.String("1"), Arn: aws.String("arn:aws:sqs:us-east-1:000000000000:q.fifo"), SqsParameters: &ebtypes.SqsParameters{MessageGroupId: aws.String("g")},
		RetryPolicy: &ebtypes.RetryPolicy{MaximumRetryAttempts: aws.Int32(3)}, DeadLetterConfig: &ebtypes.DeadLetterConfig{Arn: aws.String("arn:aws:sqs:us-east-1:000000000000:dlq")}}
	put, err := a.events.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String("r"), EventBusName: bus.EventBusArn, Targets: []ebtypes.Target{target}})
	a.must(err)
	if put.FailedEntryCount != 0 {
		t.Errorf("targets: %+v", put)
	}
	out, err := a.events.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []ebtypes.PutEventsRequestEntry{
		{Source: aws.String("s"), DetailType: aws.String("d"), Detail: aws.String(`{"n":2}`), EventBusName: aws.String("shop"), Time: aws.Time(time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)),
			Resources: []string{"arn:x"}, TraceHeader: aws.String("Root=1-5759e988-bd862e3fe1be46a994272793")},
		{Source: aws.String("s"), DetailType: aws.String("d"), Detail: aws.String("not JSON")}}})
	a.must(err)
	if out.FailedEntryCount != 1 || aws.ToString(out.Entries[1].ErrorCode) != "MalformedDetail" || out.Entries[0].EventId == nil {
		t.Errorf("results: %+v", out.Entries)
	}
	q, _ := a.engine.Queue("q.fifo")
	got := q.Snapshot()
	want := `{"version":"0","id":"` + *out.Entries[0].EventId + `","detail-type":"d","source":"s","account":"000000000000","time":"2026-01-02T03:04:05Z","region":"us-east-1","resources":["arn:x"],"detail":{"n":2}}`
	if len(got) != 1 || got[0].Body != want || got[0].GroupID != "g" || got[0].System["AWSTraceHeader"] != "Root=1-5759e988-bd862e3fe1be46a994272793" {
		t.Errorf("queue: %+v", got)
	}

	described, err := a.events.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{})
	a.must(err)
	buses, err := a.events.ListEventBuses(ctx, &eventbridge.ListEventBusesInput{NamePrefix: aws.String("sh")})
	a.must(err)
	rules, err := a.events.ListRules(ctx, &eventbridge.ListRulesInput{EventBusName: aws.String("shop")})
	a.must(err)
	one, err := a.events.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: aws.String("r"), EventBusName: aws.String("shop")})
	a.must(err)
	targets, err := a.events.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: aws.String("r"), EventBusName: aws.String("shop")})
	a.must(err)
	if *described.Name != "default" || len(buses.EventBuses) != 1 || len(rules.Rules) != 1 || *rules.Rules[0].Arn != *rule.RuleArn || *one.Description != "d" || one.State != "ENABLED" ||
		len(targets.Targets) != 1 || *targets.Targets[0].SqsParameters.MessageGroupId != "g" || *targets.Targets[0].DeadLetterConfig.Arn == "" {
		t.Errorf("reads: %+v %+v %+v %+v %+v", described, buses, rules, one, targets)
	}
	_, err = a.events.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: aws.String("r"), EventBusName: aws.String("shop")})
	wantCode(t, err, "ValidationException", "Rule can't be deleted since it has targets.")
	_, err = a.events.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: aws.String("r"), EventBusName: aws.String("shop"), Ids: []string{"1"}})
	a.must(err)
	_, err = a.events.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: aws.String("r"), EventBusName: aws.String("shop")})
	a.must(err)
}

func TestEventBridgeErrors(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	ctx := t.Context()
	_, err := a.events.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String("r"), EventPattern: aws.String(`{"source":[{"regex":"x"}]}`)})
	if _, ok := errors.AsType[*ebtypes.InvalidEventPatternException](err); !ok || !strings.Contains(err.Error(), "Unrecognized match type regex") {
		t.Errorf("got %v, want InvalidEventPatternException naming regex", err)
	}
	_, err = a.events.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: aws.String("none")})
	if _, ok := errors.AsType[*ebtypes.ResourceNotFoundException](err); !ok {
		t.Errorf("got %v, want ResourceNotFoundException", err)
	}
	_, err = a.events.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String("r"), ScheduleExpression: aws.String("rate(1 minute)")})
	wantCode(t, err, "NotImplemented", "ScheduleExpression")
	_, err = a.events.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String("r"), EventPattern: aws.String(`{"source":["s"]}`)})
	a.must(err)
	sqsArn := aws.String("arn:aws:sqs:us-east-1:000000000000:q")
	for text, target := range map[string]ebtypes.Target{
		"InputTransformer of an EventBridge target": {Id: aws.String("1"), Arn: sqsArn, InputTransformer: &ebtypes.InputTransformer{InputTemplate: aws.String("<x>")}},
		"InputPath of an EventBridge target":        {Id: aws.String("1"), Arn: sqsArn, InputPath: aws.String("$.detail")},
		"the parameter EcsParameters of PutTargets": {Id: aws.String("1"), Arn: sqsArn, EcsParameters: &ebtypes.EcsParameters{TaskDefinitionArn: sqsArn}},
	} {
		_, err = a.events.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String("r"), Targets: []ebtypes.Target{target}})
		wantCode(t, err, "NotImplemented", text)
	}
	_, err = a.events.ListArchives(ctx, &eventbridge.ListArchivesInput{})
	wantCode(t, err, "NotImplemented", "events ListArchives is not emulated")
	if !containsAny(a.warnings(), "events ListArchives") {
		t.Errorf("no warning in the journal: %v", a.warnings())
	}
}

func TestOtherRequests(t *testing.T) {
	t.Parallel()
	a := serve(t, &awsapi.Options{DynamoDB: func(operation string, request []byte) (int, []byte) {
		return http.StatusTeapot, []byte(operation + string(request))
	}})
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	target := func(name string) http.Header { return http.Header{"X-Amz-Target": {name}} }
	for _, c := range []struct {
		name   string
		header http.Header
		body   string
		status int
		text   string
	}{
		{"DynamoDB", target("DynamoDB_20120810.PutItem"), `{}`, http.StatusTeapot, "PutItem{}"},
		{"STS", form, "Action=GetCallerIdentity&Version=2011-06-15", http.StatusOK, "<Account>000000000000</Account>"},
		{"SQS query protocol", form, "Action=SendMessage&Version=2012-11-05", http.StatusNotImplemented, "sqs (query protocol) SendMessage is not emulated"},
		{"another query service", form, "Action=ListUsers&Version=2010-05-08", http.StatusNotImplemented, "ListUsers is not emulated"},
		{"another JSON service", target("Logs_20140328.PutLogEvents"), "{}", http.StatusNotImplemented, "Logs_20140328 PutLogEvents is not emulated"},
		{"an unknown operation", target("AmazonSQS.Foo"), "{}", http.StatusNotImplemented, "sqs Foo is not emulated"},
		{"a REST request", http.Header{}, "", http.StatusNotImplemented, "the request POST / is not emulated"},
		{"not JSON", target("AmazonSQS.SendMessage"), "{", http.StatusBadRequest, "SerializationException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp := a.post(c.header, c.body)
			body, err := io.ReadAll(resp.Body)
			a.must(err)
			if resp.StatusCode != c.status || !strings.Contains(string(body), c.text) {
				t.Errorf("%d %s\nwant %d ...%s...", resp.StatusCode, body, c.status, c.text)
			}
			if resp.Header.Get("X-Amzn-Requestid") == "" {
				t.Error("no request id")
			}
		})
	}
	without := serve(t, nil)
	resp := without.post(target("DynamoDB_20120810.PutItem"), "{}")
	if resp.StatusCode != http.StatusNotImplemented {
		t.Errorf("DynamoDB without a store: %d", resp.StatusCode)
	}
}

// The three faults a wire can make: an error instead of applying, a lost answer after applying, and a request that never arrives.
func TestIntercept(t *testing.T) {
	t.Parallel()
	var calls []string
	fault := ""
	a := serve(t, &awsapi.Options{Intercept: func(c *awsapi.Call, next func() awsapi.Response) awsapi.Response {
		calls = append(calls, c.Service+" "+c.Operation+" "+c.AccessKeyID)
		switch fault {
		case "error":
			return awsapi.Response{Status: 503, Body: []byte(`{"__type":"ServiceUnavailable","message":"injected"}`)}
		case "lost answer":
			next()
			return awsapi.Response{Drop: true}
		case "lost request":
			return awsapi.Response{Drop: true}
		}
		return next()
	}})
	url := a.createQueue("q", nil)
	q, _ := a.engine.Queue("q")
	for _, c := range []struct {
		fault   string
		applied int
	}{{"", 1}, {"error", 1}, {"lost answer", 2}, {"lost request", 2}} {
		fault = c.fault
		_, err := a.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("m")})
		if (err == nil) != (c.fault == "") {
			t.Errorf("fault %q: error %v", c.fault, err)
		}
		// The SDK reports a connection that ended without an answer as a response with status 0.
		re, ok := errors.AsType[*smithyhttp.ResponseError](err)
		if answered := ok && re.HTTPStatusCode() == http.StatusServiceUnavailable; answered != (c.fault == "error") {
			t.Errorf("fault %q: error %v; was there an answer?", c.fault, err)
		}
		if got := q.Counts().Total(); got != c.applied {
			t.Errorf("fault %q: %d messages in the queue, want %d", c.fault, got, c.applied)
		}
	}
	want := []string{"sqs CreateQueue AKIDTEST", "sqs SendMessage AKIDTEST", "sqs SendMessage AKIDTEST", "sqs SendMessage AKIDTEST", "sqs SendMessage AKIDTEST"}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Error(diff)
	}
}

// A request holds the clock from its arrival to its answer.
func TestRequestsHoldTheEngine(t *testing.T) {
	t.Parallel()
	var a *api
	var idle bool
	a = serve(t, &awsapi.Options{Intercept: func(_ *awsapi.Call, next func() awsapi.Response) awsapi.Response {
		r := next()
		idle = a.engine.Idle()
		return r
	}})
	a.createQueue("q", nil)
	if idle {
		t.Error("the engine was idle while a request was served")
	}
	a.must(a.engine.Quiet(t.Context()))
}

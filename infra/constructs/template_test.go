package constructs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/sluice-go/sluice/framework/env"
)

// TestTemplate covers what the shop's golden template does not show: every
// property away from its default, and resources that exist already.
func TestTemplate(t *testing.T) {
	requireNode(t)

	app, stack := newStack(t)
	existing, err := NewIdempotencyTable(stack, "Existing", &IdempotencyTableProps{
		Existing: awsdynamodb.Table_FromTableName(stack, jsii.String("Imported"), jsii.String("records")),
	})
	if err != nil {
		t.Fatal(err)
	}
	fifoTopic := awssns.NewTopic(stack, jsii.String("FIFOTopic"), &awssns.TopicProps{Fifo: jsii.Bool(true)})
	bus := awsevents.EventBus_FromEventBusName(stack, jsii.String("ImportedBus"), jsii.String("payments"))
	function := FunctionProps{
		Handler:      "./handlers/a",
		Code:         code(t),
		Memory:       512,
		Timeout:      20 * time.Second,
		LogRetention: 7 * day,
		Environment:  map[string]string{"COLOR": "blue"},
	}
	queue, err := NewQueueConsumer(stack, "Plain", &QueueConsumerProps{
		Function: function,
		Queue: QueueProps{
			BatchSize: 100, BatchWindow: 5 * time.Second, MaxConcurrency: 50, MaxReceives: 6, Retention: 2 * day,
		},
		Idempotency: existing,
		Runbooks:    "https://example.com/runbooks/",
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewTopicConsumer(stack, "Ordered", &TopicConsumerProps{Function: function, Topic: fifoTopic, Queue: QueueProps{FIFO: true}}); err != nil {
		t.Fatal(err)
	}
	rule, err := NewRuleConsumer(stack, "Buffered", &RuleConsumerProps{Function: function, Rule: RulePattern{
		Bus: bus, DetailTypes: []string{"a.v1", "a.v2"}, Sources: []string{"shop"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if queue.DeliveryDeadLetters != nil {
		t.Error("a queue without sources has a delivery dead-letter queue")
	}
	if rule.DeliveryDeadLetters != rule.Buffer.DeliveryDeadLetters || rule.DeliveryDeadLetters == nil {
		t.Error("a buffered consumer does not show its buffer's delivery dead letters")
	}
	tm := synth(t, app)

	t.Run("Queue", func(t *testing.T) {
		t.Parallel()

		_, q := tm.one(t, "AWS::SQS::Queue", "PlainQueue")
		check(t, q, 6*20+5, "VisibilityTimeout")
		check(t, q, 6, "RedrivePolicy", "maxReceiveCount")
		check(t, q, 2*24*3600, "MessageRetentionPeriod")
		_, m := tm.one(t, "AWS::Lambda::EventSourceMapping", "PlainMapping")
		check(t, m, 100, "BatchSize")
		check(t, m, 5, "MaximumBatchingWindowInSeconds")
		check(t, m, 50, "ScalingConfig", "MaximumConcurrency")
		check(t, m, []any{"ReportBatchItemFailures"}, "FunctionResponseTypes")
	})
	t.Run("Function", func(t *testing.T) {
		t.Parallel()

		_, f := tm.one(t, "AWS::Lambda::Function", "PlainFunction")
		check(t, f, 512, "MemorySize")
		check(t, f, 20, "Timeout")
		check(t, f, "blue", "Environment", "Variables", "COLOR")
		check(t, f, "records", "Environment", "Variables", env.IdempotencyTable)
		check(t, f, 2*24*3600+14*24*3600+2*24*3600, "Environment", "Variables", env.RecordLife)
		_, l := tm.one(t, "AWS::Logs::LogGroup", "PlainLogs")
		check(t, l, 7, "RetentionInDays")
		_, a := tm.one(t, "AWS::CloudWatch::Alarm", "PlainDeadLetters")
		if got := fmt.Sprint(a.Properties["AlarmDescription"]); !strings.HasSuffix(got, " Runbook: https://example.com/runbooks/dead-letters.md") {
			t.Errorf("alarm description = %q", got)
		}
	})
	t.Run("WithoutIdempotency", func(t *testing.T) {
		t.Parallel()

		_, f := tm.one(t, "AWS::Lambda::Function", "BufferedFunction")
		check(t, f, nil, "Environment", "Variables", env.IdempotencyTable)
		check(t, f, nil, "Environment", "Variables", env.RecordLife)
		_, p := tm.one(t, "AWS::IAM::Policy", "BufferedRole")
		if got := fmt.Sprint(p.Properties); strings.Contains(got, "dynamodb:") {
			t.Errorf("the role may use tables: %s", got)
		}
	})
	t.Run("FIFOTopic", func(t *testing.T) {
		t.Parallel()

		queueID, q := tm.one(t, "AWS::SQS::Queue", "OrderedQueue")
		deliveryID, d := tm.one(t, "AWS::SQS::Queue", "OrderedDeliveryDeadLetters")
		_, dead := tm.one(t, "AWS::SQS::Queue", "OrderedDeadLetters")
		for _, queue := range []resource{q, d, dead} {
			check(t, queue, true, "FifoQueue")
			check(t, queue, false, "ContentBasedDeduplication")
		}
		_, s := tm.one(t, "AWS::SNS::Subscription", "OrderedSubscription")
		check(t, s, "sqs", "Protocol")
		check(t, s, arnOf(queueID), "Endpoint")
		check(t, s, false, "RawMessageDelivery")
		check(t, s, arnOf(deliveryID), "RedrivePolicy", "deadLetterTargetArn")
	})
	t.Run("BufferedRule", func(t *testing.T) {
		t.Parallel()

		queueID, _ := tm.one(t, "AWS::SQS::Queue", "BufferedQueue")
		deliveryID, _ := tm.one(t, "AWS::SQS::Queue", "BufferedDeliveryDeadLetters")
		_, r := tm.one(t, "AWS::Events::Rule", "BufferedRule")
		check(t, r, "payments", "EventBusName")
		check(t, r, []any{"a.v1", "a.v2"}, "EventPattern", "detail-type")
		check(t, r, []any{"shop"}, "EventPattern", "source")
		check(t, r, arnOf(queueID), "Targets", 0, "Arn")
		check(t, r, arnOf(deliveryID), "Targets", 0, "DeadLetterConfig", "Arn")
		check(t, r, nil, "Targets", 0, "SqsParameters")
		_, f := tm.one(t, "AWS::Lambda::Function", "BufferedFunction")
		check(t, f, refOf(queueID), "Environment", "Variables", env.QueueURL)
		if got := at(f.Metadata["Sluice"], "Source"); got != "sqs" {
			t.Errorf("source = %v, want sqs", got)
		}
	})
}

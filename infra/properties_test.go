package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/env"
)

// The tests below read the golden template, so that they need no Node;
// TestGolden holds the golden to what the app synthesizes.

func TestMappings(t *testing.T) {
	t.Parallel()

	rs := golden(t)
	queues := rs.of(t, "AWS::SQS::Queue")
	functions := rs.of(t, "AWS::Lambda::Function")
	mappings := rs.of(t, "AWS::Lambda::EventSourceMapping")
	if len(mappings) != 2 {
		t.Errorf("%d mappings, want those of charge-payment and reserve-stock", len(mappings))
	}
	for id, m := range mappings {
		check(t, id, m, []any{"ReportBatchItemFailures"}, "FunctionResponseTypes")
		check(t, id, m, 5, "ScalingConfig", "MaximumConcurrency")
		check(t, id, m, 10, "BatchSize")
		check(t, id, m, nil, "FilterCriteria")

		queue := queues[target(m.Properties["EventSourceArn"])]
		fn := functions[target(m.Properties["FunctionName"])]
		timeout, err := strconv.Atoi(fmt.Sprint(fn.Properties["Timeout"]))
		if err != nil {
			t.Errorf("%s: the function's timeout: %v", id, err)
		}
		check(t, id, queue, 6*timeout, "VisibilityTimeout")
		if source := at(fn.Metadata, "Sluice", "Source"); source != "sqs" {
			t.Errorf("%s: the function's source is %v, want sqs", id, source)
		}
	}
}

func TestQueues(t *testing.T) {
	t.Parallel()

	rs := golden(t)
	queues := rs.of(t, "AWS::SQS::Queue")
	dead := deadLetters(t, rs)

	tlsOnly := map[string]bool{}
	for _, p := range rs.of(t, "AWS::SQS::QueuePolicy") {
		for _, s := range list(at(p.Properties, "PolicyDocument", "Statement")) {
			deny := at(s, "Effect") == "Deny" && at(s, "Action") == "sqs:*" && at(s, "Principal", "AWS") == "*" &&
				at(s, "Condition", "Bool", "aws:SecureTransport") == "false"
			for _, q := range list(p.Properties["Queues"]) {
				if deny && target(at(s, "Resource")) == target(q) {
					tlsOnly[target(q)] = true
				}
			}
			if at(s, "Effect") == "Allow" && target(at(s, "Condition", "ArnEquals", "aws:SourceArn")) == "" {
				t.Errorf("a queue's policy lets in more than one source: %v", s)
			}
		}
	}
	for id, q := range queues {
		check(t, id, q, true, "SqsManagedSseEnabled")
		check(t, id, q, nil, "QueueName")
		if !tlsOnly[id] {
			t.Errorf("%s can be used without TLS", id)
		}
		if fifo, want := at(q.Properties, "FifoQueue") == true, strings.HasPrefix(id, "ReserveStock"); fifo != want {
			t.Errorf("%s: FIFO = %v, want %v", id, fifo, want)
		}
		if _, ok := dead[id]; ok {
			check(t, id, q, 14*24*3600, "MessageRetentionPeriod")
			check(t, id, q, nil, "RedrivePolicy")
			if q.DeletionPolicy != "Retain" || q.UpdateReplacePolicy != "Retain" {
				t.Errorf("%s does not survive the stack: %s, %s", id, q.DeletionPolicy, q.UpdateReplacePolicy)
			}
			continue
		}
		check(t, id, q, 4*24*3600, "MessageRetentionPeriod")
		check(t, id, q, 8, "RedrivePolicy", "maxReceiveCount")
		to := target(at(q.Properties, "RedrivePolicy", "deadLetterTargetArn"))
		if _, ok := dead[to]; !ok {
			t.Errorf("%s: dead letters go to %q, which is no dead-letter queue", id, to)
		}
	}
}

func TestEveryDeadLetterQueueHasItsAlarm(t *testing.T) {
	t.Parallel()

	rs := golden(t)
	alarmed := map[string]int{}
	for id, a := range rs.of(t, "AWS::CloudWatch::Alarm") {
		check(t, id, a, "AWS/SQS", "Namespace")
		check(t, id, a, "ApproximateNumberOfMessagesVisible", "MetricName")
		check(t, id, a, "Maximum", "Statistic")
		check(t, id, a, "GreaterThanThreshold", "ComparisonOperator")
		check(t, id, a, 0, "Threshold")
		check(t, id, a, 60, "Period")
		check(t, id, a, 1, "EvaluationPeriods")
		check(t, id, a, 1, "DatapointsToAlarm")
		check(t, id, a, "notBreaching", "TreatMissingData")
		check(t, id, a, "QueueName", "Dimensions", 0, "Name")
		if d, _ := a.Properties["AlarmDescription"].(string); !strings.Contains(d, "https://") || !strings.HasSuffix(d, ".md") {
			t.Errorf("%s: the description has no runbook: %q", id, d)
		}
		alarmed[target(at(a.Properties, "Dimensions", 0, "Value"))]++
	}
	want := map[string]int{}
	for id := range deadLetters(t, rs) {
		want[id] = 1
	}
	if len(want) != 7 { // four of processing, three of delivery
		t.Errorf("%d dead-letter queues, want 7", len(want))
	}
	if diff := cmp.Diff(want, alarmed); diff != "" {
		t.Errorf("alarms by queue (-want +got):\n%s", diff)
	}
}

func TestSourcesHaveDeliveryDeadLetters(t *testing.T) {
	t.Parallel()

	rs := golden(t)
	dead := deadLetters(t, rs)
	isDelivery := func(id string, arn any) {
		to := target(arn)
		if _, ok := dead[to]; !ok || !strings.Contains(to, "DeliveryDeadLetters") {
			t.Errorf("%s: what cannot be delivered goes to %q", id, to)
		}
	}
	for id, s := range rs.of(t, "AWS::SNS::Subscription") {
		isDelivery(id, at(s.Properties, "RedrivePolicy", "deadLetterTargetArn"))
		if raw := at(s.Properties, "RawMessageDelivery"); raw == true {
			t.Errorf("%s: deliveries are raw", id)
		}
	}
	got := map[string]string{}
	for id, r := range rs.of(t, "AWS::Events::Rule") {
		isDelivery(id, at(r.Properties, "Targets", 0, "DeadLetterConfig", "Arn"))
		check(t, id, r, 185, "Targets", 0, "RetryPolicy", "MaximumRetryAttempts")
		check(t, id, r, 86400, "Targets", 0, "RetryPolicy", "MaximumEventAgeInSeconds")
		got[fmt.Sprint(at(r.Properties, "EventPattern", "detail-type", 0, "prefix"))] = rs[target(at(r.Properties, "Targets", 0, "Arn"))].Type
	}
	want := map[string]string{"payments.refund_requested.": "AWS::SQS::Queue", "payments.captured.": "AWS::Lambda::Function"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("targets by prefix (-want +got):\n%s", diff)
	}
}

func TestAsynchronousFunctionsHaveADestination(t *testing.T) {
	t.Parallel()

	rs := golden(t)
	functions := rs.of(t, "AWS::Lambda::Function")
	configured := map[string]bool{}
	for id, c := range rs.of(t, "AWS::Lambda::EventInvokeConfig") {
		check(t, id, c, "$LATEST", "Qualifier")
		check(t, id, c, 2, "MaximumRetryAttempts")
		check(t, id, c, 21600, "MaximumEventAgeInSeconds")
		fn := target(c.Properties["FunctionName"])
		configured[fn] = true
		// One queue for both ways of failing, so that one alarm and one
		// permission serve both.
		destination := target(at(c.Properties, "DestinationConfig", "OnFailure", "Destination"))
		variable := target(at(functions[fn].Properties, "Environment", "Variables", env.DeadLetterQueueURL))
		if destination == "" || destination != variable {
			t.Errorf("%s: Lambda's failures go to %q, the handler's to %q", id, destination, variable)
		}
	}
	for id, f := range functions {
		if direct := at(f.Metadata, "Sluice", "Source") != "sqs"; direct != configured[id] {
			t.Errorf("%s: asynchronous %v, has an EventInvokeConfig %v", id, direct, configured[id])
		}
	}
}

func TestFunctions(t *testing.T) {
	t.Parallel()

	rs := golden(t)
	got := map[string]string{}
	for id, f := range rs.of(t, "AWS::Lambda::Function") {
		check(t, id, f, "provided.al2023", "Runtime")
		check(t, id, f, []any{"arm64"}, "Architectures")
		check(t, id, f, "bootstrap", "Handler")
		check(t, id, f, 256, "MemorySize")
		check(t, id, f, 30, "Timeout")
		check(t, id, f, "Active", "TracingConfig", "Mode")
		check(t, id, f, "JSON", "LoggingConfig", "LogFormat")
		check(t, id, f, nil, "FunctionName")
		check(t, id, f, nil, "Environment", "Variables", env.Local)

		logs := rs[target(at(f.Properties, "LoggingConfig", "LogGroup"))]
		check(t, id, logs, 30, "RetentionInDays")
		// All three make `sam local invoke` work without a build.
		if f.Metadata["aws:asset:path"] != "asset.ASSET_HASH" || f.Metadata["aws:asset:property"] != "Code" || f.Metadata["aws:asset:is-bundled"] != true {
			t.Errorf("%s: SAM would not find the code by %v", id, f.Metadata)
		}
		handler, _ := at(f.Metadata, "Sluice", "Handler").(string)
		got[handler], _ = at(f.Metadata, "Sluice", "Source").(string)
	}
	want := map[string]string{chargePayment: "sqs", reserveStock: "sqs", sendReceipt: "sns", recordSale: "eventbridge"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("source by handler (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(slices.Values(handlers()))); diff != "" {
		t.Errorf("handlers that are built (-deployed +built):\n%s", diff)
	}
}

func TestRecordLife(t *testing.T) {
	t.Parallel()

	const day = 24 * 3600
	for id, f := range golden(t).of(t, "AWS::Lambda::Function") {
		want := 4*day + 14*day + 4*day
		if at(f.Metadata, "Sluice", "Source") != "sqs" {
			want = 6*3600 + 14*day
		}
		check(t, id, f, want, "Environment", "Variables", env.RecordLife)
	}
}

func TestTables(t *testing.T) {
	t.Parallel()

	got := map[string]string{}
	for id, table := range golden(t).of(t, "AWS::DynamoDB::Table") {
		check(t, id, table, "PAY_PER_REQUEST", "BillingMode")
		check(t, id, table, true, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")
		check(t, id, table, true, "DeletionProtectionEnabled")
		check(t, id, table, nil, "TableName")
		if table.DeletionPolicy != "Retain" || table.UpdateReplacePolicy != "Retain" {
			t.Errorf("%s does not survive the stack: %s, %s", id, table.DeletionPolicy, table.UpdateReplacePolicy)
		}
		var keys []string
		for _, k := range list(at(table.Properties, "KeySchema")) {
			keys = append(keys, fmt.Sprint(at(k, "AttributeName"), " ", at(k, "KeyType")))
		}
		for _, a := range list(at(table.Properties, "AttributeDefinitions")) {
			if at(a, "AttributeType") != "S" {
				t.Errorf("%s: key %v is no string", id, a)
			}
		}
		if ttl := at(table.Properties, "TimeToLiveSpecification"); ttl != nil {
			keys = append(keys, fmt.Sprint("ttl ", at(ttl, "AttributeName"), " ", at(ttl, "Enabled")))
		}
		cdkPath, _ := table.Metadata["aws:cdk:path"].(string)
		got[path.Dir(strings.TrimPrefix(cdkPath, "Shop/"))] = strings.Join(keys, ", ")
	}
	want := map[string]string{
		"Idempotency/Table": env.HashKey + " HASH, ttl " + env.TTL + " true",
		"Ledger":            "consumer HASH, effect RANGE",
		"Charges":           "payment_id HASH",
		"Stock":             "sku HASH",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys by table (-want +got):\n%s", diff)
	}
}

func TestOutputs(t *testing.T) {
	t.Parallel()

	raw, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Outputs   map[string]struct{ Value any }
		Resources resources
	}
	if err := json.Unmarshal(raw, &template); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, o := range template.Outputs {
		got[name] = template.Resources[target(o.Value)].Type
	}
	const topic, bus, queue, table = "AWS::SNS::Topic", "AWS::Events::EventBus", "AWS::SQS::Queue", "AWS::DynamoDB::Table"
	want := map[string]string{
		"OrdersTopicArn": topic, "BusName": bus, "StockQueueUrl": queue, "ChargeQueueUrl": queue,
		"ChargeDeadLettersUrl": queue, "ChargeDeliveryDeadLettersUrl": queue, "StockDeadLettersUrl": queue,
		"ReceiptDeadLettersUrl": queue, "ReceiptDeliveryDeadLettersUrl": queue,
		"SaleDeadLettersUrl": queue, "SaleDeliveryDeadLettersUrl": queue,
		"IdempotencyTableName": table, "LedgerTableName": table, "ChargesTableName": table, "StockTableName": table,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

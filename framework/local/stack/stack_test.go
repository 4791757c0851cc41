package stack_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/local/stack"
)

var update = flag.Bool("update", false, "write the golden files")

func read(t *testing.T, template string, opts *stack.Options) *stack.Topology {
	t.Helper()
	top, err := stack.Read([]byte(template), opts)
	if err != nil {
		t.Fatal(err)
	}
	return top
}

func TestGoldenTopologies(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*stack.Options{
		"cdk":    {StackName: "Orders", EndpointURL: "http://127.0.0.1:4100"},
		"fanout": {StackName: "fan", Region: "eu-west-1", Account: "111122223333"},
	} {
		template, err := os.ReadFile(filepath.Join("testdata", name+".template.json"))
		if err != nil {
			t.Fatal(err)
		}
		got := indented(t, read(t, string(template), opts))
		golden := filepath.Join("testdata", name+".golden.json")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got), write it with -update:\n%s", name, diff)
		}
	}
}

func TestQualifiersResolveToTheFunction(t *testing.T) {
	t.Parallel()
	template, err := os.ReadFile("testdata/cdk.template.json")
	if err != nil {
		t.Fatal(err)
	}
	top := read(t, string(template), &stack.Options{StackName: "Orders"})
	const fn = "arn:aws:lambda:us-east-1:000000000000:function:Orders-Fn"
	for arn, want := range map[string]string{
		fn:              "Fn9270CBC0//2",
		fn + ":live":    "Fn9270CBC0/live/1",
		fn + ":1":       "Fn9270CBC0/1/2",
		fn + ":$LATEST": "Fn9270CBC0/$LATEST/2",
		fn + ":other":   "none",
		fn + "2":        "none",
		"arn:other":     "none",
	} {
		got := "none"
		if f, qualifier, ok := top.FunctionByARN(arn); ok {
			got = fmt.Sprintf("%s/%s/%d", f.LogicalID, qualifier, f.Async(qualifier).Retries)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", arn, got, want)
		}
	}
}

// TestShop reads the sample shop's own template.
func TestShop(t *testing.T) {
	t.Parallel()
	template, err := os.ReadFile("../../../infra/testdata/Shop.golden.json")
	if err != nil {
		t.Fatalf("the shop's template: %v: run the tests of infra with -update", err)
	}
	top := read(t, string(template), &stack.Options{StackName: "Shop", EndpointURL: "http://127.0.0.1:4100"})
	wantFindings(t, top)
	if top.Digest == "" {
		t.Error("no digest of the sources")
	}
	handlers := make(map[string]string)
	for _, f := range top.Functions {
		handlers[f.Handler] = f.Source
	}
	want := map[string]string{
		"./handlers/charge-payment": "sqs", "./handlers/reserve-stock": "sqs",
		"./handlers/send-receipt": "sns", "./handlers/record-sale": "eventbridge",
	}
	if diff := cmp.Diff(want, handlers); diff != "" {
		t.Errorf("handlers (-want +got):\n%s", diff)
	}
	// Everything that is pointed at is there.
	queues := make(map[string]stack.Queue)
	for _, q := range top.Queues {
		queues[q.ARN] = q
	}
	for _, q := range top.Queues {
		if q.Redrive != nil && (queues[q.Redrive.DeadLetterARN].Name == "" || queues[q.Redrive.DeadLetterARN].FIFO != q.FIFO) {
			t.Errorf("%s redrives to %s, which is no queue of its kind", q.Name, q.Redrive.DeadLetterARN)
		}
	}
	for _, m := range top.Mappings {
		if queues[m.QueueARN].Name == "" || !m.ReportBatchItemFailures || !m.Enabled || m.MaximumConcurrency == 0 {
			t.Errorf("mapping %+v", m)
		}
	}
	reached := func(arn string) bool {
		_, _, isFunction := top.FunctionByARN(arn)
		return isFunction || queues[arn].Name != ""
	}
	for _, s := range top.Subscriptions {
		if s.TopicARN != top.Topics[0].ARN || !reached(s.Endpoint) || queues[s.DeadLetterARN].Name == "" {
			t.Errorf("subscription %+v", s)
		}
	}
	for _, r := range top.Rules {
		for _, target := range r.Targets {
			if r.Bus != top.Buses[0].Name || !reached(target.ARN) || queues[target.DeadLetterARN].Name == "" {
				t.Errorf("rule %+v", r)
			}
		}
	}
	// Nothing got lost: as many of each kind as the template declares.
	var doc struct {
		Resources map[string]struct{ Type string }
	}
	if err := json.Unmarshal(template, &doc); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{
		"AWS::SQS::Queue": len(top.Queues), "AWS::SNS::Topic": len(top.Topics), "AWS::SNS::Subscription": len(top.Subscriptions),
		"AWS::Events::EventBus": len(top.Buses), "AWS::Events::Rule": len(top.Rules), "AWS::Lambda::Function": len(top.Functions),
		"AWS::Lambda::EventSourceMapping": len(top.Mappings), "AWS::DynamoDB::Table": len(top.Tables),
	}
	declared := make(map[string]int)
	for _, r := range doc.Resources {
		if _, ok := got[r.Type]; ok {
			declared[r.Type]++
		}
	}
	if diff := cmp.Diff(declared, got); diff != "" {
		t.Errorf("resources by type (-declared +read):\n%s", diff)
	}
}

func TestRefusedTemplates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, template, want string }{
		{"yaml", "Resources:\n  Q:\n    Type: AWS::SQS::Queue\n", "template is not JSON, it looks like YAML: give the JSON that `cdk synth` writes"},
		{"empty", " \n", "template is empty"},
		{"broken", `{"Resources": `, "template is not valid JSON"},
		{"two", `{"Resources": {}} {}`, "something after its closing brace"},
		{"nothing", `{"Description": "x"}`, "Resources: is missing or empty"},
		{"sam", `{"Transform": "AWS::Serverless-2016-10-31", "Resources": {"F": {"Type": "AWS::Serverless::Function"}}}`, "Transform: AWS::Serverless-2016-10-31 rewrites the template when it is deployed"},
		{"sam without its transform", `{"Resources": {"F": {"Type": "AWS::Serverless::Function"}}}`, "Resources.F: AWS::Serverless::Function is a SAM resource"},
		{"section", `{"Resource": {}, "Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}`, "Resource: is no section of a template"},
		{"shape", `{"Resources": []}`, "Resources: is not an object"},
		{"no type", `{"Resources": {"Q": {}}}`, "Resources.Q: has no Type"},
	} {
		_, err := stack.Read([]byte(tt.template), nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestErrorsAreCollected(t *testing.T) {
	t.Parallel()
	_, err := stack.Read([]byte(`{"Resources": {
	  "A": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 43201, "DelaySeconds": "soon", "FifoQueue": "maybe", "QueueName": ["x"]}},
	  "B": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "b.fifo", "RedrivePolicy": {"deadLetterTargetArn": {"Ref": "Gone"}}}},
	  "C": {"Type": "AWS::SNS::Subscription", "Properties": {"Protocol": "sqs"}},
	  "D": {"Type": "AWS::DynamoDB::Table", "Properties": {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}},
	  "E": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"EventSourceArn": "arn:aws:sqs:r:1:q", "FunctionName": "elsewhere", "BatchSize": 1.5}}
	}}`), nil)
	wantErrors(t, err,
		"Resources.A.Properties.QueueName: is a list where text is needed: give a string or number",
		"Resources.A.Properties.VisibilityTimeout: 43201 is out of range: AWS takes 0 to 43200",
		"Resources.A.Properties.DelaySeconds: soon is no whole number: give one from 0 to 900",
		"Resources.A.Properties.FifoQueue: is a string where true or false is needed: correct the template",
		"Resources.A.Properties.QueueName: is a list where text is needed: correct the template",
		`Resources.B.Properties.QueueName: "b.fifo" and FifoQueue false do not agree: the name of a FIFO queue, and no other, ends in .fifo`,
		"Resources.B.Properties.RedrivePolicy.deadLetterTargetArn.Ref: refers to Gone, which is no parameter and no resource of the template: synthesize it again",
		"Resources.B.Properties.RedrivePolicy.maxReceiveCount: is missing: give 1 to 1000",
		"Resources.C.Properties.TopicArn: is null where text is needed: give a string or number",
		"Resources.C.Properties.TopicArn: is missing or empty: the type requires it",
		"Resources.C.Properties.Endpoint: is missing or empty: the type requires it",
		`Resources.D.Properties.KeySchema[0].AttributeName: "id" has no type: add it to AttributeDefinitions`,
		"Resources.E.Properties.BatchSize: 1.5 is no whole number: give one from 1 to 10000",
		`Resources.E.Properties.FunctionName: "elsewhere" is no function of this template: only functions that are declared here can run locally`)
}

func TestCycles(t *testing.T) {
	t.Parallel()
	_, err := stack.Read([]byte(`{"Resources": {
	  "A": {"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["B", "Arn"]}, "maxReceiveCount": 3}}},
	  "B": {"Type": "AWS::SQS::Queue", "Properties": {"RedriveAllowPolicy": {"sourceQueueArns": [{"Fn::Sub": "${A.Arn}"}]}}},
	  "C": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Join": ["-", ["x", {"Ref": "C"}]]}}},
	  "D": {"Type": "AWS::SQS::Queue", "DependsOn": "E"}, "E": {"Type": "AWS::SQS::Queue", "DependsOn": "D"}
	}}`), nil)
	wantErrors(t, err,
		"Resources.A: refers to itself by way of A > B > A: CloudFormation refuses to deploy this, break the circle",
		"Resources.C: refers to itself by way of C > C: CloudFormation refuses to deploy this, break the circle")
}

func TestFindings(t *testing.T) {
	t.Parallel()
	top := read(t, `{"Resources": {
	  "Q": {"Type": "AWS::SQS::Queue", "Future": 1, "Properties": {"NewThing": {"Ref": "Unresolvable"}, "Tags": [], "RedriveAllowPolicy": {"redrivePermission": "denyAll", "more": 1}}},
	  "T": {"Type": "AWS::SNS::Topic", "Properties": {"ArchivePolicy": {}, "TracingConfig": "Active"}},
	  "S": {"Type": "AWS::SNS::Subscription", "Properties": {"TopicArn": {"Ref": "T"}, "Protocol": "email", "Endpoint": "a@example.com", "DeliveryPolicy": {}}},
	  "F": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "python3.13", "Layers": ["x"], "VpcConfig": {"Fn::If": ["No", {}, {"Ref": "AWS::NoValue"}]}}},
	  "A": {"Type": "AWS::Lambda::Alias", "Properties": {"Name": "live", "FunctionName": {"Ref": "F"}, "FunctionVersion": "$LATEST", "RoutingConfig": {}}},
	  "M": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"EventSourceArn": "arn:aws:kinesis:us-east-1:1:stream/s", "FunctionName": {"Ref": "F"}, "StartingPosition": "LATEST"}},
	  "R": {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "rate(1 minute)", "Targets": [{"Id": "x", "Arn": "arn:aws:states:us-east-1:1:stateMachine:m", "EcsParameters": {}}]}},
	  "D": {"Type": "AWS::DynamoDB::Table", "Properties": {"StreamSpecification": {}, "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}},
	  "P": {"Type": "AWS::Pipes::Pipe"}, "X": {"Type": "Custom::Thing"}, "U": {"Type": "AWS::Future::Service"},
	  "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Anything": {"Ref": "Unresolvable"}}}
	}, "Conditions": {"No": {"Fn::Equals": ["a", "b"]}},
	"Outputs": {"Good": {"Value": {"Fn::GetAtt": ["Q", "QueueName"]}}, "Bad": {"Value": {"Ref": "U"}}, "Off": {"Condition": "No", "Value": {"Ref": "U"}}}}`, nil)
	wantFindings(t, top,
		`ignored: Outputs.Bad: left out: Outputs.Bad.Value.Ref: U is a AWS::Future::Service, which the local runtime does not have: give its local value in Options.Values["U"]`,
		"unsupported: A (AWS::Lambda::Alias) RoutingConfig: all traffic goes to one version: locally there is only one build",
		"unsupported: D (AWS::DynamoDB::Table) StreamSpecification: there is no stream of the table's changes",
		`unsupported: F (AWS::Lambda::Function) (metadata) Sluice.Handler: the template does not say which program it is, so it can not be run: give the resource the metadata {"Sluice": {"Handler": "./handlers/<name>", "Source": "sqs"}}`,
		"unsupported: F (AWS::Lambda::Function) Layers: layers are not loaded",
		"unsupported: F (AWS::Lambda::Function) Runtime: only provided.al2 and provided.al2023 run here: the handler is built from Go",
		"unsupported: M (AWS::Lambda::EventSourceMapping) EventSourceArn: only SQS queues are event sources here: nothing comes from this one",
		"unsupported: P (AWS::Pipes::Pipe): the pipe does not run: what it would deliver does not arrive",
		"unsupported: Q (AWS::SQS::Queue) (attribute) Future: the local runtime does not know this resource attribute",
		"unsupported: Q (AWS::SQS::Queue) NewThing: the local runtime does not know this property: what it does is missing",
		"unsupported: Q (AWS::SQS::Queue) RedriveAllowPolicy.more: the local runtime does not know this property: what it does is missing",
		"unsupported: R (AWS::Events::Rule) ScheduleExpression: the schedule does not fire: invoke the rule's targets by hand",
		"unsupported: R (AWS::Events::Rule) Targets[0].Arn: nothing is delivered to this target: only queues, functions, topics and buses are",
		"unsupported: R (AWS::Events::Rule) Targets[0].EcsParameters: the local runtime does not know this property: what it does is missing",
		"ignored: S (AWS::SNS::Subscription) DeliveryPolicy: deliveries are retried on SNS's default schedule",
		`unsupported: S (AWS::SNS::Subscription) Protocol: protocol "email" is not delivered to: only sqs and lambda are`,
		"unsupported: T (AWS::SNS::Topic) ArchivePolicy: messages are not archived and can not be replayed",
		"unsupported: U (AWS::Future::Service): the local runtime does not know this type: it is missing, and calls of it fail",
		"unsupported: X (Custom::Thing): the custom resource is not run: what it would set up is missing")
	var harmless []string
	for _, f := range top.Harmless {
		harmless = append(harmless, f.String())
	}
	if diff := cmp.Diff([]string{
		"harmless: Alarm (AWS::CloudWatch::Alarm): alarms and dashboards watch the deployed stack; the console shows the local one",
		"harmless: Q (AWS::SQS::Queue) Tags: labels only",
		"harmless: T (AWS::SNS::Topic) TracingConfig: delivery logs and traces of SNS itself",
	}, harmless); diff != "" {
		t.Errorf("harmless (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"Good": "local-Q"}, top.Outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	if len(top.Mappings) != 0 {
		t.Errorf("a mapping of a stream became %+v", top.Mappings)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("VeryLong", 12)
	top := read(t, `{"Resources": {
	  "Plain": {"Type": "AWS::SQS::Queue"},
	  "Hashed1A2B3C4D": {"Type": "AWS::SQS::Queue"},
	  "TwinAAAAAAAA": {"Type": "AWS::SQS::Queue"}, "TwinBBBBBBBB": {"Type": "AWS::SQS::Queue"},
	  "Base": {"Type": "AWS::SQS::Queue"}, "Base0123ABCD": {"Type": "AWS::SQS::Queue"},
	  "lower1a2b3c4d": {"Type": "AWS::SQS::Queue"},
	  "Fifo12345678": {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": true}},
	  "`+long+`": {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": true}},
	  "Hashed9A8B7C6D": {"Type": "AWS::SNS::Topic", "Properties": {"FifoTopic": true}}
	}}`, &stack.Options{StackName: "Shop"})
	got := make(map[string]string)
	for _, q := range top.Queues {
		got[q.LogicalID] = q.Name
	}
	got["topic"] = top.Topics[0].Name
	cut := got[long]
	delete(got, long)
	want := map[string]string{
		"Plain": "Shop-Plain", "Hashed1A2B3C4D": "Shop-Hashed",
		"TwinAAAAAAAA": "Shop-TwinAAAAAAAA", "TwinBBBBBBBB": "Shop-TwinBBBBBBBB",
		"Base": "Shop-Base", "Base0123ABCD": "Shop-Base0123ABCD",
		"lower1a2b3c4d": "Shop-lower1a2b3c4d", "Fifo12345678": "Shop-Fifo.fifo", "topic": "Shop-Hashed.fifo",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if len(cut) != 80 || !strings.HasPrefix(cut, "Shop-VeryLong") || !strings.HasSuffix(cut, ".fifo") {
		t.Errorf("a name that is too long became %q (%d characters)", cut, len(cut))
	}
	_, err := stack.Read([]byte(`{"Resources": {
	  "A": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "same"}}, "B": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "same"}}
	}}`), nil)
	wantErrors(t, err, `Resources: A, B are all "AWS::SQS::Queue same": give each its own name`)
}

func TestReadIsDeterministic(t *testing.T) {
	t.Parallel()
	template, err := os.ReadFile("testdata/fanout.template.json")
	if err != nil {
		t.Fatal(err)
	}
	first := indented(t, read(t, string(template), nil))
	for range 20 {
		if again := indented(t, read(t, string(template), nil)); again != first {
			t.Fatalf("two reads differ:\n%s", cmp.Diff(first, again))
		}
	}
}

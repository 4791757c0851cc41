package stack_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/local/stack"
)

// surroundings is what the expressions of the tests refer to.
const surroundings = `{
  "Parameters": {
    "Env": {"Type": "String", "Default": "test"},
    "Size": {"Type": "Number", "Default": 7},
    "Zones": {"Type": "CommaDelimitedList", "Default": "a, b ,c"},
    "Image": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/golden/image"},
    "Bare": {"Type": "String"}
  },
  "Conditions": {
    "IsTest": {"Fn::Equals": [{"Ref": "Env"}, "test"]},
    "IsProd": {"Fn::Equals": ["prod", {"Ref": "Env"}]},
    "Seven": {"Fn::Equals": [{"Ref": "Size"}, "7"]},
    "Both": {"Fn::And": [{"Condition": "IsTest"}, {"Condition": "Seven"}]},
    "Neither": {"Fn::Not": [{"Fn::Or": [{"Condition": "IsTest"}, {"Condition": "IsProd"}]}]}
  },
  "Mappings": {"Sizes": {"eu-west-1": {"small": 256, "list": ["x", "y"]}}},
  "Resources": {
    "Queue": {"Type": "AWS::SQS::Queue"},
    "FifoQueue": {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": "true"}},
    "Topic": {"Type": "AWS::SNS::Topic"},
    "Sub": {"Type": "AWS::SNS::Subscription", "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "sqs", "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]}}},
    "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "orders"}},
    "Rule": {"Type": "AWS::Events::Rule", "Properties": {"EventBusName": {"Fn::GetAtt": "Bus.Arn"}, "EventPattern": {"source": ["s"]}}},
    "DefaultRule": {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": {"source": ["s"]}}},
    "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}},
    "Logs": {"Type": "AWS::Logs::LogGroup"},
    "Bucket": {"Type": "AWS::S3::Bucket"},
    "Absent": {"Type": "AWS::SQS::Queue", "Condition": "IsProd"},
    "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Other"}}},
    "Alias": {"Type": "AWS::Lambda::Alias", "Properties": {"Name": "live", "FunctionName": {"Fn::GetAtt": ["Other", "Arn"]}, "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]}}},
    "Other": {"Type": "AWS::Lambda::Function", "Metadata": {"Sluice": {"Handler": "./other"}}},
    "Function": {"Type": "AWS::Lambda::Function", "Metadata": {"Sluice": {"Handler": "./f"}}, "Properties": {"Environment": {"Variables": {"X": %s}}}}
  }
}`

// evaluate reads a template in which expr is the value of an environment
// variable.
func evaluate(expr string) (value string, present bool, err error) {
	top, err := stack.Read([]byte(fmt.Sprintf(surroundings, expr)), &stack.Options{
		StackName: "Shop", Region: "eu-west-1", Account: "111122223333", EndpointURL: "http://127.0.0.1:4100/",
		Imports: map[string]string{"base:Topic": "arn:of:topic"},
		Values:  map[string]string{"{{resolve:ssm:/key}}": "secret", "Bucket.WebsiteURL": "http://w"},
	})
	if err != nil {
		return "", false, err
	}
	for _, f := range top.Functions {
		if f.LogicalID == "Function" {
			value, present = f.Env["X"]
		}
	}
	return value, present, nil
}

func TestIntrinsics(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ expr, want string }{
		{`"plain ${AWS::Region}"`, "plain ${AWS::Region}"},
		{`12`, "12"},
		{`1.50`, "1.50"},
		{`true`, "true"},
		{`"a{{resolve:ssm:/key}}b"`, "asecretb"},

		{`{"Ref": "Env"}`, "test"},
		{`{"Ref": "Size"}`, "7"},
		{`{"Ref": "Image"}`, "/golden/image"},
		{`{"Ref": "AWS::Region"}`, "eu-west-1"},
		{`{"Ref": "AWS::AccountId"}`, "111122223333"},
		{`{"Ref": "AWS::Partition"}`, "aws"},
		{`{"Ref": "AWS::StackName"}`, "Shop"},
		{`{"Ref": "AWS::URLSuffix"}`, "amazonaws.com"},
		{`{"Ref": "Queue"}`, "http://127.0.0.1:4100/111122223333/Shop-Queue"},
		{`{"Ref": "FifoQueue"}`, "http://127.0.0.1:4100/111122223333/Shop-FifoQueue.fifo"},
		{`{"Ref": "Topic"}`, "arn:aws:sns:eu-west-1:111122223333:Shop-Topic"},
		{`{"Ref": "Bus"}`, "orders"},
		{`{"Ref": "Rule"}`, "orders|Shop-Rule"},
		{`{"Ref": "DefaultRule"}`, "Shop-DefaultRule"},
		{`{"Ref": "Table"}`, "Shop-Table"},
		{`{"Ref": "Other"}`, "Shop-Other"},
		{`{"Ref": "Logs"}`, "/Shop-Logs"},
		{`{"Ref": "Bucket"}`, "shop-bucket"},
		{`{"Ref": "Version"}`, "arn:aws:lambda:eu-west-1:111122223333:function:Shop-Other:1"},
		{`{"Ref": "Alias"}`, "arn:aws:lambda:eu-west-1:111122223333:function:Shop-Other:live"},

		{`{"Fn::GetAtt": ["Queue", "Arn"]}`, "arn:aws:sqs:eu-west-1:111122223333:Shop-Queue"},
		{`{"Fn::GetAtt": "Queue.QueueName"}`, "Shop-Queue"},
		{`{"Fn::GetAtt": ["Queue", "QueueUrl"]}`, "http://127.0.0.1:4100/111122223333/Shop-Queue"},
		{`{"Fn::GetAtt": ["Topic", "TopicName"]}`, "Shop-Topic"},
		{`{"Fn::GetAtt": ["Table", "Arn"]}`, "arn:aws:dynamodb:eu-west-1:111122223333:table/Shop-Table"},
		{`{"Fn::GetAtt": ["Other", "Arn"]}`, "arn:aws:lambda:eu-west-1:111122223333:function:Shop-Other"},
		{`{"Fn::GetAtt": ["Bus", "Arn"]}`, "arn:aws:events:eu-west-1:111122223333:event-bus/orders"},
		{`{"Fn::GetAtt": ["Rule", "Arn"]}`, "arn:aws:events:eu-west-1:111122223333:rule/orders/Shop-Rule"},
		{`{"Fn::GetAtt": ["DefaultRule", "Arn"]}`, "arn:aws:events:eu-west-1:111122223333:rule/Shop-DefaultRule"},
		{`{"Fn::GetAtt": ["Logs", "Arn"]}`, "arn:aws:logs:eu-west-1:111122223333:log-group:/Shop-Logs:*"},
		{`{"Fn::GetAtt": ["Bucket", "Arn"]}`, "arn:aws:s3:::shop-bucket"},
		{`{"Fn::GetAtt": ["Bucket", "WebsiteURL"]}`, "http://w"},
		{`{"Fn::GetAtt": ["Version", "Version"]}`, "1"},

		{`{"Fn::Sub": "${AWS::StackName}/${Env}-${Queue.QueueName}-${!Literal}$x"}`, "Shop/test-Shop-Queue-${Literal}$x"},
		{`{"Fn::Sub": ["${A}:${Env}", {"A": {"Ref": "Size"}, "Unused": "x"}]}`, "7:test"},
		{`{"Fn::Sub": ["${Env}", {"Env": "shadowed"}]}`, "shadowed"},
		{`{"Fn::Sub": "{{resolve:ssm:/${K}}}"}`, ""}, // see below: K is unknown
		{`{"Fn::Join": ["-", ["a", {"Ref": "Env"}, 3, {"Ref": "AWS::NoValue"}]]}`, "a-test-3"},
		{`{"Fn::Join": ["", {"Ref": "Zones"}]}`, "abc"},
		{`{"Fn::Select": [1, {"Fn::Split": [":", "a:b:c"]}]}`, "b"},
		{`{"Fn::Select": ["2", {"Ref": "Zones"}]}`, "c"},
		{`{"Fn::Join": ["", ["arn:", {"Fn::Select": [3, {"Fn::Split": [":", {"Ref": "Alias"}]}]}]]}`, "arn:eu-west-1"},
		{`{"Fn::If": ["IsTest", "yes", {"Ref": "Missing"}]}`, "yes"},
		{`{"Fn::If": ["IsProd", {"Fn::GetAtt": ["Absent", "Arn"]}, "no"]}`, "no"},
		{`{"Fn::If": ["Both", "both", "not both"]}`, "both"},
		{`{"Fn::If": ["Neither", "neither", {"Fn::If": ["Seven", "seven", "not"]}]}`, "seven"},
		{`{"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "small"]}`, "256"},
		{`{"Fn::Select": [0, {"Fn::FindInMap": ["Sizes", "eu-west-1", "list"]}]}`, "x"},
		{`{"Fn::ImportValue": {"Fn::Sub": "base:${N}"}}`, ""}, // see below: N is unknown
		{`{"Fn::ImportValue": {"Fn::Join": [":", ["base", "Topic"]]}}`, "arn:of:topic"},
		{`{"Fn::Base64": {"Ref": "Env"}}`, "dGVzdA=="},
	} {
		got, _, err := evaluate(tt.expr)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%s: got %q, want an error", tt.expr, got)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.expr, got, tt.want)
		}
	}
}

func TestNoValueRemovesTheProperty(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{`{"Ref": "AWS::NoValue"}`, `{"Fn::If": ["IsProd", "x", {"Ref": "AWS::NoValue"}]}`} {
		if got, present, err := evaluate(expr); present || err != nil {
			t.Errorf("%s: %q, %v, %v; want no variable", expr, got, present, err)
		}
	}
}

func TestUnresolvableValues(t *testing.T) {
	t.Parallel()
	const x = "Resources.Function.Properties.Environment.Variables.X"
	for _, tt := range []struct{ expr, path, says string }{
		{`{"Ref": "Nothing"}`, x + ".Ref", "refers to Nothing, which is no parameter and no resource"},
		{`{"Ref": "Bare"}`, x + ".Ref", "parameter Bare has neither a value nor a default: give it in Options.Parameters"},
		{`{"Ref": "Absent"}`, x + ".Ref", "does not exist because its condition IsProd is false"},
		{`{"Ref": "AWS::Nonsense"}`, x + ".Ref", "no pseudo parameter"},
		{`{"Ref": "Zones"}`, x, "is a list where text is needed"},
		{`{"Ref": 7}`, x + ".Ref", "give a string"},
		{`{"Fn::GetAtt": ["Table", "StreamArn"]}`, x + ".Fn::GetAtt", `give it in Options.Values["Table.StreamArn"]`},
		{`{"Fn::GetAtt": ["Nothing", "Arn"]}`, x + ".Fn::GetAtt", "refers to Nothing"},
		{`{"Fn::GetAtt": "NoDot"}`, x + ".Fn::GetAtt", "not a resource and an attribute"},
		{`{"Fn::Sub": "${Env"}`, x + ".Fn::Sub", "without a }"},
		{`{"Fn::Sub": "${Zones}"}`, x + ".Fn::Sub", "is a list where text is needed"},
		{`{"Fn::Sub": ["${A}", "x"]}`, x + ".Fn::Sub", "not [string, variables]"},
		{`{"Fn::Join": [",", "abc"]}`, x + ".Fn::Join[1]", "is a string where a list is needed"},
		{`{"Fn::Join": [",", [["a"]]]}`, x + ".Fn::Join[1][0]", "is a list where text is needed"},
		{`{"Fn::Join": ["a"]}`, x + ".Fn::Join", "give 2 operands"},
		{`{"Fn::Select": [3, {"Ref": "Zones"}]}`, x + ".Fn::Select", "index 3 is outside a list of 3"},
		{`{"Fn::Select": ["x", {"Ref": "Zones"}]}`, x + ".Fn::Select[0]", "is no index"},
		{`{"Fn::Split": ["", "abc"]}`, x + ".Fn::Split[0]", "not a delimiter"},
		{`{"Fn::If": ["NoSuch", 1, 2]}`, x + ".Fn::If[0]", `there is no condition "NoSuch"`},
		{`{"Fn::If": ["IsTest", 1]}`, x + ".Fn::If", "give 3 operands"},
		{`{"Fn::FindInMap": ["Sizes", "us-east-1", "small"]}`, x + ".Fn::FindInMap", `Mappings.Sizes has no key "us-east-1": use one of eu-west-1`},
		{`{"Fn::FindInMap": ["Sizes", "eu-west-1", "small", {"DefaultValue": 1}]}`, x + ".Fn::FindInMap", "DefaultValue is not supported"},
		{`{"Fn::ImportValue": "other:Topic"}`, x + ".Fn::ImportValue", `the export "other:Topic"`},
		{`{"Fn::GetAZs": ""}`, x + ".Fn::GetAZs", "is not supported by the local runtime"},
		{`{"Fn::Transform": {"Name": "x"}}`, x + ".Fn::Transform", "is not supported by the local runtime"},
		{`"{{resolve:secretsmanager:db}}"`, x, "{{resolve:secretsmanager:db}} is resolved by AWS when the stack is deployed"},
		{`{"a": 1}`, x, "is an object where text is needed"},
		{`{"a": 1, "Fn::Sub": "x"}`, x, "Fn::Sub stands beside other keys"},
		{`null`, x, "is null where text is needed"},
	} {
		got, _, err := evaluate(tt.expr)
		if err == nil {
			t.Errorf("%s: got %q, want an error", tt.expr, got)
			continue
		}
		if !strings.HasPrefix(err.Error(), tt.path+": ") || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error\n%v\nwant one at %s that says %q", tt.expr, err, tt.path, tt.says)
		}
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	const template = `{
	  "Parameters": {
	    "A": {"Type": "String"},
	    "L": {"Type": "List<Number>", "Default": "1,2"},
	    "C": {"Type": "String", "Default": "x", "AllowedValues": ["x", "y"]},
	    "S": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/version"}
	  },
	  "Resources": {"Q": {"Type": "AWS::SQS::Queue"}},
	  "Outputs": {"A": {"Value": {"Ref": "A"}}, "L": {"Value": {"Fn::Join": ["+", {"Ref": "L"}]}}, "C": {"Value": {"Ref": "C"}}, "S": {"Value": {"Ref": "S"}}}
	}`
	top, err := stack.Read([]byte(template), &stack.Options{Parameters: map[string]string{"A": "a", "C": "y"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"A": "a", "L": "1+2", "C": "y", "S": "/cdk-bootstrap/version"}, top.Outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	wantFindings(t, top, "ignored: Parameters.S: the SSM parameter is not looked up: its default text is used as the value")

	_, err = stack.Read([]byte(template), &stack.Options{Parameters: map[string]string{"B": "b", "C": "z"}})
	wantErrors(t, err,
		"Parameters.B: is given but the template has no such parameter: give one of A, C, L, S",
		`Parameters.C: "z" is not one of its AllowedValues: give one of those`)
}

func TestConditionsThatCanNotBeEvaluated(t *testing.T) {
	t.Parallel()
	_, err := stack.Read([]byte(`{
	  "Conditions": {
	    "A": {"Condition": "B"}, "B": {"Fn::Not": [{"Condition": "A"}]},
	    "C": {"Fn::Equals": [{"Ref": "Q"}, "x"]},
	    "D": {"Fn::Equals": ["x"]}, "E": {"Fn::Nand": ["x"]}, "F": {"Condition": "None"}, "G": {"Fn::And": [{"Condition": "D"}]}
	  },
	  "Resources": {"Q": {"Type": "AWS::SQS::Queue"}}
	}`), nil)
	wantErrors(t, err,
		"Conditions.A: refers to itself: break the cycle",
		"Conditions.C.Fn::Equals[0].Ref: a condition refers to Q, which is no parameter: CloudFormation allows only parameters there",
		"Conditions.D.Fn::Equals: has 1 operands: give 2",
		"Conditions.E.Fn::Nand: is no condition function that this reader knows: use Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition",
		`Conditions.F.Condition: there is no condition "None": use one of A, B, C, D, E, F, G`,
		"Conditions.G.Fn::And: has 1 operands: give 2 to 10")
}

// wantErrors compares all lines of a joined error.
func wantErrors(t *testing.T, err error, want ...string) {
	t.Helper()
	var got []string
	if err != nil {
		got = strings.Split(err.Error(), "\n")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// wantFindings compares all findings that are not harmless.
func wantFindings(t *testing.T, top *stack.Topology, want ...string) {
	t.Helper()
	var got []string
	for _, f := range top.Findings {
		got = append(got, f.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func indented(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

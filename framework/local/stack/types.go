package stack

import (
	"maps"
	"slices"
	"strings"
)

// The types that this package reads, and those that it only names.
const (
	typeQueue        = "AWS::SQS::Queue"
	typeTopic        = "AWS::SNS::Topic"
	typeSubscription = "AWS::SNS::Subscription"
	typeBus          = "AWS::Events::EventBus"
	typeRule         = "AWS::Events::Rule"
	typeFunction     = "AWS::Lambda::Function"
	typeVersion      = "AWS::Lambda::Version"
	typeAlias        = "AWS::Lambda::Alias"
	typeInvokeConfig = "AWS::Lambda::EventInvokeConfig"
	typeMapping      = "AWS::Lambda::EventSourceMapping"
	typeTable        = "AWS::DynamoDB::Table"
	typeGlobalTable  = "AWS::DynamoDB::GlobalTable"

	typeLogGroup = "AWS::Logs::LogGroup"
	typeRole     = "AWS::IAM::Role"
	typeBucket   = "AWS::S3::Bucket"
)

// harmlessType says why a local run needs no resource of a type, or nothing.
func harmlessType(typ string) string {
	switch {
	case typ == "AWS::CDK::Metadata":
		return "usage metadata of CDK"
	case strings.HasPrefix(typ, "AWS::IAM::"):
		return "permissions are not checked locally"
	case typ == "AWS::SQS::QueuePolicy", typ == "AWS::SQS::QueueInlinePolicy", typ == "AWS::SNS::TopicPolicy", typ == "AWS::SNS::TopicInlinePolicy",
		typ == "AWS::Lambda::Permission", typ == "AWS::Events::EventBusPolicy", typ == "AWS::S3::BucketPolicy", typ == "AWS::Lambda::LayerVersionPermission":
		return "permissions are not checked locally"
	case strings.HasPrefix(typ, "AWS::CloudWatch::"), strings.HasPrefix(typ, "AWS::Synthetics::"), strings.HasPrefix(typ, "AWS::ApplicationSignals::"):
		return "alarms and dashboards watch the deployed stack; the console shows the local one"
	case strings.HasPrefix(typ, "AWS::Logs::"):
		return "logs go to the terminal and the console"
	case strings.HasPrefix(typ, "AWS::KMS::"):
		return "nothing is encrypted locally"
	case strings.HasPrefix(typ, "AWS::CodeDeploy::"):
		return "there is no deployment to shift traffic for"
	case strings.HasPrefix(typ, "AWS::XRay::"):
		return "sampling and trace groups are X-Ray's own"
	case typ == "AWS::ResourceGroups::Group", typ == "AWS::ServiceCatalogAppRegistry::Application", typ == "AWS::ServiceCatalogAppRegistry::ResourceAssociation":
		return "grouping of resources in the AWS console"
	case typ == "AWS::CloudFormation::WaitConditionHandle", typ == "AWS::CloudFormation::WaitCondition":
		return "only orders a deployment"
	case strings.HasPrefix(typ, "AWS::Backup::"):
		return "there is nothing to back up locally"
	}
	return ""
}

// missingType says what a local run lacks without a resource of a type that
// this package does not read.
func missingType(typ string) string {
	switch {
	case typ == "AWS::Events::Archive":
		return "events are not archived and can not be replayed"
	case strings.HasPrefix(typ, "AWS::Pipes::"):
		return "the pipe does not run: what it would deliver does not arrive"
	case strings.HasPrefix(typ, "AWS::Scheduler::"):
		return "the schedule does not fire: invoke its target by hand"
	case strings.HasPrefix(typ, "AWS::EventsV2::"):
		return "EventBridge's new custom event buses are not emulated: nothing is delivered through them"
	case strings.HasPrefix(typ, "AWS::S3::"):
		return "there is no S3: calls of it fail, and large payloads can not be claimed"
	case strings.HasPrefix(typ, "AWS::Kinesis"), strings.HasPrefix(typ, "AWS::MSK::"), strings.HasPrefix(typ, "AWS::AmazonMQ::"):
		return "the stream or broker is not emulated: calls of it fail and nothing comes from it"
	case strings.HasPrefix(typ, "AWS::StepFunctions::"):
		return "state machines do not run"
	case strings.HasPrefix(typ, "AWS::ApiGateway"), typ == "AWS::Lambda::Url":
		return "there is no HTTP entry: invoke the function with an event file"
	case typ == "AWS::SSM::Parameter", strings.HasPrefix(typ, "AWS::SecretsManager::"):
		return "it can not be read at run time: give its value in the function's environment"
	case typ == "AWS::Lambda::LayerVersion":
		return "layers are not loaded"
	case typ == "AWS::CloudFormation::Stack":
		return "the nested stack's resources are not read: read its own template as well"
	case typ == "AWS::CloudFormation::CustomResource", strings.HasPrefix(typ, "Custom::"):
		return "the custom resource is not run: what it would set up is missing"
	}
	return "the local runtime does not know this type: it is missing, and calls of it fail"
}

// resources reads every resource of a type that this package understands, and
// accounts for all others.
func (r *reader) resources() {
	for _, id := range r.ids {
		res := r.res[id]
		r.attributes(res)
		o := r.properties(res)
		switch res.typ {
		case typeQueue:
			r.readQueue(res, o)
		case typeTopic:
			r.readTopic(res, o)
		case typeSubscription:
			r.readSubscription(res, o)
		case typeBus:
			r.readBus(res, o)
		case typeRule:
			r.readRule(res, o)
		case typeFunction:
			r.readFunction(res, o)
		case typeVersion:
			r.readVersion(res, o)
		case typeAlias:
			r.readAlias(res, o)
		case typeInvokeConfig:
			r.readInvokeConfig(res, o)
		case typeMapping:
			r.readMapping(res, o)
		case typeTable, typeGlobalTable:
			r.readTable(res, o)
		default:
			if why := harmlessType(res.typ); why != "" {
				r.find(Finding{Severity: Harmless, LogicalID: id, Type: res.typ, Message: why})
			} else {
				r.find(Finding{Severity: Unsupported, LogicalID: id, Type: res.typ, Message: missingType(res.typ)})
			}
			continue
		}
		o.done()
	}
}

// attributes reports what stands beside Properties and is not known.
func (r *reader) attributes(res *resource) {
	for _, name := range slices.Sorted(maps.Keys(res.body)) {
		switch name {
		case "Type", "Properties", "Metadata", "Condition",
			// These order or guard a deployment, which a local run does not have.
			"DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "CreationPolicy", "UpdatePolicy":
		default:
			r.find(Finding{Severity: Unsupported, LogicalID: res.id, Type: res.typ, Property: "(attribute) " + name,
				Message: "the local runtime does not know this resource attribute"})
		}
	}
}

// base is what all resources have.
func (r *reader) base(res *resource) Resource {
	b := Resource{LogicalID: res.id, Name: r.name(res)}
	b.CDKPath, _ = res.metadata["aws:cdk:path"].(string)
	if arn, ok := r.arn(res, "Resources."+res.id).(string); ok {
		b.ARN = arn
	}
	return b
}

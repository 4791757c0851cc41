package stack

import (
	"slices"
	"strings"
)

// readBus follows the template reference of AWS::Events::EventBus.
func (r *reader) readBus(res *resource, o *object) {
	o.str("Name", "")
	o.harmless("descriptive only", "Description", "Tags")
	o.harmless("nothing is encrypted locally", "KmsKeyIdentifier")
	o.harmless("permissions are not checked locally", "Policy")
	o.harmless("delivery logs of EventBridge itself", "LogConfig")
	o.ignored("it holds events that could not be encrypted, and nothing is encrypted", "DeadLetterConfig")
	o.unsupported("no partner sends events here", "EventSourceName")
	r.topology.Buses = append(r.topology.Buses, Bus{Resource: r.base(res)})
}

// readRule follows the template reference of AWS::Events::Rule. The retry
// defaults are EventBridge's: 185 times within 24 hours.
func (r *reader) readRule(res *resource, o *object) {
	rule := Rule{Resource: r.base(res), EventPattern: o.json("EventPattern")}
	o.seen["EventBusName"] = true
	if bus, ok := r.ruleBus(res).(string); ok {
		rule.Bus = bus
	}
	o.str("Name", "")
	switch state := o.oneOf("State", "ENABLED", "ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"); state {
	case "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS":
		o.ignored("there are no CloudTrail events", "State")
		rule.Enabled = true
	default:
		rule.Enabled = state == "ENABLED"
	}
	for _, t := range o.objects("Targets") {
		rule.Targets = append(rule.Targets, r.readTarget(t))
	}
	o.harmless("permissions are not checked locally", "RoleArn")
	o.harmless("descriptive only", "Description", "Tags")
	o.unsupported("the schedule does not fire: invoke the rule's targets by hand", "ScheduleExpression")
	r.topology.Rules = append(r.topology.Rules, rule)
}

func (r *reader) readTarget(o *object) Target {
	t := Target{
		ID: o.required("Id"), ARN: o.required("Arn"),
		MaxRetries: 185, MaxEventAge: defaultEventAge,
		Input: o.str("Input", ""), InputPath: o.str("InputPath", ""),
	}
	if p := o.object("DeadLetterConfig"); p != nil {
		t.DeadLetterARN = p.str("Arn", "")
		p.done()
	}
	if p := o.object("RetryPolicy"); p != nil {
		t.MaxRetries = p.num("MaximumRetryAttempts", 185, 0, 185)
		t.MaxEventAge = p.seconds("MaximumEventAgeInSeconds", 86400, 60, 86400)
		p.done()
	}
	if p := o.object("SqsParameters"); p != nil {
		t.MessageGroupID = p.required("MessageGroupId")
		p.done()
	}
	if p := o.object("InputTransformer"); p != nil {
		t.InputPaths = p.table("InputPathsMap")
		t.InputTemplate = p.required("InputTemplate")
		p.done()
	}
	if t.ARN != "" && !slices.ContainsFunc([]string{":sqs:", ":lambda:", ":sns:", ":events:"}, func(service string) bool { return strings.Contains(t.ARN, service) }) {
		o.unsupported("nothing is delivered to this target: only queues, functions, topics and buses are", "Arn")
	}
	o.harmless("permissions are not checked locally", "RoleArn")
	o.done()
	return t
}

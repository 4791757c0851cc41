package stack

import (
	"fmt"
	"strings"
)

// readTopic follows the template reference of AWS::SNS::Topic.
func (r *reader) readTopic(res *resource, o *object) {
	t := Topic{
		Resource:                  r.base(res),
		DisplayName:               o.str("DisplayName", ""),
		FIFO:                      o.boolean("FifoTopic", false),
		ContentBasedDeduplication: o.boolean("ContentBasedDeduplication", false),
	}
	o.str("TopicName", "")
	if t.FIFO != strings.HasSuffix(t.Name, ".fifo") {
		r.fail(o.at("TopicName"), "%q and FifoTopic %v do not agree: the name of a FIFO topic, and no other, ends in .fifo", t.Name, t.FIFO)
	}
	for i, s := range o.objects("Subscription") {
		id := fmt.Sprintf("%s.Subscription[%d]", res.id, i)
		sub := Subscription{
			Resource: Resource{LogicalID: id, ARN: t.ARN + ":" + uuid(id)},
			TopicARN: t.ARN, Protocol: s.required("Protocol"), Endpoint: s.required("Endpoint"),
			FilterPolicyScope: "MessageAttributes",
		}
		s.done()
		r.addSubscription(sub, res)
	}
	o.harmless("nothing is encrypted locally", "KmsMasterKeyId")
	o.harmless("the shape of signatures, which nothing checks here", "SignatureVersion")
	o.harmless("delivery logs and traces of SNS itself", "DeliveryStatusLogging", "TracingConfig")
	o.harmless("labels only", "Tags")
	o.ignored("the throughput of a FIFO topic is not limited", "FifoThroughputScope")
	o.unsupported("messages are not archived and can not be replayed", "ArchivePolicy")
	o.unsupported("sensitive data is not found or masked", "DataProtectionPolicy")
	r.topology.Topics = append(r.topology.Topics, t)
}

// readSubscription follows the template reference of AWS::SNS::Subscription.
func (r *reader) readSubscription(res *resource, o *object) {
	s := Subscription{
		Resource:          r.base(res),
		TopicARN:          o.required("TopicArn"),
		Protocol:          o.required("Protocol"),
		Endpoint:          o.required("Endpoint"),
		Raw:               o.boolean("RawMessageDelivery", false),
		FilterPolicy:      o.json("FilterPolicy"),
		FilterPolicyScope: o.oneOf("FilterPolicyScope", "MessageAttributes", "MessageAttributes", "MessageBody"),
	}
	if p := o.object("RedrivePolicy"); p != nil {
		s.DeadLetterARN = p.required("deadLetterTargetArn")
		p.done()
	}
	o.harmless("permissions are not checked locally", "SubscriptionRoleArn")
	o.ignored("deliveries are retried on SNS's default schedule", "DeliveryPolicy")
	o.ignored("everything is in one region here", "Region")
	o.unsupported("messages are not archived and can not be replayed", "ReplayPolicy")
	r.addSubscription(s, res)
}

func (r *reader) addSubscription(s Subscription, res *resource) {
	if s.Protocol != "sqs" && s.Protocol != "lambda" {
		r.find(Finding{Severity: Unsupported, LogicalID: s.LogicalID, Type: res.typ, Property: "Protocol",
			Message: fmt.Sprintf("protocol %q is not delivered to: only sqs and lambda are", s.Protocol)})
	}
	r.topology.Subscriptions = append(r.topology.Subscriptions, s)
}

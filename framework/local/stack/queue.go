package stack

import "strings"

// readQueue follows the template reference of AWS::SQS::Queue.
func (r *reader) readQueue(res *resource, o *object) {
	q := Queue{
		Resource:           r.base(res),
		Visibility:         o.seconds("VisibilityTimeout", 30, 0, 43200),
		Delay:              o.seconds("DelaySeconds", 0, 0, 900),
		Retention:          o.seconds("MessageRetentionPeriod", 345600, 60, 1209600),
		ReceiveWait:        o.seconds("ReceiveMessageWaitTimeSeconds", 0, 0, 20),
		MaximumMessageSize: o.num("MaximumMessageSize", 1<<20, 1024, 1<<20),
		FIFO:               o.boolean("FifoQueue", false),
	}
	o.str("QueueName", "")
	if url, ok := r.ref(res.id, o.path, anywhere).(string); ok {
		q.URL = url
	}
	if q.FIFO != strings.HasSuffix(q.Name, ".fifo") {
		r.fail(o.at("QueueName"), "%q and FifoQueue %v do not agree: the name of a FIFO queue, and no other, ends in .fifo", q.Name, q.FIFO)
	}
	q.ContentBasedDeduplication = o.boolean("ContentBasedDeduplication", false)
	q.DeduplicationScope = o.oneOf("DeduplicationScope", "", "queue", "messageGroup")
	q.FIFOThroughputLimit = o.oneOf("FifoThroughputLimit", "", "perQueue", "perMessageGroupId")
	if p := o.object("RedrivePolicy"); p != nil {
		q.Redrive = &Redrive{DeadLetterARN: p.required("deadLetterTargetArn"), MaxReceiveCount: p.num("maxReceiveCount", 0, 1, 1000)}
		if _, ok := p.raw["maxReceiveCount"]; !ok {
			r.fail(p.at("maxReceiveCount"), "is missing: give 1 to 1000")
		}
		p.done()
	}
	if p := o.object("RedriveAllowPolicy"); p != nil {
		q.RedriveAllow = &RedriveAllow{
			Permission: p.oneOf("redrivePermission", "allowAll", "allowAll", "denyAll", "byQueue"),
			SourceARNs: p.texts("sourceQueueArns"),
		}
		p.done()
	}
	o.harmless("nothing is encrypted locally", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled")
	o.harmless("labels only", "Tags")
	r.topology.Queues = append(r.topology.Queues, q)
}

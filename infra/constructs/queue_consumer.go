package constructs

import (
	"strconv"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	cdkconstructs "github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/sluice-go/sluice/framework/env"
)

// Defaults of QueueProps.
const (
	DefaultBatchSize      = 10
	DefaultMaxConcurrency = 5
	DefaultMaxReceives    = 8
	DefaultRetention      = 4 * day
)

// QueueProps describe a consumer's queue and how Lambda polls it.
type QueueProps struct {
	// FIFO makes the queue first-in-first-out, with deduplication by the
	// producer's ids only.
	FIFO bool

	// BatchSize is how many messages an invocation gets at most: 1 to 10,000,
	// and to 10 on a FIFO queue. More than 10 needs a BatchWindow. 0 means
	// DefaultBatchSize.
	BatchSize int

	// BatchWindow is how long Lambda waits for a batch to fill: to 5 min, and
	// not on a FIFO queue. 0 means that it does not wait.
	BatchWindow time.Duration

	// MaxConcurrency is how many batches are worked at the same time: 2 to
	// 1,000. 0 means DefaultMaxConcurrency. It is never unlimited: Lambda would
	// receive more than the function can take, and throttled receives count
	// towards MaxReceives.
	MaxConcurrency int

	// MaxReceives is how often a message is delivered before it becomes a dead
	// letter: 5 to 1,000. 0 means DefaultMaxReceives. Below 5 throttling alone
	// turns good messages into dead letters (SQS developer guide, configuring
	// a queue for Lambda).
	MaxReceives int

	// Retention is how long the queue keeps a message, 1 min to 14 d. 0 means
	// DefaultRetention.
	Retention time.Duration
}

func (q QueueProps) withDefaults() QueueProps {
	q.BatchSize = orElse(q.BatchSize, DefaultBatchSize)
	q.MaxConcurrency = orElse(q.MaxConcurrency, DefaultMaxConcurrency)
	q.MaxReceives = orElse(q.MaxReceives, DefaultMaxReceives)
	q.Retention = orElse(q.Retention, DefaultRetention)
	return q
}

// visibility is how long a received message stays hidden: six times what the
// function may take, and the window, as AWS advises for queues that Lambda
// polls (Lambda developer guide, configuring a queue).
func (q QueueProps) visibility(timeout time.Duration) time.Duration {
	return 6*timeout + q.BatchWindow
}

// recordLife is how long a completed record must be remembered so that no copy
// of the message can come back later: its life on the queue, then as a dead
// letter, then on the queue again after a redrive.
func (q QueueProps) recordLife() time.Duration {
	return q.Retention + DeadLetterRetention + q.Retention
}

// validate expects the defaults filled in. The limits are those of Lambda's
// CreateEventSourceMapping and SQS's CreateQueue.
func (q *QueueProps) validate(p *problems, timeout time.Duration) {
	p.between("Queue.BatchSize", q.BatchSize, 1, 10000)
	p.between("Queue.MaxConcurrency", q.MaxConcurrency, 2, 1000)
	p.between("Queue.MaxReceives", q.MaxReceives, 5, 1000)
	p.seconds("Queue.BatchWindow", q.BatchWindow, 0, 5*time.Minute)
	p.seconds("Queue.Retention", q.Retention, time.Minute, 14*day)
	switch {
	case q.FIFO && q.BatchSize > 10:
		p.add("Queue.BatchSize", "Lambda takes at most 10 messages from a FIFO queue, not %d", q.BatchSize)
	case q.BatchSize > 10 && q.BatchWindow == 0:
		p.add("Queue.BatchWindow", "a batch of more than 10 messages needs a window of 1s or more")
	}
	if q.FIFO && q.BatchWindow != 0 {
		p.add("Queue.BatchWindow", "Lambda has no batching window for a FIFO queue: leave it out")
	}
	if all := time.Duration(q.MaxReceives) * q.visibility(timeout); q.Retention < all {
		p.add("Queue.Retention", "%v ends before the last of %d deliveries, which may begin after %v: raise it, or lower Queue.MaxReceives or Function.Timeout",
			q.Retention, q.MaxReceives, all)
	}
}

// QueueConsumerProps describe a QueueConsumer.
type QueueConsumerProps struct {
	Function FunctionProps
	Queue    QueueProps

	// Idempotency is the table that the handler remembers its messages in.
	// Nil means none: the handler then has to be idempotent by itself.
	Idempotency *IdempotencyTable

	// Runbooks is the URL below which the alarms' runbooks are. Empty means
	// DefaultRunbooks.
	Runbooks string
}

// QueueConsumer is a queue, its dead letters, and the function that works the
// queue; the handler is made with consumer.NewSQS. The queue can be sent to
// directly, subscribed to topics and made the target of rules.
type QueueConsumer struct {
	cdkconstructs.Construct
	*Consumer

	Queue   awssqs.Queue
	Mapping awslambda.EventSourceMapping

	fifo     bool
	runbooks string
}

// NewQueueConsumer makes a QueueConsumer.
func NewQueueConsumer(scope cdkconstructs.Construct, id string, props *QueueConsumerProps) (*QueueConsumer, error) {
	return newQueueConsumer("QueueConsumer", scope, id, props)
}

func newQueueConsumer(kind string, scope cdkconstructs.Construct, id string, props *QueueConsumerProps) (*QueueConsumer, error) {
	p := &problems{kind: kind, id: id}
	if props == nil {
		p.add("props", "they are nil: give at least Function")
		return nil, p.err()
	}
	function, queue := props.Function.withDefaults(), props.Queue.withDefaults()
	var c *QueueConsumer
	err := Guard(kind, id, func() error {
		function.validate(p)
		queue.validate(p, function.Timeout)
		if err := p.err(); err != nil {
			return err
		}
		c = buildQueueConsumer(cdkconstructs.NewConstruct(scope, jsii.String(id)), &function, &queue, props)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

func buildQueueConsumer(self cdkconstructs.Construct, function *FunctionProps, q *QueueProps, props *QueueConsumerProps) *QueueConsumer {
	dead := newDeadLetters(self, deadLetters{
		id:      "DeadLetters",
		fifo:    q.FIFO,
		meaning: function.Handler + " could not process a message: it failed " + strconv.Itoa(q.MaxReceives) + " times, or can never succeed.",
		runbook: runbook(props.Runbooks, "dead-letters.md"),
	})
	queue := newQueue(self, "Queue", queueSettings{
		fifo:       q.FIFO,
		visibility: q.visibility(function.Timeout),
		retention:  q.Retention,
		removal:    awscdk.RemovalPolicy_DESTROY,
		deadLetters: &awssqs.DeadLetterQueue{
			Queue:           dead.Queue,
			MaxReceiveCount: jsii.Number(q.MaxReceives),
		},
	})
	set := map[string]string{}
	if props.Idempotency != nil {
		set[env.RecordLife] = wholeSeconds(q.recordLife())
	}
	made := newFunction(self, sourceSQS, function, set, append(props.Idempotency.uses(),
		useQueue(env.QueueURL, queue, env.QueueActions()),
		useQueue(env.DeadLetterQueueURL, dead.Queue, env.DeadLetterActions()),
	))
	made.DeadLetters = dead

	// What Lambda's poller does with the function's role, and no more than that:
	// the CDK's own grant adds two actions which it does not perform.
	allow(made.Role, queue.QueueArn(), "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")

	return &QueueConsumer{
		Construct: self,
		Consumer:  made,
		Queue:     queue,
		Mapping:   newMapping(self, made.Function, queue, q),
		fifo:      q.FIFO,
		runbooks:  props.Runbooks,
	}
}

// newMapping always reports batch item failures: consumer.NewSQS always
// answers with them, and Lambda deletes a failed message whose report it was
// not told to read.
func newMapping(self cdkconstructs.Construct, fn awslambda.Function, queue awssqs.Queue, q *QueueProps) awslambda.EventSourceMapping {
	mapping := &awslambda.EventSourceMappingProps{
		Target:                  fn,
		EventSourceArn:          queue.QueueArn(),
		BatchSize:               jsii.Number(q.BatchSize),
		MaxConcurrency:          jsii.Number(q.MaxConcurrency),
		ReportBatchItemFailures: jsii.Bool(true),
	}
	if q.BatchWindow > 0 {
		mapping.MaxBatchingWindow = duration(q.BatchWindow)
	}
	return awslambda.NewEventSourceMapping(self, jsii.String("Mapping"), mapping)
}

func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(int64(d/time.Second), 10)
}

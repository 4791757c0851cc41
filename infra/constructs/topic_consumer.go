package constructs

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	cdkconstructs "github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// TopicConsumerProps describe a TopicConsumer.
type TopicConsumerProps struct {
	Function FunctionProps

	// Topic is what the consumer subscribes to. Required.
	Topic awssns.ITopic

	// Direct leaves the queue out: SNS invokes the function asynchronously,
	// one message at a time, and the handler is made with consumer.NewSNS.
	// Without a queue there is no limit to concurrency, and no redrive.
	Direct bool

	// Queue describes the queue between the topic and the function. It must be
	// left out when Direct.
	Queue QueueProps

	// Idempotency is the table that the handler remembers its messages in.
	// Nil means none: the handler then has to be idempotent by itself.
	Idempotency *IdempotencyTable

	// Runbooks is the URL below which the alarms' runbooks are. Empty means
	// DefaultRunbooks.
	Runbooks string
}

// TopicConsumer works the messages of an SNS topic.
type TopicConsumer struct {
	cdkconstructs.Construct
	*Consumer

	Subscription awssns.Subscription

	// Buffer is the consumer of the queue that the topic delivers to, made with
	// consumer.NewSQS, to which further sources can be added. Nil when Direct.
	Buffer *QueueConsumer
}

// NewTopicConsumer makes a TopicConsumer.
func NewTopicConsumer(scope cdkconstructs.Construct, id string, props *TopicConsumerProps) (*TopicConsumer, error) {
	const kind = "TopicConsumer"
	p := &problems{kind: kind, id: id}
	switch {
	case props == nil:
		p.add("props", "they are nil: give at least Function and Topic")
	case props.Topic == nil:
		p.add("Topic", "it is nil: give the topic to subscribe to")
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	if props.Direct {
		return newDirectTopicConsumer(p, scope, id, props)
	}
	queue, err := newQueueConsumer(kind, scope, id, &QueueConsumerProps{
		Function:    props.Function,
		Queue:       props.Queue,
		Idempotency: props.Idempotency,
		Runbooks:    props.Runbooks,
	})
	if err != nil {
		return nil, err
	}
	s, err := queue.Subscribe("Subscription", props.Topic)
	if err != nil {
		return nil, within(kind, id, err)
	}
	return &TopicConsumer{Construct: queue.Construct, Consumer: queue.Consumer, Subscription: s, Buffer: queue}, nil
}

func newDirectTopicConsumer(p *problems, scope cdkconstructs.Construct, id string, props *TopicConsumerProps) (*TopicConsumer, error) {
	function := props.Function.withDefaults()
	c := &TopicConsumer{}
	err := Guard(p.kind, id, func() error {
		validateDirect(p, &function, props.Queue)
		if isTrue(props.Topic.Fifo()) {
			p.add("Topic", "a FIFO topic cannot invoke a function: leave Direct out")
		}
		if err := p.err(); err != nil {
			return err
		}
		c.Construct = cdkconstructs.NewConstruct(scope, jsii.String(id))
		c.Consumer = newDirect(c.Construct, sourceSNS, &function, props.Idempotency, props.Runbooks)
		c.Function.AddPermission(jsii.String("Topic"), &awslambda.Permission{
			Principal: awsiam.NewServicePrincipal(jsii.String("sns.amazonaws.com"), nil),
			SourceArn: props.Topic.TopicArn(),
		})
		c.Subscription = awssns.NewSubscription(c.Construct, jsii.String("Subscription"), &awssns.SubscriptionProps{
			Topic:           props.Topic,
			Protocol:        awssns.SubscriptionProtocol_LAMBDA,
			Endpoint:        c.Function.FunctionArn(),
			DeadLetterQueue: c.deliveryDeadLetters(c.Construct, false, props.Runbooks).Queue,
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

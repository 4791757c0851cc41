package constructs

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	cdkconstructs "github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// RuleConsumerProps describe a RuleConsumer.
type RuleConsumerProps struct {
	Function FunctionProps

	// Rule says which events the consumer takes. Required.
	Rule RulePattern

	// Direct leaves the queue out: EventBridge invokes the function
	// asynchronously, one event at a time, and the handler is made with
	// consumer.NewEventBridge. Without a queue there is no limit to
	// concurrency, and no redrive.
	Direct bool

	// Queue describes the queue between the rule and the function. It must be
	// left out when Direct, and cannot be FIFO.
	Queue QueueProps

	// Idempotency is the table that the handler remembers its messages in.
	// Nil means none: the handler then has to be idempotent by itself.
	Idempotency *IdempotencyTable

	// Runbooks is the URL below which the alarms' runbooks are. Empty means
	// DefaultRunbooks.
	Runbooks string
}

// RuleConsumer works events of an EventBridge bus.
type RuleConsumer struct {
	cdkconstructs.Construct
	*Consumer

	Rule awsevents.Rule

	// Buffer is the consumer of the queue that the rule delivers to, made with
	// consumer.NewSQS, to which further sources can be added. Nil when Direct.
	Buffer *QueueConsumer
}

// NewRuleConsumer makes a RuleConsumer.
func NewRuleConsumer(scope cdkconstructs.Construct, id string, props *RuleConsumerProps) (*RuleConsumer, error) {
	const kind = "RuleConsumer"
	p := &problems{kind: kind, id: id}
	if props == nil {
		p.add("props", "they are nil: give at least Function and Rule")
		return nil, p.err()
	}
	props.Rule.validate(p, "Rule.")
	if props.Queue.FIFO {
		p.add("Queue.FIFO", "a rule puts every event into one message group: leave FIFO out")
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	if props.Direct {
		return newDirectRuleConsumer(p, scope, id, props)
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
	rule, err := queue.AddRule("Rule", props.Rule)
	if err != nil {
		return nil, within(kind, id, err)
	}
	return &RuleConsumer{Construct: queue.Construct, Consumer: queue.Consumer, Rule: rule, Buffer: queue}, nil
}

func newDirectRuleConsumer(p *problems, scope cdkconstructs.Construct, id string, props *RuleConsumerProps) (*RuleConsumer, error) {
	function := props.Function.withDefaults()
	c := &RuleConsumer{}
	err := Guard(p.kind, id, func() error {
		validateDirect(p, &function, props.Queue)
		if err := p.err(); err != nil {
			return err
		}
		c.Construct = cdkconstructs.NewConstruct(scope, jsii.String(id))
		c.Consumer = newDirect(c.Construct, sourceEventBridge, &function, props.Idempotency, props.Runbooks)
		c.Rule = newRule(c.Construct, "Rule", &props.Rule, awseventstargets.NewLambdaFunction(c.Function, &awseventstargets.LambdaFunctionProps{
			DeadLetterQueue: c.deliveryDeadLetters(c.Construct, false, props.Runbooks).Queue,
			MaxEventAge:     duration(ruleMaxAge),
			RetryAttempts:   jsii.Number(ruleAttempts),
		}))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// within names the construct around the one that err is about.
func within(kind, id string, err error) error {
	return fmt.Errorf("%s %q: %w", kind, id, err)
}

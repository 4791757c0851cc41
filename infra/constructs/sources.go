package constructs

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	cdkconstructs "github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// What EventBridge does unless told otherwise, written down so that a template
// says it.
const (
	ruleMaxAge   = 24 * time.Hour
	ruleAttempts = 185
)

// RulePattern says which events of a bus a rule takes.
type RulePattern struct {
	// Bus is the bus to listen on. Required.
	Bus awsevents.IEventBus

	// DetailTypes are the exact detail types to take, DetailTypePrefix what
	// they begin with. Exactly one of the two is required. A prefix that ends
	// before the version, as in "payments.captured.", takes all versions.
	DetailTypes      []string
	DetailTypePrefix string

	// Sources, if given, narrows the rule to events with one of these sources.
	Sources []string
}

func (r *RulePattern) validate(p *problems, prefix string) {
	if r.Bus == nil {
		p.add(prefix+"Bus", "it is nil: give the bus to listen on")
	}
	switch {
	case len(r.DetailTypes) > 0 && r.DetailTypePrefix != "":
		p.add(prefix+"DetailTypePrefix", "DetailTypes is given too: keep one of them")
	case len(r.DetailTypes) == 0 && r.DetailTypePrefix == "":
		p.add(prefix+"DetailTypes", "it is empty, and so is DetailTypePrefix: the rule would take every event of the bus")
	}
	for _, t := range r.DetailTypes {
		if t == "" {
			p.add(prefix+"DetailTypes", "one of them is empty: no event has an empty detail type")
		}
	}
	for _, s := range r.Sources {
		if s == "" {
			p.add(prefix+"Sources", "one of them is empty: no event has an empty source")
		}
	}
}

func (r *RulePattern) pattern() *awsevents.EventPattern {
	e := &awsevents.EventPattern{}
	if r.DetailTypePrefix != "" {
		e.DetailType = awsevents.Match_Prefix(jsii.String(r.DetailTypePrefix))
	} else {
		e.DetailType = jsii.Strings(r.DetailTypes...)
	}
	if len(r.Sources) > 0 {
		e.Source = jsii.Strings(r.Sources...)
	}
	return e
}

func newRule(scope cdkconstructs.Construct, id string, r *RulePattern, target awsevents.IRuleTarget) awsevents.Rule {
	return awsevents.NewRule(scope, jsii.String(id), &awsevents.RuleProps{
		EventBus:     r.Bus,
		EventPattern: r.pattern(),
		Targets:      &[]awsevents.IRuleTarget{target},
	})
}

// Subscribe feeds the queue from one more topic. Deliveries carry SNS's
// envelope, which the handler tells apart by itself and which holds the id and
// the attributes of the message; what cannot be delivered goes to the
// consumer's DeliveryDeadLetters. Id is unique within the consumer. A FIFO
// queue takes FIFO topics only.
func (c *QueueConsumer) Subscribe(id string, topic awssns.ITopic) (awssns.Subscription, error) {
	var s awssns.Subscription
	err := Guard("Subscription", id, func() error {
		p := &problems{kind: "Subscription", id: id}
		if topic == nil {
			p.add("Topic", "it is nil: give the topic to subscribe to")
			return p.err()
		}
		if c.fifo && !isTrue(topic.Fifo()) {
			p.add("Topic", "a standard topic cannot deliver to a FIFO queue: use a FIFO topic, or leave Queue.FIFO out")
			return p.err()
		}
		granted := c.Queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("sns.amazonaws.com"), nil)},
			Actions:    jsii.Strings("sqs:SendMessage"),
			Resources:  &[]*string{c.Queue.QueueArn()},
			Conditions: &map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": topic.TopicArn()}},
		}))
		s = awssns.NewSubscription(c.Construct, jsii.String(id), &awssns.SubscriptionProps{
			Topic:              topic,
			Protocol:           awssns.SubscriptionProtocol_SQS,
			Endpoint:           c.Queue.QueueArn(),
			RawMessageDelivery: jsii.Bool(false),
			DeadLetterQueue:    c.deliveryDeadLetters(c.Construct, c.fifo, c.runbooks).Queue,
		})
		// Otherwise what is published before the policy is in place goes astray.
		s.Node().AddDependency(granted.PolicyDependable)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// AddRule feeds the queue from one more rule. What EventBridge cannot deliver
// within 24 hours goes to the consumer's DeliveryDeadLetters. Id is unique
// within the consumer.
//
// A FIFO queue is refused: the message group of a rule's target is a constant,
// never a field of the event, so that all events would be worked one after the
// other.
func (c *QueueConsumer) AddRule(id string, r RulePattern) (awsevents.Rule, error) {
	p := &problems{kind: "Rule", id: id}
	r.validate(p, "")
	if c.fifo {
		p.add("Queue.FIFO", "a rule puts every event into one message group: send to the queue from a producer instead, or leave FIFO out")
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	var rule awsevents.Rule
	err := Guard("Rule", id, func() error {
		rule = newRule(c.Construct, id, &r, awseventstargets.NewSqsQueue(c.Queue, &awseventstargets.SqsQueueProps{
			DeadLetterQueue: c.deliveryDeadLetters(c.Construct, c.fifo, c.runbooks).Queue,
			MaxEventAge:     duration(ruleMaxAge),
			RetryAttempts:   jsii.Number(ruleAttempts),
		}))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rule, nil
}

// deliveryDeadLetters makes the consumer's second dead-letter queue when its
// first source needs it. A redrive of the two differs, so they are apart.
func (c *Consumer) deliveryDeadLetters(scope cdkconstructs.Construct, fifo bool, runbooks string) *DeadLetters {
	if c.DeliveryDeadLetters == nil {
		c.DeliveryDeadLetters = newDeadLetters(scope, deadLetters{
			id:      "DeliveryDeadLetters",
			fifo:    fifo,
			meaning: *scope.Node().Id() + " did not receive a message: a topic or a rule could not deliver it.",
			runbook: runbook(runbooks, "delivery-dead-letters.md"),
		})
	}
	return c.DeliveryDeadLetters
}

func isTrue(b *bool) bool { return b != nil && *b }

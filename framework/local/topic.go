package local

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// TopicConfig describes an SNS topic. FIFO topics are refused: the engine does not emulate them.
type TopicConfig struct {
	// Name, 1 to 256 of [A-Za-z0-9_-].
	Name string
	// FIFO is refused by name.
	FIFO        bool
	DisplayName string
	// MaximumMessageSize is the limit for a message with its attributes, and for a batch of them, in bytes: 1,024 to 1,048,576; 0 means 262,144.
	MaximumMessageSize int
	Tags               map[string]string
}

// Topic is a standard SNS topic. Make one with [Engine.CreateTopic].
type Topic struct {
	engine        *Engine
	name, arn     string
	config        TopicConfig
	subscriptions []*Subscription
	deleted       bool
}

var topicName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

func errTopicMissing() *Error {
	return &Error{Code: "NotFound", Shape: "NotFoundException", Message: "Topic does not exist", Status: 404}
}

// CreateTopic makes a topic, or returns the one of that name.
func (e *Engine) CreateTopic(c TopicConfig) (*Topic, error) {
	if c.FIFO || isFIFO(c.Name) {
		return nil, NotEmulated("a FIFO topic (SNS FifoTopic)", "send to the FIFO queue directly")
	}
	if !topicName.MatchString(c.Name) {
		return nil, errSNS("Topic Name")
	}
	c.MaximumMessageSize = cmp.Or(c.MaximumMessageSize, 256<<10)
	if c.MaximumMessageSize < 1024 || c.MaximumMessageSize > maximumSize {
		return nil, errSNS("MaximumMessageSize")
	}
	e.mu.Lock()
	defer e.unlock()
	arn := e.arn("sns", c.Name)
	if t := e.topicByARN(arn); t != nil {
		return t, nil
	}
	c.Tags = maps.Clone(c.Tags)
	t := &Topic{engine: e, name: c.Name, arn: arn, config: c}
	e.topics = append(e.topics, t)
	e.bump()
	return t, nil
}

// Topic finds a topic by name or ARN.
func (e *Engine) Topic(ref string) (*Topic, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.topics {
		if ref == t.name || ref == t.arn {
			return t, true
		}
	}
	return nil, false
}

// Topics returns the topics in the order of their creation.
func (e *Engine) Topics() []*Topic {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.topics)
}

func (e *Engine) topicByARN(arn string) *Topic {
	for _, t := range e.topics {
		if t.arn == arn {
			return t
		}
	}
	return nil
}

// Name is the topic's name.
func (t *Topic) Name() string { return t.name }

// ARN is the topic's ARN.
func (t *Topic) ARN() string { return t.arn }

// Config returns the configuration.
func (t *Topic) Config() TopicConfig {
	c := t.config
	c.Tags = maps.Clone(c.Tags)
	return c
}

// DeleteTopic removes a topic and its subscriptions. One that is gone already is no error, as on AWS.
func (e *Engine) DeleteTopic(arn string) {
	e.mu.Lock()
	defer e.unlock()
	if t := e.topicByARN(arn); t != nil {
		t.deleted = true
		e.topics = slices.DeleteFunc(e.topics, func(o *Topic) bool { return o == t })
		e.bump()
	}
}

// SubscriptionConfig connects a topic to a queue or a function.
type SubscriptionConfig struct {
	TopicARN string
	// Protocol is sqs or lambda; all others are refused by name.
	Protocol string
	// Endpoint is the ARN of a standard queue or of a function. It need not exist yet.
	Endpoint string
	// RawMessageDelivery delivers the message itself instead of the envelope; sqs only.
	RawMessageDelivery bool
	// FilterPolicy is the JSON of a filter policy on message attributes; "" means none.
	FilterPolicy string
	// FilterPolicyScope is MessageAttributes (default); MessageBody is refused by name.
	FilterPolicyScope string
	// DeadLetter is the ARN of the standard queue of the subscription's redrive policy, for messages that cannot be delivered.
	DeadLetter string
}

// Subscription delivers what a topic gets to one endpoint.
type Subscription struct {
	topic  *Topic
	arn    string
	config SubscriptionConfig
	filter *filterPolicy
}

// ARN is the subscription's ARN.
func (s *Subscription) ARN() string { return s.arn }

// Config returns the configuration.
func (s *Subscription) Config() SubscriptionConfig {
	s.topic.engine.mu.Lock()
	defer s.topic.engine.mu.Unlock()
	return s.config
}

func (c SubscriptionConfig) check() (SubscriptionConfig, *filterPolicy, error) {
	service, _, ok := parseARN(c.Endpoint)
	switch {
	case c.Protocol != "sqs" && c.Protocol != "lambda":
		return c, nil, NotEmulated("an SNS subscription with protocol "+c.Protocol, "use sqs or lambda")
	case !ok || service != c.Protocol:
		return c, nil, errSNS("%s endpoint ARN", strings.ToUpper(c.Protocol[:1])+c.Protocol[1:])
	case isFIFO(c.Endpoint):
		return c, nil, errSNS("Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics")
	case c.RawMessageDelivery && c.Protocol == "lambda":
		return c, nil, errSNS("Attributes Reason: RawMessageDelivery: Protocol [lambda] does not support raw message delivery")
	}
	switch c.FilterPolicyScope {
	case "", "MessageAttributes":
		c.FilterPolicyScope = "MessageAttributes"
	case "MessageBody":
		return c, nil, NotEmulated("FilterPolicyScope MessageBody of an SNS subscription", "filter on message attributes, or use an EventBridge rule")
	default:
		return c, nil, errSNS("FilterPolicyScope: Invalid value [%s]. Please use either MessageBody or MessageAttributes", c.FilterPolicyScope)
	}
	if c.DeadLetter != "" {
		if service, _, ok := parseARN(c.DeadLetter); !ok || service != "sqs" || isFIFO(c.DeadLetter) {
			return c, nil, errSNS("RedrivePolicy: deadLetterTargetArn is an invalid arn: %s", c.DeadLetter)
		}
	}
	if c.FilterPolicy == "" || c.FilterPolicy == "{}" {
		c.FilterPolicy = ""
		return c, nil, nil
	}
	filter, err := parseFilterPolicy(c.FilterPolicy)
	return c, filter, err
}

// Subscribe subscribes an endpoint. Subscribing again with the same attributes returns the same subscription, with others it is an error, as on AWS.
func (e *Engine) Subscribe(config SubscriptionConfig) (*Subscription, error) {
	c, filter, err := config.check()
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.unlock()
	t := e.topicByARN(c.TopicARN)
	if t == nil {
		return nil, errTopicMissing()
	}
	for _, s := range t.subscriptions {
		if s.config.Protocol == c.Protocol && s.config.Endpoint == c.Endpoint {
			if s.config != c {
				return nil, errSNS("Attributes Reason: Subscription already exists with different attributes")
			}
			return s, nil
		}
	}
	s := &Subscription{topic: t, arn: t.arn + ":" + e.newID(), config: c, filter: filter}
	t.subscriptions = append(t.subscriptions, s)
	e.bump()
	return s, nil
}

// Update changes a subscription's attributes: change gets a copy of its configuration. Topic, protocol and endpoint stay.
func (s *Subscription) Update(change func(*SubscriptionConfig)) error {
	old := s.Config()
	c := old
	change(&c)
	c.TopicARN, c.Protocol, c.Endpoint = old.TopicARN, old.Protocol, old.Endpoint
	c, filter, err := c.check()
	if err != nil {
		return err
	}
	e := s.topic.engine
	e.mu.Lock()
	defer e.unlock()
	s.config, s.filter = c, filter
	return nil
}

// Subscription finds a subscription by ARN.
func (e *Engine) Subscription(arn string) (*Subscription, bool) {
	for _, s := range e.Subscriptions() {
		if s.arn == arn {
			return s, true
		}
	}
	return nil, false
}

// Subscriptions returns the subscriptions of all topics, by topic, in the order of their creation.
func (e *Engine) Subscriptions() (all []*Subscription) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.topics {
		all = append(all, t.subscriptions...)
	}
	return all
}

// Unsubscribe removes a subscription. One that is gone already is no error.
func (e *Engine) Unsubscribe(arn string) {
	e.mu.Lock()
	defer e.unlock()
	for _, t := range e.topics {
		t.subscriptions = slices.DeleteFunc(t.subscriptions, func(s *Subscription) bool { return s.arn == arn })
	}
	e.bump()
}

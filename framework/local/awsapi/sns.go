package awsapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-go/sluice/framework/local"
)

var snsOperations = map[string]func(*server, *request) ([]element, error){
	"CreateTopic":               createTopic,
	"DeleteTopic":               deleteTopic,
	"ListTopics":                listTopics,
	"GetTopicAttributes":        getTopicAttributes,
	"Publish":                   publish,
	"PublishBatch":              publishBatch,
	"Subscribe":                 subscribe,
	"Unsubscribe":               unsubscribe,
	"ListSubscriptions":         listSubscriptions,
	"ListSubscriptionsByTopic":  listSubscriptions,
	"GetSubscriptionAttributes": getSubscriptionAttributes,
	"SetSubscriptionAttributes": setSubscriptionAttributes,
}

// snsParameters are the parameters each operation takes. Lists are not paged here: a NextToken is refused because none is ever given out.
var snsParameters = map[string][]string{
	"CreateTopic":               {"Name", "Attributes", "Tags"},
	"DeleteTopic":               {"TopicArn"},
	"ListTopics":                nil,
	"GetTopicAttributes":        {"TopicArn"},
	"Publish":                   {"TopicArn", "TargetArn", "Message", "Subject", "MessageStructure", "MessageAttributes", "MessageGroupId", "MessageDeduplicationId"},
	"PublishBatch":              {"TopicArn", "PublishBatchRequestEntries"},
	"Subscribe":                 {"TopicArn", "Protocol", "Endpoint", "Attributes", "ReturnSubscriptionArn"},
	"Unsubscribe":               {"SubscriptionArn"},
	"ListSubscriptions":         nil,
	"ListSubscriptionsByTopic":  {"TopicArn"},
	"GetSubscriptionAttributes": {"SubscriptionArn"},
	"SetSubscriptionAttributes": {"SubscriptionArn", "AttributeName", "AttributeValue"},
}

func snsInvalid(format string, args ...any) error {
	return &local.Error{Code: "InvalidParameter", Message: "Invalid parameter: " + fmt.Sprintf(format, args...)}
}

func (s *server) topic(arn string) (*local.Topic, error) {
	if n := len(strings.Split(arn, ":")); n < 6 {
		return nil, snsInvalid("TopicArn Reason: An ARN must have at least 6 elements, not %d", n)
	}
	t, ok := s.engine.Topic(arn)
	if !ok {
		return nil, &local.Error{Code: "NotFound", Message: "Topic does not exist", Status: 404}
	}
	return t, nil
}

func createTopic(s *server, req *request) ([]element, error) {
	c := local.TopicConfig{Name: req.form.get("Name"), Tags: map[string]string{}}
	attrs := req.form.stringMap("Attributes")
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		value := attrs[name]
		switch name {
		case "DisplayName":
			c.DisplayName = value
		case "FifoTopic":
			c.FIFO = value == "true"
		case "MaximumMessageSize":
			n, err := strconv.Atoi(value)
			if err != nil {
				return nil, snsInvalid("Attributes Reason: MaximumMessageSize")
			}
			c.MaximumMessageSize = n
		default:
			return nil, local.NotEmulated("the attribute "+name+" of an SNS topic", "leave it out")
		}
	}
	_ = req.form.each("Tags", "member", func(p string) error {
		c.Tags[req.form.get(p+".Key")] = req.form.get(p + ".Value")
		return nil
	})
	t, err := s.engine.CreateTopic(c)
	if err != nil {
		return nil, err
	}
	return []element{leaf("TopicArn", t.ARN())}, nil
}

func deleteTopic(s *server, req *request) ([]element, error) {
	s.engine.DeleteTopic(req.form.get("TopicArn"))
	return nil, nil
}

func listTopics(s *server, _ *request) ([]element, error) {
	list := node("Topics")
	for _, t := range s.engine.Topics() {
		list.children = append(list.children, node("member", leaf("TopicArn", t.ARN())))
	}
	return []element{list}, nil
}

// mapOf writes a map of strings.
func mapOf(name string, values map[string]string) element {
	e := node(name)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		e.children = append(e.children, node("entry", leaf("key", key), leaf("value", values[key])))
	}
	return e
}

func getTopicAttributes(s *server, req *request) ([]element, error) {
	t, err := s.topic(req.form.get("TopicArn"))
	if err != nil {
		return nil, err
	}
	confirmed := 0
	for _, sub := range s.engine.Subscriptions() {
		if sub.Config().TopicARN == t.ARN() {
			confirmed++
		}
	}
	return []element{mapOf("Attributes", map[string]string{
		"TopicArn": t.ARN(), "Owner": s.engine.Account(), "DisplayName": t.Config().DisplayName, "SubscriptionsConfirmed": strconv.Itoa(confirmed),
		"SubscriptionsPending": "0", "SubscriptionsDeleted": "0", "MaximumMessageSize": strconv.Itoa(t.Config().MaximumMessageSize),
	})}, nil
}

// publishInput reads a message at a prefix, "" or that of a batch entry.
func publishInput(req *request, prefix string) (local.PublishInput, error) {
	get := func(name string) string { return req.form.get(prefix + name) }
	in := local.PublishInput{Message: get("Message"), Subject: get("Subject"), GroupID: get("MessageGroupId"), TraceHeader: req.traceHeader()}
	switch structure := get("MessageStructure"); structure {
	case "", "json":
		in.JSON = structure == "json"
	default:
		return in, snsInvalid("MessageStructure")
	}
	if get("MessageDeduplicationId") != "" {
		return in, snsInvalid("MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type")
	}
	var err error
	in.Attributes, err = req.form.messageAttributes(prefix + "MessageAttributes")
	return in, err
}

func publish(s *server, req *request) ([]element, error) {
	arn := req.form.get("TopicArn")
	if arn == "" {
		arn = req.form.get("TargetArn")
	}
	t, err := s.topic(arn)
	if err != nil {
		return nil, err
	}
	in, err := publishInput(req, "")
	if err != nil {
		return nil, err
	}
	id, err := t.Publish(in)
	if err != nil {
		return nil, err
	}
	return []element{leaf("MessageId", id)}, nil
}

func publishBatch(s *server, req *request) ([]element, error) {
	t, err := s.topic(req.form.get("TopicArn"))
	if err != nil {
		return nil, err
	}
	var entries []local.BatchEntry[local.PublishInput]
	err = req.form.each("PublishBatchRequestEntries", "member", func(p string) error {
		in, err := publishInput(req, p+".")
		entries = append(entries, local.BatchEntry[local.PublishInput]{ID: req.form.get(p + ".Id"), Input: in})
		return err
	})
	if err != nil {
		return nil, err
	}
	results, err := t.PublishBatch(entries)
	if err != nil {
		return nil, err
	}
	ok, bad := node("Successful"), node("Failed")
	for _, r := range results {
		if r.Err != nil {
			bad.children = append(bad.children, node("member", leaf("Id", r.ID), leaf("Code", r.Err.Code), leaf("Message", r.Err.Message),
				leaf("SenderFault", strconv.FormatBool(r.Err.HTTPStatus() < 500))))
			continue
		}
		ok.children = append(ok.children, node("member", leaf("Id", r.ID), leaf("MessageId", r.Result)))
	}
	return []element{ok, bad}, nil
}

// applySubscriptionAttribute writes one attribute into a configuration.
func applySubscriptionAttribute(c *local.SubscriptionConfig, name, value string) error {
	switch name {
	case "RawMessageDelivery":
		if value != "true" && value != "false" {
			return snsInvalid("Attributes Reason: RawMessageDelivery: Invalid value [%s]. Must be true or false.", value)
		}
		c.RawMessageDelivery = value == "true"
	case "FilterPolicy":
		c.FilterPolicy = value
	case "FilterPolicyScope":
		c.FilterPolicyScope = value
	case "RedrivePolicy":
		var p struct {
			Target string `json:"deadLetterTargetArn"`
		}
		if value != "" && json.Unmarshal([]byte(value), &p) != nil {
			return snsInvalid("Attributes Reason: RedrivePolicy: failed to parse JSON.")
		}
		c.DeadLetter = p.Target
	default:
		return local.NotEmulated("the attribute "+name+" of an SNS subscription", "leave it out")
	}
	return nil
}

func subscribe(s *server, req *request) ([]element, error) {
	if _, err := s.topic(req.form.get("TopicArn")); err != nil {
		return nil, err
	}
	c := local.SubscriptionConfig{TopicARN: req.form.get("TopicArn"), Protocol: req.form.get("Protocol"), Endpoint: req.form.get("Endpoint")}
	attrs := req.form.stringMap("Attributes")
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		if err := applySubscriptionAttribute(&c, name, attrs[name]); err != nil {
			return nil, err
		}
	}
	sub, err := s.engine.Subscribe(c)
	if err != nil {
		return nil, err
	}
	return []element{leaf("SubscriptionArn", sub.ARN())}, nil
}

func unsubscribe(s *server, req *request) ([]element, error) {
	s.engine.Unsubscribe(req.form.get("SubscriptionArn"))
	return nil, nil
}

func listSubscriptions(s *server, req *request) ([]element, error) {
	topic := req.form.get("TopicArn")
	if req.call.Operation == "ListSubscriptionsByTopic" {
		if _, err := s.topic(topic); err != nil {
			return nil, err
		}
	}
	list := node("Subscriptions")
	for _, sub := range s.engine.Subscriptions() {
		if c := sub.Config(); topic == "" || c.TopicARN == topic {
			list.children = append(list.children, node("member", leaf("SubscriptionArn", sub.ARN()), leaf("Owner", s.engine.Account()),
				leaf("Protocol", c.Protocol), leaf("Endpoint", c.Endpoint), leaf("TopicArn", c.TopicARN)))
		}
	}
	return []element{list}, nil
}

func (s *server) subscription(req *request) (*local.Subscription, error) {
	sub, ok := s.engine.Subscription(req.form.get("SubscriptionArn"))
	if !ok {
		return nil, &local.Error{Code: "NotFound", Message: "Subscription does not exist", Status: 404}
	}
	return sub, nil
}

func getSubscriptionAttributes(s *server, req *request) ([]element, error) {
	sub, err := s.subscription(req)
	if err != nil {
		return nil, err
	}
	c := sub.Config()
	a := map[string]string{
		"SubscriptionArn": sub.ARN(), "TopicArn": c.TopicARN, "Protocol": c.Protocol, "Endpoint": c.Endpoint, "Owner": s.engine.Account(),
		"RawMessageDelivery": strconv.FormatBool(c.RawMessageDelivery), "PendingConfirmation": "false", "ConfirmationWasAuthenticated": "true",
	}
	if c.FilterPolicy != "" {
		a["FilterPolicy"], a["FilterPolicyScope"] = c.FilterPolicy, c.FilterPolicyScope
	}
	if c.DeadLetter != "" {
		a["RedrivePolicy"] = fmt.Sprintf(`{"deadLetterTargetArn":%q}`, c.DeadLetter)
	}
	return []element{mapOf("Attributes", a)}, nil
}

func setSubscriptionAttributes(s *server, req *request) ([]element, error) {
	sub, err := s.subscription(req)
	if err != nil {
		return nil, err
	}
	var bad error
	err = sub.Update(func(c *local.SubscriptionConfig) {
		bad = applySubscriptionAttribute(c, req.form.get("AttributeName"), req.form.get("AttributeValue"))
	})
	if bad != nil {
		return nil, bad
	}
	return nil, err
}

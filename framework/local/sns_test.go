package local_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/local"
)

type topicWorld struct {
	*world
	topic *local.Topic
}

func newTopic(t *testing.T) topicWorld {
	t.Helper()
	w := newWorld(t, local.Options{})
	topic, err := w.CreateTopic(local.TopicConfig{Name: "t"})
	w.must(err)
	return topicWorld{w, topic}
}

func (w topicWorld) subscribe(q *local.Queue, edit func(*local.SubscriptionConfig)) *local.Subscription {
	w.t.Helper()
	c := local.SubscriptionConfig{TopicARN: w.topic.ARN(), Protocol: "sqs", Endpoint: q.ARN()}
	if edit != nil {
		edit(&c)
	}
	s, err := w.Subscribe(c)
	w.must(err)
	return s
}

func TestRawDelivery(t *testing.T) {
	t.Parallel()
	w := newTopic(t)
	q, dlq := w.queue(local.QueueConfig{Name: "q"}), w.queue(local.QueueConfig{Name: "dlq"})
	w.subscribe(q, func(c *local.SubscriptionConfig) { c.RawMessageDelivery, c.DeadLetter = true, dlq.ARN() })
	attrs := map[string]local.AttributeValue{"a": {DataType: "String", StringValue: "v"}, "b": {DataType: "Binary", BinaryValue: []byte("x")}}
	_, err := w.topic.Publish(local.PublishInput{Message: "m", Subject: "s", Attributes: attrs, GroupID: "tenant"})
	w.must(err)
	got := w.receive(q, 1)[0]
	if diff := cmp.Diff(attrs, got.Attributes); diff != "" || got.Body != "m" || got.System["MessageGroupId"] != "tenant" {
		t.Errorf("body %q, system %v, attributes %s", got.Body, got.System, diff)
	}

	many := map[string]local.AttributeValue{}
	for i := range 11 {
		many[fmt.Sprint("a", i)] = local.AttributeValue{DataType: "String", StringValue: "v"}
	}
	_, err = w.topic.Publish(local.PublishInput{Message: "eleven attributes", Attributes: many})
	w.must(err)
	if n := q.Counts().Total(); n != 1 {
		t.Errorf("%d messages in the queue, want the one from before", n)
	}
	// The dead-letter queue cannot take it raw either, and the loss is told.
	if e := w.journal(local.Warning); len(e) != 1 || !strings.Contains(e[0].Detail, "a message is lost") {
		t.Errorf("warnings: %+v", e)
	}
}

func TestMessageStructureJSON(t *testing.T) {
	t.Parallel()
	w := newTopic(t)
	q := w.queue(local.QueueConfig{Name: "q"})
	w.subscribe(q, func(c *local.SubscriptionConfig) { c.RawMessageDelivery = true })
	for _, message := range []string{`{"default":"d","sqs":"for sqs"}`, `{"default":"d"}`} {
		_, err := w.topic.Publish(local.PublishInput{Message: message, JSON: true})
		w.must(err)
	}
	if diff := cmp.Diff([]string{"for sqs", "d"}, bodies(w.receive(q, 10))); diff != "" {
		t.Error(diff)
	}
	_, err := w.topic.Publish(local.PublishInput{Message: `{"sqs":"x"}`, JSON: true})
	wantError(t, err, "InvalidParameter", "No default entry in JSON message body")
}

// Recorded: the dead-letter queue of a subscription gets the full envelope, also for a function.
func TestSubscriptionDeadLetterQueue(t *testing.T) {
	t.Parallel()
	w := newTopic(t)
	dlq, gone := w.queue(local.QueueConfig{Name: "dlq"}), w.queue(local.QueueConfig{Name: "gone"})
	w.subscribe(gone, func(c *local.SubscriptionConfig) { c.DeadLetter = dlq.ARN() })
	w.must(w.DeleteQueue("gone"))
	_, err := w.Subscribe(local.SubscriptionConfig{TopicARN: w.topic.ARN(), Protocol: "lambda", Endpoint: "arn:aws:lambda:us-east-1:000000000000:function:gone", DeadLetter: dlq.ARN()})
	w.must(err)
	_, err = w.topic.Publish(local.PublishInput{Message: "m"})
	w.must(err)
	got := w.receive(dlq, 10)
	if len(got) != 2 {
		t.Fatalf("%d dead letters, want one from each subscription", len(got))
	}
	for _, m := range got {
		var envelope struct{ Type, Message string }
		decode(t, []byte(m.Body), &envelope)
		if envelope.Type != "Notification" || envelope.Message != "m" {
			t.Errorf("dead letter %s", m.Body)
		}
	}
	for _, e := range w.journal(local.TopicDelivered) {
		if e.Cause != "dead-lettered" || e.Target != dlq.ARN() || e.TargetID == "" {
			t.Errorf("journal: %+v", e)
		}
	}
}

func TestFilterPolicies(t *testing.T) {
	t.Parallel()
	text := func(v string) local.AttributeValue { return local.AttributeValue{DataType: "String", StringValue: v} }
	number := func(v string) local.AttributeValue {
		return local.AttributeValue{DataType: "Number", StringValue: v}
	}
	type attrs = map[string]local.AttributeValue
	for _, c := range []struct {
		policy string
		attrs  attrs
		want   bool
	}{
		{`{"event-type":["a","b"]}`, attrs{"event-type": text("b")}, true},
		{`{"event-type":["a","b"]}`, attrs{"event-type": text("c")}, false},
		{`{"event-type":["a"]}`, nil, false},
		{`{"k":["a"],"l":["b"]}`, attrs{"k": text("a"), "l": text("b")}, true},
		{`{"k":["a"],"l":["b"]}`, attrs{"k": text("a")}, false},
		{`{"k":[{"prefix":"orders."}]}`, attrs{"k": text("orders.placed")}, true},
		{`{"k":[{"prefix":"orders."}]}`, attrs{"k": text("stock")}, false},
		{`{"k":[{"suffix":".v2"}]}`, attrs{"k": text("orders.v2")}, true},
		{`{"k":[{"equals-ignore-case":"ABC"}]}`, attrs{"k": text("abc")}, true},
		{`{"k":[{"anything-but":["a","b"]}]}`, attrs{"k": text("c")}, true},
		{`{"k":[{"anything-but":["a","b"]}]}`, attrs{"k": text("a")}, false},
		{`{"k":[{"anything-but":["a"]}]}`, nil, false},
		{`{"k":[{"anything-but":{"prefix":"a"}}]}`, attrs{"k": text("abc")}, false},
		{`{"k":[{"exists":true}]}`, attrs{"k": text("x")}, true},
		{`{"k":[{"exists":true}]}`, nil, false},
		{`{"k":[{"exists":false}]}`, nil, true},
		{`{"k":[{"exists":false}]}`, attrs{"k": text("x")}, false},
		{`{"k":[{"exists":true}]}`, attrs{"k": {DataType: "Binary", BinaryValue: []byte("x")}}, true},
		{`{"k":[{"numeric":[">",0,"<=",5]}]}`, attrs{"k": number("5")}, true},
		{`{"k":[{"numeric":[">",0,"<=",5]}]}`, attrs{"k": number("5.1")}, false},
		{`{"k":[{"numeric":["=",300]}]}`, attrs{"k": number("3.0e2")}, true},
		{`{"k":[{"numeric":["=",300]}]}`, attrs{"k": text("300")}, false},
		{`{"k":[300]}`, attrs{"k": number("300.0")}, true},
		{`{"k":["a"]}`, attrs{"k": {DataType: "String.Array", StringValue: `["x","a"]`}}, true},
		{`{"k":["a"]}`, attrs{"k": {DataType: "String.Array", StringValue: `["x"]`}}, false},
	} {
		t.Run(c.policy, func(t *testing.T) {
			w := newTopic(t)
			q := w.queue(local.QueueConfig{Name: "q"})
			w.subscribe(q, func(s *local.SubscriptionConfig) { s.FilterPolicy = c.policy })
			_, err := w.topic.Publish(local.PublishInput{Message: "m", Attributes: c.attrs})
			w.must(err)
			if got := q.Counts().Total() == 1; got != c.want {
				t.Errorf("delivered %v with %v, want %v", got, c.attrs, c.want)
			}
			if cause := w.journal(local.TopicDelivered)[0].Cause; c.want != (cause == "delivered") || !c.want && cause != "filtered" {
				t.Errorf("journal says %s", cause)
			}
		})
	}
}

func TestSubscribeValidatesAndRefuses(t *testing.T) {
	t.Parallel()
	w := newTopic(t)
	q := w.queue(local.QueueConfig{Name: "q"})
	s := w.subscribe(q, nil)
	if again := w.subscribe(q, nil); again != s {
		t.Error("subscribing again made another subscription")
	}
	other := "arn:aws:sqs:us-east-1:000000000000:other"
	for _, c := range []struct {
		edit       func(*local.SubscriptionConfig)
		code, text string
	}{
		{func(c *local.SubscriptionConfig) { c.RawMessageDelivery = true }, "InvalidParameter", "already exists with different attributes"},
		{func(c *local.SubscriptionConfig) { c.Protocol = "https" }, "NotImplemented", "an SNS subscription with protocol https is not emulated"},
		{func(c *local.SubscriptionConfig) { c.Endpoint = "q" }, "InvalidParameter", "endpoint ARN"},
		{func(c *local.SubscriptionConfig) { c.Endpoint = other + ".fifo" }, "InvalidParameter", "FIFO SQS Queues can not be subscribed to standard SNS topics"},
		{func(c *local.SubscriptionConfig) { c.TopicARN += "x" }, "NotFound", "Topic does not exist"},
		{func(c *local.SubscriptionConfig) { c.FilterPolicyScope = "MessageBody" }, "NotImplemented", "FilterPolicyScope MessageBody of an SNS subscription is not emulated"},
		{func(c *local.SubscriptionConfig) { c.FilterPolicy = `{"$or":[{"a":["b"]}]}` }, "NotImplemented", "$or in an SNS filter policy is not emulated"},
		{func(c *local.SubscriptionConfig) { c.FilterPolicy = `{"a":[{"cidr":"10.0.0.0/8"}]}` }, "NotImplemented", "cidr in an SNS filter policy (at a) is not emulated"},
		{func(c *local.SubscriptionConfig) { c.FilterPolicy = `{"a":[{"wildcard":"x*"}]}` }, "NotImplemented", "wildcard in an SNS filter policy"},
		{func(c *local.SubscriptionConfig) { c.FilterPolicy = `{"a":{"b":["c"]}}` }, "InvalidParameter", "does not support nested filter policy"},
		{func(c *local.SubscriptionConfig) { c.FilterPolicy = `[` }, "InvalidParameter", "failed to parse JSON"},
		{func(c *local.SubscriptionConfig) { c.DeadLetter = "x" }, "InvalidParameter", "deadLetterTargetArn"},
	} {
		config := local.SubscriptionConfig{TopicARN: w.topic.ARN(), Protocol: "sqs", Endpoint: q.ARN()}
		c.edit(&config)
		_, err := w.Subscribe(config)
		wantError(t, err, c.code, c.text)
	}
	for _, c := range []local.TopicConfig{{Name: "t.fifo"}, {Name: "t", FIFO: true}} {
		_, err := w.CreateTopic(c)
		wantError(t, err, "NotImplemented", "a FIFO topic (SNS FifoTopic) is not emulated")
	}
}

func TestPublishValidates(t *testing.T) {
	t.Parallel()
	w := newTopic(t)
	for _, c := range []struct {
		in         local.PublishInput
		code, text string
	}{
		{local.PublishInput{}, "InvalidParameter", "Empty message"},
		{local.PublishInput{Message: strings.Repeat("a", 256<<10+1)}, "InvalidParameter", "Message too long"},
		{local.PublishInput{Message: "m", Subject: strings.Repeat("a", 101)}, "InvalidParameter", "Subject"},
		{local.PublishInput{Message: "m", Subject: "a\nb"}, "InvalidParameter", "Subject"},
		{local.PublishInput{Message: "m", Attributes: map[string]local.AttributeValue{"a": {DataType: "Strings", StringValue: "x"}}}, "ParameterValueInvalid", "invalid message attribute type"},
		{local.PublishInput{Message: "m", Attributes: map[string]local.AttributeValue{"a": {DataType: "String"}}}, "ParameterValueInvalid", "non-empty message attribute value"},
	} {
		_, err := w.topic.Publish(c.in)
		wantError(t, err, c.code, c.text)
	}
	w.DeleteTopic(w.topic.ARN())
	_, err := w.topic.Publish(local.PublishInput{Message: "m"})
	wantError(t, err, "NotFound", "Topic does not exist")
}

package publisher_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sluice-go/sluice/framework/publisher"
)

type unencodable struct{ C chan int }

func (unencodable) EventType() string { return "tests.bad.v1" }

type untyped struct{}

func (untyped) EventType() string { return "" }

// TestRefusedBeforeSending: one bad entry, and nothing is sent.
func TestRefusedBeforeSending(t *testing.T) {
	t.Parallel()
	nine := map[string]string{}
	for _, c := range "abcdefghi" {
		nine[string(c)] = "v"
	}
	ten := map[string]string{"j": "v"}
	maps.Copy(ten, nine)
	s := &service{}
	queue, fifo, topic, fifoTopic, bus := publisher.SQS(s, "q"), publisher.SQS(s, "q.fifo"), publisher.SNS(s, "t"), publisher.SNS(s, "t.fifo"), publisher.EventBridge(s, "b", "shop")
	for name, test := range map[string]struct {
		p    *publisher.Publisher
		bad  publisher.Entry
		want string
	}{
		"no event":                   {queue, publisher.Entry{}, "event 1 is nil"},
		"nil pointer":                {queue, publisher.Entry{Event: (*note)(nil)}, "event 1 is nil"},
		"no JSON":                    {queue, publisher.Entry{Event: unencodable{}}, "event 1 (tests.bad.v1)"},
		"no type":                    {queue, publisher.Entry{Event: untyped{}}, "has no EventType"},
		"no type, on a bus":          {bus, publisher.Entry{Event: untyped{}}, "has no EventType"},
		"ten attributes":             {queue, publisher.Entry{Event: note{}, Attributes: ten}, "10 attributes"},
		"ten attributes, on a topic": {topic, publisher.Entry{Event: note{}, Attributes: ten}, "10 attributes"},
		"empty attribute":            {topic, publisher.Entry{Event: note{}, Attributes: map[string]string{"a": ""}}, `attribute "a" is empty`},
		"the type's attribute":       {queue, publisher.Entry{Event: note{}, Attributes: map[string]string{"event-type": "x"}}, "cannot be set"},
		"no group on a FIFO queue":   {fifo, publisher.Entry{Event: note{}}, "needs Entry.Group"},
		"no group on a FIFO topic":   {fifoTopic, publisher.Entry{Event: note{}}, "needs Entry.Group"},
		"group on a bus":             {bus, publisher.Entry{Event: note{}, Group: "g"}, "no groups"},
		"attributes on a bus":        {bus, publisher.Entry{Event: note{}, Attributes: nine}, "no attributes"},
		"a bus without a source":     {publisher.EventBridge(s, "b", ""), publisher.Entry{Event: note{}}, "needs a source"},
		"attributes over the size":   {queue, publisher.Entry{Event: note{}, Attributes: map[string]string{"a": strings.Repeat("v", 1<<20)}}, "bytes"},
	} {
		good := publisher.Entry{Event: note{}}
		if test.p == fifo || test.p == fifoTopic {
			good.Group = "g"
		}
		err := test.p.PublishEntries(t.Context(), good, test.bad)
		if err == nil || !strings.Contains(err.Error(), test.want) || len(s.requests) > 0 {
			t.Errorf("%s: error is %v, want it to say %q; %d requests", name, err, test.want, len(s.requests))
		}
		s.requests = nil
	}
	// All are told at once.
	err := queue.PublishEntries(t.Context(), publisher.Entry{}, publisher.Entry{Event: unencodable{}})
	if err == nil || !strings.Contains(err.Error(), "event 0 is nil") || !strings.Contains(err.Error(), "event 1 (tests.bad.v1)") {
		t.Errorf("error = %v", err)
	}
	if err := queue.PublishEntries(t.Context(), publisher.Entry{Event: &note{}, Attributes: nine}); err != nil {
		t.Errorf("nine attributes, by a pointer: %v", err)
	}
}

func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	s := &service{}
	entry := publisher.Entry{Event: note{"t", "k"}, Group: "g", Attributes: map[string]string{"a": "b"}}
	for _, p := range []*publisher.Publisher{publisher.SQS(s, "q.fifo"), publisher.SQS(s, "q"), publisher.SNS(s, "t.fifo"), publisher.SNS(s, "t")} {
		if err := p.PublishEntries(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
	}
	for i, e := range s.sqs {
		fifo := i == 0
		if aws.ToString(e.MessageBody) != `{"Text":"t"}` || aws.ToString(e.MessageGroupId) != "g" || (aws.ToString(e.MessageDeduplicationId) == "tests.noted#k") != fifo {
			t.Errorf("SQS entry %d: %+v", i, e)
		}
		if len(e.MessageAttributes) != 2 || aws.ToString(e.MessageAttributes["event-type"].StringValue) != "tests.noted.v1" || aws.ToString(e.MessageAttributes["a"].DataType) != "String" {
			t.Errorf("SQS entry %d: %+v", i, e.MessageAttributes)
		}
	}
	for i, e := range s.sns {
		fifo := i == 0
		if aws.ToString(e.Message) != `{"Text":"t"}` || (aws.ToString(e.MessageDeduplicationId) == "tests.noted#k") != fifo || aws.ToString(e.MessageAttributes["event-type"].StringValue) != "tests.noted.v1" {
			t.Errorf("SNS entry %d: %+v", i, e)
		}
	}
	// An id of one's own comes before the event's key.
	entry.DeduplicationID = "own"
	if err := publisher.SQS(s, "q.fifo").PublishEntries(t.Context(), entry); err != nil || aws.ToString(s.sqs[2].MessageDeduplicationId) != "own" {
		t.Errorf("deduplication id: %v, %+v", err, s.sqs[2])
	}
	if err := publisher.EventBridge(s, "bus", "shop").Publish(t.Context(), note{"t", "k"}); err != nil {
		t.Fatal(err)
	}
	if err := publisher.EventBridge(s, "", "shop").Publish(t.Context(), note{"t", "k"}); err != nil {
		t.Fatal(err)
	}
	e := s.eb[0]
	if aws.ToString(e.EventBusName) != "bus" || aws.ToString(e.Source) != "shop" || aws.ToString(e.DetailType) != "tests.noted.v1" || aws.ToString(e.Detail) != `{"Text":"t"}` {
		t.Errorf("EventBridge entry: %+v", e)
	}
	if s.eb[1].EventBusName != nil {
		t.Errorf("the default bus is named %q", *s.eb[1].EventBusName)
	}
}

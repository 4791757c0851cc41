package consumer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// reluctant is a handler that fails half of what it gets, so that answers have
// something to name.
func reluctant(_ context.Context, msg consumer.Message[placedV1]) error {
	switch len(msg.ID) % 4 {
	case 0:
		return errWork
	case 1:
		return consumer.Permanent(errWork)
	case 2:
		panic(msg.ID)
	default:
		return nil
	}
}

func FuzzInvokeSQS(f *testing.F) {
	fifo := record("m-5", notification(bridged(object{"ID": "o-1"}, nil), nil), nil)
	fifo["eventSourceARN"] = standardARN + ".fifo"
	fifo["attributes"] = object{"MessageGroupId": "g", "ApproximateReceiveCount": "-1", "SentTimestamp": "x"}
	for _, seed := range []string{
		records(record("m-1", `{"ID":"o-1"}`, object{"event-type": stringAttribute("shop.placed.v1")}), record("m-22", "{", nil)),
		records(record("m-1", notification(`{"ID":"o-1"}`, nil), nil), record("m-22", bridged(object{"ID": "o-1"}, nil), nil), fifo),
		records(record("m-1", "null", object{"sluice-id": stringAttribute("x"), "b": object{"dataType": "Binary", "binaryValue": "AAEC"}})),
		records(record("m-1", "{}", nil), record("m-1", "{}", nil)), records(record("", "{}", nil)), records(record("\xff", "{}", nil), record("\xfe", "{}", nil)),
		`{"Records":[]}`, `{"Records":null}`, `{"Records":[null]}`, `{"Records":[{}]}`, `{"records":[{"MESSAGEID":"m"}]}`, `[]`, `null`, ``, `{`, `{"Records":[{"messageId":"a","messageAttributes":{"x":null}}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, opts := range []consumer.Option{quiet(), consumer.WithOptions(quiet(), consumer.WithIdempotency(idempotency.NewMemory()), (&consumertest.Queue{}).Option())} {
			c, err := consumer.NewSQS("c", reluctant, opts)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := c.Invoke(t.Context(), payload)
			if err != nil {
				continue // the batch fails whole
			}
			checkAnswer(t, payload, answer)
		}
	})
}

// checkAnswer reads an answer as Lambda does: an id that is empty, repeated, or
// not in the batch fails the whole batch, and a null list none of it.
func checkAnswer(t *testing.T, payload, answer []byte) {
	t.Helper()
	var event struct {
		Records []struct {
			MessageID string `json:"messageId"`
		}
	}
	if err := json.Unmarshal(payload, &event); err != nil {
		t.Fatalf("answered %s to %q", answer, payload)
	}
	ids := map[string]bool{}
	for _, r := range event.Records {
		ids[r.MessageID] = true
	}
	var response map[string][]map[string]string
	d := json.NewDecoder(bytes.NewReader(answer))
	if err := d.Decode(&response); err != nil || len(response) != 1 || response["batchItemFailures"] == nil {
		t.Fatalf("answer %s: %v", answer, err)
	}
	for _, failure := range response["batchItemFailures"] {
		id := failure["itemIdentifier"]
		if id == "" || !ids[id] || len(failure) != 1 {
			t.Errorf("answer %s names %q, which is unknown, empty or repeated", answer, id)
		}
		delete(ids, id)
	}
}

// fuzzDirect checks that an invocation does not panic, and answers null or not
// at all.
func fuzzDirect(f *testing.F, build func(...consumer.Option) (*consumer.Consumer, error)) {
	f.Helper()
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, opts := range [][]consumer.Option{{quiet()}, {quiet(), consumer.WithIdempotency(idempotency.NewMemory()), (&consumertest.Queue{}).Option()}} {
			c, err := build(opts...)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := c.Invoke(t.Context(), payload)
			if err == nil && string(answer) != "null" || err != nil && answer != nil {
				t.Errorf("answer %q, error %v", answer, err)
			}
		}
	})
}

func FuzzInvokeSNS(f *testing.F) {
	sns := func(message string, attributes object) string {
		return text(object{"Records": []object{{"EventSource": "aws:sns", "Sns": object{"MessageId": "sns-1", "TopicArn": "arn", "Message": message, "MessageAttributes": attributes}}}})
	}
	for _, seed := range []string{
		sns(`{"ID":"o-1"}`, object{"event-type": object{"Type": "String", "Value": "shop.placed.v1"}, "b": object{"Type": "Binary", "Value": "!"}}),
		sns(bridged(object{"ID": "o-1"}, nil), nil), sns(notification("{}", nil), nil), sns("", nil), records(record("m-1", "{}", nil)),
		`{"Records":[{"EventSource":"aws:sns"}]}`, `{"Records":[{"EventSource":"aws:sns","Sns":null}]}`, `{"Records":[]}`, `null`, `{`, ``,
	} {
		f.Add([]byte(seed))
	}
	fuzzDirect(f, func(opts ...consumer.Option) (*consumer.Consumer, error) {
		return consumer.NewSNS("c", reluctant, consumer.WithOptions(opts...))
	})
}

func FuzzInvokeEventBridge(f *testing.F) {
	one := bridged(object{"ID": "o-1"}, nil)
	for _, seed := range []string{
		one, "[" + one + "]", "[" + one + "," + one + "]", "[]", "[null]", "[[]]", bridged(nil, nil), bridged(object{}, object{"detail-type": ""}),
		bridged(object{}, object{"time": 5}), "null", "{", "", " [ ", `{"detail-type":null}`,
	} {
		f.Add([]byte(seed))
	}
	fuzzDirect(f, func(opts ...consumer.Option) (*consumer.Consumer, error) {
		return consumer.NewEventBridge("c", reluctant, consumer.WithOptions(opts...))
	})
}

// every has a field of every kind that JSON knows.
type every struct {
	S  string
	I  int64
	U  uint8 `json:"u,omitempty"`
	F  float64
	B  bool `json:"b,string"`
	By []byte
	L  []*every
	M  map[string]json.Number
	A  any
	R  json.RawMessage
	P  *string
}

func (every) EventType() string { return "tests.every.v1" }

// FuzzDecodeAgrees: whatever the consumer does to be quick, a body means what
// encoding/json says it means.
func FuzzDecodeAgrees(f *testing.F) {
	for _, seed := range []string{
		`{"S":"a\u00e9\ud83d\ude42","I":-9223372036854775808,"u":255,"F":1e-7,"b":"true","By":"AAEC","L":[{"S":"x"},null],"M":{"a":1.50},"A":[1,"x",null,{}],"R":{ "k" : 1 },"P":null}`,
		`{"s":1}`, `{"S":"a","s":"b"}`, `{"I":1.5}`, `{"I":9223372036854775808}`, `{"u":256}`, `{"b":true}`, `{"By":"!"}`, `{"unknown":[[[]]]}`, `{} `, `{}x`, `null`, ` null `, `[]`, `""`, `{"S":"\ud800"}`, "{\"S\":\"\u2028\"}", `nul`, ``,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var carried string // JSON carries text, and replaces what is none
		if err := json.Unmarshal([]byte(text(body)), &carried); err != nil {
			t.Fatal(err)
		}
		var want every
		wantErr := json.Unmarshal([]byte(carried), &want)
		if string(bytes.TrimSpace([]byte(carried))) == "null" {
			wantErr = errWork
		}
		var got *every
		queue := &consumertest.Queue{}
		c, err := consumer.NewSQS("c", func(_ context.Context, msg consumer.Message[every]) error { got = &msg.Event; return nil }, quiet(), queue.Option())
		if err != nil {
			t.Fatal(err)
		}
		payload := records(record("m-1", body, object{"event-type": stringAttribute("tests.every.v1")}))
		if _, err := c.Invoke(t.Context(), []byte(payload)); err != nil {
			t.Fatal(err)
		}
		if (got == nil) != (wantErr != nil) {
			t.Fatalf("encoding/json says %v, and the event is %+v", wantErr, got)
		}
		if got == nil {
			var decode *consumer.DecodeError
			letters := queue.DeadLetters()
			if len(letters) != 1 || !errors.As(letters[0].Reason, &decode) || letters[0].Body != carried {
				t.Fatalf("dead letters %+v", letters)
			}
			return
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("event (-encoding/json +consumer):\n%s", diff)
		}
	})
}

package local_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/local"
)

func (w *world) invokeAsync(name, payload string) string {
	w.t.Helper()
	id, err := w.InvokeAsync(local.AsyncInput{Function: name, Payload: []byte(payload), TraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793"})
	w.must(err)
	return id
}

func always(message string) func(int, local.Invocation) local.Result {
	return func(int, local.Invocation) local.Result { return failed(message) }
}

// Two more tries, one minute and two minutes apart, with one request id; then the failure record (recorded: test_retries).
func TestAsyncRetriesAfterOneAndTwoMinutes(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		q := w.queue(local.QueueConfig{Name: "failures"})
		f := w.function("f", func(c *local.FunctionConfig) { c.Async.OnFailure = q.ARN() }, always("intentional failure"))
		id := w.invokeAsync("f", `{"message":"m"}`)
		w.quiet()
		if diff := cmp.Diff([]time.Duration{0, time.Minute, 3 * time.Minute}, f.times()); diff != "" {
			t.Error(diff)
		}
		for _, inv := range f.invocations() {
			if inv.RequestID != id || string(inv.Payload) != `{"message":"m"}` || inv.TraceHeader != "Root=1-5759e988-bd862e3fe1be46a994272793" {
				t.Errorf("invocation %+v", inv)
			}
		}
		got := w.receive(q, 1)[0]
		stamp := regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`)
		want := `{"version":"1.0","timestamp":"<time>","requestContext":{"requestId":"` + id + `","functionArn":"arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST","condition":"RetriesExhausted","approximateInvokeCount":3},"requestPayload":{"message":"m"},"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"responsePayload":{"errorMessage":"intentional failure","errorType":"Error"}}`
		if diff := cmp.Diff(want, stamp.ReplaceAllString(got.Body, `"<time>"`)); diff != "" {
			t.Error(diff)
		}
		if got.System["AWSTraceHeader"] == "" || len(got.Attributes) != 0 {
			t.Errorf("failure message: system %v, attributes %v", got.System, got.Attributes)
		}
		if e := w.journal(local.AsyncFailed); len(e) != 1 || e[0].Cause != "RetriesExhausted" || e[0].TargetID != got.MessageID || e[0].RequestID != id {
			t.Errorf("journal: %+v", e)
		}
	})
}

// Recorded: test_maxeventage. Age 60 s: no retry, the record comes at once with count 1; age 90 s: one retry.
func TestAsyncMaximumEventAge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		age  time.Duration
		want []time.Duration
	}{
		{60 * time.Second, []time.Duration{0}},
		{90 * time.Second, []time.Duration{0, time.Minute}},
	} {
		t.Run(c.age.String(), func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				q := w.queue(local.QueueConfig{Name: "failures"})
				f := w.function("f", func(cfg *local.FunctionConfig) { cfg.Async.OnFailure, cfg.Async.MaximumEventAge = q.ARN(), c.age }, always("x"))
				w.invokeAsync("f", `{}`)
				w.quiet()
				if diff := cmp.Diff(c.want, f.times()); diff != "" {
					t.Error(diff)
				}
				var record struct {
					RequestContext struct {
						Condition              string
						ApproximateInvokeCount int
					}
				}
				decode(t, []byte(w.receive(q, 1)[0].Body), &record)
				if record.RequestContext.Condition != "EventAgeExceeded" || record.RequestContext.ApproximateInvokeCount != len(c.want) {
					t.Errorf("record: %+v", record)
				}
			})
		})
	}
}

func TestAsyncSuccessAndZeroRetries(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		ok := w.function("ok", nil, func(n int, _ local.Invocation) local.Result {
			if n == 1 {
				return failed("once")
			}
			return local.Result{}
		})
		none := w.function("none", func(c *local.FunctionConfig) { c.Async.MaximumRetryAttempts = new(0) }, always("x"))
		w.invokeAsync("ok", `{}`)
		w.invokeAsync("none", `{}`)
		w.quiet()
		if diff := cmp.Diff([]time.Duration{0, time.Minute}, ok.times()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]time.Duration{0}, none.times()); diff != "" {
			t.Error(diff)
		}
		if e := w.journal(local.AsyncFailed); len(e) != 1 || !strings.Contains(e[0].Detail, "lost") {
			t.Errorf("an event without destination should be told as lost: %+v", e)
		}
		if len(w.AsyncEvents()) != 0 {
			t.Errorf("left: %+v", w.AsyncEvents())
		}
	})
}

// Throttles back off from 1 s to 5 min, do not count as tries, and end with the event's age.
func TestAsyncThrottles(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		f := w.function("f", nil, func(n int, _ local.Invocation) local.Result {
			if n <= 3 {
				return local.Result{Throttled: true}
			}
			return failed("x")
		})
		w.invokeAsync("f", `{}`)
		w.quiet()
		want := []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 67 * time.Second, 187 * time.Second}
		if diff := cmp.Diff(want, f.times()); diff != "" {
			t.Error(diff)
		}

		q := w.queue(local.QueueConfig{Name: "failures"})
		g := w.function("g", func(c *local.FunctionConfig) { c.Async.OnFailure = q.ARN() }, func(int, local.Invocation) local.Result { return local.Result{Throttled: true} })
		w.invokeAsync("g", `{}`)
		w.quiet()
		times := g.times()
		if last, before := times[len(times)-1], times[len(times)-2]; last-before != 5*time.Minute || last >= 6*time.Hour || last < 6*time.Hour-5*time.Minute {
			t.Errorf("last throttled tries at %v and %v, want 5 min apart and the last before 6 h", before, last)
		}
		if body := w.receive(q, 1)[0].Body; !strings.Contains(body, `"condition":"EventAgeExceeded","approximateInvokeCount":0`) || strings.Contains(body, "responseContext") {
			t.Errorf("record of an event that never ran: %s", body)
		}
	})
}

// Recorded: test_dead_letter_queue.
func TestFunctionDeadLetterQueue(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		q := w.queue(local.QueueConfig{Name: "dlq"})
		w.function("f", func(c *local.FunctionConfig) { c.Async.DeadLetter, c.Async.MaximumRetryAttempts = q.ARN(), new(0) }, always("Test exception (this is intentional)"))
		id := w.invokeAsync("f", `{"raise_error": 1}`)
		w.quiet()
		got := w.receive(q, 1)[0]
		want := map[string]local.AttributeValue{
			"RequestID":    {DataType: "String", StringValue: id},
			"ErrorCode":    {DataType: "Number", StringValue: "200"},
			"ErrorMessage": {DataType: "String", StringValue: "Test exception (this is intentional)"},
		}
		if diff := cmp.Diff(want, got.Attributes); diff != "" || got.Body != `{"raise_error": 1}` || got.MD5OfBody != "ba08269cbd0ce515889bfba6593731e1" {
			t.Errorf("body %s, attributes %s", got.Body, diff)
		}
	})
}

func TestFailureDestinationsOfAllKinds(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		q := w.queue(local.QueueConfig{Name: "q"})
		topic, err := w.CreateTopic(local.TopicConfig{Name: "t"})
		w.must(err)
		_, err = w.Subscribe(local.SubscriptionConfig{TopicARN: topic.ARN(), Protocol: "sqs", Endpoint: q.ARN(), RawMessageDelivery: true})
		w.must(err)
		bus, err := w.CreateBus("b")
		w.must(err)
		_, err = w.PutRule(local.RuleConfig{Bus: "b", Name: "r", Pattern: `{"source":["lambda"],"detail-type":["Lambda Function Invocation Result - Failure"]}`, Targets: []local.TargetConfig{{ID: "1", ARN: q.ARN()}}})
		w.must(err)
		sink := w.function("sink", nil, nil)
		for name, target := range map[string]string{"to-topic": topic.ARN(), "to-bus": bus.ARN(), "to-function": "arn:aws:lambda:us-east-1:000000000000:function:sink"} {
			w.function(name, func(c *local.FunctionConfig) { c.Async.OnFailure, c.Async.MaximumRetryAttempts = target, new(0) }, always("x"))
			w.invokeAsync(name, `{}`)
		}
		w.quiet()
		var functions []string
		add := func(text string) {
			var record struct {
				Detail         json.RawMessage
				RequestContext struct{ FunctionArn string }
			}
			decode(t, []byte(text), &record)
			if record.Detail != nil {
				decode(t, record.Detail, &record)
			}
			functions = append(functions, record.RequestContext.FunctionArn)
		}
		for _, m := range w.receive(q, 10) {
			add(m.Body)
		}
		for _, inv := range sink.invocations() {
			add(string(inv.Payload))
		}
		got := map[string]bool{}
		for _, f := range functions {
			got[f] = true
		}
		for _, name := range []string{"to-topic", "to-bus", "to-function"} {
			if !got["arn:aws:lambda:us-east-1:000000000000:function:"+name+":$LATEST"] {
				t.Errorf("no record of %s: %v", name, functions)
			}
		}
	})
}

func TestMissingFailureDestinationIsTold(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		w.function("f", func(c *local.FunctionConfig) {
			c.Async.OnFailure, c.Async.MaximumRetryAttempts = "arn:aws:sqs:us-east-1:000000000000:gone", new(0)
		}, always("x"))
		w.invokeAsync("f", `{}`)
		w.quiet()
		if e := w.journal(local.Warning); len(e) != 1 || !strings.Contains(e[0].Detail, "the event is lost") {
			t.Errorf("warnings: %+v", e)
		}
	})
}

func TestRegisterFunctionValidates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	fn := local.FunctionFunc(func(local.Invocation) local.Result { return local.Result{} })
	for _, c := range []struct {
		config     local.FunctionConfig
		code, text string
	}{
		{local.FunctionConfig{Name: "a b", Function: fn}, "InvalidParameterValueException", "function name"},
		{local.FunctionConfig{Name: "f"}, "InvalidParameterValueException", "nothing to run"},
		{local.FunctionConfig{Name: "f", Function: fn, Timeout: time.Hour}, "InvalidParameterValueException", "900"},
		{local.FunctionConfig{Name: "f", Function: fn, Async: local.AsyncConfig{MaximumRetryAttempts: new(3)}}, "InvalidParameterValueException", "maximumRetryAttempts"},
		{local.FunctionConfig{Name: "f", Function: fn, Async: local.AsyncConfig{MaximumEventAge: time.Second}}, "InvalidParameterValueException", "maximumEventAgeInSeconds"},
		{local.FunctionConfig{Name: "f", Function: fn, Async: local.AsyncConfig{OnFailure: "arn:aws:sqs:us-east-1:000000000000:q.fifo"}}, "InvalidParameterValueException", "standard"},
		{local.FunctionConfig{Name: "f", Function: fn, Async: local.AsyncConfig{OnFailure: "arn:aws:s3:::bucket"}}, "NotImplemented", "OnFailure destination of service s3 is not emulated"},
		{local.FunctionConfig{Name: "f", Function: fn, Async: local.AsyncConfig{DeadLetter: "q"}}, "InvalidParameterValueException", "not an ARN"},
	} {
		wantError(t, w.RegisterFunction(c.config), c.code, c.text)
	}
	_, err := w.InvokeAsync(local.AsyncInput{Function: "f"})
	wantError(t, err, "ResourceNotFoundException", "Function not found: f")
}

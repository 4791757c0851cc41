package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/telemetry"
)

// report is of a batch of n messages that all went well.
func report(n int) consumer.Report {
	r := consumer.Report{
		Consumer: "charge-payment", Source: consumer.SQS, RequestID: "req-1", Started: at, Duration: 1234567 * time.Microsecond,
	}
	for i := range n {
		r.Messages = append(r.Messages, consumer.Observation{
			Meta: consumer.Meta{ReceiveCount: 1, Key: "secret"}, Outcome: consumer.OutcomeDone,
			Run: time.Duration(i+1) * 1500 * time.Microsecond, Age: time.Duration(i+1) * time.Second,
		})
	}
	return r
}

// observe returns the documents of a report, each checked.
func observe(t testing.TB, opts telemetry.Options, r consumer.Report) []string {
	t.Helper()
	w := &lines{}
	opts.Writer = w
	telemetry.New(opts).Metrics().Observe(context.Background(), r)
	all := w.take()
	for _, d := range all {
		checkDocument(t, d)
	}
	return all
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	quiet := report(2)
	quiet.ColdStart = true
	busy := report(1)
	busy.Messages = append(busy.Messages,
		consumer.Observation{Outcome: consumer.OutcomeRetried, Err: errWork, Run: time.Second, Meta: consumer.Meta{ReceiveCount: 2}},
		consumer.Observation{Outcome: consumer.OutcomeRetried, InProgress: true, Meta: consumer.Meta{ReceiveCount: 3}},
		consumer.Observation{Outcome: consumer.OutcomeDeadLettered, Err: errWork},
		consumer.Observation{Outcome: consumer.OutcomeSkipped},
		consumer.Observation{Outcome: consumer.OutcomeDuplicate},
		consumer.Observation{Outcome: consumer.OutcomeDone, TakenOver: true, CompletionLost: true, Run: 999},
	)
	unreadable := consumer.Report{Consumer: "charge-payment", Source: consumer.EventBridge, Started: at, Err: errors.New("no JSON")}
	var b strings.Builder
	for _, d := range []struct {
		opts   telemetry.Options
		report consumer.Report
	}{
		{telemetry.Options{}, quiet},
		{telemetry.Options{Namespace: "Shop/Prod", Function: "charge-payment-prod"}, busy},
		{telemetry.Options{Level: slog.LevelError}, report(0)},
		{telemetry.Options{}, unreadable},
	} {
		for _, doc := range observe(t, d.opts, d.report) {
			b.WriteString(doc)
		}
	}
	golden(t, "documents", b.String())
	if strings.Contains(b.String(), "secret") {
		t.Error("a key is in a document")
	}
}

func TestManyValuesTakeSeveralDocuments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ messages, ran, aged, documents int }{
		{0, 0, 0, 1}, {1, 1, 1, 1}, {100, 100, 100, 1}, {101, 101, 101, 2}, {200, 200, 200, 2}, {1000, 1000, 1000, 10},
		{250, 250, 0, 3}, {250, 0, 101, 2}, {250, 100, 201, 3}, {250, 99, 100, 1},
	} {
		r := report(test.messages)
		var run, age time.Duration
		for i := range r.Messages {
			// Those without a value come first, in the middle and last.
			m := &r.Messages[(i*7)%len(r.Messages)]
			if i >= test.ran {
				m.Run = 0
			}
			if i >= test.aged {
				m.Age = 0
			}
			run, age = run+m.Run, age+m.Age
		}
		docs := observe(t, telemetry.Options{}, r)
		if len(docs) != test.documents {
			t.Errorf("%+v: %d documents", test, len(docs))
		}
		var gotRun, gotAge float64
		var ran, aged int
		for i, d := range docs {
			m := members(t, d)
			if (m["Processed"] != nil) != (i == 0) || (m["InvocationDuration"] != nil) != (i == 0) || m["requestId"] != "req-1" {
				t.Errorf("%+v: document %d is %s", test, i, d)
			}
			for _, v := range values(m["HandlerDuration"]) {
				gotRun += v
				ran++
			}
			for _, v := range values(m["MessageAge"]) {
				gotAge += v
				aged++
			}
		}
		if ran != test.ran || aged != test.aged || int(gotRun*1000+0.5) != int(run.Microseconds()) || int(gotAge*1000+0.5) != int(age.Microseconds()) {
			t.Errorf("%+v: %d durations of %v ms, %d ages of %v ms; want %v and %v", test, ran, gotRun, aged, gotAge, run, age)
		}
	}
}

func values(v any) (out []float64) {
	list, _ := v.([]any)
	for _, v := range list {
		f, _ := v.(float64)
		out = append(out, f)
	}
	return out
}

func TestMillisecondsAreExact(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0", 0: "0", 999: "0", time.Microsecond: "0.001", 10 * time.Microsecond: "0.01", 100 * time.Microsecond: "0.1",
		time.Millisecond: "1", 1050 * time.Microsecond: "1.05", 15 * time.Minute: "900000", 1234567 * time.Microsecond: "1234.567",
	} {
		r := report(0)
		r.Duration = d
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(observe(t, telemetry.Options{}, r)[0]), &m); err != nil {
			t.Fatal(err)
		}
		if got := string(m["InvocationDuration"]); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
}

func TestStrangeReports(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "unknown", "  ": "unknown", ":a": "_a", "caf\u00e9": "caf_", "a\nb": "a_b", "a\xffb": "a_b",
		strings.Repeat("x", 5000): strings.Repeat("x", 1024),
	} {
		r := report(1)
		r.Consumer, r.RequestID, r.Started = name, strings.Repeat("\x00", 5000), time.Time{}
		m := members(t, observe(t, telemetry.Options{}, r)[0])
		if m["consumer"] != want {
			t.Errorf("%.20q becomes %q", name, m["consumer"])
		}
	}
	r := report(1)
	r.Messages[0].Outcome = "unheard of"
	if m := members(t, observe(t, telemetry.Options{}, r)[0]); m["Failed"] != 1.0 || m["Succeeded"] != nil {
		t.Errorf("an unknown outcome counts as %v", m)
	}
}

// Lambda drops JSON lines below the function's level, and takes a line without
// level and timestamp for INFO.
func TestLevelDoesNotSwitchMetricsOff(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		format telemetry.Format
		level  slog.Level
		want   any
	}{
		{telemetry.JSON, slog.LevelDebug, nil}, {telemetry.JSON, slog.LevelInfo, nil}, {telemetry.JSON, 2, nil}, {telemetry.JSON, slog.LevelWarn, "WARN"},
		{telemetry.JSON, slog.LevelError, "ERROR"}, {telemetry.JSON, telemetry.LevelFatal, "FATAL"}, {telemetry.Text, slog.LevelError, nil},
	} {
		m := members(t, observe(t, telemetry.Options{Format: test.format, Level: test.level}, report(1))[0])
		if m["level"] != test.want || (m["timestamp"] != nil) != (test.want != nil) {
			t.Errorf("%+v: level %v, timestamp %v", test, m["level"], m["timestamp"])
		}
	}
}

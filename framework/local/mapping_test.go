package local_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/local"
)

// Recorded: test_redrive_policy_with_failing_lambda. maxReceiveCount N gives exactly N invocations, a visibility timeout apart.
func TestRedriveAfterExactlyNInvocations(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				dlq := w.queue(local.QueueConfig{Name: "dlq"})
				q := w.queue(local.QueueConfig{Name: "q", VisibilityTimeout: new(30 * time.Second), Redrive: &local.RedrivePolicy{DeadLetterTargetARN: dlq.ARN(), MaxReceiveCount: n}})
				f := w.function("f", nil, func(int, local.Invocation) local.Result { return failed("always") })
				w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f"})
				id := w.send(q, "m")
				w.quiet()

				var want []time.Duration
				for i := range n {
					want = append(want, time.Duration(i)*30*time.Second)
				}
				if diff := cmp.Diff(want, f.times()); diff != "" {
					t.Errorf("invocations: %s", diff)
				}
				if dead := dlq.Snapshot(); len(dead) != 1 || dead[0].MessageID != id || dead[0].ReceiveCount != n {
					t.Errorf("dead-letter queue: %+v", dead)
				}
				for i, inv := range f.invocations() {
					if got := eventOf(t, inv).Records[0].Attributes["ApproximateReceiveCount"]; got != fmt.Sprint(i+1) {
						t.Errorf("invocation %d has receive count %s", i+1, got)
					}
				}
			})
		})
	}
}

// The table of rule 15: what a response does to a batch of two messages, good and bad.
func TestPartialResponseTable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, response string // %s is the message id of "bad"
		kept           []string
		warns          bool
	}{
		{"null", `null`, nil, false},
		{"empty object", `{}`, nil, false},
		{"null list", `{"batchItemFailures":null}`, nil, false},
		{"empty list", `{"batchItemFailures":[]}`, nil, false},
		{"one id", `{"batchItemFailures":[{"itemIdentifier":"%s"}]}`, []string{"bad"}, false},
		{"one id twice", `{"batchItemFailures":[{"itemIdentifier":"%[1]s"},{"itemIdentifier":"%[1]s"}]}`, []string{"bad"}, false},
		{"invalid JSON", `{"batchItemFailures":[`, []string{"good", "bad"}, true},
		{"no body", ``, []string{"good", "bad"}, true},
		{"two values", `{} {}`, []string{"good", "bad"}, true},
		{"empty id", `{"batchItemFailures":[{"itemIdentifier":""}]}`, []string{"good", "bad"}, true},
		{"null id", `{"batchItemFailures":[{"itemIdentifier":null}]}`, []string{"good", "bad"}, true},
		{"wrong key", `{"batchItemFailures":[{"foo":"notvalid"}]}`, []string{"good", "bad"}, true},
		{"wrong case of the key", `{"batchItemFailures":[{"ItemIdentifier":"%s"}]}`, []string{"good", "bad"}, true},
		{"number as id", `{"batchItemFailures":[{"itemIdentifier":7}]}`, []string{"good", "bad"}, true},
		{"unknown id", `{"batchItemFailures":[{"itemIdentifier":"%s"},{"itemIdentifier":"7f7df0f5"}]}`, []string{"good", "bad"}, true},
		{"list of strings", `{"batchItemFailures":["%s"]}`, []string{"good", "bad"}, true},
		{"object for the list", `{"batchItemFailures":{"itemIdentifier":"%s"}}`, []string{"good", "bad"}, true},
		{"a string", `"ok"`, []string{"good", "bad"}, true},
		{"a list", `[]`, []string{"good", "bad"}, true},
		{"other keys only", `{"ok":true}`, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				q := w.queue(local.QueueConfig{Name: "q"})
				var kept []string
				w.function("f", nil, func(n int, inv local.Invocation) local.Result {
					if n > 1 {
						for _, r := range eventOf(t, inv).Records {
							kept = append(kept, r.Body)
						}
						return local.Result{Payload: []byte(`{}`)}
					}
					response := c.response
					if strings.Contains(response, "%") {
						response = fmt.Sprintf(response, eventOf(t, inv).Records[1].MessageID)
					}
					return local.Result{Payload: []byte(response)}
				})
				w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f", ReportBatchItemFailures: true})
				_, err := q.SendBatch([]local.BatchEntry[local.SendInput]{{ID: "a", Input: local.SendInput{Body: "good"}}, {ID: "b", Input: local.SendInput{Body: "bad"}}})
				w.must(err)
				w.quiet()
				if diff := cmp.Diff(c.kept, kept); diff != "" {
					t.Errorf("kept messages: %s", diff)
				}
				if got := len(w.journal(local.Warning)) > 0; got != c.warns {
					t.Errorf("warned: %v, want %v", got, c.warns)
				}
				if q.Counts().Total() != 0 {
					t.Error("messages left")
				}
			})
		})
	}
}

func TestWithoutReportBatchItemFailuresTheBodyIsIgnored(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		q := w.queue(local.QueueConfig{Name: "q"})
		f := w.function("f", nil, func(_ int, inv local.Invocation) local.Result { return reportAll(t, inv) })
		w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f"})
		w.send(q, "m")
		w.quiet()
		if len(f.invocations()) != 1 || q.Counts().Total() != 0 {
			t.Errorf("%d invocations, %+v left: the batch should have been deleted", len(f.invocations()), q.Counts())
		}
		if warnings := w.journal(local.Warning); len(warnings) != 1 || !strings.Contains(warnings[0].Detail, "ReportBatchItemFailures") {
			t.Errorf("losing reported messages should be told loudly: %+v", warnings)
		}
	})
}

// Recorded: test_failing_lambda_retries_after_visibility_timeout; ERR: also with partial responses on.
func TestFunctionErrorWaitsForTheVisibilityTimeout(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		q := w.queue(local.QueueConfig{Name: "q", VisibilityTimeout: new(90 * time.Second)})
		f := w.function("f", nil, func(n int, inv local.Invocation) local.Result {
			if n == 1 {
				r := reportAll(t, inv)
				r.Payload, r.FunctionError = []byte(`{"batchItemFailures":[]}`), "Unhandled"
				return r
			}
			return local.Result{Payload: []byte(`{}`)}
		})
		w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f", ReportBatchItemFailures: true})
		w.send(q, "m")
		w.quiet()
		if diff := cmp.Diff([]time.Duration{0, 90 * time.Second}, f.times()); diff != "" {
			t.Error(diff)
		}
	})
}

// Rule 14: the same batch is retried, with its request id, until the visibility timeout ends; then it is received anew with a higher count.
func TestThrottleRetriesUntilTheVisibilityEnds(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		q := w.queue(local.QueueConfig{Name: "q", VisibilityTimeout: new(10 * time.Second)})
		f := w.function("f", nil, func(n int, _ local.Invocation) local.Result { return local.Result{Throttled: n < 6} })
		w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f"})
		w.send(q, "m")
		w.quiet()
		want := []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 10 * time.Second, 11 * time.Second}
		if diff := cmp.Diff(want, f.times()); diff != "" {
			t.Error(diff)
		}
		invs := f.invocations()
		if invs[0].RequestID != invs[3].RequestID || invs[3].RequestID == invs[4].RequestID {
			t.Error("a retry is a new batch, or a new receive the old one")
		}
		if got := eventOf(t, invs[5]).Records[0].Attributes["ApproximateReceiveCount"]; got != "2" {
			t.Errorf("receive count %s after the batch was dropped once, want 2", got)
		}
		if q.Counts().Total() != 0 {
			t.Error("the message was not deleted after the last run")
		}
	})
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ maximum, want int }{{0, 5}, {2, 2}, {8, 8}} {
		t.Run(fmt.Sprint(c.maximum), func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				q := w.queue(local.QueueConfig{Name: "q"})
				f := w.function("f", nil, nil)
				f.takes = time.Second
				m := w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f", BatchSize: 1, MaximumConcurrency: c.maximum, Disabled: true})
				for i := range 20 {
					w.send(q, fmt.Sprint(i))
				}
				m.SetEnabled(true)
				w.quiet()
				if f.most != c.want || len(f.invocations()) != 20 {
					t.Errorf("%d at once of %d invocations, want %d of 20", f.most, len(f.invocations()), c.want)
				}
			})
		})
	}
}

// Recorded: test_fifo_message_group_parallelism. Groups run in parallel, one group never does, and order holds.
func TestFIFOGroupsInParallelNeverOneTwice(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		q := w.queue(local.QueueConfig{Name: "q.fifo", ContentBasedDeduplication: true, VisibilityTimeout: new(5 * time.Minute)})
		var mu sync.Mutex
		order := map[string][]string{}
		running := map[string]bool{}
		f := w.function("f", nil, nil)
		f.takes = 5 * time.Second
		f.respond = func(_ int, inv local.Invocation) local.Result {
			mu.Lock()
			defer mu.Unlock()
			for _, r := range eventOf(t, inv).Records {
				delete(running, r.Attributes["MessageGroupId"])
			}
			return local.Result{}
		}
		start := startFunc(func(inv local.Invocation, done func(local.Result)) {
			mu.Lock()
			for _, r := range eventOf(t, inv).Records {
				g := r.Attributes["MessageGroupId"]
				if running[g] {
					t.Errorf("group %s runs twice at once", g)
				}
				running[g] = true
				order[g] = append(order[g], r.Body)
			}
			mu.Unlock()
			f.Start(inv, done)
		})
		w.must(w.RegisterFunction(local.FunctionConfig{Name: "f", Function: start}))
		m := w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f", BatchSize: 1, Disabled: true})
		for i := range 5 {
			for _, g := range []string{"a", "b", "c"} {
				w.send(q, fmt.Sprint(g, i), group(g))
			}
		}
		m.SetEnabled(true)
		w.quiet()
		want := map[string][]string{"a": {"a0", "a1", "a2", "a3", "a4"}, "b": {"b0", "b1", "b2", "b3", "b4"}, "c": {"c0", "c1", "c2", "c3", "c4"}}
		if diff := cmp.Diff(want, order); diff != "" {
			t.Error(diff)
		}
		if f.most != 3 {
			t.Errorf("%d groups at once, want 3", f.most)
		}
	})
}

type startFunc func(local.Invocation, func(local.Result))

func (f startFunc) Start(inv local.Invocation, done func(local.Result)) { f(inv, done) }

// A handler that makes a message visible while it still runs must not have its group started a second time, also when another group is received.
func TestFIFOGroupOfARunningInvocationIsNotReceived(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		q := w.queue(local.QueueConfig{Name: "q.fifo", ContentBasedDeduplication: true})
		f := w.function("f", nil, func(n int, inv local.Invocation) local.Result {
			if n == 1 {
				return reportAll(t, inv)
			}
			return local.Result{Payload: []byte("{}")}
		})
		f.takes = 8 * time.Second
		start := startFunc(func(inv local.Invocation, done func(local.Result)) {
			if len(f.invocations()) == 0 {
				var event struct {
					Records []struct{ ReceiptHandle string }
				}
				decode(t, inv.Payload, &event)
				w.must(q.ChangeVisibility(event.Records[0].ReceiptHandle, 0))
				w.send(q, "other", group("h"))
			}
			f.Start(inv, done)
		})
		w.must(w.RegisterFunction(local.FunctionConfig{Name: "f", Function: start}))
		w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f", ReportBatchItemFailures: true})
		w.send(q, "m", group("g"))
		w.quiet()
		if diff := cmp.Diff([][]string{{"m"}, {"other"}, {"m"}}, batchBodies(t, f.invocations())); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]time.Duration{0, 0, 8 * time.Second}, f.times()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestBatchesAreMadeOfWhatOneCallSent(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		q := w.queue(local.QueueConfig{Name: "q"})
		f := w.function("f", nil, nil)
		w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f", BatchSize: 4})
		var entries []local.BatchEntry[local.SendInput]
		for i := range 10 {
			entries = append(entries, local.BatchEntry[local.SendInput]{ID: fmt.Sprint(i), Input: local.SendInput{Body: fmt.Sprint(i)}})
		}
		_, err := q.SendBatch(entries)
		w.must(err)
		w.quiet()
		want := [][]string{{"0", "1", "2", "3"}, {"4", "5", "6", "7"}, {"8", "9"}}
		if diff := cmp.Diff(want, batchBodies(t, f.invocations())); diff != "" {
			t.Error(diff)
		}
	})
}

func TestBatchingWindow(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		q := w.queue(local.QueueConfig{Name: "q"})
		f := w.function("f", nil, nil)
		w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f", BatchSize: 3, Window: 60 * time.Second})
		release := w.Hold()
		w.send(q, "a")
		time.Sleep(40 * time.Second)
		w.send(q, "b")
		time.Sleep(30 * time.Second)
		for _, body := range []string{"c", "d", "e", "f"} {
			w.send(q, body)
		}
		time.Sleep(time.Second)
		release()
		w.quiet()
		if diff := cmp.Diff([][]string{{"a", "b"}, {"c", "d", "e"}, {"f"}}, batchBodies(t, f.invocations())); diff != "" {
			t.Error(diff)
		}
		// The window begins with the first message; a full batch does not wait for it.
		if diff := cmp.Diff([]time.Duration{60 * time.Second, 70 * time.Second, 130 * time.Second}, f.times()); diff != "" {
			t.Error(diff)
		}
	})
}

// Lambda hides for window + timeout + 30 s where the queue's timeout would leave the function no time.
func TestEffectiveVisibilityWithWindow(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		q := w.queue(local.QueueConfig{Name: "q", VisibilityTimeout: new(30 * time.Second)})
		f := w.function("f", func(c *local.FunctionConfig) { c.Timeout = 20 * time.Second }, func(n int, _ local.Invocation) local.Result {
			if n == 1 {
				return failed("once")
			}
			return local.Result{}
		})
		w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f", Window: 60 * time.Second})
		w.send(q, "m")
		w.quiet()
		want := []time.Duration{60 * time.Second, (60+20+30)*time.Second + 60*time.Second}
		if diff := cmp.Diff(want, f.times()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPayloadLimitClosesABatch(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		q := w.queue(local.QueueConfig{Name: "q"})
		f := w.function("f", nil, nil)
		m := w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f", Disabled: true})
		for range 8 {
			w.send(q, strings.Repeat("a", 1_000_000))
		}
		m.SetEnabled(true)
		w.quiet()
		var sizes []int
		for _, inv := range f.invocations() {
			if len(inv.Payload) > 6<<20 {
				t.Errorf("a payload of %d bytes is over 6 MB", len(inv.Payload))
			}
			sizes = append(sizes, len(eventOf(t, inv).Records))
		}
		if diff := cmp.Diff([]int{6, 2}, sizes); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWorkedOffTooLateIsDeliveredAgain(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		q := w.queue(local.QueueConfig{Name: "q.fifo", ContentBasedDeduplication: true, VisibilityTimeout: new(10 * time.Second)})
		f := w.function("f", nil, nil)
		start := startFunc(func(inv local.Invocation, done func(local.Result)) {
			if len(f.invocations()) == 0 {
				w.must(w.Jump(11 * time.Second))
			}
			f.Start(inv, done)
		})
		w.must(w.RegisterFunction(local.FunctionConfig{Name: "f", Function: start}))
		w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f"})
		w.send(q, "m", group("g"))
		w.quiet()
		if n := len(f.invocations()); n != 2 || q.Counts().Total() != 0 {
			t.Errorf("%d invocations, want 2: a FIFO message whose visibility timeout ended cannot be deleted", n)
		}
		if warnings := w.journal(local.Warning); len(warnings) != 1 || !strings.Contains(warnings[0].Detail, "delivered again") {
			t.Errorf("warnings: %+v", warnings)
		}
	})
}

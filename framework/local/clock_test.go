package local_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/local"
)

// Without jumps time passes at the wall's rate.
func TestRunWithoutJumpSleeps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, local.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- w.Run(ctx, false) }()
		w.function("f", nil, always("x"))
		begun := time.Now()
		w.invokeAsync("f", `{}`)
		w.quiet()
		if got := time.Since(begun); got != 3*time.Minute || w.Offset() != 0 {
			t.Errorf("took %v of wall time with offset %v, want 3 min and none", got, w.Offset())
		}
		cancel()
		if err := <-stopped; !errors.Is(err, context.Canceled) {
			t.Errorf("run ended with %v", err)
		}
	})
}

// With jumps the wall does not move at all, and every invocation is told the offset.
func TestRunWithJumpMovesTheClock(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		f := w.function("f", nil, always("x"))
		begun := time.Now()
		w.invokeAsync("f", `{}`)
		w.quiet()
		if got := time.Since(begun); got != 0 || w.Offset() != 3*time.Minute {
			t.Errorf("took %v of wall time with offset %v, want none and 3 min", got, w.Offset())
		}
		var offsets []time.Duration
		for _, inv := range f.invocations() {
			offsets = append(offsets, inv.ClockOffset)
		}
		if diff := cmp.Diff([]time.Duration{0, time.Minute, 3 * time.Minute}, offsets); diff != "" {
			t.Error(diff)
		}
		var jumps []time.Duration
		for _, e := range w.journal(local.ClockJumped) {
			jumps = append(jumps, e.Jump)
		}
		if diff := cmp.Diff([]time.Duration{time.Minute, 2 * time.Minute}, jumps); diff != "" {
			t.Error(diff)
		}
	})
}

func TestHoldAndInvocationsKeepTheClock(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		release := w.Hold()
		w.function("f", nil, func(n int, _ local.Invocation) local.Result { return local.Result{Throttled: n == 1} })
		w.invokeAsync("f", `{}`)
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		if w.Offset() != 0 || w.Idle() {
			t.Errorf("the clock jumped by %v while held", w.Offset())
		}
		release()
		release()
		w.quiet()
		if got := w.Offset(); got != 700*time.Millisecond {
			t.Errorf("jumped %v, want the rest of the back-off, 700ms", got)
		}

		slow := w.function("slow", nil, nil)
		slow.takes = 4 * time.Second
		before := w.Offset()
		w.invokeAsync("slow", `{}`)
		w.invokeAsync("f", `{}`)
		begun := time.Now()
		w.quiet()
		if time.Since(begun) != 4*time.Second || w.Offset() != before {
			t.Errorf("an invocation of 4 s took %v, and the clock jumped %v meanwhile", time.Since(begun), w.Offset()-before)
		}
	})
}

// A client in a long poll lets the clock jump; what it gets holds the clock again before anything else moves it.
func TestLongPollYieldsItsHold(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		q := w.queue(local.QueueConfig{Name: "q"})
		release := w.Hold()
		begun := time.Now()
		got, err := q.Receive(t.Context(), local.ReceiveInput{Wait: new(20 * time.Second), YieldHold: true})
		w.must(err)
		if len(got) != 0 || time.Since(begun) != 0 || w.Offset() != 20*time.Second {
			t.Errorf("an empty poll: %v, %v of wall time, offset %v", got, time.Since(begun), w.Offset())
		}
		w.send(q, "delayed", func(in *local.SendInput) { in.Delay = new(5 * time.Second) })
		got, err = q.Receive(t.Context(), local.ReceiveInput{Wait: new(20 * time.Second), YieldHold: true})
		w.must(err)
		if len(got) != 1 || w.Offset() != 25*time.Second || w.Idle() {
			t.Errorf("a delayed message: %v, offset %v, idle %v", got, w.Offset(), w.Idle())
		}
		release()
		w.quiet()
	})
}

// Polls that wait beside each other neither keep each other awake nor keep the clock.
func TestConcurrentLongPolls(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		q := w.queue(local.QueueConfig{Name: "q"})
		var wg sync.WaitGroup
		for i := range 3 {
			release := w.Hold()
			wg.Go(func() {
				defer release()
				_, err := q.Receive(t.Context(), local.ReceiveInput{Wait: new(time.Duration(20-i) * time.Second), YieldHold: i > 0})
				if err != nil {
					t.Error(err)
				}
			})
			if i == 0 {
				release()
			}
		}
		wg.Wait()
		if w.Offset() != 20*time.Second {
			t.Errorf("offset %v, want 20s", w.Offset())
		}
		w.quiet()

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := q.Receive(ctx, local.ReceiveInput{Wait: new(time.Second)}); !errors.Is(err, context.Canceled) {
			t.Errorf("a poll whose client is gone: %v", err)
		}
		if w.Offset() != 20*time.Second {
			t.Errorf("a poll whose client is gone waited on, to %v", w.Offset())
		}
	})
}

func TestNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, local.Options{})
		in := func(want time.Duration, what string) {
			t.Helper()
			if at, ok := w.Next(); !ok || at.Sub(w.Now()) != want {
				t.Errorf("%s: next %v (%v), want in %v", what, at.Sub(w.Now()), ok, want)
			}
		}
		nothing := func(what string) {
			t.Helper()
			if at, ok := w.Next(); ok {
				t.Errorf("%s: next %v, want nothing", what, at)
			}
		}
		nothing("new engine")
		q := w.queue(local.QueueConfig{Name: "q"})
		w.send(q, "m", func(in *local.SendInput) { in.Delay = new(9 * time.Second) })
		nothing("delayed message in a queue that no mapping reads")
		w.function("f", nil, nil)
		m := w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f", Disabled: true})
		nothing("disabled mapping")
		m.SetEnabled(true)
		in(9*time.Second, "delay")
		if !w.Idle() {
			t.Error("not idle while all that happens is a delay")
		}
		w.must(w.Jump(9 * time.Second))
		if w.Idle() {
			t.Error("idle with a message to deliver")
		}
		nothing("a message to deliver is now, not next")
		w.receive(q, 1)
		in(30*time.Second, "visibility timeout")
		if err := w.Jump(-1); err == nil {
			t.Error("the clock ran backwards")
		}
	})
}

func TestQuietEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, local.Options{})
		defer w.Hold()()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Quiet(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// The same calls with the same seed make the same journal, ids included; another seed makes other ids.
func TestRunsRepeat(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (journal []local.Entry) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, local.Options{Seed: seed})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			dlq := w.queue(local.QueueConfig{Name: "dlq"})
			q := w.queue(local.QueueConfig{Name: "q", Redrive: &local.RedrivePolicy{DeadLetterTargetARN: dlq.ARN(), MaxReceiveCount: 3}})
			topic, err := w.CreateTopic(local.TopicConfig{Name: "t"})
			w.must(err)
			_, err = w.Subscribe(local.SubscriptionConfig{TopicARN: topic.ARN(), Protocol: "sqs", Endpoint: q.ARN()})
			w.must(err)
			w.function("f", nil, func(n int, inv local.Invocation) local.Result { return reportAll(t, inv) })
			w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f", BatchSize: 3, ReportBatchItemFailures: true})
			for _, message := range []string{"a", "b", "c", "d"} {
				_, err := topic.Publish(local.PublishInput{Message: message})
				w.must(err)
			}
			go func() { _ = w.Run(ctx, true) }()
			w.quiet()
			journal = w.journal()
		})
		return journal
	}
	first, second, other := run(1), run(1), run(2)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("two runs with one seed differ: %s", diff)
	}
	if len(first) != len(other) || cmp.Equal(first, other) {
		t.Errorf("another seed: %d and %d entries, equal: %v", len(first), len(other), cmp.Equal(first, other))
	}
	for i, e := range first {
		if e.Seq != uint64(i+1) {
			t.Fatalf("entry %d has sequence %d", i, e.Seq)
		}
	}
	if !slices.ContainsFunc(first, func(e local.Entry) bool { return e.Kind == local.MessageDeadLettered }) {
		t.Error("the story did not reach the dead-letter queue")
	}
}

// A journal may call the engine.
func TestJournalMayAskTheEngine(t *testing.T) {
	t.Parallel()
	var e *local.Engine
	var q *local.Queue
	var totals []int
	e = local.New(&local.Options{Journal: func(local.Entry) { totals = append(totals, q.Counts().Total()) }})
	var err error
	if q, err = e.CreateQueue(local.QueueConfig{Name: "q"}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := q.Send(local.SendInput{Body: "m"}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]int{1, 2, 3}, totals); diff != "" {
		t.Error(diff)
	}
}

func TestInvokeWaitsForTheResult(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		f := w.function("f", nil, func(int, local.Invocation) local.Result { return local.Result{Payload: []byte(`"done"`)} })
		f.takes = time.Second
		got, err := w.Invoke(t.Context(), "f", []byte(`{}`), "")
		w.must(err)
		if string(got.Payload) != `"done"` || f.invocations()[0].TraceHeader == "" {
			t.Errorf("got %+v", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := w.Invoke(ctx, "f", []byte(`{}`), ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		w.quiet()
	})
}

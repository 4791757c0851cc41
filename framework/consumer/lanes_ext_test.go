package consumer_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// fifoBatch is messages as "group:key".
func fifoBatch(messages ...string) consumertest.Batch {
	var events []placed
	for _, m := range messages {
		events = append(events, placed{Group: m[:1], ID: m[2:]})
	}
	return consumertest.FIFO(func(e placed) string { return e.Group }, events...)
}

// lanes runs a batch with some keys failing, and returns what ran.
func lanes(t *testing.T, batch consumertest.Batch, timeout time.Duration, h consumer.Handler[placed], opts ...consumer.SQSOption) (ran []string, o consumertest.Outcome) {
	t.Helper()
	c, err := consumer.NewSQS("c", func(ctx context.Context, msg consumer.Message[placed]) error {
		ran = append(ran, msg.GroupID+":"+msg.Event.ID) // one worker
		return h(ctx, msg)
	}, append(opts, quiet(), consumer.WithConcurrency(1))...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := t.Context(), context.CancelFunc(func() {})
	if timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()
	o = consumertest.DeliverContext(ctx, t, c, batch)
	return ran, o
}

func failing(keys ...string) consumer.Handler[placed] {
	return func(_ context.Context, msg consumer.Message[placed]) error {
		if slices.Contains(keys, msg.Event.ID) {
			return errWork
		}
		return nil
	}
}

// TestCopyBehindAFailure: giving the copy its leader's failure must not let
// pass what stands between them.
func TestCopyBehindAFailure(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		batch    []string
		ran      []string
		reported []int
	}{
		"copy next":                {[]string{"a:x", "a:x", "a:y"}, []string{"a:x"}, []int{0, 1, 2}},
		"copy last":                {[]string{"a:x", "a:y", "a:x"}, []string{"a:x"}, []int{0, 1, 2}},
		"copy in another group":    {[]string{"a:x", "b:x", "b:y", "a:z"}, []string{"a:x"}, []int{0, 1, 2, 3}},
		"copies in a chain":        {[]string{"a:x", "b:x", "b:y", "c:y", "c:z", "a:z"}, []string{"a:x"}, []int{0, 1, 2, 3, 4, 5}},
		"a third group is at ease": {[]string{"a:x", "b:w", "b:x", "c:v"}, []string{"a:x", "b:w", "c:v"}, []int{0, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := idempotency.NewMemory()
			ran, o := lanes(t, fifoBatch(test.batch...), 0, failing("x"), consumer.WithIdempotency(store))
			if !slices.Equal(o.Failed, test.reported) || !slices.Equal(ran, test.ran) {
				t.Errorf("ran %v, reported %v, want %v and %v", ran, o.Failed, test.ran, test.reported)
			}
			for _, key := range []string{"x", "y", "z"} {
				if rec, found, _ := store.Get(t.Context(), "c#orders.placed#"+key); found && !rec.Lease.IsZero() {
					t.Errorf("%s is held: %+v", key, rec)
				}
			}
		})
	}
}

// TestStoppedGroupsDoNotStarveClaims: what was claimed for a group that then
// stopped is not ahead of the workers any more.
func TestStoppedGroupsDoNotStarveClaims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var messages []string
		for i := range 25 {
			messages = append(messages, "a:first"+string(rune('a'+i)))
		}
		for i := range 10 {
			messages = append(messages, "b:second"+string(rune('a'+i)))
		}
		ran, o := lanes(t, fifoBatch(messages...), 10*time.Minute, failing("firsta"), consumer.WithIdempotency(idempotency.NewMemory()))
		if len(ran) != 11 || len(o.Failed) != 25 {
			t.Errorf("ran %v, reported %v", ran, o.Failed)
		}
	})
}

// TestDeadlineReleasesBehindACopy: at the deadline, a message that was claimed
// and stands behind a copy in its group is released like any other.
func TestDeadlineReleasesBehindACopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := idempotency.NewMemory()
		// The one worker is busy until the deadline. In group c, copies of what
		// waits in b stand before and behind z.
		batch := fifoBatch("a:busy", "b:x", "b:y", "c:x", "c:z", "c:y", "c:w")
		_, o := lanes(t, batch, 30*time.Second, func(ctx context.Context, _ consumer.Message[placed]) error { <-ctx.Done(); return ctx.Err() },
			consumer.WithIdempotency(store))
		if len(o.Failed) != 7 {
			t.Errorf("reported %v", o.Failed)
		}
		for _, key := range []string{"busy", "x", "y", "z", "w"} {
			if rec, found, _ := store.Get(t.Context(), "c#orders.placed#"+key); !found || !rec.Lease.IsZero() {
				t.Errorf("%s: found %t, %+v", key, found, rec)
			}
		}
	})
}

// TestPoisonInAGroup goes to the sink in its turn, and the group goes on.
func TestPoisonInAGroup(t *testing.T) {
	t.Parallel()
	queue := &consumertest.Queue{}
	batch := fifoBatch("a:x", "a:poison", "a:y")
	batch.Messages[1].Body = "{"
	ran, o := lanes(t, batch, 0, failing(), queue.Option())
	if !slices.Equal(ran, []string{"a:x", "a:y"}) || !o.Settled() || len(queue.DeadLetters()) != 1 {
		t.Errorf("ran %v, outcome %+v, dead letters %v", ran, o, queue.DeadLetters())
	}
	// Behind a failure it stays, or it would overtake.
	batch = fifoBatch("a:x", "a:poison", "a:y")
	batch.Messages[1].Body = "{"
	if _, o := lanes(t, batch, 0, failing("x"), queue.Option()); !slices.Equal(o.Failed, []int{0, 1, 2}) || len(queue.DeadLetters()) != 1 {
		t.Errorf("outcome %+v, dead letters %v", o, queue.DeadLetters())
	}
	// Without a sink it stops the group.
	if ran, o := lanes(t, batch, 0, failing()); !slices.Equal(o.Failed, []int{1, 2}) || !slices.Equal(ran, []string{"a:x"}) {
		t.Errorf("ran %v, outcome %+v", ran, o)
	}
}

// TestMissingGroup: a FIFO message always has one; if not, order is kept.
func TestMissingGroup(t *testing.T) {
	t.Parallel()
	batch := fifoBatch("a:x", "a:y")
	batch.Messages[0].Group, batch.Messages[1].Group = "", ""
	if ran, o := lanes(t, batch, 0, failing("x")); len(ran) != 1 || len(o.Failed) != 2 {
		t.Errorf("ran %v, outcome %+v", ran, o)
	}
}

// TestStrictFIFOReleases: a failure stops every group, and what was claimed for
// them and not started is free at once.
func TestStrictFIFOReleases(t *testing.T) {
	t.Parallel()
	store := idempotency.NewMemory()
	ran, o := lanes(t, fifoBatch("a:x", "b:y", "b:z", "c:w", "a:v"), 0, failing("x"), consumer.WithIdempotency(store), consumer.StrictFIFO())
	if len(ran) != 1 || len(o.Failed) != 5 {
		t.Errorf("ran %v, outcome %+v", ran, o)
	}
	for _, key := range []string{"x", "y", "z", "w", "v"} {
		if rec, found, _ := store.Get(t.Context(), "c#orders.placed#"+key); found && !rec.Lease.IsZero() {
			t.Errorf("%s is held: %+v", key, rec)
		}
	}
}

// TestHaltedGroupIsReleased: the group waits behind a dead letter; others do not.
func TestHaltedGroupIsReleased(t *testing.T) {
	t.Parallel()
	queue, store := &consumertest.Queue{}, idempotency.NewMemory()
	ran, o := lanes(t, fifoBatch("a:x", "a:y", "b:z"), 0, func(_ context.Context, msg consumer.Message[placed]) error {
		if msg.Event.ID == "x" {
			return consumer.Permanent(errWork)
		}
		return nil
	}, queue.Option(), consumer.WithIdempotency(store), consumer.HaltOnDeadLetter())
	if !slices.Equal(ran, []string{"a:x", "b:z"}) || !slices.Equal(o.Failed, []int{1}) || len(queue.DeadLetters()) != 1 {
		t.Errorf("ran %v, outcome %+v, dead letters %v", ran, o, queue.DeadLetters())
	}
	if rec, found, _ := store.Get(t.Context(), "c#orders.placed#y"); found && !rec.Lease.IsZero() {
		t.Errorf("y is held: %+v", rec)
	}
}

package local_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/local"
)

func fifoQueue(t *testing.T, edit ...func(*local.QueueConfig)) (*world, *local.Queue) {
	t.Helper()
	w := newWorld(t, local.Options{})
	c := local.QueueConfig{Name: "q.fifo", ContentBasedDeduplication: true}
	for _, f := range edit {
		f(&c)
	}
	return w, w.queue(c)
}

// Recorded on AWS: a receive fills from one group first, and a group that was served goes to the end.
func TestFIFOFillsFromOneGroupFirst(t *testing.T) {
	t.Parallel()
	w, q := fifoQueue(t)
	for _, m := range []struct{ g, body string }{{"1", "g1-m1"}, {"2", "g2-m1"}, {"2", "g2-m2"}, {"3", "g3-m1"}, {"1", "g1-m2"}} {
		w.send(q, m.body, group(m.g))
	}
	if diff := cmp.Diff([]string{"g1-m1", "g1-m2", "g2-m1"}, bodies(w.receive(q, 3, 0))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"g3-m1", "g1-m1", "g1-m2", "g2-m1", "g2-m2"}, bodies(w.receive(q, 10, 0))); diff != "" {
		t.Error(diff)
	}
}

func TestFIFOInFlightBlocksItsGroup(t *testing.T) {
	t.Parallel()
	w, q := fifoQueue(t)
	for _, m := range []struct{ g, body string }{{"1", "g1-m1"}, {"1", "g1-m2"}, {"1", "g1-m3"}, {"2", "g2-m1"}} {
		w.send(q, m.body, group(m.g))
	}
	got := w.receive(q, 2)
	if diff := cmp.Diff([]string{"g1-m1", "g1-m2"}, bodies(got)); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff([]string{"g2-m1"}, bodies(w.receive(q, 10))); diff != "" {
		t.Errorf("while group 1 is in flight: %s", diff)
	}
	w.must(q.Delete(got[0].ReceiptHandle))
	if diff := cmp.Diff([]string{}, bodies(w.receive(q, 10))); diff != "" {
		t.Errorf("with one of two deleted: %s", diff)
	}
	w.must(q.Delete(got[1].ReceiptHandle))
	if diff := cmp.Diff([]string{"g1-m3"}, bodies(w.receive(q, 10))); diff != "" {
		t.Errorf("with both deleted: %s", diff)
	}
}

// Recorded on AWS (..._after_terminate_visibility_timeout, ..._extends_with_change_message_visibility): a head that reappears is received again
// without its followers, which stay in flight and go on blocking what is behind them.
func TestFIFOHeadReappearsAlone(t *testing.T) {
	t.Parallel()
	w, q := fifoQueue(t)
	for _, body := range []string{"m1", "m2", "m3"} {
		w.send(q, body, group("1"))
	}
	w.send(q, "other", group("2"))
	got := w.receive(q, 2)
	w.must(q.ChangeVisibility(got[0].ReceiptHandle, 0))
	if diff := cmp.Diff([]string{"other", "m1"}, bodies(w.receive(q, 10))); diff != "" {
		t.Error(diff)
	}
	w.must(q.ChangeVisibility(got[1].ReceiptHandle, 0))
	if diff := cmp.Diff([]string{}, bodies(w.receive(q, 10))); diff != "" {
		t.Errorf("m2 is visible behind m1 in flight: %s", diff)
	}
}

func TestFIFODeduplication(t *testing.T) {
	t.Parallel()
	w, q := fifoQueue(t)
	first, err := q.Send(local.SendInput{Body: "x", GroupID: "1"})
	w.must(err)
	w.must(q.Delete(w.receive(q, 1)[0].ReceiptHandle))
	w.must(w.Jump(4*time.Minute + 59*time.Second))
	second, err := q.Send(local.SendInput{Body: "x", GroupID: "2"})
	w.must(err)
	if second.MessageID != first.MessageID || second.SequenceNumber != first.SequenceNumber || q.Counts().Total() != 0 {
		t.Error("a duplicate in another group, after the first was deleted, was not dropped")
	}
	if d := w.journal(local.MessageDeduplicated); len(d) != 1 || d[0].MessageID != first.MessageID {
		t.Errorf("journal: %+v", d)
	}
	w.must(w.Jump(time.Second))
	third, err := q.Send(local.SendInput{Body: "x", GroupID: "1"})
	w.must(err)
	if third.MessageID == first.MessageID || q.Counts().Total() != 1 {
		t.Error("the deduplication id was remembered for longer than 5 minutes")
	}
}

func TestFIFODeduplicationByGroup(t *testing.T) {
	t.Parallel()
	w, q := fifoQueue(t, func(c *local.QueueConfig) { c.DeduplicationScope = "messageGroup" })
	for _, g := range []string{"1", "2", "2"} {
		w.send(q, "x", group(g))
	}
	if got := q.Counts().Total(); got != 2 {
		t.Errorf("%d messages, want one for each group", got)
	}
}

func TestFIFOSendValidatesAsRecorded(t *testing.T) {
	t.Parallel()
	w, q := fifoQueue(t, func(c *local.QueueConfig) { c.ContentBasedDeduplication = false })
	_, err := q.Send(local.SendInput{Body: "m", DeduplicationID: "d"})
	wantError(t, err, "MissingParameter", "The request must contain the parameter MessageGroupId.")
	_, err = q.Send(local.SendInput{Body: "m", GroupID: "g"})
	wantError(t, err, "InvalidParameterValue", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	_, err = q.Send(local.SendInput{Body: "m", GroupID: "g", DeduplicationID: "d", Delay: new(2 * time.Second)})
	wantError(t, err, "InvalidParameterValue", "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.")
	_, err = q.SendBatch([]local.BatchEntry[local.SendInput]{{ID: "a", Input: local.SendInput{Body: "m", DeduplicationID: "d"}}})
	wantError(t, err, "InvalidParameterValue", "The request must contain the parameter MessageGroupId.")
	_, err = q.SendBatch([]local.BatchEntry[local.SendInput]{{ID: "a", Input: local.SendInput{Body: "m", GroupID: "g"}}})
	wantError(t, err, "InvalidParameterValue", "The queue should either have ContentBasedDeduplication")
	w.must(q.Update(func(c *local.QueueConfig) { c.ContentBasedDeduplication = true }))
	w.send(q, "m", group("g"))
}

// Recorded on AWS, 2025-03: test_fifo_delete_after_visibility_timeout and ..._extended.
func TestFIFODeleteWithExpiredHandle(t *testing.T) {
	t.Parallel()
	w, q := fifoQueue(t, func(c *local.QueueConfig) { c.VisibilityTimeout = new(time.Second) })
	w.send(q, "foobar", group("1"))
	h := w.receive(q, 1)[0].ReceiptHandle
	w.must(q.ChangeVisibility(h, 10*time.Second))
	w.must(w.Jump(2 * time.Second))
	w.must(q.Delete(h))

	w.send(q, "second", group("1"))
	h = w.receive(q, 1)[0].ReceiptHandle
	w.must(w.Jump(2 * time.Second))
	wantError(t, q.Delete(h), "InvalidParameterValue", "Value "+h+" for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.")
	wantError(t, q.ChangeVisibility(h, 5*time.Second), "InvalidParameterValue", "The receipt handle has expired.")
}

func TestFIFORedriveResetsTheSentTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	dlq := w.queue(local.QueueConfig{Name: "dlq.fifo"})
	q := w.queue(local.QueueConfig{Name: "q.fifo", ContentBasedDeduplication: true, Redrive: &local.RedrivePolicy{DeadLetterTargetARN: dlq.ARN(), MaxReceiveCount: 1}})
	w.send(q, "m1", group("1"))
	w.send(q, "m2", group("1"))
	first := w.receive(q, 1)[0]
	w.must(w.Jump(time.Minute))
	if diff := cmp.Diff([]string{"m2"}, bodies(w.receive(q, 10))); diff != "" {
		t.Errorf("the group goes on behind a dead-lettered message: %s", diff)
	}
	dead := dlq.Snapshot()
	if len(dead) != 1 || dead[0].MessageID != first.MessageID || dead[0].GroupID != "1" || dead[0].System["SentTimestamp"] == first.System["SentTimestamp"] {
		t.Errorf("dead-letter queue: %+v", dead)
	}
}

// The property: whatever clients do, a FIFO queue hands out the messages of a group in order, never one while an earlier one is hidden, and keeps
// every message until it is deleted by a valid handle.
func TestFIFOProperty(t *testing.T) {
	t.Parallel()
	reached := map[string]int{}
	for seed := range uint64(200) {
		fifoProperty(t, seed, reached)
	}
	for what, floor := range map[string]int{"redelivered": 500, "deleted": 1000, "expired handle": 200, "returned by hand": 100, "duplicate": 200} {
		if reached[what] < floor {
			t.Errorf("%s: reached %d times, want %d at least: the property was hardly tested", what, reached[what], floor)
		}
	}
}

func fifoProperty(t *testing.T, seed uint64, reached map[string]int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 7))
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w := newWorld(t, local.Options{Seed: seed, Wall: func() time.Time { return begun }})
	q := w.queue(local.QueueConfig{Name: "q.fifo", VisibilityTimeout: new(10 * time.Second)})

	type state struct {
		number int
		handle string
		hidden time.Time
	}
	live := map[string][]*state{} // by group, in order
	var handles []string
	next := 0
	for range 150 {
		switch rnd.IntN(6) {
		case 0, 1:
			g := fmt.Sprint("g", rnd.IntN(3))
			id := fmt.Sprint(next)
			if next > 0 && rnd.IntN(8) == 0 {
				id = fmt.Sprint(rnd.IntN(next))
			}
			before := q.Counts().Total()
			if _, err := q.Send(local.SendInput{Body: g + " " + fmt.Sprint(next), GroupID: g, DeduplicationID: id}); err != nil {
				t.Fatal(err)
			}
			if q.Counts().Total() > before {
				live[g] = append(live[g], &state{number: next})
			} else {
				reached["duplicate"]++
			}
			next++
		case 2, 3:
			now := w.Now()
			for _, m := range w.receive(q, 1+rnd.IntN(4)) {
				var g string
				var number int
				if _, err := fmt.Sscan(m.Body, &g, &number); err != nil {
					t.Fatal(err)
				}
				i := slices.IndexFunc(live[g], func(s *state) bool { return s.number == number })
				if i < 0 {
					t.Fatalf("seed %d: message %d was received after it was deleted", seed, number)
				}
				for _, earlier := range live[g][:i] {
					// What came before in this very receive is hidden too, and may be.
					if earlier.hidden.After(now) && earlier.hidden.Sub(now) != 10*time.Second {
						t.Fatalf("seed %d: message %d was received while %d before it is in flight", seed, number, earlier.number)
					}
					if !earlier.hidden.After(now) {
						t.Fatalf("seed %d: message %d was received before %d", seed, number, earlier.number)
					}
				}
				s := live[g][i]
				if s.hidden.After(now) {
					t.Fatalf("seed %d: message %d was received while in flight", seed, number)
				}
				if s.handle != "" {
					reached["redelivered"]++
				}
				s.handle, s.hidden = m.ReceiptHandle, now.Add(10*time.Second)
				handles = append(handles, m.ReceiptHandle)
			}
		case 4:
			if len(handles) == 0 {
				continue
			}
			h := handles[rnd.IntN(len(handles))]
			err := q.Delete(h)
			for g, list := range live {
				i := slices.IndexFunc(list, func(s *state) bool { return s.handle == h })
				if i < 0 {
					continue
				}
				if valid := list[i].hidden.After(w.Now()); valid != (err == nil) {
					t.Fatalf("seed %d: delete of a message hidden until %v: %v", seed, list[i].hidden, err)
				} else if valid {
					live[g] = slices.Delete(list, i, i+1)
					reached["deleted"]++
				} else {
					reached["expired handle"]++
				}
			}
		case 5:
			if len(handles) > 0 && rnd.IntN(2) == 0 {
				h := handles[rnd.IntN(len(handles))]
				if q.ChangeVisibility(h, 0) == nil {
					for _, list := range live {
						for _, s := range list {
							if s.handle == h {
								s.hidden = w.Now()
								reached["returned by hand"]++
							}
						}
					}
				}
				continue
			}
			w.must(w.Jump(time.Duration(1+rnd.IntN(12)) * time.Second))
		}
	}
	want := 0
	for _, list := range live {
		want += len(list)
	}
	if got := q.Counts().Total(); got != want {
		t.Fatalf("seed %d: the queue has %d messages, want %d", seed, got, want)
	}
}

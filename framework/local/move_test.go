package local_test

import (
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/local"
)

// pipe is a queue whose messages go to its dead-letter queue at their second receive, and a third queue. suffix is "" or ".fifo".
func (w *world) pipe(suffix string) (source, dlq, other *local.Queue) {
	w.t.Helper()
	dlq = w.queue(local.QueueConfig{Name: "dlq" + suffix})
	other = w.queue(local.QueueConfig{Name: "other" + suffix})
	return w.source("source"+suffix, dlq), dlq, other
}

func (w *world) source(name string, dlq *local.Queue) *local.Queue {
	w.t.Helper()
	return w.queue(local.QueueConfig{Name: name, Redrive: &local.RedrivePolicy{DeadLetterTargetARN: dlq.ARN(), MaxReceiveCount: 1}})
}

// bury sends messages to source and receives them until they are in its dead-letter queue.
func (w *world) bury(source *local.Queue, messages ...local.SendInput) {
	w.t.Helper()
	for _, in := range messages {
		_, err := source.Send(in)
		w.must(err)
		w.receive(source, 1, 0)
		if got := w.receive(source, 1, 0); len(got) != 0 {
			w.t.Fatalf("%q was handed out twice", in.Body)
		}
	}
}

func (w *world) bodiesIn(q *local.Queue) []string {
	out := []string{}
	for _, m := range q.Snapshot() {
		out = append(out, m.Body)
	}
	return out
}

// move starts a task and lets the engine come to rest.
func (w *world) move(in local.MoveInput) local.MoveTask {
	w.t.Helper()
	_, err := w.StartMove(in)
	w.must(err)
	w.quiet()
	return w.task(in.SourceARN)
}

func (w *world) task(source string) local.MoveTask {
	w.t.Helper()
	tasks, err := w.Moves(source, 1)
	w.must(err)
	if len(tasks) != 1 {
		w.t.Fatalf("%d tasks, want 1", len(tasks))
	}
	return tasks[0]
}

// Recorded on AWS: test_move_task_workflow_with_multiple_sources_as_default_destination.
func TestMoveTaskReturnsEachMessageToItsSource(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		first, dlq, _ := w.pipe("")
		second := w.source("second", dlq)
		attrs := map[string]local.AttributeValue{"event-type": {DataType: "String", StringValue: "a.b.v1"}, "bin": {DataType: "Binary", BinaryValue: []byte{0, 255}}}
		w.bury(first, local.SendInput{Body: "a", Attributes: attrs, TraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793", GroupID: "tenant"}, local.SendInput{Body: "b"})
		w.bury(second, local.SendInput{Body: "c"})
		before := dlq.Snapshot()
		w.must(w.Jump(24 * time.Hour))

		task := w.move(local.MoveInput{SourceARN: dlq.ARN()})
		want := local.MoveTask{Handle: task.Handle, SourceARN: dlq.ARN(), Started: task.Started, Status: local.MoveCompleted, Moved: 3, ToMove: 3}
		if diff := cmp.Diff(want, task); diff != "" {
			t.Error(diff)
		}
		got := map[string][]string{"dlq": w.bodiesIn(dlq), "source": w.bodiesIn(first), "second": w.bodiesIn(second)}
		if diff := cmp.Diff(map[string][]string{"dlq": {}, "source": {"a", "b"}, "second": {"c"}}, got); diff != "" {
			t.Error(diff)
		}

		// A moved message is a new one with the old one's contents.
		m := first.Snapshot()[0]
		switch {
		case m.MessageID == before[0].MessageID:
			t.Error("the message id stayed")
		case m.ReceiveCount != 0 || m.System["DeadLetterQueueSourceArn"] != "":
			t.Errorf("receive count %d, system attributes %v", m.ReceiveCount, m.System)
		case m.SentAt.Sub(before[0].SentAt) < 24*time.Hour:
			t.Errorf("enqueued at %s, as long ago as before", m.SentAt)
		case m.OriginARN != dlq.ARN() || m.OriginID != before[0].MessageID:
			t.Errorf("origin %s %s", m.OriginARN, m.OriginID)
		case m.System["AWSTraceHeader"] != "Root=1-5759e988-bd862e3fe1be46a994272793" || m.GroupID != "tenant":
			t.Errorf("group %q, system attributes %v", m.GroupID, m.System)
		}
		if diff := cmp.Diff(attrs, m.Attributes); diff != "" {
			t.Error(diff)
		}

		var told []string
		for _, e := range w.journal(local.MoveStarted, local.MoveEnded, local.MessageDeleted) {
			told = append(told, fmt.Sprint(e.Kind, " ", e.Queue, " ", e.Cause, " ", e.Detail))
		}
		if diff := cmp.Diff([]string{
			"move.started dlq  3 messages to move", "message.deleted dlq moved ", "message.deleted dlq moved ", "message.deleted dlq moved ",
			"move.ended dlq COMPLETED 3 of 3 messages moved",
		}, told); diff != "" {
			t.Error(diff)
		}

		// It has all its receives again before it is dead-lettered again.
		if got := bodies(w.receive(first, 10, 0)); len(got) != 2 {
			t.Errorf("received %v", got)
		}
	})
}

// SQS developer guide: CouldNotDetermineMessageSource.
func TestMoveTaskOfASentMessage(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		source, dlq, other := w.pipe("")
		w.bury(source, local.SendInput{Body: "dead-lettered"})
		w.send(dlq, "sent")
		w.bury(source, local.SendInput{Body: "behind"})

		task := w.move(local.MoveInput{SourceARN: dlq.ARN()})
		if task.Status != local.MoveFailed || task.FailureReason != "CouldNotDetermineMessageSource" || task.Moved != 1 || task.ToMove != 3 {
			t.Errorf("task: %+v", task)
		}
		if diff := cmp.Diff([]string{"sent", "behind"}, w.bodiesIn(dlq)); diff != "" {
			t.Error(diff)
		}

		task = w.move(local.MoveInput{SourceARN: dlq.ARN(), DestinationARN: other.ARN()})
		if task.Status != local.MoveCompleted || task.FailureReason != "" || task.Moved != 2 {
			t.Errorf("task: %+v", task)
		}
		if diff := cmp.Diff([]string{"sent", "behind"}, w.bodiesIn(other)); diff != "" || dlq.Counts().Total() != 0 {
			t.Errorf("%d messages are left; %s", dlq.Counts().Total(), diff)
		}
		tasks, err := w.Moves(dlq.ARN(), 10)
		w.must(err)
		if len(tasks) != 2 || tasks[0].Status != local.MoveCompleted || tasks[1].Status != local.MoveFailed {
			t.Errorf("the tasks are not listed newest first: %+v", tasks)
		}
	})
}

// What arrives while a task runs, or is in flight when it comes by, stays.
func TestMoveTaskMovesWhatWasThere(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		source, dlq, _ := w.pipe("")
		for i := range 5 {
			w.bury(source, local.SendInput{Body: fmt.Sprint(i)})
		}
		w.receive(dlq, 1, time.Hour)
		begun := w.Now()
		release := w.Hold()
		_, err := w.StartMove(local.MoveInput{SourceARN: dlq.ARN(), MaxPerSecond: new(2)})
		w.must(err)
		w.send(dlq, "late")
		release()
		w.quiet()
		if task := w.task(dlq.ARN()); task.Status != local.MoveCompleted || task.Moved != 4 || task.ToMove != 4 {
			t.Errorf("task: %+v", task)
		}
		if diff := cmp.Diff([]string{"0", "late"}, w.bodiesIn(dlq)); diff != "" {
			t.Error(diff)
		}
		// Two at once and two a second later.
		var at []time.Duration
		for _, e := range w.journal(local.MessageDeleted) {
			at = append(at, e.Time.Sub(begun).Round(time.Second))
		}
		if diff := cmp.Diff([]time.Duration{0, 0, time.Second, time.Second}, at); diff != "" {
			t.Error(diff)
		}
	})
}

// Recorded on AWS: test_move_task_cancel.
func TestMoveTaskCancel(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		source, dlq, other := w.pipe("")
		for i := range 10 {
			w.bury(source, local.SendInput{Body: fmt.Sprint(i)})
		}
		release := w.Hold()
		handle, err := w.StartMove(local.MoveInput{SourceARN: dlq.ARN(), DestinationARN: other.ARN(), MaxPerSecond: new(1)})
		w.must(err)
		_, err = w.StartMove(local.MoveInput{SourceARN: dlq.ARN()})
		wantError(t, err, "InvalidParameterValue", "There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
		time.Sleep(1500 * time.Millisecond) // of the bubble's clock
		if task := w.task(dlq.ARN()); task.Status != local.MoveRunning || task.Moved != 2 || task.MaxPerSecond != 1 || task.Handle != handle {
			t.Errorf("while it runs: %+v", task)
		}
		moved, err := w.CancelMove(handle)
		w.must(err)
		release()
		w.quiet()
		if task := w.task(dlq.ARN()); task.Status != local.MoveCancelled || task.Moved != 2 || moved != 2 || task.ToMove != 10 {
			t.Errorf("cancelled after %d: %+v", moved, task)
		}
		if d, o := dlq.Counts().Total(), other.Counts().Total(); d != 8 || o != 2 {
			t.Errorf("%d in the source and %d in the destination, want 8 and 2", d, o)
		}
		_, err = w.CancelMove(handle)
		wantError(t, err, "AWS.SimpleQueueService.UnsupportedOperation", "this one is CANCELLED")
		if task := w.move(local.MoveInput{SourceARN: dlq.ARN()}); task.Status != local.MoveCompleted || task.Moved != 8 {
			t.Errorf("the next task: %+v", task)
		}
	})
}

// Nothing drives this engine, so the status between can be seen.
func TestMoveTaskIsCancellingUntilTheEngineComesBy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	source, dlq, _ := w.pipe("")
	w.bury(source, local.SendInput{Body: "a"})
	handle, err := w.StartMove(local.MoveInput{SourceARN: dlq.ARN()})
	w.must(err)
	if w.Idle() {
		t.Error("the engine is idle beside a task that is due")
	}
	_, err = w.CancelMove(handle)
	w.must(err)
	if task := w.task(dlq.ARN()); task.Status != local.MoveCancelling || w.Idle() {
		t.Errorf("task: %+v, idle: %t", task, w.Idle())
	}
	_, err = w.StartMove(local.MoveInput{SourceARN: dlq.ARN()})
	wantError(t, err, "InvalidParameterValue", "There is already a task running.")
}

// Recorded on AWS: test_move_task_delete_destination_queue_while_running.
func TestMoveTaskWhoseQueueIsDeleted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		remove, destination string
		moved               int
	}{
		"destination":           {"other", "other", 1},
		"source of the message": {"source", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, func(t *testing.T, w *world) {
				source, dlq, _ := w.pipe("")
				for i := range 3 {
					w.bury(source, local.SendInput{Body: fmt.Sprint(i)})
				}
				in := local.MoveInput{SourceARN: dlq.ARN(), MaxPerSecond: new(1)}
				if q, ok := w.Queue(c.destination); ok {
					in.DestinationARN = q.ARN()
				}
				release := w.Hold()
				_, err := w.StartMove(in)
				w.must(err)
				time.Sleep(500 * time.Millisecond) // of the bubble's clock
				w.must(w.DeleteQueue(c.remove))
				release()
				w.quiet()
				task := w.task(dlq.ARN())
				if task.Status != local.MoveFailed || task.FailureReason != "AWS.SimpleQueueService.NonExistentQueue" || task.Moved != c.moved {
					t.Errorf("task: %+v", task)
				}
				if n := dlq.Counts().Total(); n != 2 {
					t.Errorf("%d messages are left, want 2", n)
				}
			})
		})
	}
	t.Run("dead-letter queue", func(t *testing.T) {
		t.Parallel()
		simulate(t, func(t *testing.T, w *world) {
			source, dlq, _ := w.pipe("")
			w.bury(source, local.SendInput{Body: "a"}, local.SendInput{Body: "b"})
			release := w.Hold()
			handle, err := w.StartMove(local.MoveInput{SourceARN: dlq.ARN(), MaxPerSecond: new(1)})
			w.must(err)
			time.Sleep(500 * time.Millisecond) // of the bubble's clock
			w.must(w.DeleteQueue("dlq"))
			release()
			w.quiet()
			_, err = w.CancelMove(handle)
			wantError(t, err, "ResourceNotFoundException", "SourceArn")
			if ends := w.journal(local.MoveEnded); len(ends) != 1 || ends[0].Cause != "FAILED" {
				t.Errorf("journal: %+v", ends)
			}
		})
	})
}

func TestMoveTaskHasNoTimeLimit(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		_, dlq, other := w.pipe("")
		w.must(dlq.Update(func(c *local.QueueConfig) { c.Retention = 14 * 24 * time.Hour }))
		const days = 2
		begun := w.Now()
		release := w.Hold()
		for i := range days * 24 {
			w.send(dlq, fmt.Sprint(i))
		}
		handle, err := w.StartMove(local.MoveInput{SourceARN: dlq.ARN(), DestinationARN: other.ARN(), MaxPerSecond: new(1)})
		w.must(err)
		for range days * 24 {
			w.must(w.Jump(time.Hour))
			time.Sleep(time.Second)
		}
		release()
		w.quiet()
		if task := w.task(dlq.ARN()); task.Handle != handle || task.Status != local.MoveCompleted || task.Moved != days*24 || w.Now().Sub(begun) < 36*time.Hour {
			t.Errorf("after %s: %+v", w.Now().Sub(begun), task)
		}
	})
}

func TestMoveTaskOfATooLongMessage(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		source, dlq, _ := w.pipe("")
		small := w.queue(local.QueueConfig{Name: "small", MaximumMessageSize: 1024})
		w.bury(source, local.SendInput{Body: fmt.Sprintf("%01025d", 0)})
		if task := w.move(local.MoveInput{SourceARN: dlq.ARN(), DestinationARN: small.ARN()}); task.Status != local.MoveFailed || task.FailureReason != "InvalidParameterValue" {
			t.Errorf("task: %+v", task)
		}
		if d, s := dlq.Counts().Total(), small.Counts().Total(); d != 1 || s != 0 {
			t.Errorf("%d in the source and %d in the destination", d, s)
		}
	})
}

// A FIFO queue remembers a deduplication id for five minutes, and a move within them must not be taken for a second send.
func TestMoveTaskOfAFIFOQueue(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		source, dlq, _ := w.pipe(".fifo")
		for _, m := range []struct{ body, group string }{{"a1", "a"}, {"a2", "a"}, {"b1", "b"}, {"b2", "b"}} {
			w.bury(source, local.SendInput{Body: m.body, GroupID: m.group, DeduplicationID: "d-" + m.body})
		}
		before := map[string]local.MessageState{}
		for _, m := range dlq.Snapshot() {
			before[m.Body] = m
		}
		w.receive(dlq, 1, time.Hour) // a1, and with it its group
		if task := w.move(local.MoveInput{SourceARN: dlq.ARN()}); task.Status != local.MoveCompleted || task.Moved != 2 {
			t.Errorf("task: %+v", task)
		}
		if diff := cmp.Diff([]string{"a1", "a2"}, w.bodiesIn(dlq)); diff != "" {
			t.Errorf("order within a group: %s", diff)
		}
		moved := source.Snapshot()
		if diff := cmp.Diff([]string{"b1", "b2"}, w.bodiesIn(source)); diff != "" {
			t.Fatal(diff)
		}
		for _, m := range moved {
			id := m.System["MessageDeduplicationId"]
			if m.GroupID != "b" || id == "" || id == before[m.Body].System["MessageDeduplicationId"] || m.System["SequenceNumber"] <= before[m.Body].System["SequenceNumber"] {
				t.Errorf("moved %+v, was %+v", m, before[m.Body])
			}
		}
	})
}

func TestMoveTaskValidates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	source, dlq, other := w.pipe("")
	fifo := w.queue(local.QueueConfig{Name: "other2.fifo"})
	arn := "arn:aws:sqs:us-east-1:000000000000:none"
	for _, c := range []struct {
		in         local.MoveInput
		code, text string
	}{
		{local.MoveInput{}, "MissingParameter", "The request must contain the parameter SourceArn."},
		{local.MoveInput{SourceARN: arn}, "ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist."},
		{local.MoveInput{SourceARN: source.ARN(), DestinationARN: other.ARN()}, "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue."},
		{local.MoveInput{SourceARN: dlq.ARN(), DestinationARN: arn}, "ResourceNotFoundException", "The resource that you specified for the DestinationArn parameter doesn't exist."},
		{local.MoveInput{SourceARN: dlq.ARN(), DestinationARN: dlq.ARN()}, "InvalidParameterValue", "It is the source queue."},
		{local.MoveInput{SourceARN: dlq.ARN(), DestinationARN: fifo.ARN()}, "InvalidParameterValue", "same type of queue"},
		{local.MoveInput{SourceARN: dlq.ARN(), MaxPerSecond: new(0)}, "InvalidParameterValue", "Value 0 for parameter MaxNumberOfMessagesPerSecond"},
		{local.MoveInput{SourceARN: dlq.ARN(), MaxPerSecond: new(501)}, "InvalidParameterValue", "Must be between 1 and 500"},
	} {
		_, err := w.StartMove(c.in)
		wantError(t, err, c.code, c.text)
	}
	if n := len(w.journal(local.MoveStarted)); n != 0 {
		t.Errorf("%d tasks started", n)
	}
	for _, limit := range []int{0, 11} {
		_, err := w.Moves(dlq.ARN(), limit)
		wantError(t, err, "InvalidParameterValue", "Must be between 1 and 10")
	}
	_, err := w.Moves("", 1)
	wantError(t, err, "MissingParameter", "SourceArn")
	_, err = w.Moves(arn, 1)
	wantError(t, err, "ResourceNotFoundException", "SourceArn")
	if tasks, err := w.Moves(source.ARN(), 1); err != nil || len(tasks) != 0 {
		t.Errorf("a queue without tasks: %v, %v", tasks, err)
	}

	handle := func(id, source string) string {
		return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"taskId":%q,"sourceArn":%q}`, id, source))
	}
	for _, c := range []struct{ handle, code, text string }{
		{"", "MissingParameter", "TaskHandle"},
		{"foobared", "InvalidParameterValue", "Value for parameter TaskHandle is invalid."},
		{handle("", dlq.ARN()), "InvalidParameterValue", "Value for parameter TaskHandle is invalid."},
		{handle("10f57157-fc38-4da9-a113-4de7e12d05dd", arn), "ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist."},
		{handle("10f57157-fc38-4da9-a113-4de7e12d05aa", dlq.ARN()), "ResourceNotFoundException", "Task does not exist."},
	} {
		_, err := w.CancelMove(c.handle)
		wantError(t, err, c.code, c.text)
	}
}

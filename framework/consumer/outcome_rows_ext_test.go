package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

type tests = map[string]func(*bench)

// same is for a row whose test is one for all columns.
func same(std, fifoText, directText string, t tests) map[column]cell {
	return map[column]cell{standard: {std, t}, fifo: {fifoText, t}, direct: {directText, t}}
}

func outcomeRows() []row {
	return []row{
		{"nil", same("settled", "settled", "nil", tests{"settles": func(b *bench) {
			b.wantFailed(b.deliver(b.batch(placed{"o-1", "a"})))
			b.wantRan("o-1")
			b.wantStatus("o-1", idempotency.StatusCompleted, false)
		}})},
		{"error, panic (recovered per record)", map[column]cell{
			standard: {"reported, hidden for the back-off", failures(func(b *bench) {
				batch := b.batch(placed{"o-1", "a"}, placed{"bad", "a"}, placed{"o-2", "a"})
				batch.Messages[1].ReceiveCount = 3
				b.wantFailed(b.deliver(batch), 1)
				b.wantHidden(batch, 1, time.Minute, 2*time.Minute) // 30 s x 4, half of it fixed
				b.wantStatus("bad", idempotency.StatusInProgress, true)
				b.wantStatus("o-2", idempotency.StatusCompleted, false)
			})},
			fifo: {"reported, with every later message of its group, which are not run", failures(func(b *bench) {
				batch := b.batch(placed{"o-1", "a"}, placed{"bad", "a"}, placed{"o-2", "a"}, placed{"o-3", "b"}, placed{"o-4", "a"})
				b.wantFailed(b.deliver(batch), 1, 2, 4)
				slices.Sort(b.ran)
				b.wantRan("bad", "o-1", "o-3")
				d := b.wantHidden(batch, 1, 15*time.Second, 30*time.Second)
				b.wantHidden(batch, 2, d, d) // a group comes back together
				b.wantHidden(batch, 4, d, d)
				b.wantStatus("o-2", idempotency.StatusInProgress, true)
			})},
			direct: {"error: Lambda retries, then the failure destination", failures(func(b *bench) {
				b.wantFailed(b.deliver(b.batch(placed{"bad", ""})), 0)
				b.wantStatus("bad", idempotency.StatusInProgress, true)
			})},
		}},
		{"`RetryAfter(d, err)`", same("reported, hidden for d", "same", "error", tests{"hides for d": func(b *bench) {
			b.handle = func(context.Context, consumer.Message[placed]) error {
				return consumer.RetryAfter(90*time.Second, errWork)
			}
			batch := b.batch(placed{"o-1", "a"})
			b.wantFailed(b.deliver(batch), 0)
			b.wantHidden(batch, 0, 90*time.Second, 90*time.Second)
		}})},
		{"`Permanent(err)`, undecodable, unknown type", map[column]cell{
			standard: {"to the dead-letter sink, then settled; if that send fails: reported", permanents(0)},
			fifo:     {"same; the group goes on", permanents(1)},
			direct: {"to the sink, then nil; with no sink: error", mergeTests(permanents(0), tests{"no sink": func(b *bench) {
				b.queue = nil
				b.handle = func(context.Context, consumer.Message[placed]) error { return consumer.Permanent(errWork) }
				b.wantFailed(b.deliver(b.batch(placed{"o-1", "a"})), 0)
			}})},
		}},
		{"`Skip(reason)`", same("settled, counted", "same", "nil, counted", tests{"settles and says so": func(b *bench) {
			b.handle = func(context.Context, consumer.Message[placed]) error { return consumer.Skip("test order") }
			batch := b.batch(placed{"o-1", "a"})
			b.wantFailed(b.deliver(batch))
			b.wantFailed(b.deliver(batch.Redeliver()))
			b.wantRan("o-1")
			if !strings.Contains(b.logs.String(), "test order") {
				b.t.Error("the reason is not logged")
			}
		}})},
		{"already completed", same("settled, not run", "same", "nil", tests{"settles without running": func(b *bench) {
			batch := b.batch(placed{"o-1", "a"})
			b.wantFailed(b.deliver(batch))
			b.wantFailed(b.deliver(batch.Redeliver()))
			b.wantRan("o-1")
		}})},
		inProgress(),
		{"store unreachable", same("reported, hidden, never run unguarded", "same", "error", tests{"never runs": func(b *bench) {
			b.store = brokenStore{}
			batch := b.batch(placed{"o-1", "a"})
			b.wantFailed(b.deliver(batch), 0)
			b.wantHidden(batch, 0, 15*time.Minute, 15*time.Minute)
			b.wantRan()
		}})},
		{"work done, completion not written", same("settled, counted", "settled, counted", "nil, counted", tests{"settles and says so": func(b *bench) {
			b.store = forgetfulStore{b.memory}
			b.wantFailed(b.deliver(b.batch(placed{"o-1", "a"})))
			b.wantRan("o-1")
			if !strings.Contains(b.logs.String(), "completion not written") {
				b.t.Error("nothing is logged")
			}
		}})},
		deadlineUnstarted(),
		deadlineRunning(),
		copies(),
	}
}

func mergeTests(all ...tests) tests {
	out := tests{}
	for _, ts := range all {
		maps.Copy(out, ts)
	}
	return out
}

// failures runs f with each way a handler can fail on the event "bad".
func failures(f func(*bench)) tests {
	out := tests{}
	for name, fail := range map[string]func() error{
		"error": func() error { return errWork },
		"panic": func() error { panic("out of cheese") },
	} {
		out[name] = func(b *bench) {
			b.handle = func(_ context.Context, msg consumer.Message[placed]) error {
				if msg.Event.ID == "bad" {
					return fail()
				}
				return nil
			}
			f(b)
		}
	}
	return out
}

// permanents are the ways to be permanent. The last message of a FIFO group
// shows that the group went on; ran counts it.
func permanents(ran int) tests {
	good := placed{"o-2", ""}
	run := func(b *bench, bad consumertest.Batch) {
		b.t.Helper()
		sendErr := errors.New("the sink is away")
		b.queue.SendErr = func(consumer.DeadLetter) error { return sendErr }
		o := b.deliver(bad)
		b.wantFailed(o, 0)
		b.wantLetters(0)

		sendErr = nil
		if ran > 0 {
			bad = bad.Add(b.batch(good))
		}
		b.wantFailed(b.deliver(bad.Redeliver()))
		letter := b.wantLetters(1)[0]
		if letter.Body != bad.Messages[0].Body && b.source != direct {
			b.t.Errorf("body became %q", letter.Body)
		}
		if ran > 0 && !slices.Contains(b.ran, "o-2") {
			b.t.Errorf("ran %v: the group did not go on", b.ran)
		}
	}
	return tests{
		"Permanent": func(b *bench) {
			fail := true
			b.handle = func(_ context.Context, msg consumer.Message[placed]) error {
				if fail && msg.Event.ID == "o-1" {
					return consumer.Permanent(fmt.Errorf("no such customer: %w", errWork))
				}
				return nil
			}
			run(b, b.batch(placed{"o-1", ""}))
			letter := b.wantLetters(1)[0]
			if !errors.Is(letter.Reason, errWork) {
				b.t.Errorf("reason = %v", letter.Reason)
			}
			// Released, not completed: a redrive runs it, under its old key.
			b.wantStatus("o-1", idempotency.StatusInProgress, true)
			if b.source != direct {
				fail = false
				b.ran = nil
				redriven := consumertest.Redrive(b.queue.DeadLetters())
				b.wantFailed(b.deliver(redriven))
				b.wantFailed(b.deliver(redriven.Redeliver()))
				b.wantRan("o-1")
				b.wantStatus("o-1", idempotency.StatusCompleted, false)
			}
		},
		"undecodable": func(b *bench) {
			bad := b.batch(placed{"o-1", ""})
			bad.Messages[0].Body = `{"id": 5}`
			run(b, bad)
			var decode *consumer.DecodeError
			if reason := b.wantLetters(1)[0].Reason; !errors.As(reason, &decode) {
				b.t.Errorf("reason = %v", reason)
			}
		},
		"unknown type": func(b *bench) {
			run(b, b.batch(other{"o-1"}))
			var unknown *consumer.UnknownTypeError
			if reason := b.wantLetters(1)[0].Reason; !errors.As(reason, &unknown) || unknown.Type != "orders.cancelled.v1" {
				b.t.Errorf("reason = %v", reason)
			}
		},
	}
}

// claimElsewhere lets another attempt hold the key for a while.
func claimElsewhere(b *bench, key string, lease time.Duration) idempotency.Settlement {
	b.t.Helper()
	now := time.Now()
	req := idempotency.ClaimRequest{Key: "test#orders.placed#" + key, Owner: "elsewhere", Now: now, Lease: now.Add(lease), Expires: now.Add(time.Hour)}
	results, err := b.memory.Claim(b.t.Context(), []idempotency.ClaimRequest{req})
	if err != nil || results[0].Outcome != idempotency.Claimed {
		b.t.Fatalf("claim elsewhere: %v %v", results, err)
	}
	return idempotency.NewClaim(req, results[0]).Settlement(idempotency.Complete)
}

func inProgress() row {
	return row{"in progress elsewhere", map[column]cell{
		standard: {"reported, hidden for the rest of the lease", tests{"hides for the lease": func(b *bench) {
			claimElsewhere(b, "o-1", 40*time.Second)
			batch := b.batch(placed{"o-1", "a"}, placed{"o-2", "a"})
			b.wantFailed(b.deliver(batch), 0)
			b.wantHidden(batch, 0, 40*time.Second, 41*time.Second)
			b.wantRan("o-2")
		}}},
		fifo: {"reported, with the rest of its group", tests{"stops its group": func(b *bench) {
			claimElsewhere(b, "o-1", 40*time.Second)
			batch := b.batch(placed{"o-1", "a"}, placed{"o-2", "a"}, placed{"o-3", "b"})
			b.wantFailed(b.deliver(batch), 0, 1)
			d := b.wantHidden(batch, 0, 40*time.Second, 41*time.Second)
			b.wantHidden(batch, 1, d, d)
			b.wantRan("o-3")
		}}},
		direct: {"waits in this invocation: completed > nil; lease over > takes over and runs; own margin reached > error", tests{
			"completed": func(b *bench) {
				s := claimElsewhere(b, "o-1", 40*time.Second)
				go func() {
					time.Sleep(3 * time.Second)
					b.memory.Settle(context.Background(), []idempotency.Settlement{s})
				}()
				b.wantFailed(b.within(30*time.Second, b.batch(placed{"o-1", ""})))
				b.wantRan()
			},
			"lease over": func(b *bench) {
				claimElsewhere(b, "o-1", 10*time.Second)
				start := time.Now()
				b.wantFailed(b.within(30*time.Second, b.batch(placed{"o-1", ""})))
				b.wantRan("o-1")
				if waited := time.Since(start); waited < 10*time.Second {
					b.t.Errorf("took over after %s, before the lease ended", waited)
				}
				b.wantStatus("o-1", idempotency.StatusCompleted, false)
			},
			"margin": func(b *bench) {
				claimElsewhere(b, "o-1", time.Minute)
				start := time.Now()
				b.wantFailed(b.within(30*time.Second, b.batch(placed{"o-1", ""})), 0)
				b.wantRan()
				if waited := time.Since(start); waited < 25*time.Second || waited >= 30*time.Second {
					b.t.Errorf("answered after %s", waited)
				}
			},
		}},
	}}
}

func deadlineUnstarted() row {
	// One worker, whose handler obeys its context: the second message is never
	// started.
	run := func(b *bench) {
		b.handle = func(ctx context.Context, _ consumer.Message[placed]) error { <-ctx.Done(); return ctx.Err() }
		if b.source == direct {
			b.wantFailed(b.within(30*time.Second, b.batch(placed{"o-1", ""})), 0)
			return
		}
		c, err := consumer.NewSQS("test", func(ctx context.Context, msg consumer.Message[placed]) error {
			b.mu.Lock()
			b.ran = append(b.ran, msg.Event.ID)
			b.mu.Unlock()
			return b.handle(ctx, msg)
		}, consumer.WithConcurrency(1), consumer.WithIdempotency(b.memory), b.queue.Option())
		if err != nil {
			b.t.Fatal(err)
		}
		b.c = c
		batch := b.batch(placed{"o-1", "a"}, placed{"o-2", "a"}, placed{"o-3", "b"})
		start := time.Now()
		b.wantFailed(b.within(30*time.Second, batch), 0, 1, 2)
		if took := time.Since(start); took >= 30*time.Second {
			b.t.Errorf("answered after %s", took)
		}
		b.wantRan("o-1")
		b.wantStatus("o-2", idempotency.StatusInProgress, true)
		b.wantStatus("o-3", idempotency.StatusInProgress, true)
		d := b.wantHidden(batch, 0, 15*time.Second, 30*time.Second)
		if b.source == fifo {
			b.wantHidden(batch, 1, d, d)
		}
	}
	return row{"deadline margin, not started", map[column]cell{
		standard: {"reported, claim released", tests{"releases": run}},
		fifo:     {"same, in order", tests{"releases": run}},
		direct:   {"error", tests{"error": run}},
	}}
}

func deadlineRunning() row {
	obedient := func(b *bench) {
		b.handle = func(ctx context.Context, _ consumer.Message[placed]) error { <-ctx.Done(); return ctx.Err() }
		batch := b.batch(placed{"o-1", "a"})
		start := time.Now()
		b.wantFailed(b.within(20*time.Second, batch), 0)
		if took := time.Since(start); took < 18*time.Second || took >= 20*time.Second {
			b.t.Errorf("answered after %s: the margin is 2 s", took)
		}
		b.wantStatus("o-1", idempotency.StatusInProgress, true)
	}
	hung := func(b *bench) {
		release := make(chan struct{})
		b.handle = func(context.Context, consumer.Message[placed]) error { <-release; return nil }
		batch := b.batch(placed{"o-1", "a"})
		start := time.Now()
		b.wantFailed(b.within(20*time.Second, batch), 0)
		if took := time.Since(start); took < 19*time.Second || took >= 20*time.Second {
			b.t.Errorf("answered after %s: half the margin is 1 s", took)
		}
		// Kept: the sandbox may thaw beside the next attempt.
		b.wantStatus("o-1", idempotency.StatusInProgress, false)
		if b.source != direct {
			b.wantHidden(batch, 0, 6*time.Second, 7*time.Second) // the lease ends 5 s after the deadline
		}
		close(release)
		synctest.Wait()
		b.wantStatus("o-1", idempotency.StatusInProgress, false) // a late end completes nothing
	}
	return row{"deadline margin, running", same(
		"ctx cancelled, reported; claim released if the handler returned, else kept (it may thaw beside its successor; its late completion is fenced)", "same", "error",
		tests{"obedient": obedient, "hung": hung})}
}

func copies() row {
	each := func(b *bench) {
		batch := b.batch(placed{"o-1", "a"}, placed{"o-1", "a"}, placed{"o-2", "a"})
		b.wantFailed(b.deliver(batch))
		slices.Sort(b.ran)
		b.wantRan("o-1", "o-2")
	}
	failing := func(b *bench) {
		b.handle = func(context.Context, consumer.Message[placed]) error { return errWork }
		batch := b.batch(placed{"o-1", "a"}, placed{"o-1", "b"})
		b.wantFailed(b.deliver(batch), 0, 1)
		b.wantRan("o-1")
	}
	return row{"same key twice in one batch", map[column]cell{
		standard: {"run once, every copy gets its result", tests{
			"settled": each, "failed": failing,
			"dead-lettered": func(b *bench) {
				b.handle = func(context.Context, consumer.Message[placed]) error { return consumer.Permanent(errWork) }
				b.wantFailed(b.deliver(b.batch(placed{"o-1", "a"}, placed{"o-1", "a"})))
				b.wantRan("o-1")
				b.wantLetters(2) // each message is safe on its own
			},
		}},
		fifo: {"same; a copy in another group waits for its leader without holding a worker", tests{
			"settled": each, "failed": failing,
			"other group": func(b *bench) {
				c, err := consumer.NewSQS("test", func(_ context.Context, msg consumer.Message[placed]) error {
					time.Sleep(time.Second)
					b.mu.Lock()
					defer b.mu.Unlock()
					b.ran = append(b.ran, msg.Event.ID)
					return nil
				}, consumer.WithConcurrency(1), consumer.WithIdempotency(b.memory))
				if err != nil {
					b.t.Fatal(err)
				}
				b.c = c
				// The one worker is o-0's and then o-1's; the copy of o-1 at
				// the head of its group must not take it.
				batch := b.batch(placed{"o-0", "a"}, placed{"o-1", "a"}, placed{"o-1", "b"}, placed{"o-2", "b"})
				b.wantFailed(b.deliver(batch))
				b.wantRan("o-0", "o-1", "o-2")
			},
		}},
		direct: {"-", nil},
	}}
}

// brokenStore is a store that cannot be reached.
type brokenStore struct{}

var errDown = errors.New("connection refused")

func (brokenStore) Claim(context.Context, []idempotency.ClaimRequest) ([]idempotency.ClaimResult, error) {
	return nil, errDown
}

func (brokenStore) Settle(_ context.Context, s []idempotency.Settlement) []error {
	return slices.Repeat([]error{errDown}, len(s))
}

func (brokenStore) Get(context.Context, string) (idempotency.Record, bool, error) {
	return idempotency.Record{}, false, errDown
}

// forgetfulStore takes claims and loses completions.
type forgetfulStore struct{ *idempotency.Memory }

func (forgetfulStore) Settle(_ context.Context, s []idempotency.Settlement) []error {
	return slices.Repeat([]error{errDown}, len(s))
}

package consumertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// Exercise puts a consumer through what every consumer must survive, each in a
// subtest with a consumer of its own: double delivery, copies in one batch and
// in one FIFO group, an error and a panic before and after the work, a deadline
// in the middle of a batch, and redelivery after a failure at each point of the
// idempotency protocol. It fails the test if a message is not settled in the
// end, if work is run again that was known to be done, or if events that have
// one key (an old version and its upgrade) are run more than once.
//
// NewConsumer must build a consumer with an idempotency store: the one it is
// given, which handlers that use Memory's InTx need, or any; and it must pass
// opts on, after its own options. It is called for each subtest, in a
// testing/synctest bubble: what it makes must not be shared between calls.
// Events are good ones, that the handler settles; give one of each kind, and an
// old version beside its upgrade.
//
// Whether the handler's own effects may happen twice is for the handler's test
// to say: where this runs a handler again after its work, a crash would too.
func Exercise(t *testing.T, newConsumer func(store *idempotency.Memory, opts ...consumer.Option) (*consumer.Consumer, error), events ...consumer.Event) {
	t.Helper()
	if len(events) == 0 {
		t.Fatal("consumertest: Exercise needs at least one event")
	}
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &exercise{t: t, store: idempotency.NewMemory(), runs: map[string]int{}}
				faulty := &faultyStore{Memory: e.store}
				c, err := newConsumer(e.store, consumer.WithIdempotency(faulty), consumer.WithMiddleware(e.watch))
				if err != nil {
					t.Fatal(err)
				}
				e.c, e.faults, e.batch = c, faulty, batchOf(c.Source(), events)
				s.run(e)
			})
		})
	}
}

func batchOf(source consumer.Source, events []consumer.Event) Batch {
	switch source {
	case consumer.SNS:
		return SNS(events...)
	case consumer.EventBridge:
		return EventBridge(events...)
	default:
		return SQS(events...)
	}
}

// exercise is one scenario under way.
type exercise struct {
	t      *testing.T
	c      *consumer.Consumer
	store  *idempotency.Memory
	faults *faultyStore
	batch  Batch

	mu     sync.Mutex
	runs   map[string]int // of the handler, by event name and key
	before func(ctx context.Context, n int) error
	after  func(n int) error
}

// watch counts the handler's runs, and fails around them as the scenario says.
func (e *exercise) watch(next consumer.Next) consumer.Next {
	return func(ctx context.Context, d *consumer.Delivery) error {
		e.mu.Lock()
		name := d.Type
		if i := strings.LastIndex(name, ".v"); i > 0 {
			name = name[:i]
		}
		key := name + " " + d.Key
		before, after := e.before, e.after
		n := e.runs[key] + 1
		e.mu.Unlock()
		if before != nil {
			if err := before(ctx, n); err != nil {
				return err
			}
		}
		e.mu.Lock()
		e.runs[key] = n
		e.mu.Unlock()
		err := next(ctx, d)
		if err == nil && after != nil {
			err = after(n)
		}
		return err
	}
}

// settle delivers the batch, and again what was not settled, as its source
// would, until all of it is.
func (e *exercise) settle() {
	e.t.Helper()
	b := e.batch
	for range 4 {
		o := e.deliver(b)
		if o.Settled() {
			return
		}
		b = b.Retry(o)
		// The source waits, and so do we, for the lease of a lost attempt.
		time.Sleep(time.Minute)
	}
	e.t.Errorf("not settled after 4 deliveries: %d messages are left", len(b.Messages))
}

func (e *exercise) deliver(b Batch) Outcome {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), 10*time.Second)
	defer cancel()
	return DeliverContext(ctx, e.t, e.c, b)
}

// wantRuns checks how often each key's handler ran.
func (e *exercise) wantRuns(least, most int) {
	e.t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.runs) == 0 {
		e.t.Error("the handler never ran: are the events of types that the consumer handles?")
	}
	for _, key := range slices.Sorted(maps.Keys(e.runs)) {
		if n := e.runs[key]; n < least || n > most {
			e.t.Errorf("%q ran %d times, want %d to %d", key, n, least, most)
		}
	}
}

type scenario struct {
	name string
	run  func(*exercise)
}

var errExercise = errors.New("consumertest: a failure on purpose")

func scenarios() []scenario {
	all := []scenario{
		{"DoubleDelivery", func(e *exercise) {
			e.settle()
			if o := e.deliver(e.batch.Redeliver()); !o.Settled() {
				e.t.Errorf("the second delivery: %+v", o)
			}
			e.wantRuns(1, 1)
		}},
		{"CopiesInOneBatch", func(e *exercise) {
			e.batch = e.batch.Add(e.batch)
			e.settle()
			e.wantRuns(1, 1)
		}},
		{"CopiesInOneGroup", func(e *exercise) {
			if e.batch.Source != consumer.SQS {
				e.t.Skip("only queues have groups")
			}
			e.batch = e.batch.Add(e.batch)
			e.batch.FIFO = true
			for i := range e.batch.Messages {
				e.batch.Messages[i].Group = "group"
			}
			e.settle()
			e.wantRuns(1, 1)
		}},
		{"DeadlineMidBatch", func(e *exercise) {
			started := false
			e.before = func(ctx context.Context, _ int) error {
				e.mu.Lock()
				first := !started
				started = true
				e.mu.Unlock()
				if first {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}
			e.settle()
			e.wantRuns(1, 1)
		}},
	}
	for name, fail := range map[string]func() error{
		"Error": func() error { return errExercise },
		"Panic": func() error { panic(errExercise) },
	} {
		all = append(all,
			scenario{name + "BeforeTheWork", func(e *exercise) {
				failed := 0
				e.before = func(context.Context, int) error {
					e.mu.Lock()
					failed++
					again := failed <= len(e.batch.Messages)
					e.mu.Unlock()
					if again {
						return fail()
					}
					return nil
				}
				e.settle()
				e.wantRuns(1, 1)
			}},
			scenario{name + "AfterTheWork", func(e *exercise) {
				e.after = func(n int) error {
					if n == 1 {
						return fail()
					}
					return nil
				}
				e.settle()
				e.wantRuns(1, 2) // 1 where the work completed its claim in its own transaction
			}},
		)
	}
	for _, f := range []struct {
		name  string
		fault fault
		most  int
	}{
		{"ClaimFails", fault{claim: true}, 1},
		{"ClaimAnswerLost", fault{claim: true, applied: true}, 1},
		// Nobody knows then that the work is done, so a copy runs it again.
		{"CompletionFails", fault{settle: true}, 2},
		{"CompletionAnswerLost", fault{settle: true, applied: true}, 1},
	} {
		all = append(all, scenario{f.name, func(e *exercise) {
			e.faults.set(f.fault)
			o := e.deliver(e.batch)
			e.faults.set(fault{})
			if !o.Settled() {
				e.batch = e.batch.Retry(o)
				time.Sleep(time.Minute)
				e.settle()
			}
			e.wantRuns(1, f.most)
		}})
	}
	all = append(all, scenario{"CrashAfterTheWork", func(e *exercise) {
		// A crash completes nothing, releases nothing and answers nothing.
		e.faults.set(fault{settle: true})
		e.deliver(e.batch)
		e.faults.set(fault{})
		e.batch = e.batch.Redeliver()
		time.Sleep(time.Minute)
		e.settle()
		e.wantRuns(1, 2)
	}})
	return all
}

// fault is what goes wrong at the store, at each call until it is taken back.
type fault struct{ claim, settle, applied bool }

// faultyStore loses calls, or their answers.
type faultyStore struct {
	*idempotency.Memory
	mu sync.Mutex
	f  fault
}

func (s *faultyStore) set(f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.f = f
}

func (s *faultyStore) get() fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.f
}

func (s *faultyStore) Claim(ctx context.Context, requests []idempotency.ClaimRequest) ([]idempotency.ClaimResult, error) {
	f := s.get()
	if !f.claim || f.applied {
		results, err := s.Memory.Claim(ctx, requests)
		if !f.claim {
			return results, err
		}
	}
	return nil, fmt.Errorf("claim: %w", errExercise)
}

func (s *faultyStore) Settle(ctx context.Context, settlements []idempotency.Settlement) []error {
	f := s.get()
	if !f.settle || f.applied {
		errs := s.Memory.Settle(ctx, settlements)
		if !f.settle {
			return errs
		}
	}
	return slices.Repeat([]error{fmt.Errorf("settle: %w", errExercise)}, len(settlements))
}

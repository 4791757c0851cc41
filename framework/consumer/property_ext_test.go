package consumer_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

var propertySeeds = flag.Int("property.seeds", 400, "how many random batches TestRandomBatches delivers")

// TestRandomBatches delivers random batches, with random outcomes, delays and
// failures of everything around, and checks what must hold of every one.
func TestRandomBatches(t *testing.T) {
	t.Parallel()
	var seen tally
	for seed := range *propertySeeds {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, rand.New(rand.NewPCG(uint64(seed), 7)))
			w.deliver()
			if t.Failed() {
				t.Fatalf("seed %d: fifo %t, concurrency %d, store %t", seed, w.batch.FIFO, w.concurrency, w.store != nil)
			}
			w.recover()
			if t.Failed() {
				t.Fatalf("seed %d: after the faults", seed)
			}
			seen.add(w)
		})
		if t.Failed() {
			return
		}
	}
	seen.check(t, *propertySeeds)
}

// job is the event of random batches. What its handler does is the world's.
type job struct {
	ID    string `json:"id"`
	Group string `json:"group"`
}

func (job) EventType() string        { return "jobs.queued.v1" }
func (j job) IdempotencyKey() string { return j.ID }

type plan struct {
	delay time.Duration
	err   func() error // nil: returns nil
	hangs bool         // heeds no context
}

// world is one random batch and everything around it.
type world struct {
	t           *testing.T
	r           *rand.Rand
	batch       consumertest.Batch
	jobs        []job // by message; zero for one that cannot be decoded
	poison      []bool
	plans       map[string]plan
	concurrency int
	store       *flakyStore
	sink        *consumertest.Queue
	slow        func(context.Context) error    // what sending a dead letter takes
	before      map[string]idempotency.Outcome // of keys at the start
	timeout     time.Duration
	modes       []consumer.SQSOption // of the consumer, that change when it stops and settles
	free        chan struct{}        // ends what hangs

	mu        sync.Mutex
	active    int
	inGroup   map[string]int
	runs      map[string]int
	order     []int // messages in the order of their runs
	finished  map[string]bool
	violation []string
}

func newWorld(t *testing.T, r *rand.Rand) *world {
	w := &world{
		t: t, r: r, plans: map[string]plan{}, before: map[string]idempotency.Outcome{}, inGroup: map[string]int{},
		runs: map[string]int{}, finished: map[string]bool{}, free: make(chan struct{}),
		concurrency: 1 + r.IntN(6), timeout: time.Duration(3+r.IntN(40)) * time.Second, sink: &consumertest.Queue{},
	}
	w.batch = consumertest.Batch{Source: consumer.SQS, FIFO: r.IntN(3) > 0}
	sinkFails := r.IntN(4) == 0
	sinkRand := newRand(r)
	w.slow = func(ctx context.Context) error {
		select {
		case <-time.After(time.Duration(sinkRand(2000)) * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
		if sinkFails && sinkRand(2) == 0 {
			return errDown
		}
		return nil
	}
	if r.IntN(8) > 0 {
		w.store = newFlakyStore(r)
	}
	for _, mode := range []consumer.SQSOption{consumer.StrictFIFO(), consumer.HaltOnDeadLetter()} {
		if r.IntN(5) == 0 {
			w.modes = append(w.modes, mode)
		}
	}
	if w.store != nil && r.IntN(5) == 0 {
		w.modes = append(w.modes, consumer.CompleteAtEnd())
	}
	n := 1 + r.IntN(12)
	if r.IntN(3) == 0 {
		n = 20 + r.IntN(40) // more than one request's worth of claims
	}
	groups, trouble := 1+r.IntN(5), r.IntN(3)
	for i := range n {
		j := job{ID: fmt.Sprint("job", i), Group: fmt.Sprint("g", r.IntN(groups))}
		if i > 0 && r.IntN(4) == 0 {
			j.ID = fmt.Sprint("job", r.IntN(i)) // perhaps a copy
		}
		bad := r.IntN(15) == 0 && trouble > 0
		m := consumertest.FIFO(func(e job) string { return e.Group }, j)
		if bad {
			m.Messages[0].Body = "{"
		}
		w.batch = w.batch.Add(m)
		w.jobs, w.poison = append(w.jobs, j), append(w.poison, bad)
		if _, ok := w.plans[j.ID]; !ok {
			w.plans[j.ID] = w.plan(trouble)
			w.before[j.ID] = w.history(j.ID, trouble)
		}
	}
	return w
}

func (w *world) plan(trouble int) plan {
	p := plan{delay: time.Duration(w.r.IntN(3)) * time.Duration(w.r.IntN(4000)) * time.Millisecond}
	kinds := []func() error{
		func() error { return errWork },
		func() error { panic("out of cheese") },
		func() error { runtime.Goexit(); return nil },
		func() error { return fmt.Errorf("wrapped: %w", consumer.RetryAfter(time.Minute, errWork)) },
		func() error { return fmt.Errorf("wrapped: %w", consumer.Permanent(errWork)) },
		func() error { return fmt.Errorf("wrapped: %w", consumer.Skip("not mine")) },
	}
	if trouble > 0 && w.r.IntN(3) == 0 {
		p.err = kinds[w.r.IntN(len(kinds))]
	}
	p.hangs = trouble == 2 && w.r.IntN(20) == 0
	return p
}

// history lets the key have been worked before, or be worked elsewhere.
func (w *world) history(id string, trouble int) idempotency.Outcome {
	if w.store == nil || trouble == 0 || w.r.IntN(6) > 0 {
		return 0
	}
	now := time.Now()
	req := idempotency.ClaimRequest{Key: "w#jobs.queued#" + id, Owner: "elsewhere", Now: now, Lease: now.Add(50 * time.Second), Expires: now.Add(time.Hour)}
	results, _ := w.store.Memory.Claim(w.t.Context(), []idempotency.ClaimRequest{req})
	if w.r.IntN(2) == 0 {
		return idempotency.InProgress
	}
	w.store.Memory.Settle(w.t.Context(), []idempotency.Settlement{idempotency.NewClaim(req, results[0]).Settlement(idempotency.Complete)})
	return idempotency.Completed
}

func (w *world) handle(ctx context.Context, msg consumer.Message[job]) error {
	w.enter(msg)
	p := w.plans[msg.Event.ID]
	defer w.leave(msg, p)
	if p.hangs {
		<-w.free
		return nil
	}
	select {
	case <-time.After(p.delay):
	case <-ctx.Done():
		p.err = ctx.Err
	}
	if p.err != nil {
		return p.err()
	}
	return nil
}

func (w *world) enter(msg consumer.Message[job]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.batch.Messages, func(m consumertest.Message) bool { return m.ID == msg.MessageID })
	w.active++
	w.runs[msg.Event.ID]++
	w.order = append(w.order, i)
	w.inGroup[msg.GroupID]++
	if w.active > w.concurrency {
		w.violate("%d handlers at once, bound %d", w.active, w.concurrency)
	}
	if w.batch.FIFO && w.inGroup[msg.GroupID] > 1 {
		w.violate("two handlers of group %s at once", msg.GroupID)
	}
	if w.poison[i] {
		w.violate("message %d cannot be decoded and ran", i)
	}
	if w.store == nil {
		return
	}
	if w.runs[msg.Event.ID] > 1 {
		w.violate("%s ran twice in one batch", msg.Event.ID)
	}
	if w.before[msg.Event.ID] != 0 {
		w.violate("%s ran, though it was %s elsewhere", msg.Event.ID, w.before[msg.Event.ID])
	}
	if g := w.store.granted(msg.Event.ID); g == 0 || g != msg.Generation {
		w.violate("%s ran with generation %d, and the store granted %d", msg.Event.ID, msg.Generation, g)
	}
}

func (w *world) leave(msg consumer.Message[job], p plan) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active--
	w.inGroup[msg.GroupID]--
}

func (w *world) violate(format string, args ...any) {
	w.violation = append(w.violation, fmt.Sprintf(format, args...))
}

// newConsumer remembers, by middleware, which handlers returned that they are
// done: a middleware sees what the consumer sees.
func (w *world) newConsumer(h consumer.Handler[job]) *consumer.Consumer {
	opts := []consumer.Option{w.sink.Option(), consumer.WithDeadLetters(slowSink{w.sink, w.slow}), consumer.WithLogger(slog.New(slog.DiscardHandler)), consumer.WithMiddleware(func(next consumer.Next) consumer.Next {
		return func(ctx context.Context, d *consumer.Delivery) error {
			err := next(ctx, d)
			w.mu.Lock()
			defer w.mu.Unlock()
			if err == nil || err.Error() == "wrapped: skipped: not mine" {
				w.finished[d.Key] = true
			}
			return err
		}
	})}
	if w.store != nil {
		opts = append(opts, consumer.WithIdempotency(w.store))
	}
	all := append(slices.Clone(w.modes), consumer.WithOptions(opts...), consumer.WithConcurrency(w.concurrency))
	c, err := consumer.NewSQS("w", h, all...)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// slowSink is a Queue that takes its time, and heeds its context.
type slowSink struct {
	*consumertest.Queue
	slow func(context.Context) error
}

func (s slowSink) Send(ctx context.Context, dl consumer.DeadLetter) error {
	if err := s.slow(ctx); err != nil {
		return err
	}
	return s.Queue.Send(ctx, dl)
}

package consumer_test

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

func logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(lockedWriter{&sync.Mutex{}, w}, nil))
}

func groupOf(p placed) string { return p.Group }

func TestStrictFIFOStopsAllGroups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory, q := idempotency.NewMemory(), &consumertest.Queue{}
		var mu sync.Mutex
		var ran []string
		c, err := consumer.NewSQS("test", func(_ context.Context, msg consumer.Message[placed]) error {
			mu.Lock()
			ran = append(ran, msg.Event.ID)
			mu.Unlock()
			if msg.Event.ID == "bad" {
				time.Sleep(time.Second)
				return errWork
			}
			time.Sleep(2 * time.Second)
			return nil
		}, consumer.WithConcurrency(2), consumer.StrictFIFO(), consumer.WithIdempotency(memory), q.Option())
		if err != nil {
			t.Fatal(err)
		}
		// bad and b1 run at once; nothing starts after bad has failed: not the
		// rest of their groups, and not the group that waited for a worker.
		batch := consumertest.FIFO(groupOf, placed{"bad", "a"}, placed{"b1", "b"}, placed{"a2", "a"}, placed{"b2", "b"}, placed{"c1", "c"}, placed{"c2", "c"})
		o := consumertest.Deliver(t, c, batch)
		slices.Sort(ran)
		if want := []string{"b1", "bad"}; !slices.Equal(ran, want) {
			t.Errorf("ran %v, want %v", ran, want)
		}
		if want := []int{0, 2, 3, 4, 5}; !slices.Equal(o.Failed, want) {
			t.Errorf("reported %v, want %v", o.Failed, want)
		}
		// What was not run is claimed anew at once.
		if o := consumertest.Deliver(t, c, batch.Retry(consumertest.Outcome{Failed: []int{3, 4, 5}})); !o.Settled() {
			t.Errorf("the rest: %+v", o)
		}
	})
}

func TestHaltOnDeadLetter(t *testing.T) {
	t.Parallel()
	for _, halt := range []bool{false, true} {
		q := &consumertest.Queue{}
		opts := []consumer.SQSOption{consumer.WithIdempotency(idempotency.NewMemory()), q.Option()}
		if halt {
			opts = append(opts, consumer.HaltOnDeadLetter())
		}
		c, err := consumer.NewSQS("test", func(_ context.Context, msg consumer.Message[placed]) error {
			if msg.Event.ID == "bad" {
				return consumer.Permanent(errWork)
			}
			return nil
		}, opts...)
		if err != nil {
			t.Fatal(err)
		}
		o := consumertest.Deliver(t, c, consumertest.FIFO(groupOf, placed{"bad", "a"}, placed{"a2", "a"}, placed{"b1", "b"}))
		var want []int
		if halt {
			want = []int{1}
		}
		if !slices.Equal(o.Failed, want) || len(q.DeadLetters()) != 1 {
			t.Errorf("halt %t: reported %v, want %v; %d dead letters", halt, o.Failed, want, len(q.DeadLetters()))
		}
	}
}

// recording keeps the sizes of the store's calls.
type recording struct {
	*idempotency.Memory
	mu             sync.Mutex
	claims, settle []int
}

func (r *recording) Claim(ctx context.Context, requests []idempotency.ClaimRequest) ([]idempotency.ClaimResult, error) {
	r.mu.Lock()
	r.claims = append(r.claims, len(requests))
	r.mu.Unlock()
	time.Sleep(5 * time.Millisecond)
	return r.Memory.Claim(ctx, requests)
}

func (r *recording) Settle(ctx context.Context, s []idempotency.Settlement) []error {
	r.mu.Lock()
	r.settle = append(r.settle, len(s))
	r.mu.Unlock()
	time.Sleep(5 * time.Millisecond)
	return r.Memory.Settle(ctx, s)
}

// However slow the handlers, CompleteAtEnd makes one request per 25 keys.
func TestCompleteAtEnd(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 10, 26} {
		synctest.Test(t, func(t *testing.T) {
			store := &recording{Memory: idempotency.NewMemory()}
			c, err := consumer.NewSQS("test", func(_ context.Context, msg consumer.Message[placed]) error {
				time.Sleep(time.Duration(msg.Event.ID[0]) * 100 * time.Millisecond)
				return nil
			}, consumer.CompleteAtEnd(), consumer.WithIdempotency(store))
			if err != nil {
				t.Fatal(err)
			}
			var events []consumer.Event
			for i := range n {
				events = append(events, placed{ID: string(rune('A'+i)) + "x"})
			}
			if o := consumertest.Deliver(t, c, consumertest.SQS(events...)); !o.Settled() {
				t.Fatalf("outcome %+v", o)
			}
			if want := (n + 24) / 25; len(store.claims) != want || len(store.settle) != want {
				t.Errorf("%d messages: claims %v, settlements %v; want %d requests of each", n, store.claims, store.settle, want)
			}
		})
	}
}

package consumer_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

var update = flag.Bool("update", false, "write the outcome table into README.md")

// placed is the event of these tests. Group is its FIFO message group.
type placed struct {
	ID    string `json:"id"`
	Group string `json:"group"`
}

func (placed) EventType() string        { return "orders.placed.v1" }
func (p placed) IdempotencyKey() string { return p.ID }

// other has no route.
type other struct{ ID string }

func (other) EventType() string { return "orders.cancelled.v1" }

// column is one of the table's: a kind of source.
type column string

const (
	standard column = "SQS standard"
	fifo     column = "SQS FIFO"
	direct   column = "SNS, EventBridge direct"
)

// bench is a consumer with everything around it in reach.
type bench struct {
	t      *testing.T
	source column
	kind   consumer.Source // sns or eventbridge, of a direct one
	store  idempotency.Store
	memory *idempotency.Memory
	queue  *consumertest.Queue
	handle func(ctx context.Context, msg consumer.Message[placed]) error
	opts   []consumer.Option
	c      *consumer.Consumer
	logs   *strings.Builder

	mu  sync.Mutex
	ran []string
}

func (b *bench) start() {
	b.t.Helper()
	handle := func(ctx context.Context, msg consumer.Message[placed]) error {
		b.mu.Lock()
		b.ran = append(b.ran, msg.Event.ID)
		b.mu.Unlock()
		if b.handle == nil {
			return nil
		}
		return b.handle(ctx, msg)
	}
	var lock sync.Mutex
	b.logs = &strings.Builder{}
	opts := append([]consumer.Option{consumer.WithLogger(slog.New(slog.NewJSONHandler(lockedWriter{&lock, b.logs}, nil)))}, b.opts...)
	if b.store != nil {
		opts = append(opts, consumer.WithIdempotency(b.store))
	}
	if b.queue != nil {
		opts = append(opts, b.queue.Option())
	}
	var err error
	all := consumer.WithOptions(opts...)
	switch {
	case b.source != direct:
		b.c, err = consumer.NewSQS("test", handle, all)
	case b.kind == consumer.SNS:
		b.c, err = consumer.NewSNS("test", handle, all)
	default:
		b.c, err = consumer.NewEventBridge("test", handle, all)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (b *bench) batch(events ...consumer.Event) consumertest.Batch {
	switch {
	case b.source == standard:
		return consumertest.SQS(events...)
	case b.source == fifo:
		return consumertest.FIFO(func(e consumer.Event) string {
			if p, ok := e.(placed); ok {
				return p.Group
			}
			return ""
		}, events...)
	case b.kind == consumer.SNS:
		return consumertest.SNS(events...)
	default:
		return consumertest.EventBridge(events...)
	}
}

func (b *bench) deliver(batch consumertest.Batch) consumertest.Outcome {
	b.t.Helper()
	if b.c == nil {
		b.start()
	}
	return consumertest.Deliver(b.t, b.c, batch)
}

func (b *bench) within(timeout time.Duration, batch consumertest.Batch) consumertest.Outcome {
	b.t.Helper()
	if b.c == nil {
		b.start()
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), timeout)
	defer cancel()
	return consumertest.DeliverContext(ctx, b.t, b.c, batch)
}

func (b *bench) wantRan(ids ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.ran, ids) {
		b.t.Errorf("ran %v, want %v", b.ran, ids)
	}
}

func (b *bench) wantFailed(o consumertest.Outcome, indexes ...int) {
	b.t.Helper()
	if !slices.Equal(o.Failed, indexes) {
		b.t.Errorf("reported %v (error %v), want %v", o.Failed, o.Err, indexes)
	}
	if direct := b.source == direct; direct && (o.Err != nil) != (len(indexes) > 0) {
		b.t.Errorf("error = %v, reported = %v", o.Err, o.Failed)
	}
}

// wantHidden checks the visibility of message i. A standard or FIFO queue has
// it; a direct source has none.
func (b *bench) wantHidden(batch consumertest.Batch, i int, low, high time.Duration) time.Duration {
	b.t.Helper()
	d, ok := b.queue.Hidden(batch.Messages[i].ID)
	if b.source == direct {
		if ok {
			b.t.Errorf("message %d of a direct source was hidden", i)
		}
		return 0
	}
	if !ok || d < low || d > high {
		b.t.Errorf("message %d hidden for %s (%t), want %s to %s", i, d, ok, low, high)
	}
	return d
}

func (b *bench) wantStatus(key string, status idempotency.Status, released bool) {
	b.t.Helper()
	rec, found, err := b.memory.Get(b.t.Context(), "test#orders.placed#"+key)
	if err != nil || !found {
		b.t.Fatalf("record of %s: found %t, %v", key, found, err)
	}
	if rec.Status != status || released != (rec.Lease.IsZero() && status == idempotency.StatusInProgress) {
		b.t.Errorf("record of %s = %+v, want %s, released %t", key, rec, status, released)
	}
}

func (b *bench) wantLetters(n int) []consumer.DeadLetter {
	b.t.Helper()
	letters := b.queue.DeadLetters()
	if len(letters) != n {
		b.t.Fatalf("%d dead letters, want %d: %+v", len(letters), n, letters)
	}
	return letters
}

// cell is one cell of the outcome table: what it says, and what shows it.
type cell struct {
	text  string
	tests map[string]func(b *bench)
}

type row struct {
	outcome string
	cells   map[column]cell
}

// TestOutcomes runs a test for every cell and writes the table that README
// shows. A cell without a passing test is an error.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	passed := map[string]bool{}
	rows := outcomeRows()
	t.Run("cells", func(t *testing.T) {
		for i, r := range rows {
			for _, col := range []column{standard, fifo, direct} {
				for name, test := range r.cells[col].tests {
					kinds := []consumer.Source{consumer.SQS}
					if col == direct {
						kinds = []consumer.Source{consumer.SNS, consumer.EventBridge}
					}
					for _, kind := range kinds {
						t.Run(fmt.Sprintf("%02d/%s/%s/%s", i+1, col, kind, name), func(t *testing.T) {
							t.Parallel()
							synctest.Test(t, func(t *testing.T) {
								memory := idempotency.NewMemory()
								test(&bench{t: t, source: col, kind: kind, store: memory, memory: memory, queue: &consumertest.Queue{}})
							})
							if !t.Failed() {
								mu.Lock()
								passed[fmt.Sprint(i, col)] = true
								mu.Unlock()
							}
						})
					}
				}
			}
		}
	})
	if t.Failed() {
		return
	}
	var table strings.Builder
	table.WriteString("| # | outcome | SQS standard | SQS FIFO | SNS, EventBridge direct |\n|---|---|---|---|---|\n")
	for i, r := range rows {
		fmt.Fprintf(&table, "| %d | %s |", i+1, r.outcome)
		for _, col := range []column{standard, fifo, direct} {
			if r.cells[col].text != "-" && !passed[fmt.Sprint(i, col)] {
				t.Errorf("row %d, %s, %q: no test passed", i+1, col, r.cells[col].text)
			}
			fmt.Fprintf(&table, " %s |", r.cells[col].text)
		}
		table.WriteString("\n")
	}
	checkReadme(t, table.String())
}

func checkReadme(t *testing.T, table string) {
	t.Helper()
	const readme, begin, end = "../../README.md", "<!-- outcomes: written by go test ./framework/consumer -run TestOutcomes -update -->\n", "<!-- /outcomes -->"
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("README.md has no place for the outcome table: %q and %q", begin, end)
	}
	if want := before + begin + table + end + after; want != string(text) {
		if !*update {
			t.Fatalf("README.md's outcome table is not what these tests show: run go test ./framework/consumer -run TestOutcomes -update")
		}
		if err := os.WriteFile(readme, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var errWork = errors.New("the work failed")

package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/telemetry"
)

var errWork = errors.New("the till is shut")

type placed struct {
	ID   string `json:"id"`
	Card string `json:"card,omitempty"`
}

func (placed) EventType() string        { return "orders.placed.v1" }
func (p placed) IdempotencyKey() string { return p.ID }

const traceHeader = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a:b:c"

// invocationContext is that of an invocation by aws-lambda-go.
func invocationContext(ctx context.Context, requestID, trace string) context.Context {
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: requestID})
	return context.WithValue(ctx, "x-amzn-trace-id", trace)
}

// messageContext is that of a handler that works on a message of key.
func messageContext(t testing.TB, key string) context.Context {
	t.Helper()
	var got context.Context
	c, err := consumer.NewSQS("charge-payment", func(ctx context.Context, _ consumer.Message[placed]) error {
		got = ctx //nolint:fatcontext // it is what is wanted
		return nil
	}, consumer.WithIdempotency(idempotency.NewMemory()), consumer.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	ctx := invocationContext(context.Background(), "req-1", traceHeader)
	if o := consumertest.DeliverContext(ctx, t, c, consumertest.SQS(placed{ID: key})); !o.Settled() || got == nil {
		t.Fatalf("outcome %+v", o)
	}
	return got
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.FixedZone("CET", 3600))

func record(level slog.Level, message string, attrs ...slog.Attr) slog.Record {
	r := slog.NewRecord(at, level, message, 0)
	r.AddAttrs(attrs...)
	return r
}

// handle returns the line of a record.
func handle(t testing.TB, ctx context.Context, opts telemetry.Options, r slog.Record, derive ...func(slog.Handler) slog.Handler) string {
	t.Helper()
	var b bytes.Buffer
	opts.Writer = &b
	var h slog.Handler = telemetry.New(opts).Handler()
	for _, d := range derive {
		h = d(h)
	}
	if err := h.Handle(ctx, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// members decodes a line, which must be one JSON object with unique members.
func members(t testing.TB, line string) map[string]any {
	t.Helper()
	if err := checkLine(line); err != nil {
		t.Fatalf("%v: %.300q", err, line)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name + ".golden"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (UPDATE_GOLDEN=1 rewrites it): -want +got\n%s", path, diff)
	}
}

// lines is a writer that keeps each Write apart.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(p))
	return len(p), nil
}

func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

package telemetry_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/telemetry"
)

func plainAttrs() []slog.Attr {
	return []slog.Attr{
		slog.String("order", "o-1"), slog.Int("n", 1), slog.Float64("f", 1.5), slog.Bool("b", true),
		slog.Duration("took", 1234*time.Microsecond), slog.Time("due", at),
	}
}

// AllocsPerRun counts those of all goroutines, so no other test may run.
//
//nolint:paralleltest // see above
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget on purpose")
	}
	ctx := messageContext(t, "a key of more than thirty-two bytes, so that it would not fit on the stack")
	for _, format := range []telemetry.Format{telemetry.JSON, telemetry.Text} {
		tel := telemetry.New(telemetry.Options{Writer: io.Discard, Format: format})
		plain, derived := record(slog.LevelInfo, "charging", plainAttrs()...), tel.Logger().With("service", "shop").WithGroup("g").Handler()
		grouped := record(slog.LevelInfo, "charging", slog.Group("g", slog.Int("a", 1), slog.Int("b", 1)))
		r := report(10)
		for name, f := range map[string]func(){
			"plain":    func() { _ = tel.Handler().Handle(ctx, plain) },
			"derived":  func() { _ = derived.Handle(ctx, plain) },
			"grouped":  func() { _ = tel.Handler().Handle(ctx, grouped) },
			"document": func() { tel.Metrics().Observe(ctx, r) },
		} {
			// A pool may be emptied by a garbage collection in between.
			if n := testing.AllocsPerRun(200, f); n > 0 {
				t.Errorf("%s, %s: %v allocations, want none", format, name, n)
			}
		}
	}
}

func BenchmarkLine(b *testing.B) {
	tel := telemetry.New(telemetry.Options{Writer: io.Discard})
	for name, ctx := range map[string]context.Context{"no context": context.Background(), "message": messageContext(b, "o-1")} {
		b.Run(name, func(b *testing.B) {
			log := tel.Logger()
			b.ReportAllocs()
			for b.Loop() {
				log.LogAttrs(ctx, slog.LevelInfo, "charging", slog.String("order", "o-1"), slog.Int("n", 1), slog.Duration("took", time.Second))
			}
		})
	}
	b.Run("slog.JSONHandler", func(b *testing.B) {
		log := slog.New(slog.DiscardHandler)
		b.ReportAllocs()
		for b.Loop() {
			log.LogAttrs(context.Background(), slog.LevelInfo, "charging", slog.String("order", "o-1"), slog.Int("n", 1), slog.Duration("took", time.Second))
		}
	})
}

func BenchmarkDocument(b *testing.B) {
	var observer consumer.Observer = telemetry.New(telemetry.Options{Writer: io.Discard}).Metrics()
	r := report(10)
	b.ReportAllocs()
	for b.Loop() {
		observer.Observe(context.Background(), r)
	}
}

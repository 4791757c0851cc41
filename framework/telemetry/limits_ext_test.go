package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-go/sluice/framework/telemetry"
)

func TestLongLinesAreCut(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	ctx := messageContext(t, "o-1")
	long := map[string]string{
		"ascii": strings.Repeat("x", mib), "escapes": strings.Repeat("\x01", mib), "quotes": strings.Repeat(`"`, mib),
		"euro": strings.Repeat("€", mib/3), "invalid": strings.Repeat("\xff", mib),
	}
	for name, s := range long {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with := func(h slog.Handler) slog.Handler { return h.WithAttrs([]slog.Attr{slog.String("w", s)}) }
			group := func(h slog.Handler) slog.Handler { return h.WithGroup(s) }
			for _, test := range []struct {
				name   string
				record slog.Record
				derive []func(slog.Handler) slog.Handler
				least  int // bytes that the line must still have
			}{
				{"message", record(slog.LevelInfo, s, slog.Int("n", 1)), nil, 200 << 10},
				{"attribute", record(slog.LevelInfo, "m", slog.Int("n", 1), slog.String("s", s), slog.String("t", s)), nil, 240 << 10},
				{"list", record(slog.LevelInfo, "m", slog.Int("n", 1), slog.Any("s", []string{s})), nil, 240 << 10},
				{"error", record(slog.LevelInfo, "m", slog.Int("n", 1), slog.Any("error", errors.New(s))), nil, 240 << 10},
				{"key", record(slog.LevelInfo, "m", slog.Int("n", 1), slog.Int(s, 1)), nil, 0},
				{"with", record(slog.LevelInfo, "m", slog.Int("n", 1)), []func(slog.Handler) slog.Handler{with}, 120 << 10},
				{"with twice", record(slog.LevelInfo, s, slog.Int("n", 1)), []func(slog.Handler) slog.Handler{with, with}, 200 << 10},
				{"group's name", record(slog.LevelInfo, "m", slog.Int("x", 1), slog.Int("y", 1)), []func(slog.Handler) slog.Handler{group}, 0},
				{"inner group", record(slog.LevelInfo, "m", slog.Int("n", 1), slog.Group("a", slog.Group("b", slog.String("c", s)))), nil, 240 << 10},
			} {
				line := handle(t, ctx, telemetry.Options{}, test.record, test.derive...)
				if err := checkLine(line); err != nil {
					t.Fatalf("%s: %v", test.name, err)
				}
				m := members(t, line)
				if m["truncated"] != true || m["requestId"] != "req-1" || m["consumer"] != "charge-payment" || len(line) < test.least {
					t.Errorf("%s: %d bytes, truncated = %v, requestId = %v", test.name, len(line), m["truncated"], m["requestId"])
				}
				if test.name != "group's name" && m["n"] != 1.0 {
					t.Errorf("%s: the short attribute is lost", test.name)
				}
				text := handle(t, ctx, telemetry.Options{Format: telemetry.Text}, test.record, test.derive...)
				if len(text) > maxLine || strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, " truncated=true\n") {
					t.Errorf("%s: text of %d bytes ends with %q", test.name, len(text), text[max(len(text)-40, 0):])
				}
			}
		})
	}
}

func TestManyAttributesAreCut(t *testing.T) {
	t.Parallel()
	var attrs []slog.Attr
	for range 40_000 {
		attrs = append(attrs, slog.Group("group", slog.Int("n", 1)))
	}
	line := handle(t, context.Background(), telemetry.Options{}, record(slog.LevelInfo, "m", attrs...))
	if len(line) > maxLine || len(line) < 240<<10 || !strings.HasSuffix(line, `},"truncated":true}`+"\n") {
		t.Errorf("%d bytes, ending with %q", len(line), line[len(line)-40:])
	}
}

func TestLinesThatAreNearlyFull(t *testing.T) {
	t.Parallel()
	const reserved = 8 << 10 // for the context's fields
	most := strings.Repeat("x", maxLine-reserved)
	for left := 50; left < 160; left++ {
		line := handle(t, context.Background(), telemetry.Options{}, record(slog.LevelInfo, "m",
			slog.String("most", most[left:]),
			slog.Group("g", slog.String("s", "a short text"), slog.Any("list", []int{1, 2}), slog.Int("n", 12345))))
		if !json.Valid([]byte(line)) {
			t.Fatalf("%d bytes left: no JSON: %.200s", left, line[len(line)-150:])
		}
		if end := len(`,"truncated":true}` + "\n"); len(line) > maxLine-reserved+end {
			t.Errorf("%d bytes left: attributes take %d bytes of what is reserved", left, len(line)-maxLine+reserved-end)
		}
	}
}

func TestManyGroupsAreClosedWithinTheLine(t *testing.T) {
	t.Parallel()
	line := handle(t, context.Background(), telemetry.Options{}, record(slog.LevelInfo, "m", slog.String("s", strings.Repeat("x", 1<<20))), func(h slog.Handler) slog.Handler {
		for range 7800 {
			h = h.WithGroup("g")
		}
		return h
	})
	if len(line) > maxLine || !strings.HasSuffix(line, strings.Repeat("}", 7800)+`,"truncated":true}`+"\n") {
		t.Errorf("%d bytes, ending with %.100s", len(line), line[len(line)-100:])
	}
}

// failing is a writer that fails, by panic too.
type failing struct {
	panics bool
	lines
	broken bool
}

func (f *failing) Write(p []byte) (int, error) {
	if !f.broken {
		return f.lines.Write(p)
	}
	if f.panics {
		panic("disk on fire")
	}
	return 0, errors.New("disk full")
}

func TestWriterThatFails(t *testing.T) {
	t.Parallel()
	for _, panics := range []bool{false, true} {
		w := &failing{panics: panics, broken: true}
		h := telemetry.New(telemetry.Options{Writer: w}).Handler()
		if err := h.Handle(t.Context(), record(slog.LevelInfo, "lost")); err == nil || !strings.Contains(err.Error(), "disk") {
			t.Errorf("error = %v", err)
		}
		w.broken = false
		slog.New(h).Info("kept")
		if got := w.take(); len(got) != 1 || members(t, got[0])["message"] != "kept" {
			t.Errorf("lines = %q", got)
		}
	}
}

// unlocked is a writer that must not be used by two at once.
type unlocked struct{ all []string }

func (u *unlocked) Write(p []byte) (int, error) {
	u.all = append(u.all, string(p))
	return len(p), nil
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	w := &unlocked{}
	tel := telemetry.New(telemetry.Options{Writer: w})
	ctx := messageContext(t, "o-1")
	shared := tel.Logger().With("shared", 1).WithGroup("g")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			log := shared.With("worker", i)
			for j := range 50 {
				log.InfoContext(ctx, "m", "j", j, "big", strings.Repeat("x", j*100))
				shared.WithGroup("h").InfoContext(ctx, "m", "i", i)
				tel.Metrics().Observe(ctx, report(3))
			}
		})
	}
	wg.Wait()
	all := w.all
	if len(all) != 8*50*3 {
		t.Errorf("%d lines, want %d", len(all), 8*50*3)
	}
	for _, line := range all {
		m := members(t, line)
		if m["_aws"] != nil {
			continue
		}
		g, _ := m["g"].(map[string]any)
		if m["shared"] != 1.0 || m["requestId"] != "req-1" || g == nil || (g["worker"] == nil) == (g["h"] == nil) {
			t.Fatalf("line is %s", line)
		}
	}
}

package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sluice-go/sluice/framework/telemetry"
)

// FuzzLine checks that whatever a record and its context hold, a line is one
// line and, as JSON, valid, complete and unique in its members.
func FuzzLine(f *testing.F) {
	f.Add("m", "key", "value", "group", "req-1", traceHeader, int64(1), 1.5, uint16(1))
	f.Add("two\nlines", "level", "\xff\u2028\"\\", "", "", "Root=1-;", int64(-1), math.Inf(1), uint16(300))
	f.Add("", "", "", "id", "\x00", "", int64(math.MinInt64), math.NaN(), uint16(0))
	f.Add("=", "message", "{", "{", " ", "Root", int64(0), -0.0, uint16(9000))
	f.Fuzz(func(t *testing.T, message, key, value, group, requestID, trace string, n int64, x float64, repeat uint16) {
		long := strings.Repeat(value, int(repeat))
		long = long[:min(len(long), 600<<10)]
		ctx := invocationContext(context.Background(), requestID, trace)
		r := record(slog.Level(n), message,
			slog.String("k"+key, value), slog.Int64("n", n), slog.Float64("x", x), slog.Duration("d", time.Duration(n)),
			slog.Time("t", time.Unix(0, n)), slog.Any("error", errors.New(value)), slog.Any("list", []string{value, key}),
			slog.Any("raw", json.RawMessage(value)), slog.Group(group, slog.String("inner"+key, value)), slog.String("long", long))
		derive := func(h slog.Handler) slog.Handler {
			return h.WithAttrs([]slog.Attr{slog.String("p"+key, value)}).WithGroup(group).WithAttrs([]slog.Attr{slog.String("q", long)})
		}
		line := handle(t, ctx, telemetry.Options{}, r)
		// A record may name one attribute as another, which slog allows.
		if err := checkLine(line); err != nil && !strings.Contains(err.Error(), "twice") {
			t.Fatalf("%v: %q", err, line)
		}
		m := map[string]any{}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if m["message"] != strings.ToValidUTF8(message, "\ufffd") && utf8.ValidString(message) {
			t.Errorf("message is %q, want %q", m["message"], message)
		}
		if err := checkLine(handle(t, ctx, telemetry.Options{}, record(slog.LevelInfo, message, slog.String(key, value)), func(h slog.Handler) slog.Handler {
			return h.WithGroup(group).WithAttrs([]slog.Attr{slog.String("q", long)})
		})); err != nil && group != "" {
			t.Fatal(err)
		}
		for _, derive := range []func(slog.Handler) slog.Handler{derive, func(h slog.Handler) slog.Handler { return h }} {
			text := handle(t, ctx, telemetry.Options{Format: telemetry.Text}, r, derive)
			if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") || len(text) > maxLine || !utf8.ValidString(text) {
				t.Fatalf("text is %q", text)
			}
		}
	})
}

// FuzzDocument checks that whatever names a report has, its documents are
// valid.
func FuzzDocument(f *testing.F) {
	f.Add("charge-payment", "req-1", "f", int64(1_000_000), uint8(3))
	f.Add("\xff:\n", "\"", "\u2028", int64(math.MinInt64), uint8(255))
	f.Fuzz(func(t *testing.T, name, requestID, function string, d int64, n uint8) {
		r := report(int(n))
		r.Consumer, r.RequestID, r.Duration = name, requestID, time.Duration(d)
		for i := range r.Messages {
			r.Messages[i].Age = time.Duration(d)
			r.Messages[i].Run = time.Duration(d)
		}
		observe(t, telemetry.Options{Function: function}, r)
	})
}

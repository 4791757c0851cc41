package telemetry_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/telemetry"
)

func TestHandlerKeepsSlogsRules(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		b.Reset()
		return telemetry.New(telemetry.Options{Writer: &b}).Handler()
	}, func(t *testing.T) map[string]any {
		m := members(t, b.String())
		for ours, theirs := range map[string]string{"timestamp": slog.TimeKey, "message": slog.MessageKey} {
			if v, ok := m[ours]; ok {
				m[theirs] = v
				delete(m, ours)
			}
		}
		return m
	})
}

func TestLines(t *testing.T) {
	t.Parallel()
	ctx := messageContext(t, "order-4711")
	attrs := []slog.Attr{
		slog.String("order", "o 1"), slog.Int("n", -3), slog.Uint64("big", math.MaxUint64), slog.Float64("ratio", 0.25), slog.Bool("ok", true),
		slog.Duration("took", 1500*time.Millisecond), slog.Time("due", at), slog.Any("error", fmt.Errorf("charge: %w", errWork)),
		slog.Any("line", struct{ SKU string }{"a<b"}), slog.Any("none", nil),
		slog.Group("outer", slog.Int("a", 1), slog.Group("inner", slog.String("b", "x"))), slog.Group("", slog.Int("inline", 1)),
	}
	derived := func(h slog.Handler) slog.Handler {
		return h.WithAttrs([]slog.Attr{slog.String("service", "shop")}).WithGroup("g").WithAttrs([]slog.Attr{slog.Int("x", 1)}).WithGroup("h")
	}
	var b strings.Builder
	for _, format := range []telemetry.Format{telemetry.JSON, telemetry.Text} {
		opts := telemetry.Options{Format: format}
		b.WriteString(handle(t, context.Background(), opts, record(slog.LevelInfo, "plain")))
		b.WriteString(handle(t, invocationContext(context.Background(), "req-2", "Root=nonsense"), opts, record(slog.LevelWarn, "two\nlines")))
		b.WriteString(handle(t, ctx, opts, record(slog.LevelInfo, "charging", attrs...)))
		b.WriteString(handle(t, ctx, opts, record(slog.LevelError, "grouped", slog.String("y", "a=b")), derived))
		b.WriteString(handle(t, ctx, opts, record(slog.LevelError, "group of nothing"), derived))
	}
	golden(t, "lines", b.String())
}

func TestKeyIsOnlyAHash(t *testing.T) {
	t.Parallel()
	const key = "customer@example.com"
	line := handle(t, messageContext(t, key), telemetry.Options{}, record(slog.LevelInfo, "m"))
	sum := sha256.Sum256([]byte(key))
	if got, want := members(t, line)["key_hash"], hex.EncodeToString(sum[:])[:16]; got != want {
		t.Errorf("key_hash = %v, want %v", got, want)
	}
	if strings.Contains(line, key) {
		t.Errorf("the line has the key: %s", line)
	}
}

func TestAttributesThatHaveNamesOfTheLine(t *testing.T) {
	t.Parallel()
	ctx := messageContext(t, "o-1")
	m := members(t, handle(t, ctx, telemetry.Options{}, record(slog.LevelInfo, "m",
		slog.String("level", "gold"), slog.String("message", "mine"), slog.String("timestamp", "noon"),
		slog.String("id", "order-id"), slog.Group("g", slog.String("consumer", "inner"), slog.String("level", "inner"))),
		func(h slog.Handler) slog.Handler { return h.WithAttrs([]slog.Attr{slog.String("requestId", "theirs")}) }))
	for name, want := range map[string]any{
		"level": "INFO", "level_": "gold", "message": "m", "message_": "mine", "timestamp_": "noon",
		"id": "order-id", "requestId": "theirs", "consumer": "charge-payment",
	} {
		if m[name] != want {
			t.Errorf("%s = %v, want %v", name, m[name], want)
		}
	}
	if diff := cmp.Diff(map[string]any{"consumer": "inner", "level": "inner"}, m["g"]); diff != "" {
		t.Error(diff)
	}
}

func TestSiblingsKeepTheirOwnGroups(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	base := telemetry.New(telemetry.Options{Writer: &b}).Handler().WithGroup("a").WithGroup("b").WithGroup("c")
	first, second := base.WithGroup("first"), base.WithGroup("second")
	withFirst, withSecond := base.WithAttrs([]slog.Attr{slog.Int("i", 1)}), base.WithAttrs([]slog.Attr{slog.Int("j", 1)})
	for _, h := range []slog.Handler{first, second, withFirst, withSecond} {
		b.Reset()
		if err := h.Handle(t.Context(), record(slog.LevelInfo, "m", slog.Int("n", 1))); err != nil {
			t.Fatal(err)
		}
		want := map[slog.Handler]string{first: `{"first":{"n":1}}`, second: `{"second":{"n":1}}`, withFirst: `{"i":1,"n":1}`, withSecond: `{"j":1,"n":1}`}[h]
		if !strings.Contains(b.String(), `"a":{"b":{"c":`+want+`}}`) {
			t.Errorf("line is %s, want %s", b.String(), want)
		}
	}
}

type panicking struct{}

func (*panicking) Error() string                { panic("no message") }
func (panicking) MarshalJSON() ([]byte, error)  { panic("no JSON") }
func (panicking) LogValue() slog.Value          { panic("no value") }
func (p *panicking) UnmarshalJSON([]byte) error { return nil }

type panicsInJSON struct{}

func (panicsInJSON) MarshalJSON() ([]byte, error) { panic("no JSON") }

type pointerError struct{ s string }

func (e *pointerError) Error() string { return e.s }

type badUTF8 struct{}

func (badUTF8) MarshalJSON() ([]byte, error) { return []byte("\"a\xffb\""), nil }

type notJSON struct{}

func (notJSON) MarshalJSON() ([]byte, error) { return []byte("{"), nil }

// nested is a value that contains itself.
type nested struct{ name string }

func (n nested) LogValue() slog.Value { return slog.GroupValue(slog.Any(n.name, n)) }

func TestValuesThatDoNotBreakTheLine(t *testing.T) {
	t.Parallel()
	cyclic := map[string]any{}
	cyclic["self"] = cyclic
	for name, test := range map[string]struct {
		value any
		want  any // nil: anything
	}{
		"channel":          {make(chan int), "!ERROR: json: unsupported type: chan int"},
		"cycle":            {cyclic, nil},
		"panics":           {panicking{}, nil},
		"panics in JSON":   {panicsInJSON{}, "!PANIC: no JSON"},
		"nil error":        {(*pointerError)(nil), "<nil>"},
		"error":            {errors.Join(errWork, io.EOF), "the till is shut\nEOF"},
		"NaN":              {math.NaN(), "NaN"},
		"infinity":         {math.Inf(-1), "-Inf"},
		"NaN within":       {[]float64{math.NaN()}, "!ERROR: json: unsupported value: NaN"},
		"large number":     {1e300, 1e300},
		"small number":     {1e-9, 1e-9},
		"invalid UTF-8":    {"a\xffb", "a\uFFFDb"},
		"invalid within":   {badUTF8{}, "a\uFFFDb"},
		"not JSON":         {notJSON{}, nil},
		"raw lines":        {json.RawMessage("{\n\"a\":\n1}"), map[string]any{"a": 1.0}},
		"controls":         {"\x00\x1f\x7f\u2028\u2029\"\\\n\r\t", "\x00\x1f\x7f\u2028\u2029\"\\\n\r\t"},
		"markup":           {"<&>", "<&>"},
		"duration":         {90 * time.Second, "1m30s"},
		"time":             {at, "2026-01-02T03:04:05.6789+01:00"},
		"time of no year":  {time.Date(-12, 1, 1, 0, 0, 0, 0, time.UTC), nil},
		"bytes":            {[]byte("abc"), "YWJj"},
		"nil":              {nil, nil},
		"contains itself":  {nested{"a"}, nil},
		"inlines itself":   {nested{""}, nil},
		"deep":             {deep(100), nil},
		"empty raw":        {json.RawMessage(nil), nil},
		"markup in values": {[]string{"<&>"}, []any{"<&>"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, format := range []telemetry.Format{telemetry.JSON, telemetry.Text} {
				line := handle(t, context.Background(), telemetry.Options{Format: format}, record(slog.LevelInfo, "m", slog.Any("v", test.value), slog.Int("after", 1)))
				if format == telemetry.Text {
					if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, " after=1\n") {
						t.Errorf("line is %q", line)
					}
					continue
				}
				m := members(t, line)
				if m["after"] != 1.0 {
					t.Errorf("what follows is lost: %s", line)
				}
				if test.want != nil && !cmp.Equal(m["v"], test.want) {
					t.Errorf("v = %#v, want %#v", m["v"], test.want)
				}
			}
		})
	}
}

func deep(n int) slog.Value {
	v := slog.IntValue(1)
	for range n {
		v = slog.GroupValue(slog.Attr{Key: "d", Value: v})
	}
	return v
}

func TestRedact(t *testing.T) {
	t.Parallel()
	redact := func(groups []string, a slog.Attr) slog.Attr {
		switch {
		case a.Key == "card":
			return slog.String("card", "****")
		case a.Key == "drop":
			return slog.Attr{}
		case a.Key == "break":
			panic(a.Value.String())
		case len(groups) == 2 && groups[0] == "g" && groups[1] == "user" && a.Key == "mail":
			return slog.String("mail_domain", "example.com")
		}
		return a
	}
	for _, format := range []telemetry.Format{telemetry.JSON, telemetry.Text} {
		line := handle(t, messageContext(t, "o-1"), telemetry.Options{Format: format, Redact: redact},
			record(slog.LevelInfo, "m", slog.String("drop", "secret-1"), slog.String("break", "secret-2"),
				slog.Group("user", slog.String("mail", "secret-3@example.com"), slog.Any("card", lazy("secret-4")))),
			func(h slog.Handler) slog.Handler {
				return h.WithAttrs([]slog.Attr{slog.String("card", "secret-5")}).WithGroup("g")
			})
		if strings.Contains(line, "secret") {
			t.Errorf("a secret is in the line: %s", line)
		}
		if !strings.Contains(line, "example.com") || strings.Count(line, "****") != 2 || !strings.Contains(line, "withheld") {
			t.Errorf("line is %s", line)
		}
		if format == telemetry.JSON {
			members(t, line)
		}
	}
}

type lazy string

func (l lazy) LogValue() slog.Value { return slog.StringValue(string(l)) }

func TestLevels(t *testing.T) {
	t.Parallel()
	for level, want := range map[slog.Level]string{
		-100: "TRACE", telemetry.LevelTrace: "TRACE", slog.LevelDebug: "DEBUG", -1: "DEBUG", slog.LevelInfo: "INFO", 2: "INFO",
		slog.LevelWarn: "WARN", slog.LevelError: "ERROR", 11: "ERROR", telemetry.LevelFatal: "FATAL", 100: "FATAL",
	} {
		if got := members(t, handle(t, context.Background(), telemetry.Options{}, record(level, "m")))["level"]; got != want {
			t.Errorf("level %d is %v, want %s", level, got, want)
		}
	}
	var v slog.LevelVar
	h := telemetry.New(telemetry.Options{Level: &v, Writer: io.Discard}).Handler()
	if h.Enabled(t.Context(), slog.LevelDebug) || !h.Enabled(t.Context(), slog.LevelInfo) {
		t.Error("the default is not INFO")
	}
	v.Set(slog.LevelError)
	if h.WithGroup("g").Enabled(t.Context(), slog.LevelWarn) {
		t.Error("a level that is changed later has no effect")
	}
}

func TestTraceIDs(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		traceHeader: "1-5759e988-bd862e3fe1be46a994272793",
		"Sampled=0; Root=1-5759e988-bd862e3fe1be46a994272793": "1-5759e988-bd862e3fe1be46a994272793",
		"":                             "",
		"Parent=53995c3f42cd8ad8":      "",
		"Root=1-5759e988-bd862e3fe1be": "",
		"Root=1-5759e988-bd862e3fe1be46a99427279x":   "",
		"Root=1-5759E988-BD862E3FE1BE46A994272793":   "",
		"Root=2-5759e988-bd862e3fe1be46a994272793":   "",
		"Root=1-5759e988bbd862e3fe1be46a994272793":   "",
		"Self=1-5759e988-bd862e3fe1be46a994272793;;": "",
	} {
		m := members(t, handle(t, invocationContext(context.Background(), "", header), telemetry.Options{}, record(slog.LevelInfo, "m")))
		xray, _ := m["xray_trace_id"].(string)
		w3c, _ := m["trace_id"].(string)
		if xray != want || w3c != strings.ReplaceAll(strings.TrimPrefix(want, "1-"), "-", "") {
			t.Errorf("%q gives %q and %q, want %q", header, xray, w3c, want)
		}
	}
}

func TestContextsThatKnowNothing(t *testing.T) {
	t.Parallel()
	var none context.Context // slog does not forbid it
	for name, ctx := range map[string]context.Context{
		"nil": none, "empty": context.Background(),
		"no invocation": lambdacontext.NewContext(context.Background(), nil),
		"wrong trace":   context.WithValue(context.Background(), "x-amzn-trace-id", 1),
	} {
		for format, want := range map[telemetry.Format]string{
			telemetry.JSON: `{"timestamp":"2026-01-02T02:04:05.678Z","level":"INFO","message":"m"}` + "\n",
			telemetry.Text: "INFO - m\n",
		} {
			if got := handle(t, ctx, telemetry.Options{Format: format}, record(slog.LevelInfo, "m"), func(h slog.Handler) slog.Handler { return h.WithAttrs(nil).WithGroup("") }); got != want {
				t.Errorf("%s, %s: line is %s", name, format, got)
			}
		}
	}
}

func TestLongFieldsAreCut(t *testing.T) {
	t.Parallel()
	ctx := invocationContext(context.Background(), strings.Repeat("r", 5000), "")
	for _, format := range []telemetry.Format{telemetry.JSON, telemetry.Text} {
		line := handle(t, ctx, telemetry.Options{Format: format}, record(slog.LevelInfo, "m"))
		if len(line) > 1200 || !strings.Contains(line, "rrr") || !strings.Contains(line, "truncated") {
			t.Errorf("%s: %d bytes: %.100s", format, len(line), line)
		}
	}
}

package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"log"
	"log/slog"
	"strings"
	"testing"
)

func TestEnvironment(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                         string
		format, level, namespace, fn string
		wantFormat                   Format
		wantLevel                    slog.Level
		wantNamespace                string
		problem                      string
	}{
		{name: "nothing", wantFormat: Text},
		{name: "JSON", format: "JSON", fn: "f", wantFormat: JSON},
		{name: "json", format: "json", wantFormat: JSON},
		{name: "Text", format: "Text", wantFormat: Text},
		{name: "unknown format", format: "XML", wantFormat: Text, problem: "AWS_LAMBDA_LOG_FORMAT"},
		{name: "TRACE", format: "JSON", level: "TRACE", wantFormat: JSON, wantLevel: -8},
		{name: "DEBUG", format: "JSON", level: "DEBUG", wantFormat: JSON, wantLevel: -4},
		{name: "INFO", format: "JSON", level: "INFO", wantFormat: JSON},
		{name: "WARN", format: "JSON", level: "WARN", wantFormat: JSON, wantLevel: 4},
		{name: "ERROR", format: "JSON", level: "ERROR", wantFormat: JSON, wantLevel: 8},
		{name: "FATAL", format: "JSON", level: "FATAL", wantFormat: JSON, wantLevel: 12},
		{name: "error", format: "JSON", level: "error", wantFormat: JSON, wantLevel: 8},
		{name: "unknown level", format: "JSON", level: "WARNING", wantFormat: JSON, problem: "AWS_LAMBDA_LOG_LEVEL"},
		{name: "level without JSON", level: "ERROR", wantFormat: Text},
		{name: "level with Text", format: "Text", level: "DEBUG", wantFormat: Text},
		{name: "unknown level with Text", format: "Text", level: "LOUD", wantFormat: Text},
		{name: "namespace", format: "JSON", namespace: "My Shop/1_2-3.#x:y", wantFormat: JSON, wantNamespace: "My Shop/1_2-3.#x:y"},
		{name: "reserved namespace", format: "JSON", namespace: "AWS/Lambda", wantFormat: JSON, problem: "is for AWS services"},
		{name: "namespace with a colon", format: "JSON", namespace: ":a", wantFormat: JSON, problem: "starts with"},
		{name: "blank namespace", format: "JSON", namespace: " ", wantFormat: JSON, problem: "is empty"},
		{name: "long namespace", format: "JSON", namespace: strings.Repeat("x", 256), wantFormat: JSON, problem: "255"},
		{name: "foreign namespace", format: "JSON", namespace: "a\"b", wantFormat: JSON, problem: "characters other than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			vars := map[string]string{
				"AWS_LAMBDA_LOG_FORMAT": test.format, "AWS_LAMBDA_LOG_LEVEL": test.level,
				"SLUICE_METRICS_NAMESPACE": test.namespace, "AWS_LAMBDA_FUNCTION_NAME": test.fn,
			}
			tel := fromEnv(t.Context(), func(name string) string {
				v, known := vars[name]
				if !known {
					t.Errorf("reads %s", name)
				}
				return v
			}, &b)
			if test.wantNamespace == "" {
				test.wantNamespace = DefaultNamespace
			}
			e := tel.Metrics()
			if h := tel.Handler(); h.format != test.wantFormat || h.level.Level() != test.wantLevel || e.namespace != test.wantNamespace || e.function != test.fn {
				t.Errorf("format %s, level %s, namespace %q, function %q", h.format, h.level, e.namespace, e.function)
			}
			if got := b.String(); (got != "") != (test.problem != "") || !strings.Contains(got, test.problem) {
				t.Errorf("says %q, want %q", got, test.problem)
			}
		})
	}
}

func TestNewSaysWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	tel := New(Options{Writer: &b, Format: "XML"})
	var m map[string]any
	if err := json.Unmarshal(b.Bytes(), &m); err != nil || m["level"] != "WARN" || m["value"] != "XML" || tel.Handler().format != JSON {
		t.Errorf("line is %s, %v", b.String(), err)
	}
}

//nolint:paralleltest // it sets slog's default, and the environment
func TestFromEnvSetsTheDefault(t *testing.T) {
	before, flags, writer := slog.Default(), log.Flags(), log.Writer()
	defer func() {
		slog.SetDefault(before)
		log.SetFlags(flags)
		log.SetOutput(writer)
	}()
	New(Options{})
	if slog.Default() != before {
		t.Error("New sets slog's default")
	}
	t.Setenv(variableFormat, "JSON")
	t.Setenv(variableLevel, "ERROR")
	t.Setenv(variableFunction, "f")
	t.Setenv(MetricsNamespace, "Shop")
	tel := FromEnv(context.Background())
	if slog.Default().Handler() != slog.Handler(tel.Handler()) {
		t.Error("slog's default is another")
	}
	if slog.Default().Enabled(context.Background(), slog.LevelWarn) || tel.Metrics().namespace != "Shop" || tel.Metrics().function != "f" {
		t.Error("the environment is not read")
	}
}

package telemetry

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
)

// MetricsNamespace is the environment variable that names the namespace of
// metrics. Without it: DefaultNamespace.
const MetricsNamespace = "SLUICE_METRICS_NAMESPACE"

// Variables that Lambda sets:
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
const (
	variableFormat   = "AWS_LAMBDA_LOG_FORMAT"
	variableLevel    = "AWS_LAMBDA_LOG_LEVEL"
	variableFunction = "AWS_LAMBDA_FUNCTION_NAME"
)

// FromEnv returns telemetry for the function's environment, and makes its
// Handler slog's default, so that every slog call that is given a context
// carries what the context knows. This is the one place in the framework that
// sets a global, and slog.SetDefault also sends the log package's output through
// the Handler, at level INFO. Call it in setup, once.
//
// It reads AWS_LAMBDA_LOG_FORMAT (JSON or Text; Lambda's default, and so the
// one without the variable, is Text), AWS_LAMBDA_LOG_LEVEL (TRACE, DEBUG, INFO,
// WARN, ERROR or FATAL; default INFO; only with JSON, as Lambda does),
// AWS_LAMBDA_FUNCTION_NAME and MetricsNamespace. It does not fail: a value that
// it does not know is said on a log line, and the default used.
func FromEnv(ctx context.Context) *Telemetry {
	t := fromEnv(ctx, os.Getenv, os.Stdout)
	slog.SetDefault(t.Logger())
	return t
}

func fromEnv(ctx context.Context, getenv func(string) string, w io.Writer) *Telemetry {
	opts := Options{Writer: w, Format: Text, Namespace: getenv(MetricsNamespace), Function: getenv(variableFunction)}
	var problems []problem
	switch f := getenv(variableFormat); {
	case strings.EqualFold(f, string(JSON)):
		opts.Format = JSON
	case f != "" && !strings.EqualFold(f, string(Text)):
		problems = append(problems, problem{variableFormat + " is unknown: set it to JSON or Text; Text is used", f})
	}
	if s := getenv(variableLevel); s != "" && opts.Format == JSON {
		level, ok := parseLevel(s)
		if !ok {
			problems = append(problems, problem{variableLevel + " is unknown: set it to TRACE, DEBUG, INFO, WARN, ERROR or FATAL; INFO is used", s})
		}
		opts.Level = level
	}
	return newTelemetry(ctx, opts, problems)
}

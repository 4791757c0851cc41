package telemetry

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/sluice-go/sluice/framework/consumer"
)

// Format is how log lines are written.
type Format string

// The formats of log lines, as AWS_LAMBDA_LOG_FORMAT names them.
const (
	JSON Format = "JSON"
	Text Format = "Text"
)

// DefaultNamespace is the namespace of metrics where none is given.
const DefaultNamespace = "Sluice"

// Options are what New needs. The zero value means: JSON lines of level INFO
// and above, and metrics in DefaultNamespace, on standard output.
type Options struct {
	// Writer takes log lines and metric documents: one Write for each, never
	// two at once. Default: os.Stdout. On Lambda it must be standard output or
	// standard error.
	Writer io.Writer

	// Format is that of log lines. Metrics are JSON in any case. Default: JSON.
	Format Format

	// Level is the least level of lines that are written. Default: INFO. Use a
	// *slog.LevelVar to change it later. With JSON, a level above INFO is also
	// written into the metric documents: see EMF.
	Level slog.Leveler

	// Redact, if not nil, is called for each attribute that is no group, with
	// the names of the groups around it, and returns what is to be written; an
	// attribute without key and value is left out. It is not called for the
	// message, nor for what the Handler adds from the context, which holds no
	// payload. It does not see what is inside a value of kind Any. It must be safe
	// for concurrent use, must not log, and must not keep or change groups. If
	// it panics, the attribute's value is withheld.
	Redact func(groups []string, a slog.Attr) slog.Attr

	// Namespace is that of the metrics: 1 to 255 letters, digits, spaces and
	// any of . - _ / # :, not starting with ":" nor with "AWS/", which
	// CloudWatch reserves. Any other is refused with a log line, and
	// DefaultNamespace is used. Default: DefaultNamespace.
	Namespace string

	// Function is the function's name, a property of metric documents.
	// Default: none.
	Function string
}

// Telemetry is what a consumer uses of this package. It is safe for concurrent
// use.
type Telemetry struct {
	handler *Handler
	metrics *EMF
}

// New returns telemetry for the options given. It reads no environment and sets
// no global: give a consumer its Option.
func New(opts Options) *Telemetry {
	return newTelemetry(context.Background(), opts, nil)
}

// newTelemetry says what is wrong on lines of its own making: telemetry must
// not keep a function from starting.
func newTelemetry(ctx context.Context, opts Options, problems []problem) *Telemetry {
	if opts.Writer == nil {
		opts.Writer = os.Stdout
	}
	if opts.Level == nil {
		opts.Level = slog.LevelInfo
	}
	switch opts.Format {
	case JSON, Text:
	case "":
		opts.Format = JSON
	default:
		problems = append(problems, problem{"log format is unknown: give JSON or Text; JSON is used", string(opts.Format)})
		opts.Format = JSON
	}
	switch why := checkNamespace(opts.Namespace); {
	case opts.Namespace == "":
		opts.Namespace = DefaultNamespace
	case why != "":
		problems = append(problems, problem{"metrics namespace " + why + `; "` + DefaultNamespace + `" is used`, opts.Namespace})
		opts.Namespace = DefaultNamespace
	}
	out := &output{w: opts.Writer}
	t := &Telemetry{handler: newHandler(out, opts), metrics: newEMF(out, opts)}
	for _, p := range problems {
		t.Logger().WarnContext(ctx, p.message, "value", p.value)
	}
	return t
}

// problem is a setting that is not used.
type problem struct{ message, value string }

// Handler returns the handler of log lines.
func (t *Telemetry) Handler() *Handler { return t.handler }

// Metrics returns the observer that writes metrics.
func (t *Telemetry) Metrics() *EMF { return t.metrics }

// Logger returns a logger that writes by the Handler.
func (t *Telemetry) Logger() *slog.Logger { return slog.New(t.handler) }

// Option gives a consumer both: the logger for its own lines, and the observer
// that writes metrics.
func (t *Telemetry) Option() consumer.Option {
	return consumer.WithOptions(consumer.WithLogger(t.Logger()), consumer.WithObserver(t.metrics))
}

package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/sluice-go/sluice/framework/consumer"
)

// EMF is a consumer.Observer that writes each invocation as a document in
// CloudWatch's embedded metric format, one line and one Write each; see the
// package documentation for what is in it. It is safe for concurrent use.
//
// With JSON log lines Lambda filters every line by its level, and takes a line
// without one for INFO. So that a log level of WARN does not switch off the
// metrics, and alarms with them, documents then carry that level and a
// timestamp, as Lambda asks:
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
type EMF struct {
	out       *output
	namespace string
	function  string
	filtered  bool // Lambda filters lines by level
	level     slog.Leveler
	buffers   sync.Pool // of *[]byte
}

var _ consumer.Observer = (*EMF)(nil)

func newEMF(out *output, opts Options) *EMF {
	return &EMF{
		out: out, namespace: opts.Namespace, function: opts.Function,
		filtered: opts.Format == JSON, level: opts.Level,
		buffers: sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }},
	}
}

// Observe writes the metrics of an invocation. What cannot be written is lost.
func (e *EMF) Observe(_ context.Context, r consumer.Report) {
	b := e.buffers.Get().(*[]byte) //nolint:forcetypeassert // New makes no other
	defer e.buffers.Put(b)
	d := newDocument(e, &r)
	for {
		*b = d.append((*b)[:0])
		if err := e.out.write(*b); err != nil || !d.next() {
			return
		}
	}
}

// checkNamespace says what is wrong with a namespace, if anything is:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
// and cloudwatch_concepts.html#Namespace.
func checkNamespace(s string) string {
	const punctuation = " .-_/#:"
	switch {
	case len(s) > 255:
		return "is longer than 255 characters"
	case strings.HasPrefix(s, ":"):
		return `starts with ":"`
	case strings.HasPrefix(s, "AWS/"):
		return `starts with "AWS/", which is for AWS services`
	case strings.TrimSpace(s) == "":
		return "is empty"
	}
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune(punctuation, r) {
			return "has characters other than letters, digits, spaces and . - _ / # :"
		}
	}
	return ""
}

// maxDimension is CloudWatch's limit of a dimension's value, in characters.
const maxDimension = 1024

// dimension returns a name as a dimension's value: printable ASCII, not empty,
// not starting with a colon. CloudWatch would drop all metrics of a document
// with any other:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
func dimension(s string) string {
	if strings.TrimSpace(s) == "" {
		return "unknown"
	}
	if s[0] == ':' {
		s = "_" + s[1:]
	}
	if strings.IndexFunc(s, isForeign) >= 0 {
		s = strings.Map(func(r rune) rune {
			if isForeign(r) {
				return '_'
			}
			return r
		}, s)
	}
	return s[:min(len(s), maxDimension)]
}

func isForeign(r rune) bool { return r < ' ' || r > '~' }

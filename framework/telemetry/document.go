package telemetry

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
)

// document writes an invocation as documents, one after the other:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
type document struct {
	emf       *EMF
	report    *consumer.Report
	counters  [11]metric
	first     bool
	durations series
	ages      series
}

// series is a metric with a value for each of some messages.
type series struct {
	name string
	of   func(*consumer.Observation) time.Duration // a message's value; not above 0 if it has none
	from int                                       // the message at which a document starts
	to   int                                       // and at which the next one does
	left bool                                      // there are values from there on
}

func newDocument(e *EMF, r *consumer.Report) document {
	c := countMessages(r.Messages)
	d := document{
		emf: e, report: r, counters: c.counters(r), first: true,
		durations: series{name: "HandlerDuration", of: func(o *consumer.Observation) time.Duration { return o.Run }},
		ages:      series{name: "MessageAge", of: func(o *consumer.Observation) time.Duration { return o.Age }},
	}
	d.durations.fill(r.Messages)
	d.ages.fill(r.Messages)
	return d
}

// fill takes up to maxValues values from where the last document ended.
func (s *series) fill(messages []consumer.Observation) {
	s.from, s.left = s.to, false
	n := 0
	for ; s.to < len(messages); s.to++ {
		if s.of(&messages[s.to]) <= 0 {
			continue
		}
		if n == maxValues {
			s.left = true
			return
		}
		n++
	}
	if n == 0 {
		s.from = s.to
	}
}

func (s *series) empty() bool { return s.from == s.to }

// next goes on to the next document, if values are left for one.
func (d *document) next() bool {
	if !d.durations.left && !d.ages.left {
		return false
	}
	d.first = false
	d.durations.fill(d.report.Messages)
	d.ages.fill(d.report.Messages)
	return true
}

// append appends the document as a line.
func (d *document) append(b []byte) []byte {
	r := d.report
	answered := r.Started.Add(r.Duration)
	b = append(b, `{"_aws":{"Timestamp":`...)
	b = strconv.AppendInt(b, max(answered.UnixMilli(), 0), 10)
	b = append(b, `,"CloudWatchMetrics":[{"Namespace":`...)
	b = quoted(b, d.emf.namespace)
	b = append(b, `,"Dimensions":[["consumer","source"]],"Metrics":[`...)
	b = d.appendMetrics(b, definition)
	b = append(b, `]}]},"consumer":`...)
	b = quoted(b, dimension(r.Consumer))
	b = append(b, `,"source":`...)
	b = quoted(b, dimension(string(r.Source)))
	if level := d.emf.level.Level(); d.emf.filtered && level >= slog.LevelWarn {
		b = append(b, `,"timestamp":"`...)
		b = answered.UTC().AppendFormat(b, timestampLayout)
		b = append(b, `","level":`...)
		b = quoted(b, levelName(level))
	}
	if d.emf.function != "" {
		b = append(b, `,"function":`...)
		b = quoted(b, d.emf.function)
	}
	if r.RequestID != "" {
		b = append(b, `,"requestId":`...)
		b = quoted(b, r.RequestID)
	}
	b = append(b, ',')
	b = d.appendMetrics(b, value)
	return append(b, '}', '\n')
}

// part is which of a metric's two parts is written.
type part bool

const (
	definition part = true  // its name and unit
	value      part = false // the member that holds its value or values
)

// appendMetrics appends the same part of all metrics that the document has, so
// that definitions and values cannot differ.
func (d *document) appendMetrics(b []byte, p part) []byte {
	start := len(b)
	if d.first {
		for _, m := range d.counters {
			if m.value > 0 || m.evenZero() {
				b = p.begin(b, start, m.name, "Count")
				b = p.int(b, m.value)
			}
		}
		if d.report.Err == nil {
			b = p.begin(b, start, "BatchSize", "Count")
			b = p.int(b, len(d.report.Messages))
		}
		if d.report.ColdStart {
			b = p.begin(b, start, "ColdStart", "Count")
			b = p.int(b, 1)
		}
		b = p.begin(b, start, "InvocationDuration", "Milliseconds")
		if p == value {
			b = appendMilliseconds(b, d.report.Duration)
		}
	}
	for _, s := range []*series{&d.durations, &d.ages} {
		if s.empty() {
			continue
		}
		b = p.begin(b, start, s.name, "Milliseconds")
		if p == value {
			b = s.append(b, d.report.Messages)
		}
	}
	return b
}

// begin appends a metric's definition, or its name in front of its value.
func (p part) begin(b []byte, start int, name, unit string) []byte {
	if len(b) > start {
		b = append(b, ',')
	}
	if p == definition {
		b = append(append(b, `{"Name":"`...), name...)
		b = append(append(b, `","Unit":"`...), unit...)
		return append(b, `"}`...)
	}
	return append(append(append(b, '"'), name...), `":`...)
}

func (p part) int(b []byte, n int) []byte {
	if p == definition {
		return b
	}
	return strconv.AppendInt(b, int64(n), 10)
}

func (s *series) append(b []byte, messages []consumer.Observation) []byte {
	b = append(b, '[')
	n := 0
	for i := s.from; i < s.to; i++ {
		v := s.of(&messages[i])
		if v <= 0 {
			continue
		}
		if n > 0 {
			b = append(b, ',')
		}
		b = appendMilliseconds(b, v)
		n++
	}
	return append(b, ']')
}

// appendMilliseconds appends a duration as milliseconds, exact to a
// microsecond. A negative one, of a clock that was set back, is 0.
func appendMilliseconds(b []byte, d time.Duration) []byte {
	micros := max(d.Microseconds(), 0)
	b = strconv.AppendInt(b, micros/1000, 10)
	if rest := micros % 1000; rest > 0 {
		digits := [...]byte{'.', byte('0' + rest/100), byte('0' + rest/10%10), byte('0' + rest%10)}
		n := len(digits)
		for digits[n-1] == '0' {
			n--
		}
		b = append(b, digits[:n]...)
	}
	return b
}

// quoted appends a string of at most a kilobyte, which keeps a document below
// the limit of one event.
func quoted(b []byte, s string) []byte {
	b, _ = appendQuoted(b, s, maxDimension+2)
	return b
}

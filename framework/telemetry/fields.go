package telemetry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/sluice-go/sluice/framework/consumer"
)

// field is a set of the members that a line has from its context.
type field uint16

const (
	fieldRequestID field = 1 << iota
	fieldConsumer
	fieldMessageID
	fieldID
	fieldEventType
	fieldKeyHash
	fieldGeneration
	fieldXRayTraceID
	fieldTraceID
	fieldTruncated
)

// maxField is how long a field may be, quoted, in bytes: some are what a
// producer wrote. All of them are within fieldsRoom.
const maxField = 1 << 10

func (f field) name() string {
	switch f {
	case fieldRequestID:
		return "requestId"
	case fieldConsumer:
		return "consumer"
	case fieldMessageID:
		return "message_id"
	case fieldID:
		return "id"
	case fieldEventType:
		return "event_type"
	case fieldKeyHash:
		return "key_hash"
	case fieldGeneration:
		return "generation"
	case fieldXRayTraceID:
		return "xray_trace_id"
	case fieldTraceID:
		return "trace_id"
	case fieldTruncated:
		return "truncated"
	default:
		return ""
	}
}

// fieldOf returns the field of a name, or none.
func fieldOf(name string) field {
	for f := fieldRequestID; f <= fieldTruncated; f <<= 1 {
		if f.name() == name {
			return f
		}
	}
	return 0
}

// contextFields writes what ctx knows, except the request id.
func (l *line) contextFields(ctx context.Context) {
	if m, ok := consumer.FromContext(ctx); ok {
		l.field(fieldConsumer, m.Consumer)
		l.field(fieldMessageID, m.MessageID)
		l.field(fieldID, m.ID)
		l.field(fieldEventType, m.Type)
		if m.Key != "" {
			var digits [16]byte
			l.field(fieldKeyHash, string(l.hash(digits[:0], m.Key)))
		}
		if m.Generation > 0 && l.seen&fieldGeneration == 0 {
			l.fieldName(fieldGeneration)
			l.buf = strconv.AppendInt(l.buf, m.Generation, 10)
		}
	}
	// A string is the key by which aws-lambda-go keeps the header
	// Lambda-Runtime-Trace-Id; the environment variable is wrong where
	// invocations share a process.
	header, _ := ctx.Value("x-amzn-trace-id").(string)
	if xray := traceRoot(header); xray != "" {
		l.field(fieldXRayTraceID, xray)
		var w3c [32]byte
		copy(w3c[:8], xray[2:10])
		copy(w3c[8:], xray[11:])
		l.field(fieldTraceID, string(w3c[:]))
	}
}

// hash appends the first 16 hexadecimal digits of the key's SHA-256.
func (l *line) hash(b []byte, key string) []byte {
	l.scratch = append(l.scratch[:0], key...)
	sum := sha256.Sum256(l.scratch)
	return hex.AppendEncode(b, sum[:8])
}

// field writes a member outside of all groups, unless it is empty or an
// attribute has its place.
func (l *line) field(f field, value string) {
	if value == "" || l.seen&f != 0 {
		return
	}
	l.fieldName(f)
	var cut bool
	if l.format == Text {
		l.buf, cut = appendPlain(l.buf, value, maxField, isWord)
	} else {
		l.buf, cut = appendQuoted(l.buf, value, maxField)
	}
	l.cut = l.cut || cut
}

func (l *line) fieldName(f field) {
	l.seen |= f
	if l.format == Text {
		l.buf = append(append(append(l.buf, ' '), f.name()...), '=')
		return
	}
	l.buf = append(append(append(l.buf, `,"`...), f.name()...), `":`...)
}

// traceRoot returns the trace id of a tracing header, such as
// Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1,
// or nothing if there is none in the form that X-Ray documents. Members that
// it does not know, such as Lineage, are real:
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
func traceRoot(header string) string {
	for header != "" {
		var member string
		member, header, _ = strings.Cut(header, ";")
		id, found := strings.CutPrefix(strings.TrimSpace(member), "Root=")
		if !found {
			continue
		}
		if len(id) != 35 || id[:2] != "1-" || id[10] != '-' || !isHex(id[2:10]) || !isHex(id[11:]) {
			return ""
		}
		return id
	}
	return ""
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

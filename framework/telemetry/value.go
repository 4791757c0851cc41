package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// leastCut is the room in bytes below which a string is left out rather than
// cut.
const leastCut = 16

// value writes a value that is no group, and reports whether there was room for
// it; a string takes the room that there is.
func (l *line) value(v slog.Value) bool {
	switch v.Kind() {
	case slog.KindString:
		return l.text(v.String())
	case slog.KindInt64:
		l.buf = strconv.AppendInt(l.buf, v.Int64(), 10)
	case slog.KindUint64:
		l.buf = strconv.AppendUint(l.buf, v.Uint64(), 10)
	case slog.KindBool:
		l.buf = strconv.AppendBool(l.buf, v.Bool())
	case slog.KindFloat64:
		l.float(v.Float64())
	case slog.KindDuration:
		l.quote()
		l.buf = append(l.buf, v.Duration().String()...)
		l.quote()
	case slog.KindTime:
		l.quote()
		l.buf = v.Time().AppendFormat(l.buf, time.RFC3339Nano)
		l.quote()
	default:
		return l.any(v.Any())
	}
	return true
}

// quote opens or closes a string of JSON that needs no escapes.
func (l *line) quote() {
	if l.format == JSON {
		l.buf = append(l.buf, '"')
	}
}

func (l *line) text(s string) bool {
	room := l.room()
	var cut bool
	if l.format == JSON {
		l.buf, cut = appendQuoted(l.buf, s, room)
	} else {
		l.buf, cut = appendPlain(l.buf, s, room, isWord)
	}
	l.cut = l.cut || cut
	return !cut || room >= leastCut
}

// float writes a number as encoding/json does, and what JSON has no number for
// as a string.
func (l *line) float(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		l.quote()
		l.buf = strconv.AppendFloat(l.buf, f, 'g', -1, 64)
		l.quote()
		return
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	l.buf = strconv.AppendFloat(l.buf, f, format, -1, 64)
}

func (l *line) any(v any) bool {
	text, encoded := encode(v)
	switch {
	case encoded == nil:
		return l.text(text)
	case len(encoded) <= l.room():
		l.buf = append(l.buf, encoded...)
		return true
	default:
		l.cut = true
		return l.text(string(encoded)) // cut, it is no JSON any more
	}
}

// encode returns a value as JSON, or else as a text: the message of an error,
// or why the value has no JSON.
func encode(v any) (text string, encoded []byte) {
	defer func() {
		if p := recover(); p != nil {
			encoded, text = nil, fmt.Sprintf("!PANIC: %v", p)
			if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() {
				text = "<nil>" // a method that does not expect it, called by us
			}
		}
	}()
	if err, ok := v.(error); ok {
		if _, marshals := v.(json.Marshaler); !marshals {
			return err.Error(), nil
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "!ERROR: " + err.Error(), nil
	}
	encoded = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if !utf8.Valid(encoded) { // encoding/json does not look into what MarshalJSON returns
		encoded = bytes.ToValidUTF8(encoded, []byte("\uFFFD"))
	}
	return "", encoded
}

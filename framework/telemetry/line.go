package telemetry

import (
	"log/slog"
	"time"
)

// timestampLayout is RFC 3339 with milliseconds.
const timestampLayout = "2006-01-02T15:04:05.000Z07:00"

// maxDepth is how deep groups nest. More than that is a value that contains
// itself, and would end the process.
const maxDepth = 32

// line is a line in the making. It is used by one goroutine at a time.
type line struct {
	*core

	buf     []byte
	groups  []string // around the next attribute, outermost first
	open    int      // how many of them have been written; JSON only
	limit   int      // of buf, while attributes are written
	seen    field    // fields that are in the line already
	cut     bool     // something had no room
	depth   int      // of the attribute that is being written
	scratch []byte
}

func (l *line) beginJSON(t time.Time, level slog.Level, message string, most int) {
	l.buf = append(l.buf, '{')
	if !t.IsZero() {
		l.buf = append(l.buf, `"timestamp":"`...)
		l.buf = t.UTC().AppendFormat(l.buf, timestampLayout)
		l.buf = append(l.buf, `",`...)
	}
	l.buf = append(l.buf, `"level":"`...)
	l.buf = append(l.buf, levelName(level)...)
	l.buf = append(l.buf, `","message":`...)
	var cut bool
	l.buf, cut = appendQuoted(l.buf, message, most-len(l.buf))
	l.cut = l.cut || cut
}

func (l *line) beginText(level slog.Level, requestID, message string, most int) {
	l.buf = append(l.buf, levelName(level)...)
	l.buf = append(l.buf, ' ')
	if requestID == "" {
		requestID = "-"
	}
	var cut bool
	if l.buf, cut = appendPlain(l.buf, requestID, maxField, isWord); cut {
		l.cut = true
	}
	l.buf = append(l.buf, ' ')
	if l.buf, cut = appendPlain(l.buf, message, most-len(l.buf), isSentence); cut {
		l.cut = true
	}
}

// end writes the line's end, for which fieldsRoom has room.
func (l *line) end() {
	switch {
	case l.format == Text:
		if l.cut {
			l.buf = append(l.buf, " truncated=true"...)
		}
	case l.cut && l.seen&fieldTruncated == 0:
		l.buf = append(l.buf, `,"truncated":true}`...)
	default:
		l.buf = append(l.buf, '}')
	}
	l.buf = append(l.buf, '\n')
}

// attr writes an attribute by slog's rules for handlers: values are resolved,
// an attribute without key and value is left out, so is a group without
// attributes, and a group without a name is written as if it were none.
func (l *line) attr(a slog.Attr) {
	a.Value = a.Value.Resolve()
	if l.redact != nil && a.Value.Kind() != slog.KindGroup {
		a = l.redacted(a)
		a.Value = a.Value.Resolve()
	}
	if a.Key == "" && a.Value.Kind() == slog.KindAny && a.Value.Any() == nil {
		return
	}
	if a.Value.Kind() != slog.KindGroup {
		l.leaf(a.Key, a.Value)
		return
	}
	if l.depth == maxDepth {
		l.leaf(a.Key, slog.StringValue("!ERROR: groups nest too deep"))
		return
	}
	l.depth++
	defer func() { l.depth-- }()
	if a.Key == "" {
		for _, inner := range a.Value.Group() {
			l.attr(inner)
		}
		return
	}
	l.groups = append(l.groups, a.Key)
	for _, inner := range a.Value.Group() {
		l.attr(inner)
	}
	if l.open == len(l.groups) {
		l.buf = append(l.buf, '}')
		l.open--
	}
	l.groups = l.groups[:len(l.groups)-1]
}

// redacted calls the hook. A hook that panics must not let the value through.
func (l *line) redacted(a slog.Attr) (result slog.Attr) {
	defer func() {
		if p := recover(); p != nil {
			result = slog.String(a.Key, "!PANIC: Redact panicked, so the value is withheld")
		}
	}()
	return l.redact(l.groups, a)
}

// leaf writes an attribute that is no group, and first the groups around it
// that are not open yet. What has no room leaves no trace but the mark.
func (l *line) leaf(key string, v slog.Value) {
	mark, open, seen := len(l.buf), l.open, l.seen
	if len(l.groups) == 0 {
		key = l.rootKey(key)
	}
	if !l.name(key) || !l.value(v) || l.room() < 0 {
		l.buf, l.open, l.seen = l.buf[:mark], open, seen
		l.cut = true
	}
}

// room is how much of the line is left for attributes, once all groups that
// are open are closed.
func (l *line) room() int { return l.limit - l.open - len(l.buf) }

// rootKey keeps names unique: see the package documentation.
func (l *line) rootKey(key string) string {
	switch key {
	case "timestamp":
		return "timestamp_"
	case "level":
		return "level_"
	case "message":
		return "message_"
	}
	l.seen |= fieldOf(key)
	return key
}

// name writes an attribute's name, up to its value.
func (l *line) name(key string) bool {
	if l.format == Text {
		l.buf = append(l.buf, ' ')
		for _, g := range l.groups {
			if !l.word(g, '.') {
				return false
			}
		}
		return l.word(key, '=')
	}
	for l.open < len(l.groups) {
		if !l.member(l.groups[l.open]) {
			return false
		}
		l.buf = append(l.buf, '{')
		l.open++
	}
	return l.member(key)
}

func (l *line) word(s string, end byte) bool {
	var cut bool
	l.buf, cut = appendPlain(l.buf, s, l.room(), isWord)
	l.buf = append(l.buf, end)
	return !cut
}

func (l *line) member(key string) bool {
	if n := len(l.buf); n == 0 || l.buf[n-1] != '{' {
		l.buf = append(l.buf, ',')
	}
	var cut bool
	l.buf, cut = appendQuoted(l.buf, key, l.room())
	l.buf = append(l.buf, ':')
	return !cut
}

func (l *line) closeGroups() {
	for ; l.open > 0; l.open-- {
		l.buf = append(l.buf, '}')
	}
	l.groups = l.groups[:0]
}

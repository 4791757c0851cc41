package telemetry

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// appendQuoted appends s as a JSON string of at most room bytes, quotes
// included, and reports whether s had to be cut for that. Characters are never
// split. Without room for the quotes it appends nothing. Invalid UTF-8 becomes U+FFFD; the line separators
// U+2028 and U+2029 are escaped, for readers of lines that take them for such.
func appendQuoted(b []byte, s string, room int) (_ []byte, cut bool) {
	if room < 2 {
		return b, true
	}
	end := len(b) + room - 1 // where the closing quote stands at the latest
	b = append(b, '"')
	for i := 0; i < len(s); {
		start := i
		for i < len(s) && isSafe(s[i]) {
			i++
		}
		if n := end - len(b); i-start > n {
			return append(append(b, s[start:start+n]...), '"'), true
		}
		b = append(b, s[start:i]...)
		if i == len(s) {
			break
		}
		var escaped [6]byte
		next, size := appendEscaped(escaped[:0], s[i:])
		if len(b)+len(next) > end {
			return append(b, '"'), true
		}
		b = append(b, next...)
		i += size
	}
	return append(b, '"'), false
}

// isSafe reports whether a byte is a character that JSON strings hold as it is.
func isSafe(c byte) bool {
	return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\'
}

// appendEscaped appends the first character of s as JSON strings hold it, and
// returns how many bytes of s it took. It appends at most 6 bytes.
func appendEscaped(b []byte, s string) (_ []byte, size int) {
	if c := s[0]; c < utf8.RuneSelf {
		switch c {
		case '"', '\\':
			return append(b, '\\', c), 1
		case '\n':
			return append(b, '\\', 'n'), 1
		case '\r':
			return append(b, '\\', 'r'), 1
		case '\t':
			return append(b, '\\', 't'), 1
		default:
			return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15]), 1
		}
	}
	switch r, size := utf8.DecodeRuneInString(s); {
	case r == utf8.RuneError && size == 1:
		return append(b, `\ufffd`...), 1
	case r == '\u2028' || r == '\u2029':
		return append(b, '\\', 'u', '2', '0', '2', hexDigits[r&15]), size
	default:
		return append(b, s[:size]...), size
	}
}

// appendPlain appends s as it is, or quoted if a character of it is not plain,
// or if it is empty; in at most room bytes.
func appendPlain(b []byte, s string, room int, plain func(rune) bool) (_ []byte, cut bool) {
	if s == "" || !utf8.ValidString(s) {
		return appendQuoted(b, s, room)
	}
	for _, r := range s {
		if !plain(r) {
			return appendQuoted(b, s, room)
		}
	}
	if len(s) <= room {
		return append(b, s...), false
	}
	room = max(room, 0)
	for room > 0 && !utf8.RuneStart(s[room]) {
		room--
	}
	return append(b, s[:room]...), true
}

// isSentence is what may stand in a message that is not quoted: no control
// characters, which end lines or move a terminal's cursor.
func isSentence(r rune) bool {
	return r >= ' ' && (r < 0x7f || r > 0x9f) && r != '\u2028' && r != '\u2029'
}

// isWord is what may stand in a name or value that is not quoted.
func isWord(r rune) bool {
	return isSentence(r) && r != ' ' && r != '=' && r != '"' && r != '\\'
}

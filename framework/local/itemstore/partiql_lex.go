package itemstore

import (
	"strings"
	"unicode/utf8"
)

// PartiQL tokens reuse the kinds of expressions; these are its own.
const (
	tokText   tokenKind = iota + 100 // 'literal'; word holds the content
	tokQuoted                        // "identifier"; word holds the content
	tokParam                         // ?
)

// lexPartiQL cuts a statement into tokens. Keywords are identifiers here: the
// parser knows where it wants which. ok is false for an unfinished literal.
func lexPartiQL(src string) (tokens []token, ok bool) {
	add := func(kind tokenKind, start, end int, word string) {
		tokens = append(tokens, token{kind: kind, text: src[start:end], word: word, start: start, end: end})
	}
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case isSpace(c):
			i++
		case isLetter(c) || c == '_':
			j := i + 1
			for j < len(src) && isIdent(src[j]) {
				j++
			}
			add(tokIdent, i, j, strings.ToUpper(src[i:j]))
			i = j
		case isDigit(c) || c == '.' && i+1 < len(src) && isDigit(src[i+1]):
			j := numberEnd(src, i)
			add(tokNumber, i, j, "")
			i = j
		case c == '\'' || c == '"':
			content, end, closed := quoted(src, i)
			if !closed {
				return nil, false
			}
			kind := tokText
			if c == '"' {
				kind = tokQuoted
			}
			add(kind, i, end, content)
			i = end
		case c == '?':
			add(tokParam, i, i+1, "")
			i++
		case len(src) > i+1 && isPair(src[i:i+2]):
			add(tokSymbol, i, i+2, "")
			i += 2
		case strings.IndexByte("=<>()[]{},.+-:;*", c) >= 0:
			add(tokSymbol, i, i+1, "")
			i++
		default:
			_, width := utf8.DecodeRuneInString(src[i:])
			add(tokOther, i, i+width, "")
			i += width
		}
	}
	return append(tokens, token{kind: tokEOF, start: len(src), end: len(src)}), true
}

func isPair(s string) bool {
	return s == "<=" || s == ">=" || s == "<>" || s == "!=" || s == "<<" || s == ">>"
}

func numberEnd(src string, i int) int {
	for i < len(src) && (isDigit(src[i]) || src[i] == '.') {
		i++
	}
	if i < len(src) && (src[i] == 'e' || src[i] == 'E') {
		j := i + 1
		if j < len(src) && (src[j] == '+' || src[j] == '-') {
			j++
		}
		for ; j < len(src) && isDigit(src[j]); j++ {
			i = j + 1
		}
	}
	return i
}

// quoted reads a literal in which the quote is doubled to stand for itself.
func quoted(src string, start int) (content string, end int, closed bool) {
	quote := src[start]
	var b strings.Builder
	for i := start + 1; i < len(src); i++ {
		if src[i] != quote {
			b.WriteByte(src[i])
			continue
		}
		if i+1 < len(src) && src[i+1] == quote {
			b.WriteByte(quote)
			i++
			continue
		}
		return b.String(), i + 1, true
	}
	return "", len(src), false
}

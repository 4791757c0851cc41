package itemstore

import (
	"slices"
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEOF    tokenKind = iota
	tokIdent            // an attribute or function name
	tokWord             // AND, OR, NOT, IN, BETWEEN, SET, REMOVE, ADD, DELETE, upper-cased in word
	tokName             // #name
	tokValue            // :value
	tokNumber           // a list index
	tokSymbol           // punctuation and operators
	tokOther            // anything that no grammar accepts
)

type token struct {
	kind       tokenKind
	text       string // as written
	word       string // tokWord: in upper case
	start, end int    // bytes of the expression
}

// keywords end an operand wherever they stand; everything else that AWS
// reserves is refused later, with another text.
func isKeyword(upper string) bool {
	return slices.Contains([]string{"AND", "OR", "NOT", "IN", "BETWEEN", "SET", "REMOVE", "ADD", "DELETE"}, upper)
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isIdent(c byte) bool  { return isLetter(c) || isDigit(c) || c == '_' }
func isSpace(c byte) bool  { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// lex cuts an expression into tokens; the last is always tokEOF. It never
// fails: what it does not know becomes tokOther, which no grammar accepts.
func lex(src string) []token {
	var tokens []token
	add := func(kind tokenKind, start, end int) {
		tokens = append(tokens, token{kind: kind, text: src[start:end], start: start, end: end})
	}
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case isSpace(c):
			i++
		case isLetter(c):
			j := i + 1
			for j < len(src) && isIdent(src[j]) {
				j++
			}
			add(tokIdent, i, j)
			if upper := strings.ToUpper(src[i:j]); isKeyword(upper) {
				tokens[len(tokens)-1].kind = tokWord
				tokens[len(tokens)-1].word = upper
			}
			i = j
		case isDigit(c):
			j := i + 1
			for j < len(src) && isDigit(src[j]) {
				j++
			}
			add(tokNumber, i, j)
			i = j
		case (c == '#' || c == ':') && i+1 < len(src) && isIdent(src[i+1]):
			j := i + 1
			for j < len(src) && isIdent(src[j]) {
				j++
			}
			kind := tokName
			if c == ':' {
				kind = tokValue
			}
			add(kind, i, j)
			i = j
		case strings.HasPrefix(src[i:], "<>"), strings.HasPrefix(src[i:], "<="), strings.HasPrefix(src[i:], ">="):
			add(tokSymbol, i, i+2)
			i += 2
		case strings.IndexByte("=<>()[],.+-", c) >= 0:
			add(tokSymbol, i, i+1)
			i++
		default:
			_, width := utf8.DecodeRuneInString(src[i:])
			add(tokOther, i, i+width)
			i += width
		}
	}
	return append(tokens, token{kind: tokEOF, text: "<EOF>", start: len(src), end: len(src)})
}

// parser walks the tokens of one expression. Syntax errors end the parse at
// once; every other complaint is noted, because AWS reports them by class and
// not by position.
type parser struct {
	src    string
	tokens []token
	pos    int
	ctx    *exprContext

	notes     [classCount]string
	sealed    bool // a condition had its say; later ones add nothing
	operators int
}

// The classes of complaints, in the order in which AWS reports them. From
// classUndefined on they belong to one condition, and the first condition that
// has any is the one that is reported.
const (
	classParens = iota
	classFunction
	classMisuse
	classReserved
	classUndefined
	classOperands
	classDistinct
	classType
	classCount
)

func (p *parser) note(class int, text string) {
	if p.notes[class] == "" && (!p.sealed || class < classUndefined) {
		p.notes[class] = text
	}
}

// seal ends a condition.
func (p *parser) seal() {
	for _, text := range p.notes[classUndefined:] {
		p.sealed = p.sealed || text != ""
	}
}

func (p *parser) complaint() string {
	for _, text := range p.notes {
		if text != "" {
			return text
		}
	}
	return ""
}

func (p *parser) peek() token { return p.tokens[p.pos] }

func (p *parser) isSymbol(s string) bool {
	t := p.peek()
	return t.kind == tokSymbol && t.text == s
}

func (p *parser) acceptSymbol(s string) bool {
	if p.isSymbol(s) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) acceptWord(w string) bool {
	if t := p.peek(); t.kind == tokWord && t.word == w {
		p.pos++
		return true
	}
	return false
}

// syntaxError is AWS's: the offending token, and the text from the token
// before it to the one after it.
func (p *parser) syntaxError() *exprError {
	t := p.peek()
	start, end := t.start, t.end
	if p.pos > 0 {
		start = p.tokens[p.pos-1].start
	} else if t.kind == tokEOF {
		start = 0
	}
	if p.pos+1 < len(p.tokens) {
		if after := p.tokens[p.pos+1]; after.kind != tokEOF {
			end = after.end
		}
	}
	return &exprError{text: `Syntax error; token: "` + t.text + `", near: "` + p.src[start:end] + `"`}
}

func (p *parser) expectSymbol(s string) *exprError {
	if !p.acceptSymbol(s) {
		return p.syntaxError()
	}
	return nil
}

// exprError is a complaint about an expression, before "Invalid
// ConditionExpression: " or the like is put before it.
type exprError struct{ text string }

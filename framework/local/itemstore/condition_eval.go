package itemstore

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// holds evaluates a condition. A nil item is one that does not exist.
func (n *node) holds(m item) bool {
	switch n.op {
	case opAnd:
		return n.args[0].holds(m) && n.args[1].holds(m)
	case opOr:
		return n.args[0].holds(m) || n.args[1].holds(m)
	case opNot:
		return !n.args[0].holds(m)
	case opIn:
		left, ok := n.args[0].operand(m)
		return ok && slices.ContainsFunc(n.args[1:], func(a *node) bool {
			v, ok := a.operand(m)
			return ok && v.equal(left)
		})
	case opBetween:
		return compareNodes(">=", n.args[0], n.args[1], m) && compareNodes("<=", n.args[0], n.args[2], m)
	case "attribute_exists":
		_, ok := n.args[0].operand(m)
		return ok
	case "attribute_not_exists":
		_, ok := n.args[0].operand(m)
		return !ok
	case "attribute_type":
		v, ok := n.args[0].operand(m)
		want, _ := n.args[1].operand(m)
		return ok && string(v.Type) == want.Str
	case "begins_with":
		v, ok1 := n.args[0].operand(m)
		prefix, ok2 := n.args[1].operand(m)
		return ok1 && ok2 && beginsWith(v, prefix)
	case "contains":
		v, ok1 := n.args[0].operand(m)
		part, ok2 := n.args[1].operand(m)
		return ok1 && ok2 && contains(v, part)
	}
	return compareNodes(n.op, n.args[0], n.args[1], m)
}

// operand finds the value of a path, a value or size(); ok is false when there
// is none.
func (n *node) operand(m item) (Value, bool) {
	switch n.op {
	case opPath:
		return n.path.lookup(m)
	case opValue:
		return n.value, true
	case "size":
		v, ok := n.args[0].operand(m)
		if !ok {
			return Value{}, false
		}
		length, ok := sizeOf(v)
		return Value{Type: TypeN, Str: strconv.Itoa(length)}, ok
	}
	return Value{}, false
}

// compareNodes never holds for an absent operand, but for "<>": an attribute
// that does not exist differs from everything.
func compareNodes(op string, a, b *node, m item) bool {
	x, ok1 := a.operand(m)
	y, ok2 := b.operand(m)
	if !ok1 || !ok2 {
		return op == "<>"
	}
	return compareValues(op, x, y)
}

func compareValues(op string, x, y Value) bool {
	switch op {
	case "=":
		return x.equal(y)
	case "<>":
		return !x.equal(y)
	}
	if x.Type != y.Type || !x.Type.ordered() {
		return false
	}
	c := x.compare(y)
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	default:
		return c >= 0
	}
}

func beginsWith(v, prefix Value) bool {
	switch {
	case v.Type != prefix.Type:
		return false
	case v.Type == TypeS:
		return strings.HasPrefix(v.Str, prefix.Str)
	case v.Type == TypeB:
		return bytes.HasPrefix(v.Bin, prefix.Bin)
	}
	return false
}

// contains looks for a substring in text and binaries, and for an element in
// sets and lists.
func contains(v, part Value) bool {
	switch v.Type {
	case TypeS:
		return part.Type == TypeS && strings.Contains(v.Str, part.Str)
	case TypeB:
		return part.Type == TypeB && bytes.Contains(v.Bin, part.Bin)
	case TypeSS:
		return part.Type == TypeS && slices.Contains(v.Set, part.Str)
	case TypeNS:
		return part.Type == TypeN && slices.Contains(v.Set, part.Str)
	case TypeBS:
		return part.Type == TypeB && containsBlob(v.Blobs, part.Bin)
	case TypeL:
		return slices.ContainsFunc(v.List, part.equal)
	}
	return false
}

// sizeOf is what size() yields: UTF-16 code units of a string, bytes of a
// binary, elements of the rest.
func sizeOf(v Value) (int, bool) {
	switch v.Type {
	case TypeS:
		return len(utf16.Encode([]rune(v.Str))), true
	case TypeB:
		return len(v.Bin), true
	case TypeSS, TypeNS:
		return len(v.Set), true
	case TypeBS:
		return len(v.Blobs), true
	case TypeL:
		return len(v.List), true
	case TypeM:
		return len(v.Map), true
	}
	return 0, false
}

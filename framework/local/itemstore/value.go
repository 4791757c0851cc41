package itemstore

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// Type is a DynamoDB data type, named as AWS's JSON names it.
type Type string

// The ten types.
const (
	TypeS    Type = "S"
	TypeN    Type = "N"
	TypeB    Type = "B"
	TypeBOOL Type = "BOOL"
	TypeNULL Type = "NULL"
	TypeL    Type = "L"
	TypeM    Type = "M"
	TypeSS   Type = "SS"
	TypeNS   Type = "NS"
	TypeBS   Type = "BS"
)

// Value is one attribute value. Only the member that belongs to its Type is
// set. In a Value that this package returns, numbers have AWS's canonical text
// and sets are sorted ascending, so that equal values are deeply equal.
type Value struct {
	Type  Type
	Str   string           // S: the text; N: the number
	Bin   []byte           // B
	Bool  bool             // BOOL
	List  []Value          // L
	Map   map[string]Value // M
	Set   []string         // SS, NS
	Blobs [][]byte         // BS
}

// item is one item of a table, or its key.
type item = map[string]Value

func stringValue(s string) Value { return Value{Type: TypeS, Str: s} }

func numberValue(d decimal) Value { return Value{Type: TypeN, Str: d.String()} }

// clone returns a copy that shares nothing that can change.
func (v Value) clone() Value {
	v.Bin = bytes.Clone(v.Bin)
	v.Set = slices.Clone(v.Set)
	if v.List != nil {
		list := make([]Value, len(v.List))
		for i, e := range v.List {
			list[i] = e.clone()
		}
		v.List = list
	}
	if v.Map != nil {
		v.Map = cloneItem(v.Map)
	}
	if v.Blobs != nil {
		blobs := make([][]byte, len(v.Blobs))
		for i, b := range v.Blobs {
			blobs[i] = bytes.Clone(b)
		}
		v.Blobs = blobs
	}
	return v
}

func cloneItem(m item) item {
	if m == nil {
		return nil
	}
	c := make(item, len(m))
	for k, v := range m {
		c[k] = v.clone()
	}
	return c
}

// equal is DynamoDB's equality: same type, same content. Numbers compare by
// value and sets without order, both thanks to their canonical form.
func (v Value) equal(o Value) bool {
	if v.Type != o.Type {
		return false
	}
	switch v.Type {
	case TypeS, TypeN:
		return v.Str == o.Str
	case TypeB:
		return bytes.Equal(v.Bin, o.Bin)
	case TypeBOOL:
		return v.Bool == o.Bool
	case TypeSS, TypeNS:
		return slices.Equal(v.Set, o.Set)
	case TypeBS:
		return slices.EqualFunc(v.Blobs, o.Blobs, bytes.Equal)
	case TypeL:
		return slices.EqualFunc(v.List, o.List, Value.equal)
	case TypeM:
		if len(v.Map) != len(o.Map) {
			return false
		}
		for k, e := range v.Map {
			f, ok := o.Map[k]
			if !ok || !e.equal(f) {
				return false
			}
		}
	}
	return true
}

// ordered tells whether <, BETWEEN and sort keys work on the type.
func (t Type) ordered() bool { return t == TypeS || t == TypeN || t == TypeB }

// compare orders two values of one ordered type: strings by their UTF-8 bytes,
// numbers by value, binaries as unsigned bytes.
func (v Value) compare(o Value) int {
	switch v.Type {
	case TypeN:
		return mustDecimal(v.Str).cmp(mustDecimal(o.Str))
	case TypeB:
		return bytes.Compare(v.Bin, o.Bin)
	default:
		return strings.Compare(v.Str, o.Str)
	}
}

// sortSet brings a set into its canonical order.
func (v *Value) sortSet() {
	switch v.Type {
	case TypeSS:
		slices.Sort(v.Set)
	case TypeNS:
		slices.SortFunc(v.Set, func(a, b string) int {
			return cmp.Or(mustDecimal(a).cmp(mustDecimal(b)), strings.Compare(a, b))
		})
	case TypeBS:
		slices.SortFunc(v.Blobs, bytes.Compare)
	}
}

func (t Type) isSet() bool { return t == TypeSS || t == TypeNS || t == TypeBS }

// union and minus work on two sets of one type and return a new one.
func (v Value) union(o Value) Value {
	r := v.clone()
	for _, s := range o.Set {
		if !slices.Contains(r.Set, s) {
			r.Set = append(r.Set, s)
		}
	}
	for _, b := range o.Blobs {
		if !containsBlob(r.Blobs, b) {
			r.Blobs = append(r.Blobs, bytes.Clone(b))
		}
	}
	r.sortSet()
	return r
}

func (v Value) minus(o Value) Value {
	r := v.clone()
	r.Set = slices.DeleteFunc(r.Set, func(s string) bool { return slices.Contains(o.Set, s) })
	r.Blobs = slices.DeleteFunc(r.Blobs, func(b []byte) bool { return containsBlob(o.Blobs, b) })
	return r
}

func (v Value) emptySet() bool { return v.Type.isSet() && len(v.Set)+len(v.Blobs) == 0 }

func containsBlob(list [][]byte, b []byte) bool {
	return slices.ContainsFunc(list, func(x []byte) bool { return bytes.Equal(x, b) })
}

// size is what a value adds to its item's size. Numbers are AWS's own
// approximation, about one byte for two digits and one more (Developer Guide,
// "DynamoDB Item sizes and formats").
func (v Value) size() int {
	switch v.Type {
	case TypeS:
		return len(v.Str)
	case TypeN:
		return numberSize(v.Str)
	case TypeB:
		return len(v.Bin)
	case TypeSS:
		n := 0
		for _, s := range v.Set {
			n += len(s)
		}
		return n
	case TypeNS:
		n := 0
		for _, s := range v.Set {
			n += numberSize(s)
		}
		return n
	case TypeBS:
		n := 0
		for _, b := range v.Blobs {
			n += len(b)
		}
		return n
	case TypeL:
		n := 3
		for _, e := range v.List {
			n += 1 + e.size()
		}
		return n
	case TypeM:
		n := 3
		for k, e := range v.Map {
			n += 1 + len(k) + e.size()
		}
		return n
	default: // BOOL, NULL
		return 1
	}
}

func numberSize(s string) int {
	d := mustDecimal(s)
	n := (d.digits()+1)/2 + 1
	if d.coef.Sign() < 0 {
		n++
	}
	return n
}

func itemSize(m item) int {
	n := 0
	for k, v := range m {
		n += len(k) + v.size()
	}
	return n
}

// depth counts the levels of lists and maps.
func (v Value) depth() int {
	deepest := 0
	for _, e := range v.List {
		deepest = max(deepest, e.depth())
	}
	for _, e := range v.Map {
		deepest = max(deepest, e.depth())
	}
	if v.Type == TypeL || v.Type == TypeM {
		deepest++
	}
	return deepest
}

const (
	maxItemSize = 400 * 1024
	// maxDepth counts lists and maps inside each other. With the scalar at
	// the bottom that is AWS's limit of 32 levels.
	maxDepth = 31
)

func tooDeep(m item) bool {
	for _, v := range m {
		if v.depth() > maxDepth {
			return true
		}
	}
	return false
}

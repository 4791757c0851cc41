package itemstore

import (
	"bytes"
	"slices"
	"strconv"
)

// maxPartiQLDepth bounds parentheses and nested literals, as 32 levels of an
// item do; AWS bounds statements by length.
const maxPartiQLDepth = 100

// or, and, not and predicate are the grammar of WHERE. They build the nodes of
// conditions, so that both are evaluated by the same code.
func (p *partiql) or() *node {
	left := p.and()
	for p.word("OR") {
		left = &node{op: opOr, args: []*node{left, p.and()}}
	}
	return left
}

func (p *partiql) and() *node {
	left := p.not()
	for p.word("AND") {
		left = &node{op: opAnd, args: []*node{left, p.not()}}
	}
	return left
}

func (p *partiql) not() *node {
	if p.word("NOT") {
		defer p.descend()()
		return &node{op: opNot, args: []*node{p.not()}}
	}
	if p.isSymbol("(") {
		defer p.descend()()
		p.pos++
		n := p.or()
		p.mustSymbol(")")
		return n
	}
	return p.predicate()
}

// descend counts one level of nesting, and gives back what ends it.
func (p *partiql) descend() func() {
	if p.depth++; p.depth > maxPartiQLDepth {
		p.refuse("statement nested deeper than 100 levels")
	}
	return func() { p.depth-- }
}

func (p *partiql) predicate() *node {
	left := p.operand()
	t := p.peek()
	switch {
	case t.kind == tokSymbol && (isComparator(t.text) || t.text == "!="):
		p.pos++
		op := t.text
		if op == "!=" {
			op = "<>"
		}
		return &node{op: op, args: []*node{left, p.operand()}}
	case p.word("IS"):
		negated := p.word("NOT")
		n := &node{op: "attribute_not_exists", args: []*node{left}}
		switch {
		case p.word("NULL"):
			n = &node{op: "attribute_type", args: []*node{left, {op: opValue, value: stringValue("NULL")}}}
		case !p.word("MISSING"):
			p.malformed()
		}
		if left.op != opPath {
			p.malformed()
		}
		if negated {
			return &node{op: opNot, args: []*node{n}}
		}
		return n
	case p.word("BETWEEN"):
		low := p.operand()
		p.must("AND")
		return &node{op: opBetween, args: []*node{left, low, p.operand()}}
	case p.word("IN"):
		open, closing := "(", ")"
		if p.isSymbol("[") {
			open, closing = "[", "]"
		}
		p.mustSymbol(open)
		args := []*node{left, p.operand()}
		for p.symbol(",") {
			args = append(args, p.operand())
		}
		p.mustSymbol(closing)
		return &node{op: opIn, args: args}
	case isFunction(left.op) && left.op != "size":
		return left
	}
	p.malformed()
	return left
}

// operand is a path, a literal, a parameter or a function call.
func (p *partiql) operand() *node {
	t := p.peek()
	if t.kind == tokIdent && p.pos+1 < len(p.tokens) && p.tokens[p.pos+1].text == "(" {
		return p.call(conditionFunctions)
	}
	if t.kind == tokQuoted || t.kind == tokIdent && !isLiteralWord(t.word) {
		return &node{op: opPath, path: p.path()}
	}
	return &node{op: opValue, value: p.literal()}
}

func isLiteralWord(w string) bool {
	return w == "TRUE" || w == "FALSE" || w == "NULL" || w == "MISSING"
}

// call reads a function of those that are known; PartiQL's names ignore case.
func (p *partiql) call(known func(string) (int, bool)) *node {
	t := p.next()
	name := string(bytes.ToLower([]byte(t.text)))
	want, ok := known(name)
	if !ok {
		p.refuse("function " + t.text + " in this place")
		return &node{op: name}
	}
	defer p.descend()()
	p.mustSymbol("(")
	n := &node{op: name}
	for p.err == nil {
		n.args = append(n.args, p.setOperand())
		if !p.symbol(",") {
			break
		}
	}
	p.mustSymbol(")")
	if p.err == nil && len(n.args) != want {
		p.fail(invalid("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", name, len(n.args)))
	}
	if p.err == nil && needsPath(name) && n.args[0].op != opPath {
		p.fail(invalid("Operator or function requires a document path; operator or function: %s", name))
	}
	return n
}

func needsPath(function string) bool {
	return function == "attribute_exists" || function == "attribute_not_exists" || function == "if_not_exists"
}

// setValue is the right-hand side of a SET.
func (p *partiql) setValue() *node {
	left := p.setOperand()
	if t := p.peek(); t.kind == tokSymbol && (t.text == "+" || t.text == "-") {
		p.pos++
		n := &node{op: t.text, args: []*node{left, p.setOperand()}}
		for _, a := range n.args {
			if p.err == nil && a.op == opValue && a.value.Type != TypeN {
				p.fail(invalid("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", n.op, a.value.Type))
			}
		}
		return n
	}
	return left
}

func (p *partiql) setOperand() *node {
	if t := p.peek(); t.kind == tokIdent && p.pos+1 < len(p.tokens) && p.tokens[p.pos+1].text == "(" {
		return p.call(func(name string) (int, bool) {
			if name == "set_add" || name == "set_delete" {
				return 2, true
			}
			if n, ok := updateFunctions(name); ok {
				return n, true
			}
			return conditionFunctions(name)
		})
	}
	return p.operand()
}

func (p *partiql) path() path {
	doc := path{p.pathName()}
	for p.err == nil {
		switch {
		case p.symbol("."):
			doc = append(doc, p.pathName())
		case p.symbol("["):
			t := p.next()
			n, err := strconv.ParseInt(t.text, 10, 32)
			if t.kind != tokNumber || err != nil {
				p.malformed()
			}
			p.mustSymbol("]")
			doc = append(doc, step{index: int(n), isIndex: true})
		default:
			return doc
		}
	}
	return doc
}

// pathName reads an attribute's name.
func (p *partiql) pathName() step {
	t := p.next()
	switch t.kind {
	case tokQuoted:
		return step{name: t.word}
	case tokIdent:
		if isPartiQLReserved(t.word) {
			p.malformed()
		}
		return step{name: t.text}
	}
	p.malformed()
	return step{}
}

// literal reads a parameter or a literal of PartiQL.
func (p *partiql) literal() Value {
	defer p.descend()()
	t := p.next()
	switch {
	case p.err != nil:
	case t.kind == tokParam:
		if p.used++; p.used > len(p.params) {
			p.fail(invalid("Number of parameters in request and statement don't match."))
			return Value{}
		}
		return p.params[p.used-1].clone()
	case t.kind == tokText:
		return stringValue(t.word)
	case t.kind == tokNumber:
		return p.number(t.text)
	case t.kind == tokSymbol && (t.text == "-" || t.text == "+") && p.peek().kind == tokNumber:
		return p.number(t.text + p.next().text)
	case t.kind == tokIdent && (t.word == "TRUE" || t.word == "FALSE"):
		return Value{Type: TypeBOOL, Bool: t.word == "TRUE"}
	case t.kind == tokIdent && t.word == "NULL":
		return Value{Type: TypeNULL}
	case t.kind == tokSymbol && t.text == "[":
		return Value{Type: TypeL, List: p.elements("]")}
	case t.kind == tokSymbol && t.text == "<<":
		return p.set()
	case t.kind == tokSymbol && t.text == "{":
		return Value{Type: TypeM, Map: p.tuple()}
	default:
		p.malformed()
	}
	return Value{}
}

func (p *partiql) number(text string) Value {
	n, err := canonicalNumber(text)
	if err != nil {
		p.fail(err)
	}
	return Value{Type: TypeN, Str: n}
}

func (p *partiql) elements(closing string) []Value {
	list := []Value{}
	if p.symbol(closing) {
		return list
	}
	for p.err == nil {
		list = append(list, p.literal())
		if !p.symbol(",") {
			break
		}
	}
	p.mustSymbol(closing)
	return list
}

func (p *partiql) tuple() item {
	m := item{}
	if p.symbol("}") {
		return m
	}
	for p.err == nil {
		t := p.next()
		if t.kind != tokText {
			p.malformed()
			break
		}
		p.mustSymbol(":")
		if _, twice := m[t.word]; twice {
			p.fail(invalid("Duplicate keys in tuple. Key: %s", t.word))
		}
		m[t.word] = p.literal()
		if !p.symbol(",") {
			break
		}
	}
	p.mustSymbol("}")
	return m
}

// set reads <<...>>: all strings, all numbers or all binaries.
func (p *partiql) set() Value {
	elements := p.elements(">>")
	if p.err != nil {
		return Value{}
	}
	if len(elements) == 0 {
		p.fail(invalid("%sAn string set  may not be empty", errParameter))
		return Value{}
	}
	v := Value{}
	for _, e := range elements {
		var t Type
		switch e.Type {
		case TypeS:
			t = TypeSS
		case TypeN:
			t = TypeNS
		case TypeB:
			t = TypeBS
		}
		if t == "" || v.Type != "" && v.Type != t {
			p.refuse("set of mixed or non-scalar elements")
			return Value{}
		}
		v.Type = t
		duplicate := slices.Contains(v.Set, e.Str) && t != TypeBS || t == TypeBS && containsBlob(v.Blobs, e.Bin)
		if duplicate {
			p.fail(invalid("Input collection contains duplicates"))
			return Value{}
		}
		if t == TypeBS {
			v.Blobs = append(v.Blobs, e.Bin)
		} else {
			v.Set = append(v.Set, e.Str)
		}
	}
	v.sortSet()
	return v
}

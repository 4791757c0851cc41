package itemstore

import (
	"strconv"
	"strings"
)

// step is one part of a document path: a name, or an index into a list.
type step struct {
	name    string
	index   int
	isIndex bool
}

const maxSteps = 32 // of a document path

// path is a document path; its first step is always a name.
type path []step

func (s step) String() string {
	if s.isIndex {
		return "[" + strconv.Itoa(s.index) + "]"
	}
	return s.name
}

// String is how AWS's messages print a path: [m, x, [0]].
func (p path) String() string {
	parts := make([]string, len(p))
	for i, s := range p {
		parts[i] = s.String()
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (p path) equal(o path) bool {
	if len(p) != len(o) {
		return false
	}
	for i := range p {
		if p[i] != o[i] {
			return false
		}
	}
	return true
}

// lookup finds the value at a path.
func (p path) lookup(m item) (Value, bool) {
	v, ok := m[p[0].name]
	for _, s := range p[1:] {
		if !ok {
			return Value{}, false
		}
		switch {
		case s.isIndex:
			ok = v.Type == TypeL && s.index < len(v.List)
			if ok {
				v = v.List[s.index]
			}
		case v.Type == TypeM:
			v, ok = v.Map[s.name]
		default:
			ok = false
		}
	}
	return v, ok
}

// checkOverlap finds two paths one of which contains the other, or that treat
// one attribute as a list and as a map.
func checkOverlap(paths []path) *exprError {
	for j := range paths {
		for i := range j {
			if err := overlap(paths[i], paths[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

func overlap(a, b path) *exprError {
	complain := func(how string) *exprError {
		return &exprError{text: "Two document paths " + how +
			" with each other; must remove or rewrite one of these paths; path one: " +
			a.String() + ", path two: " + b.String()}
	}
	for k := 0; k < len(a) && k < len(b); k++ {
		if a[k].isIndex != b[k].isIndex {
			return complain("conflict")
		}
		if a[k] != b[k] {
			return nil
		}
	}
	return complain("overlap")
}

// parsePath reads a document path. The current token must start one.
func (p *parser) parsePath() (path, *exprError) {
	first, err := p.parseName()
	if err != nil {
		return nil, err
	}
	result := path{first}
	for {
		switch {
		case p.acceptSymbol("."):
			s, err := p.parseName()
			if err != nil {
				return nil, err
			}
			result = append(result, s)
		case p.acceptSymbol("["):
			t := p.peek()
			if t.kind != tokNumber {
				return nil, p.syntaxError()
			}
			p.pos++
			n, convErr := strconv.ParseInt(t.text, 10, 32)
			if convErr != nil {
				p.note(classOperands, "List index is not within the allowable range; index: ["+t.text+"]")
			}
			if err := p.expectSymbol("]"); err != nil {
				return nil, err
			}
			result = append(result, step{index: int(n), isIndex: true})
		default:
			if len(result) > maxSteps {
				p.note(classOperands, "The document path has too many nesting levels; nesting levels: "+strconv.Itoa(len(result)))
			}
			if len(result) > 1 {
				p.ctx.nested[result[0].name] = true
			}
			p.ctx.heads[result[0].name] = true
			return result, nil
		}
	}
}

func (p *parser) parseName() (step, *exprError) {
	t := p.peek()
	switch t.kind {
	case tokIdent:
		p.pos++
		if isReserved(t.text) {
			p.note(classReserved, "Attribute name is a reserved keyword; reserved keyword: "+t.text)
		}
		return step{name: t.text}, nil
	case tokName:
		p.pos++
		name, ok := p.ctx.names[t.text]
		if !ok {
			p.note(classUndefined, "An expression attribute name used in the document path is not defined; attribute name: "+t.text)
		}
		p.ctx.usedNames[t.text] = true
		return step{name: name}, nil
	}
	return step{}, p.syntaxError()
}

// parseValue reads an expression attribute value.
func (p *parser) parseValue() (Value, *exprError) {
	t := p.peek()
	if t.kind != tokValue {
		return Value{}, p.syntaxError()
	}
	p.pos++
	v, ok := p.ctx.values[t.text]
	if !ok {
		p.note(classUndefined, "An expression attribute value used in expression is not defined; attribute value: "+t.text)
	}
	p.ctx.usedValues[t.text] = true
	return v, nil
}

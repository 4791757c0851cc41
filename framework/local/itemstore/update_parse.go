package itemstore

import "fmt"

// update is a parsed UpdateExpression, or the SET and REMOVE clauses of a
// PartiQL UPDATE.
type update struct {
	actions []action
}

type action struct {
	kind  string // SET, REMOVE, ADD, DELETE
	path  path
	value *node // SET: the right-hand side; ADD, DELETE: an opValue
}

func (u *update) paths() []path {
	paths := make([]path, len(u.actions))
	for i, a := range u.actions {
		paths[i] = a.path
	}
	return paths
}

func parseUpdate(src string, ctx *exprContext) (*update, *exprError) {
	p, err := newParser(src, ctx)
	if err != nil {
		return nil, err
	}
	u := &update{}
	seen := map[string]bool{}
	repeated := ""
	for first := true; first || p.peek().kind != tokEOF; first = false {
		t := p.peek()
		if t.kind != tokWord {
			return nil, p.syntaxError()
		}
		switch t.word {
		case "SET", "REMOVE", "ADD", "DELETE":
		default:
			return nil, p.syntaxError()
		}
		p.pos++
		if seen[t.word] && repeated == "" {
			repeated = fmt.Sprintf("The %q section can only be used once in an update expression;", t.word)
		}
		seen[t.word] = true
		if err := p.parseSection(t.word, u); err != nil {
			return nil, err
		}
	}
	if repeated != "" {
		return nil, &exprError{text: repeated}
	}
	for _, a := range u.actions {
		p.checkAction(a)
	}
	if text := p.complaint(); text != "" {
		return nil, &exprError{text: text}
	}
	if err := p.checkOperators(); err != nil {
		return nil, err
	}
	return u, checkOverlap(u.paths())
}

func (p *parser) parseSection(kind string, u *update) *exprError {
	for {
		doc, err := p.parsePath()
		if err != nil {
			return err
		}
		a := action{kind: kind, path: doc}
		switch kind {
		case "SET":
			if err := p.expectSymbol("="); err != nil {
				return err
			}
			if a.value, err = p.parseSetValue(); err != nil {
				return err
			}
		case "ADD", "DELETE":
			v, err := p.parseValue()
			if err != nil {
				return err
			}
			a.value = &node{op: opValue, value: v}
		}
		u.actions = append(u.actions, a)
		if !p.acceptSymbol(",") {
			return nil
		}
	}
}

// parseSetValue reads an operand, or the sum or difference of two; the whole
// may stand in parentheses.
func (p *parser) parseSetValue() (*node, *exprError) {
	open := p.pos
	if p.acceptSymbol("(") {
		n, err := p.parseSetValue()
		if err != nil {
			return nil, err
		}
		if err := p.expectSymbol(")"); err != nil {
			return nil, err
		}
		p.checkRedundant(open)
		if n.op == "+" || n.op == "-" {
			return n, nil
		}
		return p.parseArithmetic(n)
	}
	n, err := p.parseOperand()
	if err != nil {
		return nil, err
	}
	return p.parseArithmetic(n)
}

func (p *parser) parseArithmetic(left *node) (*node, *exprError) {
	t := p.peek()
	if t.kind != tokSymbol || t.text != "+" && t.text != "-" {
		return left, nil
	}
	p.pos++
	p.operators++
	right, err := p.parseOperand()
	if err != nil {
		return nil, err
	}
	return &node{op: t.text, args: []*node{left, right}}, nil
}

func (p *parser) checkAction(a action) {
	switch a.kind {
	case "SET":
		p.checkSetValue(a.value)
	case "ADD":
		if t := a.value.value.Type; t != "" && t != TypeN && !t.isSet() {
			p.note(classType, "Incorrect operand type for operator or function; operator: ADD, operand type: "+
				longTypeName(t)+", typeSet: ALLOWED_FOR_ADD_OPERAND")
		}
	case "DELETE":
		if t := a.value.value.Type; t != "" && !t.isSet() {
			p.note(classType, "Incorrect operand type for operator or function; operator: DELETE, operand type: "+
				longTypeName(t)+", typeSet: ALLOWED_FOR_DELETE_OPERAND")
		}
	}
}

func longTypeName(t Type) string {
	switch t {
	case TypeS:
		return "STRING"
	case TypeN:
		return "NUMBER"
	case TypeB:
		return "BINARY"
	case TypeBOOL:
		return "BOOLEAN"
	case TypeL:
		return "LIST"
	case TypeM:
		return "MAP"
	}
	return string(t)
}

func (p *parser) checkSetValue(n *node) {
	switch n.op {
	case opPath, opValue:
		return
	case "+", "-":
		for _, a := range n.args {
			if a.op == opValue && a.value.Type != "" && a.value.Type != TypeN {
				p.wrongType(n.op, a.value.Type)
			}
		}
	default:
		p.checkUpdateFunction(n)
	}
	for _, a := range n.args {
		if a.op == "list_append" {
			p.note(classMisuse, "The function is not allowed to be used this way in an expression; function: "+a.op)
		}
		p.checkSetValue(a)
	}
}

func (p *parser) checkUpdateFunction(n *node) {
	want, ok := updateFunctions(n.op)
	if !ok {
		if _, known := conditionFunctions(n.op); known {
			p.note(classFunction, "The function is not allowed in an update expression; function: "+n.op)
			return
		}
		p.note(classFunction, "Invalid function name; function: "+n.op)
		return
	}
	if !p.checkCount(n, want) {
		return
	}
	switch n.op {
	case "if_not_exists":
		p.checkDistinct(n)
		if n.args[0].op != opPath {
			p.note(classType, "Operator or function requires a document path; operator or function: "+n.op)
		}
	case "list_append":
		for _, a := range n.args {
			if a.op == opValue && a.value.Type != "" && a.value.Type != TypeL {
				p.wrongType(n.op, a.value.Type)
			}
		}
	}
}

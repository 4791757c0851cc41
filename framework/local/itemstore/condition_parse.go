package itemstore

import (
	"fmt"
	"slices"
)

// node is a part of a condition or of an update's right-hand side.
type node struct {
	op    string // see the constants below; for a function its name
	args  []*node
	path  path  // opPath
	value Value // opValue; Type is empty when the value is undefined
}

// Operators of nodes. Comparators and functions stand for themselves.
const (
	opPath    = "path"
	opValue   = "value"
	opAnd     = "AND"
	opOr      = "OR"
	opNot     = "NOT"
	opIn      = "IN"
	opBetween = "BETWEEN"
)

const (
	maxExpression = 4096
	maxOperators  = 300
	maxInOperands = 100
)

// conditionFunctions maps a function of conditions to its count of operands.
func conditionFunctions(name string) (operands int, ok bool) {
	switch name {
	case "attribute_exists", "attribute_not_exists", "size":
		return 1, true
	case "attribute_type", "begins_with", "contains":
		return 2, true
	}
	return 0, false
}

func updateFunctions(name string) (operands int, ok bool) {
	if name == "if_not_exists" || name == "list_append" {
		return 2, true
	}
	return 0, false
}

// parseCondition parses a condition, filter or key condition.
func parseCondition(src string, ctx *exprContext) (*node, *exprError) {
	p, err := newParser(src, ctx)
	if err != nil {
		return nil, err
	}
	n, err := p.parseOr()
	if err != nil {
		return nil, err
	}
	if p.peek().kind != tokEOF {
		return nil, p.syntaxError()
	}
	p.checkBoolean(n)
	if text := p.complaint(); text != "" {
		return nil, &exprError{text: text}
	}
	return n, p.checkOperators()
}

func newParser(src string, ctx *exprContext) (*parser, *exprError) {
	switch {
	case src == "":
		return nil, &exprError{text: "The expression can not be empty;"}
	case len(src) > maxExpression:
		return nil, &exprError{text: fmt.Sprintf("Expression size has exceeded the maximum allowed size; expression size: %d", len(src))}
	}
	return &parser{src: src, tokens: lex(src), ctx: ctx}, nil
}

func (p *parser) checkOperators() *exprError {
	if p.operators > maxOperators {
		return &exprError{text: fmt.Sprintf("The expression contains too many operators; operator count: %d", maxOperators+1)}
	}
	return nil
}

func (p *parser) parseOr() (*node, *exprError) {
	left, err := p.parseAnd()
	for err == nil && p.acceptWord(opOr) {
		var right *node
		right, err = p.parseAnd()
		left = p.logical(opOr, left, right)
	}
	return left, err
}

func (p *parser) parseAnd() (*node, *exprError) {
	left, err := p.parseNot()
	for err == nil && p.acceptWord(opAnd) {
		var right *node
		right, err = p.parseNot()
		left = p.logical(opAnd, left, right)
	}
	return left, err
}

func (p *parser) logical(op string, args ...*node) *node {
	p.operators++
	if !slices.Contains(args, nil) {
		for _, a := range args {
			p.checkBoolean(a)
		}
	}
	return &node{op: op, args: args}
}

// checkBoolean notes the one function that yields a number where a condition
// is wanted. Bare operands never come here: they are syntax errors.
func (p *parser) checkBoolean(n *node) {
	if n.op == "size" {
		p.note(classMisuse, "The function is not allowed to be used this way in an expression; function: size")
	}
}

func (p *parser) parseNot() (*node, *exprError) {
	if p.acceptWord(opNot) {
		n, err := p.parseNot()
		if err != nil {
			return nil, err
		}
		return p.logical(opNot, n), nil
	}
	return p.parseComparison()
}

func (n *node) isOperand() bool { return n.op == opPath || n.op == opValue }

// parseComparison reads one comparison, IN, BETWEEN or function, or a condition
// in parentheses, and checks it.
func (p *parser) parseComparison() (*node, *exprError) {
	n, err := p.parseLeaf()
	if err == nil {
		p.checkNode(n)
		p.seal()
	}
	return n, err
}

// parseLeaf leaves the checks to its caller. Parentheses may also hold a bare
// operand that a comparator follows; whether they do is only known at the
// closing one.
func (p *parser) parseLeaf() (*node, *exprError) {
	afterParen := p.pos > 0 && p.tokens[p.pos-1].text == "(" && p.tokens[p.pos-1].kind == tokSymbol
	left, grouped, err := p.parseOperandOrGroup()
	if err != nil {
		return nil, err
	}
	if grouped && !left.isOperand() && !isFunction(left.op) {
		return left, nil // a condition in parentheses
	}
	t := p.peek()
	switch {
	case t.kind == tokSymbol && isComparator(t.text):
		p.pos++
		right, err := p.parseOperand()
		if err != nil {
			return nil, err
		}
		p.operators++
		return &node{op: t.text, args: []*node{left, right}}, nil
	case p.acceptWord(opBetween):
		low, err := p.parseOperand()
		if err != nil {
			return nil, err
		}
		if !p.acceptWord(opAnd) {
			return nil, p.syntaxError()
		}
		high, err := p.parseOperand()
		if err != nil {
			return nil, err
		}
		p.operators++
		return &node{op: opBetween, args: []*node{left, low, high}}, nil
	case p.acceptWord(opIn):
		if err := p.expectSymbol("("); err != nil {
			return nil, err
		}
		args, err := p.parseArgs()
		if err != nil {
			return nil, err
		}
		p.operators++
		return &node{op: opIn, args: append([]*node{left}, args...)}, nil
	case left.isOperand() && !(afterParen && p.isSymbol(")")):
		return nil, p.syntaxError()
	}
	return left, nil
}

func isComparator(s string) bool {
	return s == "=" || s == "<>" || s == "<" || s == "<=" || s == ">" || s == ">="
}

func isFunction(op string) bool {
	switch op {
	case opPath, opValue, opAnd, opOr, opNot, opIn, opBetween, "+", "-":
		return false
	}
	return !isComparator(op)
}

func (p *parser) parseOperandOrGroup() (n *node, grouped bool, err *exprError) {
	if !p.isSymbol("(") {
		n, err = p.parseOperand()
		return n, false, err
	}
	open := p.pos
	p.pos++
	n, err = p.parseOr()
	if err != nil {
		return nil, false, err
	}
	if err := p.expectSymbol(")"); err != nil {
		return nil, false, err
	}
	p.checkRedundant(open)
	t := p.peek()
	if n.isOperand() && !(t.kind == tokSymbol && isComparator(t.text)) && !(t.kind == tokWord && (t.word == opIn || t.word == opBetween)) &&
		!(t.kind == tokSymbol && t.text == ")") {
		return nil, false, p.syntaxError()
	}
	return n, true, nil
}

// checkRedundant notes parentheses that hold nothing but parentheses. The
// closing one has just been read.
func (p *parser) checkRedundant(open int) {
	if p.tokens[open+1].text != "(" || p.tokens[p.pos-2].text != ")" {
		return
	}
	depth := 0
	for i := open + 1; i < p.pos-1; i++ {
		switch p.tokens[i].text {
		case "(":
			depth++
		case ")":
			depth--
			if depth == 0 && i < p.pos-2 {
				return
			}
		}
	}
	p.note(classParens, "The expression has redundant parentheses;")
}

// parseOperand reads a path, a value, a function call, or one of these in
// parentheses.
func (p *parser) parseOperand() (*node, *exprError) {
	t := p.peek()
	switch {
	case t.kind == tokValue:
		v, err := p.parseValue()
		return &node{op: opValue, value: v}, err
	case t.kind == tokIdent && p.tokens[p.pos+1].text == "(" && p.tokens[p.pos+1].kind == tokSymbol:
		p.pos += 2
		args, err := p.parseArgs()
		if err != nil {
			return nil, err
		}
		p.operators++
		return &node{op: t.text, args: args}, nil
	case t.kind == tokIdent || t.kind == tokName:
		doc, err := p.parsePath()
		return &node{op: opPath, path: doc}, err
	case p.isSymbol("("):
		open := p.pos
		p.pos++
		n, err := p.parseOperand()
		if err != nil {
			return nil, err
		}
		if err := p.expectSymbol(")"); err != nil {
			return nil, err
		}
		p.checkRedundant(open)
		return n, nil
	}
	return nil, p.syntaxError()
}

// parseArgs reads operands up to the closing parenthesis; at least one.
func (p *parser) parseArgs() ([]*node, *exprError) {
	var args []*node
	for {
		n, err := p.parseOperand()
		if err != nil {
			return nil, err
		}
		args = append(args, n)
		if p.acceptSymbol(")") {
			return args, nil
		}
		if err := p.expectSymbol(","); err != nil {
			return nil, err
		}
	}
}

package itemstore

import (
	"fmt"
	"slices"
	"strings"
)

// checkNode applies what AWS refuses in a condition although it is
// grammatical: unknown functions, wrong counts and types of operands.
func (p *parser) checkNode(n *node) {
	switch {
	case n.op == opPath || n.op == opValue || n.op == opAnd || n.op == opOr || n.op == opNot:
		return // conditions in parentheses were checked when they were read
	case isFunction(n.op):
		p.checkFunction(n)
	case isComparator(n.op) || n.op == opIn || n.op == opBetween:
		p.checkMisuse(n.args)
		p.checkDistinct(n)
		p.checkComparison(n)
	}
	for _, a := range n.args {
		p.checkNode(a)
	}
}

// checkMisuse notes a function that yields a boolean used as an operand.
func (p *parser) checkMisuse(args []*node) {
	for _, a := range args {
		if _, known := conditionFunctions(a.op); known && a.op != "size" {
			p.note(classMisuse, "The function is not allowed to be used this way in an expression; function: "+a.op)
		}
	}
}

func (p *parser) checkDistinct(n *node) {
	if n.args[0].op != opPath {
		return
	}
	for _, a := range n.args[1:] {
		if a.op == opPath && a.path.equal(n.args[0].path) {
			p.note(classDistinct, "The first operand must be distinct from the remaining operands for this operator or function; operator: "+
				n.op+", first operand: "+a.path.String())
		}
	}
}

func (p *parser) wrongType(op string, t Type) {
	p.note(classType, "Incorrect operand type for operator or function; operator or function: "+op+", operand type: "+string(t))
}

func (p *parser) checkComparison(n *node) {
	switch n.op {
	case "=", "<>":
		return
	case opIn:
		if len(n.args)-1 > maxInOperands {
			p.note(classOperands, fmt.Sprintf("The IN operator is provided with too many operands; number of operands: %d", len(n.args)-1))
		}
		return
	}
	for _, a := range n.args {
		if t := a.staticType(); t != "" && !t.ordered() {
			p.wrongType(n.op, t)
		}
	}
	if n.op != opBetween || n.args[1].op != opValue || n.args[2].op != opValue {
		return
	}
	low, high := n.args[1].value, n.args[2].value
	if low.Type == "" || high.Type == "" || !low.Type.ordered() || !high.Type.ordered() {
		return
	}
	bounds := "lower bound operand: AttributeValue: " + low.describe() + ", upper bound operand: AttributeValue: " + high.describe()
	switch {
	case low.Type != high.Type:
		p.note(classType, "The BETWEEN operator requires same data type for lower and upper bounds; "+bounds)
	case low.compare(high) > 0:
		p.note(classType, "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "+bounds)
	}
}

// describe prints an ordered value as AWS's messages do: {N:5}.
func (v Value) describe() string {
	if v.Type == TypeB {
		return fmt.Sprintf("{B:%s}", v.base64())
	}
	return "{" + string(v.Type) + ":" + v.Str + "}"
}

// staticType is the type that an operand is known to have before any item is
// read, or "".
func (n *node) staticType() Type {
	switch n.op {
	case opValue:
		return n.value.Type
	case "size":
		return TypeN
	}
	return ""
}

func (p *parser) checkFunction(n *node) {
	want, ok := conditionFunctions(n.op)
	if !ok {
		if _, update := updateFunctions(n.op); update {
			p.note(classFunction, "The function is not allowed in a condition expression; function: "+n.op)
			return
		}
		p.note(classFunction, "Invalid function name; function: "+n.op)
		return
	}
	p.checkMisuse(n.args)
	if !p.checkCount(n, want) {
		return
	}
	if want > 1 {
		p.checkDistinct(n)
	}
	switch n.op {
	case "attribute_exists", "attribute_not_exists":
		if n.args[0].op != opPath {
			p.note(classType, "Operator or function requires a document path; operator or function: "+n.op)
		}
	case "size":
		if t := n.args[0].staticType(); t == TypeN || t == TypeBOOL || t == TypeNULL {
			p.wrongType(n.op, t)
		}
	case "begins_with":
		for _, a := range n.args {
			if t := a.staticType(); t != "" && t != TypeS && t != TypeB {
				p.wrongType(n.op, t)
			}
		}
	case "attribute_type":
		p.checkAttributeType(n)
	}
}

func (p *parser) checkCount(n *node, want int) bool {
	if len(n.args) != want {
		p.note(classOperands, fmt.Sprintf("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", n.op, len(n.args)))
		return false
	}
	return true
}

func allTypes() []Type {
	return []Type{TypeB, TypeNULL, TypeSS, TypeBOOL, TypeL, TypeBS, TypeN, TypeNS, TypeS, TypeM}
}

func (p *parser) checkAttributeType(n *node) {
	arg := n.args[1]
	switch t := arg.staticType(); {
	case arg.op == opValue && t == "": // undefined, noted already
	case t == "":
		p.wrongType(n.op, "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
	case t != TypeS || arg.op != opValue:
		p.wrongType(n.op, t)
	case !slices.Contains(allTypes(), Type(arg.value.Str)):
		names := make([]string, 0, 10)
		for _, known := range allTypes() {
			names = append(names, string(known))
		}
		p.note(classType, "Invalid attribute type name found; type: "+arg.value.Str+", valid types: {"+strings.Join(names, ",")+"}")
	}
}

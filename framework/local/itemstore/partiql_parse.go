package itemstore

import (
	"slices"
	"strings"
)

// statement is a parsed PartiQL statement of those that are emulated.
type statement struct {
	kind      string // INSERT, UPDATE, DELETE
	table     string
	item      item // INSERT
	update    *update
	where     *node // nil without a WHERE clause
	returning string
}

// partiql parses one statement. Its failures are either refusals by name of
// what is not emulated, or that the statement is not well formed.
type partiql struct {
	src    string
	tokens []token
	pos    int
	params []Value
	used   int
	depth  int
	err    *Error
}

func (p *partiql) fail(err *Error) {
	if p.err == nil {
		p.err = err
	}
	p.pos = len(p.tokens) - 1 // nothing more to read
}

func (p *partiql) malformed() {
	p.fail(invalid("Statement wasn't well formed, can't be processed: %s", p.src))
}

func (p *partiql) refuse(what string) {
	p.fail(notEmulated("the PartiQL " + what))
}

// parseStatement parses a statement and puts its parameters in.
func parseStatement(src string, params []Value) (*statement, *Error) {
	p := &partiql{src: src, params: params}
	tokens, ok := lexPartiQL(src)
	if !ok {
		p.tokens = []token{{kind: tokEOF}}
		p.malformed()
		return nil, p.err
	}
	p.tokens = tokens
	st := p.statement()
	p.symbol(";")
	if p.err == nil && p.peek().kind != tokEOF {
		p.malformed()
	}
	if p.err != nil {
		return nil, p.err
	}
	if p.used != len(params) {
		return nil, invalid("Number of parameters in request and statement don't match.")
	}
	return st, nil
}

func (p *partiql) statement() *statement {
	switch {
	case p.word("INSERT"):
		return p.insert()
	case p.word("UPDATE"):
		return p.updateStatement()
	case p.word("DELETE"):
		return p.deleteStatement()
	case p.word("SELECT"):
		p.refuse("statement SELECT")
	case p.word("EXISTS"):
		p.refuse("function EXISTS")
	default:
		p.malformed()
	}
	return nil
}

// statementKind tells reads from writes, for batches that mix them.
func statementKind(src string) string {
	tokens, ok := lexPartiQL(src)
	if !ok || tokens[0].kind != tokIdent {
		return ""
	}
	return tokens[0].word
}

func (p *partiql) insert() *statement {
	p.must("INTO")
	st := &statement{kind: "INSERT", table: p.tableName()}
	if p.word("VALUES") {
		p.refuse("clause VALUES; use VALUE with one item")
		return st
	}
	p.must("VALUE")
	if t := p.peek(); t.kind == tokParam {
		p.refuse("INSERT of an item that is a parameter")
		return st
	}
	v := p.literal()
	if p.err == nil && v.Type != TypeM {
		p.malformed()
	}
	st.item = v.Map
	if p.word("ON") {
		p.refuse("clause ON CONFLICT")
	}
	return st
}

func (p *partiql) updateStatement() *statement {
	st := &statement{kind: "UPDATE", table: p.tableName(), update: &update{}}
	for p.err == nil {
		switch {
		case p.word("SET"):
			for {
				doc := p.path()
				p.mustSymbol("=")
				st.update.actions = append(st.update.actions, p.setAction(doc, p.setValue()))
				if !p.symbol(",") {
					break
				}
			}
		case p.word("REMOVE"):
			st.update.actions = append(st.update.actions, action{kind: "REMOVE", path: p.path()})
		default:
			if len(st.update.actions) == 0 {
				p.malformed()
				return st
			}
			st.where = p.whereClause()
			st.returning = p.returningClause("ALL OLD *", "MODIFIED OLD *", "ALL NEW *", "MODIFIED NEW *")
			return st
		}
	}
	return st
}

// setAction is a SET, or the ADD or DELETE that set_add and set_delete are.
func (p *partiql) setAction(doc path, value *node) action {
	if value.op != "set_add" && value.op != "set_delete" || p.err != nil {
		return action{kind: "SET", path: doc, value: value}
	}
	a := action{kind: "ADD", path: doc, value: value.args[1]}
	if value.op == "set_delete" {
		a.kind = "DELETE"
	}
	switch target := value.args[0]; {
	case target.op != opPath || !target.path.equal(doc):
		p.fail(invalid("The first argument to %s must equal the assignment value", strings.ToUpper(value.op)))
	case a.value.op != opValue || !a.value.value.Type.isSet():
		p.fail(invalid("The second argument to %s must be a value with type SET", strings.ToUpper(value.op)))
	}
	return a
}

func (p *partiql) deleteStatement() *statement {
	p.must("FROM")
	st := &statement{kind: "DELETE", table: p.tableName()}
	st.where = p.whereClause()
	st.returning = p.returningClause("ALL OLD *")
	return st
}

// tableName reads the target; a dot would name an index, which writes cannot
// have.
func (p *partiql) tableName() string {
	t := p.next()
	name := t.text
	if t.kind == tokQuoted {
		name = t.word
	}
	if t.kind != tokIdent && t.kind != tokQuoted {
		p.malformed()
	}
	if p.isSymbol(".") {
		p.refuse("statement on an index")
	}
	return name
}

func (p *partiql) whereClause() *node {
	if !p.word("WHERE") {
		return nil
	}
	return p.or()
}

func (p *partiql) returningClause(allowed ...string) string {
	if !p.word("RETURNING") {
		return ""
	}
	scope, age := p.next().word, p.next().word
	p.mustSymbol("*")
	clause := scope + " " + age + " *"
	if !slices.Contains(allowed, clause) {
		p.malformed()
	}
	return clause
}

// Tokens.

func (p *partiql) peek() token { return p.tokens[p.pos] }

func (p *partiql) next() token {
	t := p.tokens[p.pos]
	if t.kind != tokEOF {
		p.pos++
	}
	return t
}

func (p *partiql) word(w string) bool {
	if t := p.peek(); t.kind == tokIdent && t.word == w {
		p.pos++
		return true
	}
	return false
}

func (p *partiql) must(w string) {
	if !p.word(w) {
		p.malformed()
	}
}

func (p *partiql) isSymbol(s string) bool {
	t := p.peek()
	return t.kind == tokSymbol && t.text == s
}

func (p *partiql) symbol(s string) bool {
	if p.isSymbol(s) {
		p.pos++
		return true
	}
	return false
}

func (p *partiql) mustSymbol(s string) {
	if !p.symbol(s) {
		p.malformed()
	}
}

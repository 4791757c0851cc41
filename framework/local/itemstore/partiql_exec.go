package itemstore

import (
	"fmt"
	"slices"
)

const (
	maxStatements = 25
	maxStatement  = 8192 // bytes
)

// plan is a statement bound to its table: a write, or for INSERT a write that
// must find nothing.
type plan struct {
	write
	insert    bool
	returning string
}

// bind resolves a statement's table, key and remaining condition. A plan
// together with an error means that AWS's answer still names the table.
func (s *Store) bind(st *statement) (*plan, *Error) {
	t, err := s.find(st.table)
	if err != nil {
		return nil, err
	}
	p := &plan{insert: st.kind == "INSERT", returning: st.returning}
	p.table = t
	switch st.kind {
	case "INSERT":
		return p.bindInsert(st)
	case "UPDATE":
		p.kind, p.update, p.mustExist = "Update", st.update, true
		for _, a := range st.update.actions {
			if a.value != nil {
				if err := checkStatementValue(a.value); err != nil {
					return nil, err
				}
			}
		}
		if err := t.checkUpdatePaths(st.update); err != nil {
			return p, err
		}
		if err := checkOverlap(st.update.paths()); err != nil {
			return nil, invalid("%s", err.text)
		}
	default:
		p.kind, p.absentIsOK = "Delete", true
	}
	if err := p.bindWhere(st.where); err != nil {
		return nil, err
	}
	return p, t.checkKeyValues(p.key)
}

// checkStatementValue refuses functions where they make no value.
func checkStatementValue(n *node) *Error {
	if _, condition := conditionFunctions(n.op); condition {
		return notEmulated("the PartiQL function " + n.op + " in SET")
	}
	if n.op == "set_add" || n.op == "set_delete" {
		return notEmulated("the PartiQL function " + n.op + " inside an expression")
	}
	if n.op == "list_append" {
		for _, a := range n.args {
			if a.op == opValue && a.value.Type != TypeL {
				return invalid("Incorrect operand type for operator or function; operator or function: list_append, operand type: %s", a.value.Type)
			}
		}
	}
	for _, a := range n.args {
		if err := checkStatementValue(a); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) bindInsert(st *statement) (*plan, *Error) {
	p.kind, p.put = "Put", st.item
	for _, k := range p.table.keys() {
		v, ok := st.item[k.name]
		if !ok {
			return nil, invalid("Key attribute should be present in the item: Key %s", k.name)
		}
		if v.Type != k.typ {
			return nil, invalid("Key attribute's data type should match its data type in table's schema: Key %s", k.name)
		}
	}
	p.key = p.table.keyOf(st.item)
	if err := p.table.checkItem(st.item); err != nil {
		return p, err
	}
	return p, checkStorable(st.item)
}

// bindWhere takes an equality on each key attribute out of the conjunction and
// leaves the rest as the condition.
func (p *plan) bindWhere(where *node) *Error {
	const text = "Where clause does not contain a mandatory equality on all key attributes"
	if where == nil {
		return invalid(text)
	}
	terms := conjunction(where)
	p.key = item{}
	for _, k := range p.table.keys() {
		i := slices.IndexFunc(terms, func(n *node) bool { return n.equates(k.name) })
		if i < 0 {
			return invalid(text)
		}
		v := terms[i].args[0].value
		if terms[i].args[0].op == opPath {
			v = terms[i].args[1].value
		}
		if v.Type != k.typ {
			return invalid("Key attribute's data type should match its data type in table's schema: Key %s", k.name)
		}
		p.key[k.name] = v
		terms = slices.Delete(terms, i, i+1)
		for _, n := range terms {
			if n.equates(k.name) && !n.args[0].value.equal(v) && !n.args[1].value.equal(v) {
				return invalid("Multiple conditions on same key %s. Only single item Update/Insert/Delete are supported", k.name)
			}
		}
	}
	for _, n := range terms {
		if err := checkPredicate(n); err != nil {
			return err
		}
		if p.condition == nil {
			p.condition = n
			continue
		}
		p.condition = &node{op: opAnd, args: []*node{p.condition, n}}
	}
	return nil
}

// checkPredicate refuses the functions of SET in a WHERE clause.
func checkPredicate(n *node) *Error {
	if n.op == "set_add" || n.op == "set_delete" || n.op == "if_not_exists" || n.op == "list_append" {
		return notEmulated("the PartiQL function " + n.op + " in WHERE")
	}
	for _, a := range n.args {
		if err := checkPredicate(a); err != nil {
			return err
		}
	}
	return nil
}

func conjunction(n *node) []*node {
	if n.op == opAnd {
		return append(conjunction(n.args[0]), conjunction(n.args[1])...)
	}
	return []*node{n}
}

// equates tells whether a term is an equality of an attribute and a value.
func (n *node) equates(attribute string) bool {
	if n.op != "=" {
		return false
	}
	isAttribute := func(a *node) bool { return a.op == opPath && len(a.path) == 1 && a.path[0].name == attribute }
	return isAttribute(n.args[0]) && n.args[1].op == opValue || isAttribute(n.args[1]) && n.args[0].op == opValue
}

// run performs the write and returns the items of its RETURNING clause.
func (p *plan) run(m *meter) ([]item, *Error) {
	if p.insert && p.table.get(p.key) != nil {
		// AWS charges a failed statement like the write that it did not do.
		m.write(p.table, nil, p.put, 1)
		return nil, dynamoError("DuplicateItemException", "Duplicate primary key exists in table")
	}
	before, after, err := p.compute()
	if err != nil {
		m.write(p.table, before, before, 1)
		return nil, err
	}
	p.commit(after)
	m.write(p.table, before, after, 1)
	var returned item
	switch p.returning {
	case "ALL OLD *":
		returned = before
	case "ALL NEW *":
		returned = after
	case "MODIFIED OLD *":
		returned = p.updatedPaths(before)
	case "MODIFIED NEW *":
		returned = p.updatedPaths(after)
	}
	if returned == nil {
		return []item{}, nil
	}
	return []item{returned}, nil
}

func (r *request) parameters() []Value {
	var params []Value
	for _, raw := range r.list("Parameters") {
		v, err := decodeValue(raw)
		if err != nil {
			r.fail(err)
		}
		params = append(params, v)
	}
	return params
}

func (s *Store) executeStatement(members map[string]any) (answer, *Error) {
	r := newRequest("ExecuteStatement", members, "Statement", "Parameters", "ConsistentRead",
		"ReturnConsumedCapacity", "ReturnValuesOnConditionCheckFailure")
	m := newMeter(r.consumed())
	src := r.optional("Statement")
	params := r.parameters()
	withOld := r.oldOnFailure()
	_ = r.flag("ConsistentRead")
	if r.err != nil {
		return nil, r.err
	}
	if src == nil {
		return nil, missing("Statement")
	}
	if len(*src) > maxStatement {
		return nil, constraint(*src, "Statement", "Member must have length less than or equal to 8192")
	}
	st, err := parseStatement(*src, params)
	if err != nil {
		return nil, err
	}
	p, err := s.bind(st)
	if err != nil {
		return nil, err
	}
	p.oldOnFailure = withOld
	items, err := p.run(m)
	if err != nil {
		return nil, err
	}
	out := answer{"Items": items}
	m.addOne(out)
	return out, nil
}

// batchExecute runs statements one by one: the failure of one is reported in
// its place and stops none of the others. Errors carry no item: AWS accepts
// ReturnValuesOnConditionCheckFailure here and ignores it.
func (s *Store) batchExecute(members map[string]any) (answer, *Error) {
	r := newRequest("BatchExecuteStatement", members, "Statements", "ReturnConsumedCapacity")
	m := newMeter(r.consumed())
	list := r.list("Statements")
	switch {
	case r.err != nil:
		return nil, r.err
	case !r.has("Statements"):
		return nil, missing("Statements")
	case len(list) == 0:
		return nil, constraint("[]", "Statements", "Member must have length greater than or equal to 1")
	case len(list) > maxStatements:
		return nil, invalid("1 validation error detected: Value at 'statements' failed to satisfy constraint: Member must have length less than or equal to 25")
	}
	sources := make([]string, len(list))
	params := make([][]Value, len(list))
	reads := 0
	for i, raw := range list {
		x := r.nested("Statements", raw, "Statement", "Parameters", "ConsistentRead", "ReturnValuesOnConditionCheckFailure")
		src := x.optional("Statement")
		params[i] = x.parameters()
		_, _ = x.oldOnFailure(), x.flag("ConsistentRead")
		if x.err == nil && src == nil {
			x.fail(missing(fmt.Sprintf("statements.%d.member.statement", i+1)))
		}
		if x.err != nil {
			return nil, x.err
		}
		if *src == "" {
			return nil, invalid("The statement was empty.")
		}
		if len(*src) > maxStatement {
			return nil, constraint(*src, fmt.Sprintf("Statements.%d.member.statement", i+1), "Member must have length less than or equal to 8192")
		}
		if sources[i] = *src; statementKind(*src) == "SELECT" {
			reads++
		}
	}
	switch {
	case reads == len(list):
		return nil, notEmulated("the PartiQL statement SELECT")
	case reads > 0:
		return nil, invalid("Read and write requests together in the same batch is not supported.")
	}
	return s.runBatch(sources, params, m)
}

func (s *Store) runBatch(sources []string, params [][]Value, m *meter) (answer, *Error) {
	plans := make([]*plan, len(sources))
	failures := make([]*Error, len(sources))
	var writes []*write
	for i, src := range sources {
		st, err := parseStatement(src, params[i])
		if err == nil {
			plans[i], err = s.bind(st)
		}
		failures[i] = err
		if err == nil {
			writes = append(writes, &plans[i].write)
		}
	}
	if repeatedItem(writes) {
		return nil, invalid("%s", errDuplicateKeys)
	}
	responses := make([]answer, len(sources))
	for i, p := range plans {
		out := answer{}
		if p != nil {
			out["TableName"] = p.table.def.Name
		}
		if failures[i] == nil {
			var items []item
			if items, failures[i] = p.run(m); len(items) > 0 {
				out["Item"] = items[0]
			}
		}
		if err := failures[i]; err != nil {
			out["Error"] = answer{"Code": reasonCode(err), "Message": err.Message}
		}
		responses[i] = out
	}
	out := answer{"Responses": responses}
	m.addAll(out)
	return out, nil
}

package itemstore

import "slices"

// keyCondition is one condition on one key attribute.
type keyCondition struct {
	attribute string
	op        string // =, <, <=, >, >=, BETWEEN, begins_with
	values    []Value
}

// keyConditions takes a KeyConditionExpression apart: a conjunction of simple
// conditions, one for each attribute.
func keyConditions(n *node) ([]keyCondition, *Error) {
	if n.op == opAnd {
		left, err := keyConditions(n.args[0])
		if err != nil {
			return nil, err
		}
		right, err := keyConditions(n.args[1])
		if err != nil {
			return nil, err
		}
		all := slices.Concat(left, right)
		for i, c := range all {
			for _, d := range all[:i] {
				if c.attribute == d.attribute {
					return nil, invalid("KeyConditionExpressions must only contain one condition per key")
				}
			}
		}
		return all, nil
	}
	switch n.op {
	case opOr, opNot, opIn, "<>", "attribute_exists", "attribute_not_exists", "attribute_type", "contains":
		return nil, invalid("Invalid operator used in KeyConditionExpression: %s", n.op)
	}
	c := keyCondition{op: n.op}
	for i, a := range n.args {
		switch a.op {
		case opPath:
			if c.attribute != "" {
				return nil, invalid("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
			}
			if len(a.path) > 1 {
				return nil, invalid("KeyConditionExpressions cannot have conditions on nested attributes")
			}
			c.attribute = a.path[0].name
			if i == 0 {
				continue
			}
			if n.op == opBetween || n.op == "begins_with" {
				return nil, invalid("Invalid condition in KeyConditionExpression: %s operator must have the key attribute as its first operand", n.op)
			}
			c.op = mirrored(n.op)
		case opValue:
			c.values = append(c.values, a.value)
		default:
			return nil, invalid("KeyConditionExpressions cannot contain nested operations")
		}
	}
	if c.attribute == "" {
		return nil, invalid("Invalid condition in KeyConditionExpression: No key attribute specified")
	}
	return []keyCondition{c}, nil
}

func mirrored(op string) string {
	switch op {
	case "<":
		return ">"
	case "<=":
		return ">="
	case ">":
		return "<"
	case ">=":
		return "<="
	}
	return op
}

// keyRange is the part of a source that a Query reads.
type keyRange struct {
	hash Value
	attr string // the range key's name; empty without a condition on it
	rng  keyCondition
}

func (src *source) keyRange(conditions []keyCondition) (*keyRange, *Error) {
	if len(conditions) > 2 {
		return nil, invalid("Conditions can be of length 1 or 2 only")
	}
	find := func(name string) *keyCondition {
		for i := range conditions {
			if name != "" && conditions[i].attribute == name {
				return &conditions[i]
			}
		}
		return nil
	}
	hash, rng := find(src.hash.name), find(src.rng.name)
	if hash != nil {
		if err := src.checkCondition(hash, src.hash); err != nil {
			return nil, err
		}
	}
	switch {
	case hash == nil:
		return nil, invalid("Query condition missed key schema element: %s", src.hash.name)
	case hash.op != "=" || len(conditions) == 2 && src.rng.name == "":
		return nil, invalid("Query key condition not supported")
	case len(conditions) == 2 && rng == nil:
		return nil, invalid("Query condition missed key schema element: %s", src.rng.name)
	}
	want := &keyRange{hash: hash.values[0]}
	if rng != nil {
		if err := src.checkCondition(rng, src.rng); err != nil {
			return nil, err
		}
		want.attr, want.rng = src.rng.name, *rng
	}
	return want, nil
}

func (src *source) checkCondition(c *keyCondition, key keyAttr) *Error {
	for _, v := range c.values {
		if v.Type != key.typ {
			return invalid("%sCondition parameter type does not match schema type", errParameter)
		}
		if err := emptyKey(v, key.name); err != nil {
			return err
		}
	}
	return nil
}

// matches tells whether an item of the right hash key is in the range.
func (k *keyRange) matches(m item) bool {
	if k.attr == "" {
		return true
	}
	v := m[k.attr]
	switch k.rng.op {
	case opBetween:
		return v.compare(k.rng.values[0]) >= 0 && v.compare(k.rng.values[1]) <= 0
	case "begins_with":
		return beginsWith(v, k.rng.values[0])
	}
	return compareValues(k.rng.op, v, k.rng.values[0])
}

func (k *keyRange) checkStart(start item, src *source) *Error {
	sameHash := start[src.hash.name].equal(k.hash)
	switch {
	case k.attr == "" && !sameHash:
		return invalid("The provided starting key is outside query boundaries based on provided conditions")
	case k.attr != "" && !k.matches(start):
		return invalid("The provided starting key does not match the range key predicate")
	case !sameHash:
		return invalid("The query can return at most one row and cannot be restarted")
	}
	return nil
}

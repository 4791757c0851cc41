package stack

import "encoding/json"

type condState int

const (
	condUnknown condState = iota
	condRunning
	condTrue
	condFalse
)

// condition evaluates a condition by its name, once. One that can not be
// evaluated is reported and false.
func (r *reader) condition(name, path string) bool {
	if r.conds == nil {
		r.conds = make(map[string]condState)
	}
	switch r.conds[name] {
	case condTrue:
		return true
	case condFalse:
		return false
	case condRunning:
		r.fail("Conditions."+name, "refers to itself: break the cycle")
		return false
	}
	body, ok := r.object("Conditions")[name]
	if !ok {
		r.fail(path, "there is no condition %q: use one of %s", name, list(r.object("Conditions")))
		return false
	}
	r.conds[name] = condRunning
	value := r.truth(body, "Conditions."+name)
	r.conds[name] = condFalse
	if value {
		r.conds[name] = condTrue
	}
	return value
}

// truth evaluates a condition expression.
func (r *reader) truth(v any, path string) bool {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		r.fail(path, "is not a condition: use Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition")
		return false
	}
	for fn, arg := range m {
		path := path + "." + fn
		if fn == "Condition" {
			name, ok := arg.(string)
			if !ok {
				r.fail(path, "is not the name of a condition: give a string")
				return false
			}
			return r.condition(name, path)
		}
		args, ok := arg.([]any)
		if !ok {
			r.fail(path, "is not a list: give the operands in one")
			return false
		}
		switch fn {
		case "Fn::Equals":
			if len(args) != 2 {
				r.fail(path, "has %d operands: give 2", len(args))
				return false
			}
			return r.operand(args[0], index(path, 0)) == r.operand(args[1], index(path, 1))
		case "Fn::Not":
			if len(args) != 1 {
				r.fail(path, "has %d operands: give 1", len(args))
				return false
			}
			return !r.truth(args[0], index(path, 0))
		case "Fn::And", "Fn::Or":
			// CloudFormation takes 2 to 10.
			if len(args) < 2 || len(args) > 10 {
				r.fail(path, "has %d operands: give 2 to 10", len(args))
				return false
			}
			// Each operand is evaluated, so that all errors are reported.
			all, some := true, false
			for i, a := range args {
				t := r.truth(a, index(path, i))
				all, some = all && t, some || t
			}
			if fn == "Fn::And" {
				return all
			}
			return some
		}
		r.fail(path, "is no condition function that this reader knows: use Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition")
	}
	return false
}

// operand is a value of Fn::Equals as text, in which CloudFormation compares.
func (r *reader) operand(v any, path string) string {
	value := r.resolveIn(v, path, inCondition)
	if s, ok := text(value); ok {
		return s
	}
	b, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(b)
}

package stack

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// A resolved value is a string, json.Number, bool, nil, []any or map[string]any,
// or one of these marks.
type mark string

const (
	noValue    mark = "AWS::NoValue" // removes the property
	unresolved mark = "unresolved"   // was reported
)

// scope limits what may be referred to.
type scope int

const (
	anywhere    scope = iota
	inCondition       // parameters only, as CloudFormation demands
)

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// resolve evaluates all intrinsic functions within a value. What can not be
// resolved is reported, and is then part of no result: the whole is unresolved.
func (r *reader) resolve(v any, path string) any { return r.resolveIn(v, path, anywhere) }

func (r *reader) resolveIn(v any, path string, sc scope) any {
	switch v := v.(type) {
	case string:
		return r.dynamic(v, path)
	case []any:
		out := make([]any, 0, len(v))
		ok := true
		for i, e := range v {
			switch e := r.resolveIn(e, index(path, i), sc); e {
			case noValue:
			case unresolved:
				ok = false
			default:
				out = append(out, e)
			}
		}
		if !ok {
			return unresolved
		}
		return out
	case map[string]any:
		if fn, arg, ok := intrinsic(v); ok {
			return r.call(fn, arg, path, sc)
		}
		out := make(map[string]any, len(v))
		ok := true
		for k, e := range v {
			if strings.HasPrefix(k, "Fn::") {
				r.fail(path, "%s stands beside other keys, where no function is evaluated: give it an object of its own", k)
				ok = false
				continue
			}
			switch e := r.resolveIn(e, path+"."+k, sc); e {
			case noValue:
			case unresolved:
				ok = false
			default:
				out[k] = e
			}
		}
		if !ok {
			return unresolved
		}
		return out
	}
	return v
}

// intrinsic recognises {"Ref": ...} and {"Fn::...": ...}.
func intrinsic(m map[string]any) (fn string, arg any, ok bool) {
	if len(m) != 1 {
		return "", nil, false
	}
	for fn, arg = range m {
	}
	return fn, arg, fn == "Ref" || strings.HasPrefix(fn, "Fn::")
}

// call evaluates one function.
func (r *reader) call(fn string, arg any, path string, sc scope) any {
	at := path + "." + fn
	switch fn {
	case "Ref":
		name, ok := arg.(string)
		if !ok {
			return r.bad(at, "is not a name: give a string")
		}
		return r.ref(name, at, sc)
	case "Fn::GetAtt":
		return r.getAtt(arg, at, sc)
	case "Fn::Sub":
		return r.sub(arg, at, sc)
	case "Fn::Join":
		return r.join(arg, at, sc)
	case "Fn::Select":
		return r.selectOne(arg, at, sc)
	case "Fn::Split":
		return r.split(arg, at, sc)
	case "Fn::If":
		chosen, at, ok := r.branch(arg, at)
		if !ok {
			return unresolved
		}
		return r.resolveIn(chosen, at, sc)
	case "Fn::FindInMap":
		return r.findInMap(arg, at, sc)
	case "Fn::ImportValue":
		name, ok := r.scalarIn(arg, at, sc)
		if !ok {
			return unresolved
		}
		value, ok := r.opts.Imports[name]
		if !ok {
			return r.bad(at, "the export %q of another stack is not known: give it in Options.Imports", name)
		}
		return value
	case "Fn::Base64":
		s, ok := r.scalarIn(arg, at, sc)
		if !ok {
			return unresolved
		}
		return base64.StdEncoding.EncodeToString([]byte(s))
	}
	return r.bad(at, "is not supported by the local runtime: write the value without it")
}

// branch is the operand of an Fn::If that its condition chooses; the other is
// never looked at.
func (r *reader) branch(arg any, path string) (chosen any, at string, ok bool) {
	args, ok := arg.([]any)
	if !ok || len(args) != 3 {
		r.fail(path, "is not [condition, then, else]: give 3 operands")
		return nil, "", false
	}
	name, ok := args[0].(string)
	if !ok {
		r.fail(path, "does not begin with the name of a condition: give a string")
		return nil, "", false
	}
	before := len(r.errs)
	i := 2
	if r.condition(name, index(path, 0)) {
		i = 1
	}
	return args[i], index(path, i), len(r.errs) == before
}

// shallow resolves a value only so far that its keys or items are known, so that
// nothing is demanded of what nobody will read.
func (r *reader) shallow(v any, path string) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, 0, len(v))
		for i, e := range v {
			if e = r.shallow(e, index(path, i)); e != noValue && e != unresolved {
				out = append(out, e)
			}
		}
		return out
	case map[string]any:
		fn, arg, ok := intrinsic(v)
		if !ok {
			return v
		}
		if fn == "Fn::If" {
			chosen, at, ok := r.branch(arg, path+"."+fn)
			if !ok {
				return unresolved
			}
			return r.shallow(chosen, at)
		}
	}
	return r.resolve(v, path)
}

func (r *reader) bad(path, format string, args ...any) any {
	r.fail(path, format, args...)
	return unresolved
}

// scalar resolves a value to text. It reports what is no scalar.
func (r *reader) scalar(v any, path string) (string, bool) { return r.scalarIn(v, path, anywhere) }

func (r *reader) scalarIn(v any, path string, sc scope) (string, bool) {
	value := r.resolveIn(v, path, sc)
	if value == unresolved {
		return "", false
	}
	s, ok := text(value)
	if !ok {
		r.fail(path, "is %s where text is needed: give a string or number", kind(value))
	}
	return s, ok
}

// text is how CloudFormation writes a scalar into a string.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	case mark:
		return "AWS::NoValue"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case bool:
		return "a boolean"
	}
	return fmt.Sprintf("%T", v)
}

// items resolves an argument to a list.
func (r *reader) items(v any, path string, sc scope) ([]any, bool) {
	value := r.resolveIn(v, path, sc)
	if value == unresolved {
		return nil, false
	}
	l, ok := value.([]any)
	if !ok {
		r.fail(path, "is %s where a list is needed: give a list", kind(value))
	}
	return l, ok
}

// pair checks that an argument is a list of two.
func (r *reader) pair(arg any, path, shape string) (a, b any, ok bool) {
	args, isList := arg.([]any)
	if !isList || len(args) != 2 {
		r.fail(path, "is not %s: give 2 operands", shape)
		return nil, nil, false
	}
	return args[0], args[1], true
}

func (r *reader) join(arg any, path string, sc scope) any {
	a, b, ok := r.pair(arg, path, "[delimiter, list]")
	if !ok {
		return unresolved
	}
	delimiter, ok := a.(string)
	if !ok {
		return r.bad(index(path, 0), "is not a string: give the delimiter")
	}
	values, ok := r.items(b, index(path, 1), sc)
	if !ok {
		return unresolved
	}
	parts := make([]string, len(values))
	for i, v := range values {
		if parts[i], ok = text(v); !ok {
			return r.bad(index(index(path, 1), i), "is %s where text is needed: give a string or number", kind(v))
		}
	}
	return strings.Join(parts, delimiter)
}

func (r *reader) split(arg any, path string, sc scope) any {
	a, b, ok := r.pair(arg, path, "[delimiter, string]")
	if !ok {
		return unresolved
	}
	delimiter, ok := a.(string)
	if !ok || delimiter == "" {
		return r.bad(index(path, 0), "is not a delimiter: give a string that is not empty")
	}
	s, ok := r.scalarIn(b, index(path, 1), sc)
	if !ok {
		return unresolved
	}
	var parts []any
	for part := range strings.SplitSeq(s, delimiter) {
		parts = append(parts, part)
	}
	return parts
}

func (r *reader) selectOne(arg any, path string, sc scope) any {
	a, b, ok := r.pair(arg, path, "[index, list]")
	if !ok {
		return unresolved
	}
	n, ok := r.scalarIn(a, index(path, 0), sc)
	if !ok {
		return unresolved
	}
	i, err := strconv.Atoi(n)
	if err != nil {
		return r.bad(index(path, 0), "%q is no index: give a whole number", n)
	}
	values, ok := r.items(b, index(path, 1), sc)
	if !ok {
		return unresolved
	}
	if i < 0 || i >= len(values) {
		return r.bad(path, "index %d is outside a list of %d: give one from 0 to %d", i, len(values), len(values)-1)
	}
	return values[i]
}

func (r *reader) findInMap(arg any, path string, sc scope) any {
	args, ok := arg.([]any)
	if !ok || len(args) != 3 {
		return r.bad(path, "is not [map, key, key]: give 3 operands (a DefaultValue is not supported)")
	}
	at, where := any(r.object("Mappings")), "Mappings"
	for i, a := range args {
		key, ok := r.scalarIn(a, index(path, i), sc)
		if !ok {
			return unresolved
		}
		m, _ := at.(map[string]any)
		if at, ok = m[key]; !ok {
			return r.bad(path, "%s has no key %q: use one of %s", where, key, list(m))
		}
		where += "." + key
	}
	return at
}

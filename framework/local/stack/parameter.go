package stack

import (
	"maps"
	"slices"
	"strings"
)

// parameters gives each parameter its value. One without a value is reported
// only where it is used.
func (r *reader) parameters() {
	r.params = make(map[string]any)
	all := r.object("Parameters")
	for _, name := range slices.Sorted(maps.Keys(r.opts.Parameters)) {
		if _, ok := all[name]; !ok {
			r.fail("Parameters."+name, "is given but the template has no such parameter: give one of %s", list(all))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		path := "Parameters." + name
		body, ok := all[name].(map[string]any)
		if !ok {
			r.fail(path, "is not an object: synthesize the template again")
			continue
		}
		typ, _ := body["Type"].(string)
		value, given := r.opts.Parameters[name]
		if !given {
			def, ok := body["Default"]
			if !ok {
				continue
			}
			if value, ok = text(def); !ok {
				r.fail(path+".Default", "is not a string or number: synthesize the template again")
				continue
			}
		}
		if allowed, ok := body["AllowedValues"].([]any); ok && !slices.ContainsFunc(allowed, func(a any) bool {
			s, ok := text(a)
			return ok && s == value
		}) {
			r.fail(path, "%q is not one of its AllowedValues: give one of those", value)
			continue
		}
		r.params[name] = parameterValue(typ, value)
	}
}

// parameterValue is a list for list types, also for those of SSM parameters,
// whose value here is the text that is given or the default: nothing is looked
// up.
func parameterValue(typ, value string) any {
	typ = strings.TrimSuffix(strings.TrimPrefix(typ, "AWS::SSM::Parameter::Value<"), ">")
	if typ != "CommaDelimitedList" && !strings.HasPrefix(typ, "List<") {
		return value
	}
	items := []any{}
	for item := range strings.SplitSeq(value, ",") {
		items = append(items, strings.TrimSpace(item))
	}
	return items
}

// useParameter is the value of a Ref to a parameter.
func (r *reader) useParameter(name, path string) any {
	value, ok := r.params[name]
	if !ok {
		r.fail(path, "parameter %s has neither a value nor a default: give it in Options.Parameters", name)
		return unresolved
	}
	body, _ := r.object("Parameters")[name].(map[string]any)
	typ, _ := body["Type"].(string)
	_, given := r.opts.Parameters[name]
	if strings.HasPrefix(typ, "AWS::SSM::") && !given {
		f := Finding{Severity: Ignored, Property: "Parameters." + name, Message: "the SSM parameter is not looked up: its default text is used as the value"}
		if !slices.Contains(r.topology.Findings, f) {
			r.find(f)
		}
	}
	return value
}

func list(m map[string]any) string {
	if len(m) == 0 {
		return "none (it has no such thing)"
	}
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

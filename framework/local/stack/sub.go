package stack

import "strings"

// sub evaluates Fn::Sub. "${!x}" stands for "${x}".
func (r *reader) sub(arg any, path string, sc scope) any {
	template, isString := arg.(string)
	var vars map[string]any
	if !isString {
		a, b, ok := r.pair(arg, path, "a string or [string, variables]")
		if !ok {
			return unresolved
		}
		template, isString = a.(string)
		vars, ok = b.(map[string]any)
		if !isString || !ok {
			return r.bad(path, "is not [string, variables]: give a string and an object")
		}
	}
	var b strings.Builder
	good := true
	for rest := template; ; {
		before, after, found := strings.Cut(rest, "${")
		b.WriteString(before)
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return r.bad(path, "%q has a ${ without a }: close it, or write ${!", template)
		}
		rest = tail
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			b.WriteString("${" + literal + "}")
			continue
		}
		var value any
		if v, ok := vars[name]; ok {
			value = r.resolveIn(v, path+"."+name, sc)
		} else if id, attribute, ok := strings.Cut(name, "."); ok {
			value = r.attribute(id, attribute, path, sc)
		} else {
			value = r.ref(name, path, sc)
		}
		s, ok := text(value)
		if !ok {
			if value != unresolved {
				r.fail(path, "${%s} is %s where text is needed: give a string or number", name, kind(value))
			}
			good = false
		}
		b.WriteString(s)
	}
	if !good {
		return unresolved
	}
	return r.dynamic(b.String(), path)
}

// dynamic replaces dynamic references, which AWS resolves when a stack is
// deployed.
func (r *reader) dynamic(s, path string) any {
	var b strings.Builder
	for rest := s; ; {
		before, after, found := strings.Cut(rest, "{{resolve:")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		ref, tail, closed := strings.Cut(after, "}}")
		if !closed {
			return r.bad(path, "%q has a {{resolve: without a }}: close it", s)
		}
		ref = "{{resolve:" + ref + "}}"
		value, ok := r.opts.Values[ref]
		if !ok {
			return r.bad(path, "%s is resolved by AWS when the stack is deployed: give its local value in Options.Values", ref)
		}
		b.WriteString(value)
		rest = tail
	}
}

package stack

import (
	"maps"
	"slices"
	"strings"
)

// checkCycles reports resources that refer to each other in a circle, which
// CloudFormation refuses to deploy. DependsOn is only an order of creation and
// is left out, and so is the branch of an Fn::If that is not taken.
func (r *reader) checkCycles() {
	const (
		unvisited = iota
		open
		closed
	)
	state := make(map[string]int)
	var chain []string
	var visit func(id string)
	visit = func(id string) {
		switch state[id] {
		case closed:
			return
		case open:
			start := slices.Index(chain, id)
			circle := append(slices.Clone(chain[start:]), id)
			r.fail("Resources."+id, "refers to itself by way of %s: CloudFormation refuses to deploy this, break the circle", strings.Join(circle, " > "))
			return
		}
		state[id] = open
		chain = append(chain, id)
		uses := make(map[string]bool)
		r.uses(r.res[id].props, uses)
		for _, next := range slices.Sorted(maps.Keys(uses)) {
			if r.res[next] != nil {
				visit(next)
			}
		}
		chain = chain[:len(chain)-1]
		state[id] = closed
	}
	for _, id := range r.ids {
		visit(id)
	}
}

// uses collects the logical ids that a raw value refers to.
func (r *reader) uses(v any, into map[string]bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			r.uses(e, into)
		}
	case map[string]any:
		fn, arg, ok := intrinsic(v)
		if !ok {
			for _, e := range v {
				r.uses(e, into)
			}
			return
		}
		switch fn {
		case "Ref":
			if id, ok := arg.(string); ok {
				into[id] = true
			}
			return
		case "Fn::GetAtt":
			switch a := arg.(type) {
			case string:
				id, _, _ := strings.Cut(a, ".")
				into[id] = true
			case []any:
				if len(a) > 0 {
					if id, ok := a[0].(string); ok {
						into[id] = true
					}
				}
			}
			return
		case "Fn::If":
			before := len(r.errs)
			chosen, _, ok := r.branch(arg, "Fn::If")
			r.errs = r.errs[:before] // reported with its path where the value is read
			if ok {
				r.uses(chosen, into)
			}
			return
		case "Fn::Sub":
			r.subUses(arg, into)
		}
		r.uses(arg, into)
	}
}

// subUses collects what the text of an Fn::Sub refers to.
func (r *reader) subUses(arg any, into map[string]bool) {
	template, _ := arg.(string)
	vars := map[string]any{}
	if args, ok := arg.([]any); ok && len(args) == 2 {
		template, _ = args[0].(string)
		vars, _ = args[1].(map[string]any)
	}
	for rest := template; ; {
		_, after, found := strings.Cut(rest, "${")
		name, tail, closed := strings.Cut(after, "}")
		if !found || !closed {
			return
		}
		rest = tail
		if _, ok := vars[name]; ok || strings.HasPrefix(name, "!") {
			continue
		}
		id, _, _ := strings.Cut(name, ".")
		into[id] = true
	}
}

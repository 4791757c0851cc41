package local

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/netip"
	"slices"
	"strings"
)

// pattern is an EventBridge event pattern. Every operator that AWS documents is either known here or refused by name when the pattern is
// parsed; none is ignored.
type pattern struct {
	fields map[string]*pattern // an object: all must match
	or     []*pattern          // $or: one must match, besides the fields
	leaf   []condition         // a list: one must match
}

// condition is one element of a list. value is meaningful when present is true; it is a string, json.Number, bool or nil.
type condition func(value any, present bool) bool

// parsePattern reads an event pattern (EventBridge user guide, "Comparison operators for use in event patterns").
func parsePattern(text string) (*pattern, error) {
	value, err := decodeJSON([]byte(text))
	if err != nil {
		return nil, errPattern("invalid JSON: %v", err)
	}
	object, ok := value.(map[string]any)
	if !ok || len(object) == 0 {
		return nil, errPattern("Filter is not an object with at least one field")
	}
	return parseObject(object, "")
}

func errPattern(format string, args ...any) *Error {
	return &Error{Code: "InvalidEventPatternException", Message: "Event pattern is not valid. Reason: " + fmt.Sprintf(format, args...)}
}

// decodeJSON keeps numbers as they are written.
func decodeJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("there is something after the value")
	}
	return v, nil
}

func parseObject(object map[string]any, path string) (*pattern, error) {
	p := &pattern{fields: map[string]*pattern{}}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		at := strings.TrimPrefix(path+"."+key, ".")
		switch v := object[key].(type) {
		case map[string]any:
			if len(v) == 0 {
				return nil, errPattern("Empty objects are not allowed at %s", at)
			}
			sub, err := parseObject(v, at)
			if err != nil {
				return nil, err
			}
			p.fields[key] = sub
		case []any:
			if len(v) == 0 {
				return nil, errPattern("Empty arrays are not allowed at %s", at)
			}
			if key == "$or" {
				for _, alternative := range v {
					o, ok := alternative.(map[string]any)
					if !ok || len(o) == 0 {
						return nil, errPattern("$or must be a list of objects")
					}
					sub, err := parseObject(o, path)
					if err != nil {
						return nil, err
					}
					p.or = append(p.or, sub)
				}
				continue
			}
			sub := &pattern{}
			for _, element := range v {
				c, err := parseCondition(element, at)
				if err != nil {
					return nil, err
				}
				sub.leaf = append(sub.leaf, c)
			}
			p.fields[key] = sub
		default:
			return nil, errPattern("%q must be an object or an array", at)
		}
	}
	return p, nil
}

// equals compares as EventBridge does: character by character; 300, 300.0 and 3.0e2 are different numbers.
func equals(want any) condition {
	return func(v any, present bool) bool { return present && v == want }
}

// onString makes a condition of a test on strings.
func onString(test func(string) bool) condition {
	return func(v any, present bool) bool {
		s, ok := v.(string)
		return present && ok && test(s)
	}
}

func parseCondition(element any, at string) (condition, error) {
	operator, ok := element.(map[string]any)
	if !ok {
		if _, list := element.([]any); list {
			return nil, errPattern("Lists in lists are not allowed at %s", at)
		}
		return equals(element), nil
	}
	if len(operator) != 1 {
		return nil, errPattern("Only one key allowed in match expression at %s", at)
	}
	for name, arg := range operator {
		switch name {
		case "exists":
			want, ok := arg.(bool)
			if !ok {
				return nil, errPattern("exists match pattern must be either true or false at %s", at)
			}
			return func(_ any, present bool) bool { return present == want }, nil
		case "anything-but":
			return parseAnythingBut(arg, at)
		case "numeric":
			return parseNumeric(arg, at)
		case "cidr":
			text, _ := arg.(string)
			prefix, err := netip.ParsePrefix(text)
			if err != nil {
				return nil, errPattern("Malformed CIDR %q at %s", text, at)
			}
			return onString(func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && prefix.Contains(a) }), nil
		default:
			return parseText(name, arg, at)
		}
	}
	return nil, errPattern("empty match expression at %s", at)
}

// parseText reads the operators on strings.
func parseText(name string, arg any, at string) (condition, error) {
	fold := false
	if o, ok := arg.(map[string]any); ok && len(o) == 1 && (name == "prefix" || name == "suffix") {
		if inner, ok := o["equals-ignore-case"]; ok {
			fold, arg = true, inner
		}
	}
	switch name {
	case "prefix", "suffix", "equals-ignore-case", "wildcard":
	default:
		return nil, errPattern("Unrecognized match type %s at %s", name, at)
	}
	text, ok := arg.(string)
	if !ok {
		return nil, errPattern("%s match pattern must be a string at %s", name, at)
	}
	switch name {
	case "prefix":
		return onString(func(s string) bool {
			return strings.HasPrefix(s, text) || fold && len(s) >= len(text) && strings.EqualFold(s[:len(text)], text)
		}), nil
	case "suffix":
		return onString(func(s string) bool {
			return strings.HasSuffix(s, text) || fold && len(s) >= len(text) && strings.EqualFold(s[len(s)-len(text):], text)
		}), nil
	case "equals-ignore-case":
		return onString(func(s string) bool { return strings.EqualFold(s, text) }), nil
	}
	parts, err := parseWildcard(text, at)
	if err != nil {
		return nil, err
	}
	return onString(func(s string) bool { return matchWildcard(parts, s) }), nil
}

// parseWildcard splits a wildcard at its asterisks; \* and \\ are literal.
func parseWildcard(text, at string) ([]string, error) {
	var parts []string
	var part strings.Builder
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '*':
			if i > 0 && text[i-1] == '*' && part.Len() == 0 && len(parts) > 0 {
				return nil, errPattern("Consecutive wildcard characters at pos %d at %s", i-1, at)
			}
			parts = append(parts, part.String())
			part.Reset()
		case '\\':
			if i+1 == len(text) || text[i+1] != '*' && text[i+1] != '\\' {
				return nil, errPattern("Invalid escape character at pos %d at %s", i, at)
			}
			i++
			part.WriteByte(text[i])
		default:
			part.WriteByte(text[i])
		}
	}
	return append(parts, part.String()), nil
}

func matchWildcard(parts []string, s string) bool {
	if len(parts) == 1 {
		return s == parts[0]
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}

// parseAnythingBut reads anything-but with a value, a list, or an operator on one or several strings.
func parseAnythingBut(arg any, at string) (condition, error) {
	var excluded []condition
	add := func(element any, operator string) error {
		switch element.(type) {
		case string:
		case json.Number:
			if operator != "" {
				return errPattern("%s match pattern must be a string at %s", operator, at)
			}
		default:
			return errPattern("Inside anything but list, start|null|boolean is not supported at %s", at)
		}
		c := equals(element)
		if operator != "" {
			var err error
			if c, err = parseText(operator, element, at); err != nil {
				return err
			}
		}
		excluded = append(excluded, c)
		return nil
	}
	operator := ""
	if o, ok := arg.(map[string]any); ok {
		if len(o) != 1 {
			return nil, errPattern("Only one key allowed in anything-but at %s", at)
		}
		for name, inner := range o {
			operator, arg = name, inner
		}
	}
	list, ok := arg.([]any)
	if !ok {
		list = []any{arg}
	}
	if len(list) == 0 {
		return nil, errPattern("Empty anything-but list at %s", at)
	}
	for _, element := range list {
		if err := add(element, operator); err != nil {
			return nil, err
		}
	}
	return func(v any, present bool) bool {
		return present && !slices.ContainsFunc(excluded, func(c condition) bool { return c(v, true) })
	}, nil
}

// parseNumeric reads ["=", n], ["<", n] and so on, and ranges such as [">", a, "<=", b].
func parseNumeric(arg any, at string) (condition, error) {
	list, _ := arg.([]any)
	if len(list) != 2 && len(list) != 4 {
		return nil, errPattern("Invalid numeric expression at %s", at)
	}
	type comparison struct {
		operator string
		operand  *big.Rat
	}
	var all []comparison
	for i := 0; i < len(list); i += 2 {
		operator, _ := list[i].(string)
		number, _ := list[i+1].(json.Number)
		operand, ok := new(big.Rat).SetString(number.String())
		if !slices.Contains([]string{"=", "<", "<=", ">", ">="}, operator) || !ok || operator == "=" && len(list) == 4 {
			return nil, errPattern("Unrecognized numeric range operator: %v at %s", list[i], at)
		}
		all = append(all, comparison{operator, operand})
	}
	return func(v any, present bool) bool {
		number, ok := v.(json.Number)
		if !present || !ok {
			return false
		}
		n, ok := new(big.Rat).SetString(number.String())
		if !ok {
			return false
		}
		for _, c := range all {
			d := n.Cmp(c.operand)
			if c.operator == "=" && d != 0 || c.operator == "<" && d >= 0 || c.operator == "<=" && d > 0 || c.operator == ">" && d <= 0 || c.operator == ">=" && d < 0 {
				return false
			}
		}
		return true
	}, nil
}

// matches reports whether an event matches. Within an array one element must match the whole sub-pattern.
func (p *pattern) matches(value any, present bool) bool {
	if p.leaf != nil {
		return p.matchesLeaf(value, present)
	}
	if list, ok := value.([]any); ok {
		return slices.ContainsFunc(list, func(element any) bool { return p.matches(element, true) })
	}
	object, _ := value.(map[string]any) // a missing object still matches exists:false below it
	for key, sub := range p.fields {
		v, ok := object[key]
		if !sub.matches(v, ok) {
			return false
		}
	}
	return len(p.or) == 0 || slices.ContainsFunc(p.or, func(o *pattern) bool { return o.matches(value, present) })
}

func (p *pattern) matchesLeaf(value any, present bool) bool {
	switch v := value.(type) {
	case map[string]any:
		present = false // operators look at leaves only: an object is none
	case []any:
		if len(v) > 0 {
			return slices.ContainsFunc(v, func(element any) bool { return p.matchesLeaf(element, true) })
		}
		// An empty array has no value to match, but exists.
		return slices.ContainsFunc(p.leaf, func(c condition) bool { return c(emptyArray{}, true) })
	}
	return slices.ContainsFunc(p.leaf, func(c condition) bool { return c(value, present) })
}

// emptyArray is a value that equals nothing in a pattern.
type emptyArray struct{}

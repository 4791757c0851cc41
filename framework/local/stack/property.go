package stack

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// object reads the properties of one resource, or of an object within them, and
// knows which of them nobody has read.
type object struct {
	r    *reader
	res  *resource
	path string // for errors: Resources.X.Properties...
	sub  string // for findings: the path below the resource's properties
	raw  map[string]any
	seen map[string]bool
}

func (r *reader) properties(res *resource) *object {
	return &object{r: r, res: res, path: "Resources." + res.id + ".Properties", raw: res.props, seen: make(map[string]bool)}
}

// get resolves a property. ok is false if it is absent, AWS::NoValue, or could
// not be resolved, which was then reported.
func (o *object) get(name string) (value any, ok bool) {
	o.seen[name] = true
	v, ok := o.raw[name]
	if !ok {
		return nil, false
	}
	value = o.r.resolve(v, o.at(name))
	return value, value != noValue && value != unresolved
}

// peek is get without the values inside.
func (o *object) peek(name string) (value any, ok bool) {
	o.seen[name] = true
	v, ok := o.raw[name]
	if !ok {
		return nil, false
	}
	value = o.r.shallow(v, o.at(name))
	return value, value != noValue && value != unresolved
}

func (o *object) at(name string) string { return o.path + "." + name }

func (o *object) below(name string) string {
	if o.sub == "" {
		return name
	}
	return o.sub + "." + name
}

func (o *object) wrong(name string, value any, want string) {
	o.r.fail(o.at(name), "is %s where %s is needed: correct the template", kind(value), want)
}

// str is a text property, or def.
func (o *object) str(name, def string) string {
	v, ok := o.get(name)
	if !ok {
		return def
	}
	s, ok := text(v)
	if !ok {
		o.wrong(name, v, "text")
	}
	return s
}

// required is a text property that must be there.
func (o *object) required(name string) string {
	before := len(o.r.errs)
	s := o.str(name, "")
	if s == "" && len(o.r.errs) == before {
		o.r.fail(o.at(name), "is missing or empty: the type requires it")
	}
	return s
}

// oneOf is a text property with a fixed set of values.
func (o *object) oneOf(name, def string, values ...string) string {
	s := o.str(name, def)
	if s != def && s != "" && !slices.Contains(values, s) {
		o.r.fail(o.at(name), "%q is not known: use one of %s", s, strings.Join(values, ", "))
	}
	return s
}

// num is a whole number, or def. CloudFormation also takes it as text.
func (o *object) num(name string, def, low, high int) int {
	v, ok := o.get(name)
	if !ok {
		return def
	}
	s, ok := text(v)
	f, err := strconv.ParseFloat(s, 64)
	if _, isBool := v.(bool); !ok || isBool || err != nil || f != math.Trunc(f) {
		o.r.fail(o.at(name), "%v is no whole number: give one from %d to %d", v, low, high)
		return def
	}
	if f < float64(low) || f > float64(high) {
		o.r.fail(o.at(name), "%v is out of range: AWS takes %d to %d", v, low, high)
		return def
	}
	return int(f)
}

// seconds is a number of seconds.
func (o *object) seconds(name string, def, low, high int) time.Duration {
	return time.Duration(o.num(name, def, low, high)) * time.Second
}

// boolean is a truth value. CloudFormation also takes it as text.
func (o *object) boolean(name string, def bool) bool {
	v, ok := o.get(name)
	if !ok {
		return def
	}
	switch s, _ := text(v); s {
	case "true":
		return true
	case "false":
		return false
	}
	o.wrong(name, v, "true or false")
	return def
}

// list is a list property whose items are yet to be read; nil if it is absent.
func (o *object) list(name string) []any {
	v, ok := o.peek(name)
	if !ok {
		return nil
	}
	l, ok := v.([]any)
	if !ok {
		o.wrong(name, v, "a list")
	}
	return l
}

// texts is a list of texts; a single text counts as a list of one, as
// CloudFormation has it.
func (o *object) texts(name string) []string {
	v, ok := o.get(name)
	if !ok {
		return nil
	}
	if s, ok := text(v); ok {
		return []string{s}
	}
	l, ok := v.([]any)
	if !ok {
		o.wrong(name, v, "a list of texts")
		return nil
	}
	var out []string
	for i, e := range l {
		s, ok := text(e)
		if !ok {
			o.r.fail(index(o.at(name), i), "is %s where text is needed: correct the template", kind(e))
			continue
		}
		out = append(out, s)
	}
	return out
}

// table is a map of texts.
func (o *object) table(name string) map[string]string {
	v, ok := o.get(name)
	if !ok {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		o.wrong(name, v, "an object")
		return nil
	}
	out := make(map[string]string, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		s, ok := text(m[k])
		if !ok {
			o.r.fail(o.at(name)+"."+k, "is %s where text is needed: correct the template", kind(m[k]))
			continue
		}
		out[k] = s
	}
	return out
}

// object is a property that is an object; nil if it is absent. A text that
// holds a JSON object counts as one, as for policies in older templates.
func (o *object) object(name string) *object {
	v, ok := o.peek(name)
	if !ok {
		return nil
	}
	return o.child(v, name)
}

func (o *object) child(v any, name string) *object {
	if s, ok := v.(string); ok {
		if parsed, ok := parseJSON(s); ok {
			v = parsed
		}
	}
	m, ok := v.(map[string]any)
	if !ok {
		o.wrong(name, v, "an object")
		return nil
	}
	return &object{r: o.r, res: o.res, path: o.at(name), sub: o.below(name), raw: m, seen: make(map[string]bool)}
}

// objects is a list of objects.
func (o *object) objects(name string) []*object {
	var out []*object
	for i, v := range o.list(name) {
		if c := o.child(v, index(name, i)); c != nil {
			out = append(out, c)
		}
	}
	return out
}

// json is a property as compact JSON; nil if it is absent. A text that holds
// JSON stands for what it holds.
func (o *object) json(name string) json.RawMessage {
	v, ok := o.get(name)
	if !ok {
		return nil
	}
	if s, ok := v.(string); ok {
		if v, ok = parseJSON(s); !ok {
			o.r.fail(o.at(name), "is text that is no JSON: give an object")
			return nil
		}
	}
	if _, ok := v.(map[string]any); !ok {
		o.wrong(name, v, "an object")
		return nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // patterns are shown to people: ">=", not "\u003e="
	if err := e.Encode(v); err != nil {
		o.r.fail(o.at(name), "can not be written as JSON: %v: correct the template", err)
	}
	return bytes.TrimSpace(b.Bytes())
}

func parseJSON(s string) (any, bool) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return nil, false
	}
	return v, true
}

// note makes a finding of each named property that is present.
func (o *object) note(severity Severity, message string, names ...string) {
	for _, name := range names {
		o.seen[name] = true
		v, ok := o.raw[name]
		if !ok || o.r.isNoValue(v) {
			continue
		}
		o.r.find(Finding{Severity: severity, LogicalID: o.res.id, Type: o.res.typ, Property: o.below(name), Message: message})
	}
}

func (o *object) harmless(reason string, names ...string)     { o.note(Harmless, reason, names...) }
func (o *object) ignored(message string, names ...string)     { o.note(Ignored, message, names...) }
func (o *object) unsupported(message string, names ...string) { o.note(Unsupported, message, names...) }

// done reports every property that nobody has read.
func (o *object) done() {
	for _, name := range slices.Sorted(maps.Keys(o.raw)) {
		if !o.seen[name] {
			o.note(Unsupported, "the local runtime does not know this property: what it does is missing", name)
		}
	}
}

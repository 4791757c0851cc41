package itemstore

import (
	"slices"
	"strings"
)

// exprContext is what the expressions of one request share: the names and
// values they may use, and which of them they did.
type exprContext struct {
	names      map[string]string
	values     map[string]Value
	usedNames  map[string]bool
	usedValues map[string]bool
	// heads are the attributes at the start of the paths parsed so far, and
	// nested those that some path goes into.
	heads  map[string]bool
	nested map[string]bool
}

// expressions are the members of a request that hold expressions.
type expressions struct {
	names      map[string]string
	values     map[string]Value
	hasNames   bool
	hasValues  bool
	update     *string
	condition  *string
	key        *string
	filter     *string
	projection *string
}

// parsedExpressions are nil where the request had none.
type parsedExpressions struct {
	update     *update
	condition  *node
	key        *node
	filter     *node
	projection []path

	updateNested map[string]bool
	filterHeads  map[string]bool
	filterNested map[string]bool
	projected    map[string]bool
	nested       map[string]bool
}

// parse checks names and values, parses every expression, and refuses names
// and values that none of them uses. Required lists, for AWS's message, the
// members that could have used values.
func (e *expressions) parse(valueUsers ...string) (*parsedExpressions, *Error) {
	some := e.update != nil || e.condition != nil || e.key != nil || e.filter != nil
	if e.hasNames && !some && e.projection == nil {
		return nil, invalid("ExpressionAttributeNames can only be specified when using expressions")
	}
	if e.hasValues && !some {
		verb := "is"
		if len(valueUsers) > 1 {
			verb = "are"
		}
		return nil, invalid("ExpressionAttributeValues can only be specified when using expressions: %s %s null",
			strings.Join(valueUsers, " and "), verb)
	}
	if err := e.checkSubstitutes(); err != nil {
		return nil, err
	}
	ctx := &exprContext{
		names: e.names, values: e.values,
		usedNames: map[string]bool{}, usedValues: map[string]bool{},
		heads: map[string]bool{}, nested: map[string]bool{},
	}
	out := &parsedExpressions{}
	if e.update != nil {
		u, err := parseUpdate(*e.update, ctx)
		if err != nil {
			return nil, invalid("Invalid UpdateExpression: %s", err.text)
		}
		out.update = u
	}
	out.updateNested = ctx.nested
	var err *Error
	ctx.nested = map[string]bool{}
	if out.condition, err = parseNamed("ConditionExpression", e.condition, ctx); err != nil {
		return nil, err
	}
	if out.key, err = parseNamed("KeyConditionExpression", e.key, ctx); err != nil {
		return nil, err
	}
	ctx.heads, ctx.nested = map[string]bool{}, map[string]bool{}
	if out.filter, err = parseNamed("FilterExpression", e.filter, ctx); err != nil {
		return nil, err
	}
	out.filterHeads, out.filterNested = ctx.heads, ctx.nested
	ctx.heads, ctx.nested = map[string]bool{}, map[string]bool{}
	if e.projection != nil {
		paths, err := parseProjection(*e.projection, ctx)
		if err != nil {
			return nil, invalid("Invalid ProjectionExpression: %s", err.text)
		}
		out.projection = paths
	}
	out.projected, out.nested = ctx.heads, ctx.nested
	if unused := unusedKeys(e.names, ctx.usedNames); unused != "" {
		return nil, invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", unused)
	}
	if unused := unusedKeys(e.values, ctx.usedValues); unused != "" {
		return nil, invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", unused)
	}
	return out, nil
}

func parseNamed(member string, src *string, ctx *exprContext) (*node, *Error) {
	if src == nil {
		return nil, nil
	}
	n, err := parseCondition(*src, ctx)
	if err != nil {
		return nil, invalid("Invalid %s: %s", member, err.text)
	}
	return n, nil
}

func (e *expressions) checkSubstitutes() *Error {
	if e.hasNames && len(e.names) == 0 {
		return invalid("ExpressionAttributeNames must not be empty")
	}
	for _, k := range sortedKeys(e.names) {
		if !isSubstitute(k, '#') {
			return invalid("ExpressionAttributeNames contains invalid key: Syntax error; key: %q", k)
		}
		if e.names[k] == "" {
			return invalid("ExpressionAttributeNames contains invalid value: Empty attribute name for key %s", k)
		}
	}
	if e.hasValues && len(e.values) == 0 {
		return invalid("ExpressionAttributeValues must not be empty")
	}
	for _, k := range sortedKeys(e.values) {
		if !isSubstitute(k, ':') {
			return invalid("ExpressionAttributeValues contains invalid key: Syntax error; key: %q", k)
		}
	}
	return nil
}

func isSubstitute(s string, mark byte) bool {
	if len(s) < 2 || s[0] != mark {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !isIdent(s[i]) {
			return false
		}
	}
	return true
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func unusedKeys[V any](m map[string]V, used map[string]bool) string {
	var unused []string
	for _, k := range sortedKeys(m) {
		if !used[k] {
			unused = append(unused, k)
		}
	}
	return strings.Join(unused, ", ")
}

package itemstore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
)

// decodeJSON reads one JSON document with its numbers as they were written.
func decodeJSON(data []byte) (any, *Error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, serialization("the request is not JSON: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, serialization("the request is not JSON: there is more after its end")
	}
	return v, nil
}

// The texts of AWS's deserializer, which name Java's types.

func scalarName(raw any) string {
	switch v := raw.(type) {
	case string:
		return "STRING_VALUE"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "DECIMAL_VALUE"
		}
		return "NUMBER_VALUE"
	case bool:
		if v {
			return "TRUE_VALUE"
		}
		return "FALSE_VALUE"
	}
	return ""
}

func wrongJSON(raw any, want string) *Error {
	switch raw.(type) {
	case nil:
		return serialization("null cannot be converted to %s", want)
	case []any:
		return serialization("Unrecognized collection type class java.lang.%s", want)
	case map[string]any:
		return serialization("Start of structure or map found where not expected")
	}
	return serialization("%s cannot be converted to %s", scalarName(raw), want)
}

func jsonString(raw any) (string, *Error) {
	if s, ok := raw.(string); ok {
		return s, nil
	}
	return "", wrongJSON(raw, "String")
}

func jsonBool(raw any) (bool, *Error) {
	if b, ok := raw.(bool); ok {
		return b, nil
	}
	return false, wrongJSON(raw, "Boolean")
}

func jsonInt(raw any) (int, *Error) {
	if n, ok := raw.(json.Number); ok {
		if i, err := strconv.ParseInt(n.String(), 10, 32); err == nil {
			return int(i), nil
		}
	}
	return 0, wrongJSON(raw, "Integer")
}

func jsonBlob(raw any) ([]byte, *Error) {
	s, ok := raw.(string)
	if !ok {
		return nil, serialization("only base-64-encoded strings are convertible to bytes")
	}
	if len(s)%4 != 0 {
		return nil, serialization("Base64 encoded length is expected a multiple of 4 bytes but found: %d", len(s))
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, serialization("Invalid last non-pad Base64 character dectected")
	}
	return b, nil
}

func jsonList(raw any) ([]any, *Error) {
	if l, ok := raw.([]any); ok {
		return l, nil
	}
	if _, ok := raw.(map[string]any); ok {
		return nil, serialization("Start of structure or map found where not expected")
	}
	return nil, serialization("Unexpected field type")
}

func jsonMap(raw any, of string) (map[string]any, *Error) {
	if m, ok := raw.(map[string]any); ok {
		return m, nil
	}
	if _, ok := raw.([]any); ok {
		return nil, serialization("Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.%s>", of)
	}
	return nil, serialization("Unexpected field type")
}

// request reads the members of one structure of a request. It remembers its
// first failure, so that callers read everything and check once.
type request struct {
	what    string // for refusals: "PutItem", "TransactWriteItems Put"
	members map[string]any
	err     *Error
}

// newRequest refuses members that the structure is not known to have: each
// could change what AWS does.
func newRequest(what string, members map[string]any, known ...string) *request {
	r := &request{what: what, members: map[string]any{}}
	for _, name := range sortedKeys(members) {
		if members[name] == nil {
			continue // null is the same as absent
		}
		if !slices.Contains(known, name) {
			r.fail(notEmulated("the member " + name + " of " + what))
			continue
		}
		r.members[name] = members[name]
	}
	return r
}

func (r *request) fail(err *Error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *request) has(name string) bool { _, ok := r.members[name]; return ok }

// read decodes one optional member; zero when it is absent.
func read[T any](r *request, name string, decode func(any) (T, *Error)) T {
	raw, ok := r.members[name]
	if !ok {
		var zero T
		return zero
	}
	v, err := decode(raw)
	if err != nil {
		r.fail(err)
	}
	return v
}

func (r *request) text(name string) string { return read(r, name, jsonString) }
func (r *request) flag(name string) bool   { return read(r, name, jsonBool) }
func (r *request) list(name string) []any  { return read(r, name, jsonList) }
func (r *request) object(name string) map[string]any {
	return read(r, name, func(raw any) (map[string]any, *Error) { return jsonMap(raw, "AttributeValue") })
}

// optional is nil when the member is absent.
func (r *request) optional(name string) *string {
	if !r.has(name) {
		return nil
	}
	s := r.text(name)
	return &s
}

func (r *request) number(name string) (n int, ok bool) {
	return read(r, name, jsonInt), r.has(name)
}

// enum reads a member with a fixed set of values; the first is the default.
// Listed gives them as AWS's message lists them.
func (r *request) enum(name, listed string, values ...string) string {
	s := r.optional(name)
	if s == nil {
		return values[0]
	}
	if !slices.Contains(values, *s) && r.err == nil {
		r.fail(constraint(*s, name, "Member must satisfy enum value set: ["+listed+"]"))
	}
	return *s
}

// constraint is AWS's message for one member out of its bounds. The member is
// named as in the request's JSON; AWS's messages start it in lower case.
func constraint(value, member, rule string) *Error {
	return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s",
		value, lowerFirst(member), rule)
}

func missing(member string) *Error {
	return invalid("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null",
		lowerFirst(member))
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// values reads a map of attribute values that must be there.
func (r *request) values(name string) item {
	if !r.has(name) {
		r.fail(missing(name))
		return nil
	}
	return read(r, name, decodeItem)
}

// expressions reads the members that hold expressions and what they refer to.
func (r *request) expressions() expressions {
	e := expressions{
		update:     r.optional("UpdateExpression"),
		condition:  r.optional("ConditionExpression"),
		key:        r.optional("KeyConditionExpression"),
		filter:     r.optional("FilterExpression"),
		projection: r.optional("ProjectionExpression"),
		hasNames:   r.has("ExpressionAttributeNames"),
		hasValues:  r.has("ExpressionAttributeValues"),
	}
	e.names = map[string]string{}
	for name, raw := range r.object("ExpressionAttributeNames") {
		s, err := jsonString(raw)
		if err != nil {
			r.fail(err)
		}
		e.names[name] = s
	}
	e.values = map[string]Value{}
	raw := r.object("ExpressionAttributeValues")
	for _, name := range sortedKeys(raw) {
		v, err := decodeValue(raw[name])
		if err == nil && v.depth() > maxDepth {
			err = invalid("%s", errNestingItem)
		}
		if err != nil && err.Name() == "ValidationException" {
			err = invalid("ExpressionAttributeValues contains invalid value: %s for key %s", err.Message, name)
		}
		if err != nil {
			r.fail(err)
		}
		e.values[name] = v
	}
	return e
}

// consumed reads ReturnConsumedCapacity and ReturnItemCollectionMetrics. The
// second is refused unless it is NONE.
func (r *request) consumed() capacityMode {
	if r.enum("ReturnItemCollectionMetrics", "SIZE, NONE", "NONE", "SIZE") == "SIZE" {
		r.fail(notEmulated("ReturnItemCollectionMetrics SIZE"))
	}
	return capacityMode(r.enum("ReturnConsumedCapacity", "INDEXES, TOTAL, NONE", "NONE", "TOTAL", "INDEXES"))
}

// oldOnFailure reads ReturnValuesOnConditionCheckFailure.
func (r *request) oldOnFailure() bool {
	return r.enum("ReturnValuesOnConditionCheckFailure", "ALL_OLD, NONE", "NONE", "ALL_OLD") == "ALL_OLD"
}

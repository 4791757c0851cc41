package local

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// filterPolicy is an SNS filter policy on message attributes: every key must match one of its conditions (SNS developer guide, "Filter policy constraints").
type filterPolicy struct {
	keys map[string][]condition
}

// parseFilterPolicy reads a policy. What SNS has and this has not ($or, cidr, nested keys) is refused by name.
func parseFilterPolicy(text string) (*filterPolicy, error) {
	value, err := decodeJSON([]byte(text))
	object, ok := value.(map[string]any)
	if err != nil || !ok {
		return nil, errSNS("FilterPolicy: failed to parse JSON.")
	}
	f := &filterPolicy{keys: map[string][]condition{}}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if key == "$or" {
			return nil, NotEmulated("$or in an SNS filter policy", "use one subscription for each alternative")
		}
		list, ok := object[key].([]any)
		if _, nested := object[key].(map[string]any); nested {
			return nil, errSNS("Filter policy scope MessageAttributes does not support nested filter policy")
		}
		if !ok || len(list) == 0 {
			return nil, errSNS("FilterPolicy: %q must be an object or an array", key)
		}
		for _, element := range list {
			c, err := parseFilterCondition(element, key)
			if err != nil {
				return nil, err
			}
			f.keys[key] = append(f.keys[key], c)
		}
	}
	return f, nil
}

func parseFilterCondition(element any, key string) (condition, error) {
	if operator, ok := element.(map[string]any); ok {
		for name := range operator {
			if !slices.Contains([]string{"prefix", "suffix", "anything-but", "exists", "numeric", "equals-ignore-case"}, name) {
				return nil, NotEmulated(fmt.Sprintf("%s in an SNS filter policy (at %s)", name, key),
					"use prefix, suffix, anything-but, exists, numeric or equals-ignore-case")
			}
		}
	}
	if number, ok := element.(json.Number); ok {
		// SNS compares numbers as numbers, unlike EventBridge.
		return parseNumeric([]any{"=", number}, key)
	}
	c, err := parseCondition(element, key)
	if err != nil {
		return nil, errSNS("FilterPolicy: %s", asError(err).Message)
	}
	return c, nil
}

// matches reports whether a message with these attributes is delivered.
func (f *filterPolicy) matches(attrs map[string]AttributeValue) bool {
	for key, conditions := range f.keys {
		values, present := filterValues(attrs, key)
		if !slices.ContainsFunc(conditions, func(c condition) bool {
			if !present {
				return c(nil, false)
			}
			return slices.ContainsFunc(values, func(v any) bool { return c(v, true) })
		}) {
			return false
		}
	}
	return true
}

// filterValues are the values a policy compares with: one for String and Number, the elements of a String.Array, and for Binary one that equals nothing.
func filterValues(attrs map[string]AttributeValue, key string) (values []any, present bool) {
	a, ok := attrs[key]
	switch {
	case !ok:
		return nil, false
	case a.DataType == "Number":
		return []any{json.Number(a.StringValue)}, true
	case a.DataType == "String.Array":
		if v, err := decodeJSON([]byte(a.StringValue)); err == nil {
			if list, ok := v.([]any); ok {
				return list, true
			}
		}
	}
	if a.Binary() {
		return []any{emptyArray{}}, true
	}
	return []any{a.StringValue}, true
}

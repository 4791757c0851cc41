package itemstore

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

func (v Value) base64() string { return base64.StdEncoding.EncodeToString(v.Bin) }

// MarshalJSON writes AWS's form: {"S":"text"}.
func (v Value) MarshalJSON() ([]byte, error) {
	var content any
	switch v.Type {
	case TypeS, TypeN:
		content = v.Str
	case TypeB:
		content = v.base64()
	case TypeBOOL:
		content = v.Bool
	case TypeNULL:
		content = true
	case TypeL:
		content = nonNil(v.List)
	case TypeM:
		if v.Map == nil {
			v.Map = item{}
		}
		content = v.Map
	case TypeSS, TypeNS:
		content = nonNil(v.Set)
	case TypeBS:
		content = nonNil(v.Blobs)
	default:
		return nil, errors.New("itemstore: value has no type; set Type to one of the ten")
	}
	return json.Marshal(map[Type]any{v.Type: content})
}

func nonNil[E any](s []E) []E {
	if s == nil {
		return []E{}
	}
	return s
}

// UnmarshalJSON reads AWS's form, with AWS's checks; the error is an *Error.
func (v *Value) UnmarshalJSON(data []byte) error {
	raw, err := decodeJSON(data)
	if err != nil {
		return err
	}
	decoded, err := decodeValue(raw)
	if err != nil {
		return err
	}
	*v = decoded
	return nil
}

const (
	errEmptyValue = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
	errManyTypes  = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
)

// decodeValue reads one attribute value from decoded JSON. What cannot be read
// at all is a SerializationException, what is not allowed a
// ValidationException.
func decodeValue(raw any) (Value, *Error) {
	if raw == nil {
		return Value{}, invalid("%s", errEmptyValue)
	}
	members, ok := raw.(map[string]any)
	if !ok {
		if _, list := raw.([]any); list {
			return Value{}, serialization("Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue")
		}
		return Value{}, serialization("Unexpected value type in payload")
	}
	var found []Value
	for _, t := range allTypes() {
		content, ok := members[string(t)]
		if !ok || content == nil {
			continue
		}
		v, err := decodeContent(t, content)
		if err != nil {
			return Value{}, err
		}
		found = append(found, v)
	}
	switch len(found) {
	case 0:
		return Value{}, invalid("%s", errEmptyValue)
	case 1:
		return found[0], nil
	}
	return Value{}, invalid("%s", errManyTypes)
}

func decodeContent(t Type, content any) (Value, *Error) {
	v := Value{Type: t}
	var err *Error
	switch t {
	case TypeS:
		v.Str, err = jsonString(content)
	case TypeN:
		if v.Str, err = jsonString(content); err == nil {
			v.Str, err = canonicalNumber(v.Str)
		}
	case TypeB:
		v.Bin, err = jsonBlob(content)
	case TypeBOOL:
		v.Bool, err = jsonBool(content)
	case TypeNULL:
		var isNull bool
		if isNull, err = jsonBool(content); err == nil && !isNull {
			err = invalid("%sNull attribute value types must have the value of true", errParameter)
		}
	case TypeL:
		var list []any
		if list, err = jsonList(content); err != nil {
			break
		}
		v.List = make([]Value, len(list))
		for i, e := range list {
			if v.List[i], err = decodeValue(e); err != nil {
				break
			}
		}
	case TypeM:
		v.Map, err = decodeItem(content)
	default:
		err = v.decodeSet(content)
	}
	return v, err
}

func (v *Value) decodeSet(content any) *Error {
	list, err := jsonList(content)
	if err != nil {
		return err
	}
	var texts []string
	for _, e := range list {
		if v.Type == TypeBS {
			b, err := jsonBlob(e)
			if err != nil {
				return err
			}
			v.Blobs = append(v.Blobs, b)
			texts = append(texts, base64.StdEncoding.EncodeToString(b))
			continue
		}
		s, err := jsonString(e)
		if err != nil {
			return err
		}
		if v.Type == TypeNS {
			if s, err = canonicalNumber(s); err != nil {
				return err
			}
		}
		v.Set = append(v.Set, s)
		texts = append(texts, s)
	}
	switch {
	case len(texts) == 0 && v.Type == TypeSS:
		return invalid("%sAn string set  may not be empty", errParameter)
	case len(texts) == 0 && v.Type == TypeNS:
		return invalid("%sAn number set  may not be empty", errParameter)
	case len(texts) == 0:
		return invalid("%sBinary sets should not be empty", errParameter)
	}
	listed := "[" + strings.Join(texts, ", ") + "]"
	slices.Sort(texts)
	if len(slices.Compact(texts)) == len(list) {
		v.sortSet()
		return nil
	}
	switch v.Type {
	case TypeNS:
		return invalid("Input collection contains duplicates")
	case TypeBS:
		return invalid("%sInput collection %sof type BS contains duplicates.", errParameter, listed)
	}
	return invalid("%sInput collection %s contains duplicates.", errParameter, listed)
}

// decodeItem reads a map of attribute values.
func decodeItem(raw any) (item, *Error) {
	members, err := jsonMap(raw, "AttributeValue")
	if err != nil {
		return nil, err
	}
	m := make(item, len(members))
	for _, name := range sortedKeys(members) {
		if name == "" {
			return nil, invalid("Empty attribute name")
		}
		v, err := decodeValue(members[name])
		if err != nil {
			return nil, err
		}
		m[name] = v
	}
	return m, nil
}

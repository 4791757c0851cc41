package itemstore

const (
	maxHashKey  = 2048
	maxRangeKey = 1024
)

// keys are the attributes of the primary key, hash first.
func (t *table) keys() []keyAttr {
	if t.rng.name == "" {
		return []keyAttr{t.hash}
	}
	return []keyAttr{t.hash, t.rng}
}

func (ix *index) keys() []keyAttr {
	if ix.rng.name == "" {
		return []keyAttr{ix.hash}
	}
	return []keyAttr{ix.hash, ix.rng}
}

// checkKey is AWS's check of a request's key: exactly the key attributes, of
// their types, not empty and not too long.
func (t *table) checkKey(key item) *Error {
	if err := t.checkKeyTypes(key); err != nil {
		return err
	}
	return t.checkKeyValues(key)
}

func (t *table) checkKeyTypes(key item) *Error {
	attrs := t.keys()
	if len(key) != len(attrs) {
		return invalid("%s", errKeySchema)
	}
	for _, a := range attrs {
		if v, ok := key[a.name]; !ok || v.Type != a.typ {
			return invalid("%s", errKeySchema)
		}
	}
	return nil
}

func (t *table) checkKeyValues(m item) *Error {
	for i, a := range t.keys() {
		v := m[a.name]
		if err := emptyKey(v, a.name); err != nil {
			return err
		}
		switch size := len(v.Str) + len(v.Bin); {
		case v.Type == TypeN:
		case i == 0 && size > maxHashKey:
			return invalid("%sSize of hashkey has exceeded the maximum size limit of2048 bytes", errParameter)
		case i == 1 && size > maxRangeKey:
			return invalid("%sAggregated size of all range keys has exceeded the size limit of 1024 bytes", errParameter)
		}
	}
	return nil
}

func emptyKey(v Value, name string) *Error {
	if kind := emptyKind(v); kind != "" {
		return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", kind, name)
	}
	return nil
}

// checkItem is AWS's check of an item to put.
func (t *table) checkItem(m item) *Error {
	if err := t.checkItemTypes(m); err != nil {
		return err
	}
	if err := t.checkKeyValues(m); err != nil {
		return err
	}
	return t.checkIndexKeys(m, func(kind string, ix *index, name string) *Error {
		return invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. "+
			"The AttributeValue for a key attribute cannot contain an empty %s value. IndexName: %s, IndexKey: %s", kind, ix.name, name)
	})
}

// checkItemTypes looks at the primary key only.
func (t *table) checkItemTypes(m item) *Error {
	for _, a := range t.keys() {
		v, ok := m[a.name]
		if !ok {
			return invalid("%sMissing the key %s in the item", errParameter, a.name)
		}
		if v.Type != a.typ {
			return invalid("%sType mismatch for key %s expected: %s actual: %s", errParameter, a.name, a.typ, v.Type)
		}
	}
	return nil
}

// checkIndexKeys refuses values that the indexes cannot hold as keys; empty
// makes the complaint about an empty one.
func (t *table) checkIndexKeys(m item, empty func(kind string, ix *index, name string) *Error) *Error {
	for _, ix := range t.indexes {
		for _, a := range ix.keys() {
			v, ok := m[a.name]
			if !ok {
				continue
			}
			if v.Type != a.typ {
				return invalid("%sType mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s",
					errParameter, a.name, a.typ, v.Type, ix.name)
			}
			if kind := emptyKind(v); kind != "" {
				return empty(kind, ix, a.name)
			}
		}
	}
	return nil
}

func emptyKind(v Value) string {
	switch {
	case v.Type == TypeS && v.Str == "":
		return "string"
	case v.Type == TypeB && len(v.Bin) == 0:
		return "binary"
	}
	return ""
}

// checkUpdated is AWS's check of an item after an update.
func (t *table) checkUpdated(m item) *Error {
	err := t.checkIndexKeys(m, func(kind string, _ *index, _ string) *Error {
		return invalid("One or more parameter values are not valid. The update expression attempted to update a secondary index key "+
			"to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty %s value.", kind)
	})
	if err != nil {
		return err
	}
	if tooDeep(m) {
		return invalid("%s", errNesting)
	}
	if itemSize(m) > maxItemSize {
		return invalid("%s", errUpdateSize)
	}
	return nil
}

// checkUpdatePaths refuses updates of the key.
func (t *table) checkUpdatePaths(u *update) *Error {
	for _, a := range u.actions {
		for _, k := range t.keys() {
			if a.path[0].name == k.name {
				return invalid("%sCannot update attribute %s. This attribute is part of the key", errParameter, k.name)
			}
		}
	}
	return nil
}

// checkNestedKeys refuses document paths that go into key attributes, which
// are scalars.
func (t *table) checkNestedKeys(nested map[string]bool) *Error {
	for _, k := range t.keys() {
		if nested[k.name] {
			return invalid(errScalarKey, "Key", k.name)
		}
	}
	return t.checkIndexPaths(nested)
}

const errScalarKey = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: %s: %s"

func (t *table) checkIndexPaths(nested map[string]bool) *Error {
	for _, ix := range t.indexes {
		for _, k := range ix.keys() {
			if nested[k.name] && k.name != t.hash.name && k.name != t.rng.name {
				return invalid(errScalarKey, "IndexKey", k.name)
			}
		}
	}
	return nil
}

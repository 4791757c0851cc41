package itemstore

import (
	"maps"
	"slices"
)

// apply returns the item that results, and leaves old alone: the stored item,
// or the bare key where there is none. Every right-hand side sees the old item.
func (u *update) apply(old item) (item, *Error) {
	root := &edit{}
	for _, a := range u.actions {
		var operand Value
		if a.value != nil {
			v, err := a.value.evaluate(old)
			if err != nil {
				return nil, err
			}
			operand = v
		}
		root.add(a.path, leafEdit{kind: a.kind, operand: operand})
	}
	v, err := root.apply(Value{Type: TypeM, Map: cloneItem(old)})
	if err != nil {
		return nil, err
	}
	return v.Map, nil
}

// changesNothingButRemoves tells whether applied to an item that does not
// exist the update leaves nothing: then DynamoDB does not create the item.
func (u *update) changesNothingButRemoves() bool {
	return len(u.actions) > 0 && !slices.ContainsFunc(u.actions, func(a action) bool {
		return a.kind == "SET" || a.kind == "ADD"
	})
}

// evaluate computes the right-hand side of a SET.
func (n *node) evaluate(old item) (Value, *Error) {
	switch n.op {
	case opValue:
		return n.value.clone(), nil
	case opPath:
		v, ok := n.path.lookup(old)
		if !ok {
			return Value{}, invalid("%s", errNoAttribute)
		}
		return v.clone(), nil
	case "if_not_exists":
		if v, ok := n.args[0].path.lookup(old); ok {
			// AWS evaluates the second operand all the same.
			if _, err := n.args[1].evaluate(old); err != nil {
				return Value{}, err
			}
			return v.clone(), nil
		}
		return n.args[1].evaluate(old)
	}
	left, err := n.args[0].evaluate(old)
	if err != nil {
		return Value{}, err
	}
	right, err := n.args[1].evaluate(old)
	if err != nil {
		return Value{}, err
	}
	if n.op == "list_append" {
		if left.Type != TypeL || right.Type != TypeL {
			return Value{}, invalid("%s", errOperandType)
		}
		return Value{Type: TypeL, List: slices.Concat(left.List, right.List)}, nil
	}
	if left.Type != TypeN || right.Type != TypeN {
		return Value{}, invalid("%s", errOperandType)
	}
	addend := mustDecimal(right.Str)
	if n.op == "-" {
		addend = addend.neg()
	}
	sum, err := mustDecimal(left.Str).add(addend)
	if err != nil {
		return Value{}, err
	}
	return numberValue(sum), nil
}

// edit is a tree of the changes to a document, by path. Overlapping paths were
// refused, so a node is either a leaf or has children of one kind.
type edit struct {
	leaf    *leafEdit
	names   map[string]*edit
	indexes map[int]*edit
}

type leafEdit struct {
	kind    string
	operand Value
}

func (e *edit) add(p path, leaf leafEdit) {
	for _, s := range p {
		child := &edit{}
		if s.isIndex {
			if e.indexes == nil {
				e.indexes = map[int]*edit{}
			}
			if have, ok := e.indexes[s.index]; ok {
				child = have
			}
			e.indexes[s.index] = child
		} else {
			if e.names == nil {
				e.names = map[string]*edit{}
			}
			if have, ok := e.names[s.name]; ok {
				child = have
			}
			e.names[s.name] = child
		}
		e = child
	}
	e.leaf = &leaf
}

// apply changes the document v, which it owns.
func (e *edit) apply(v Value) (Value, *Error) {
	switch {
	case e.names != nil && v.Type == TypeM:
		return e.applyMap(v)
	case e.indexes != nil && v.Type == TypeL:
		return e.applyList(v)
	}
	return Value{}, invalid("%s", errDocumentPath)
}

func (e *edit) applyMap(v Value) (Value, *Error) {
	if v.Map == nil {
		v.Map = item{}
	}
	for _, name := range sortedKeys(e.names) {
		child := e.names[name]
		old, exists := v.Map[name]
		if child.leaf == nil {
			if !exists {
				return Value{}, invalid("%s", errDocumentPath)
			}
			changed, err := child.apply(old)
			if err != nil {
				return Value{}, err
			}
			v.Map[name] = changed
			continue
		}
		changed, keep, err := child.leaf.apply(old, exists)
		if err != nil {
			return Value{}, err
		}
		if keep {
			v.Map[name] = changed
		} else {
			delete(v.Map, name)
		}
	}
	return v, nil
}

// applyList works on the positions before the update: elements beyond the end
// are appended in the order of their indexes, removed ones close up last.
func (e *edit) applyList(v Value) (Value, *Error) {
	length := len(v.List)
	removed := map[int]bool{}
	for _, i := range slices.Sorted(maps.Keys(e.indexes)) {
		child := e.indexes[i]
		exists := i < length
		if child.leaf == nil {
			if !exists {
				return Value{}, invalid("%s", errDocumentPath)
			}
			changed, err := child.apply(v.List[i])
			if err != nil {
				return Value{}, err
			}
			v.List[i] = changed
			continue
		}
		var old Value
		if exists {
			old = v.List[i]
		}
		changed, keep, err := child.leaf.apply(old, exists)
		switch {
		case err != nil:
			return Value{}, err
		case !keep:
			removed[i] = true
		case exists:
			v.List[i] = changed
		default:
			v.List = append(v.List, changed)
		}
	}
	kept := v.List[:0]
	for i, element := range v.List {
		if i >= length || !removed[i] {
			kept = append(kept, element)
		}
	}
	v.List = kept
	return v, nil
}

// apply returns what stands at the path afterwards; keep is false when
// nothing does.
func (l *leafEdit) apply(old Value, exists bool) (v Value, keep bool, err *Error) {
	switch l.kind {
	case "SET":
		return l.operand, true, nil
	case "REMOVE":
		return Value{}, false, nil
	case "ADD":
		if !exists {
			return l.operand, true, nil
		}
		if old.Type != l.operand.Type {
			return Value{}, false, invalid("%s", errOperandType)
		}
		if old.Type.isSet() {
			return old.union(l.operand), true, nil
		}
		sum, err := mustDecimal(old.Str).add(mustDecimal(l.operand.Str))
		if err != nil {
			return Value{}, false, err
		}
		return numberValue(sum), true, nil
	default: // DELETE
		if !exists {
			return Value{}, false, nil
		}
		if old.Type != l.operand.Type {
			return Value{}, false, invalid("%s", errOperandType)
		}
		rest := old.minus(l.operand)
		return rest, !rest.emptySet(), nil
	}
}

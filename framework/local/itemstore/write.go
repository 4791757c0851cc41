package itemstore

// write is one decoded write to one item: of PutItem, UpdateItem, DeleteItem,
// of a transaction or of a PartiQL statement.
type write struct {
	kind      string // Put, Update, Delete, ConditionCheck
	table     *table
	key       item
	put       item    // Put
	update    *update // Update; nil when it changes nothing
	condition *node

	oldOnFailure bool // ReturnValuesOnConditionCheckFailure is ALL_OLD

	// fault is a failure that concerns only this write: a transaction
	// reports it among its reasons.
	fault *Error

	mustExist  bool // PartiQL UPDATE: an absent item fails the condition
	absentIsOK bool // PartiQL DELETE: an absent item meets every condition
}

// compute checks the condition and returns the item before and after; after is
// nil when there is none then. It changes nothing.
func (w *write) compute() (before, after item, err *Error) {
	before = w.table.get(w.key)
	if before == nil && w.absentIsOK {
		return nil, nil, nil
	}
	if w.condition != nil && !w.condition.holds(before) || w.mustExist && before == nil {
		if !w.oldOnFailure || before == nil {
			return before, nil, conditionFailed(nil)
		}
		return before, nil, conditionFailed(cloneItem(before))
	}
	switch w.kind {
	case "Put":
		return before, w.put, nil
	case "Delete":
		return before, nil, nil
	case "ConditionCheck":
		return before, before, nil
	}
	base := before
	if base == nil {
		if w.update != nil && w.update.changesNothingButRemoves() {
			return nil, nil, nil
		}
		base = w.key
	}
	if w.update == nil {
		return before, cloneItem(base), nil
	}
	if after, err = w.update.apply(base); err != nil {
		return before, nil, err
	}
	return before, after, w.table.checkUpdated(after)
}

func (w *write) commit(after item) {
	if w.kind != "ConditionCheck" {
		w.table.set(w.key, after)
	}
}

// decodePut reads the members that PutItem and a Put of a transaction share.
// The order of checks is AWS's: values, expressions, table, key.
func (s *Store) decodePut(r *request) (*write, *Error) {
	m := r.values("Item")
	e := r.expressions()
	w := &write{kind: "Put", put: m, oldOnFailure: r.oldOnFailure()}
	if r.err != nil {
		return nil, r.err
	}
	if err := checkStorable(m); err != nil {
		return nil, err
	}
	if err := s.finish(w, r, e, "ConditionExpression"); err != nil {
		return nil, err
	}
	if w.fault = w.table.checkItemTypes(m); w.fault == nil {
		if err := w.table.checkItem(m); err != nil {
			return nil, err
		}
	}
	w.key = w.table.keyOf(m)
	return w, nil
}

// checkStorable applies the limits on an item as a whole.
func checkStorable(m item) *Error {
	if tooDeep(m) {
		return invalid("%s", errNestingItem)
	}
	if itemSize(m) > maxItemSize {
		return invalid("%s", errItemSize)
	}
	return nil
}

// decodeKeyed reads what updates, deletes and condition checks share.
func (s *Store) decodeKeyed(kind string, r *request) (*write, *Error) {
	w := &write{kind: kind, key: r.values("Key"), oldOnFailure: r.oldOnFailure()}
	e := r.expressions()
	if r.err != nil {
		return nil, r.err
	}
	users := []string{"ConditionExpression"}
	if kind == "Update" {
		users = []string{"UpdateExpression", "ConditionExpression"}
	}
	if err := s.finish(w, r, e, users...); err != nil {
		return nil, err
	}
	if w.update != nil {
		w.fault = w.table.checkUpdatePaths(w.update)
	}
	if w.fault == nil {
		w.fault = w.table.checkKeyTypes(w.key)
	}
	if w.fault != nil {
		return w, nil //nolint:nilerr // the fault is told in its own place
	}
	return w, w.table.checkKeyValues(w.key)
}

func (s *Store) finish(w *write, r *request, e expressions, users ...string) *Error {
	parsed, err := e.parse(users...)
	if err != nil {
		return err
	}
	w.update, w.condition = parsed.update, parsed.condition
	if w.table, err = s.table(r); err != nil || w.update == nil {
		return err
	}
	return w.table.checkIndexPaths(parsed.updateNested)
}

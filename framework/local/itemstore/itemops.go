package itemstore

func (s *Store) putItem(members map[string]any) (answer, *Error) {
	r := newRequest("PutItem", members, "TableName", "Item", "ConditionExpression",
		"ExpressionAttributeNames", "ExpressionAttributeValues", "ReturnValues",
		"ReturnConsumedCapacity", "ReturnItemCollectionMetrics", "ReturnValuesOnConditionCheckFailure")
	return s.replace(r, s.decodePut)
}

func (s *Store) deleteItem(members map[string]any) (answer, *Error) {
	r := newRequest("DeleteItem", members, "TableName", "Key", "ConditionExpression",
		"ExpressionAttributeNames", "ExpressionAttributeValues", "ReturnValues",
		"ReturnConsumedCapacity", "ReturnItemCollectionMetrics", "ReturnValuesOnConditionCheckFailure")
	return s.replace(r, func(r *request) (*write, *Error) { return s.decodeKeyed("Delete", r) })
}

const returnValues = "ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW"

func (r *request) returnValues() string {
	return r.enum("ReturnValues", returnValues, "NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW")
}

// replace is PutItem and DeleteItem.
func (s *Store) replace(r *request, decode func(*request) (*write, *Error)) (answer, *Error) {
	returned := r.returnValues()
	m := newMeter(r.consumed())
	if r.err == nil && returned != "NONE" && returned != "ALL_OLD" {
		r.fail(invalid("ReturnValues can only be ALL_OLD or NONE"))
	}
	if r.err != nil {
		return nil, r.err
	}
	w, err := decode(r)
	if err == nil {
		err = w.fault
	}
	if err != nil {
		return nil, err
	}
	before, after, err := w.compute()
	if err != nil {
		return nil, err
	}
	w.commit(after)
	m.write(w.table, before, after, 1)
	out := answer{}
	if returned == "ALL_OLD" && before != nil {
		out["Attributes"] = before
	}
	m.addOne(out)
	return out, nil
}

func (s *Store) updateItem(members map[string]any) (answer, *Error) {
	r := newRequest("UpdateItem", members, "TableName", "Key", "UpdateExpression", "ConditionExpression",
		"ExpressionAttributeNames", "ExpressionAttributeValues", "ReturnValues",
		"ReturnConsumedCapacity", "ReturnItemCollectionMetrics", "ReturnValuesOnConditionCheckFailure")
	returned := r.returnValues()
	m := newMeter(r.consumed())
	if r.err != nil {
		return nil, r.err
	}
	w, err := s.decodeKeyed("Update", r)
	if err == nil {
		err = w.fault
	}
	if err != nil {
		return nil, err
	}
	before, after, err := w.compute()
	if err != nil {
		return nil, err
	}
	w.commit(after)
	m.write(w.table, before, after, 1)
	out := answer{}
	if attributes := w.returned(returned, before, after); len(attributes) > 0 {
		out["Attributes"] = attributes
	}
	m.addOne(out)
	return out, nil
}

// returned is the Attributes of an UpdateItem. UPDATED_OLD and UPDATED_NEW hold
// exactly the updated paths, not the whole attributes around them.
func (w *write) returned(mode string, before, after item) item {
	switch mode {
	case "ALL_OLD":
		return before
	case "ALL_NEW":
		return after
	case "UPDATED_OLD":
		return w.updatedPaths(before)
	case "UPDATED_NEW":
		return w.updatedPaths(after)
	}
	return nil
}

func (w *write) updatedPaths(m item) item {
	if w.update == nil || m == nil {
		return nil
	}
	return project(m, w.update.paths())
}

func (s *Store) getItem(members map[string]any) (answer, *Error) {
	r := newRequest("GetItem", members, "TableName", "Key", "ConsistentRead",
		"ProjectionExpression", "ExpressionAttributeNames", "ReturnConsumedCapacity")
	m := newMeter(r.consumed())
	consistent := r.flag("ConsistentRead")
	found, err := s.readOne(r)
	if err == nil {
		err = found.fault
	}
	if err != nil {
		return nil, err
	}
	m.read(found.table, nil, itemSize(found.whole), readFactor(consistent))
	out := answer{}
	if found.whole != nil {
		out["Item"] = found.projected
	}
	m.addOne(out)
	return out, nil
}

// readResult is an item as stored, and the part of it that was asked for; nil
// when there is none.
type readResult struct {
	table            *table
	key              item
	whole, projected item
	fault            *Error // as in write
}

// readOne is GetItem and a Get of a transaction.
func (s *Store) readOne(r *request) (*readResult, *Error) {
	found := &readResult{key: r.values("Key")}
	e := r.expressions()
	if r.err != nil {
		return nil, r.err
	}
	parsed, err := e.parse()
	if err != nil {
		return nil, err
	}
	if found.table, err = s.table(r); err != nil {
		return nil, err
	}
	if found.fault = found.table.checkKeyTypes(found.key); found.fault != nil {
		return found, nil //nolint:nilerr // the fault is told in its own place
	}
	if err := found.table.checkKeyValues(found.key); err != nil {
		return nil, err
	}
	if err := found.table.checkNestedKeys(parsed.nested); err != nil {
		return nil, err
	}
	found.whole = found.table.get(found.key)
	found.projected = projectOptional(found.whole, parsed.projection)
	return found, nil
}

// projectOptional keeps everything when there are no paths.
func projectOptional(m item, paths []path) item {
	if m == nil || paths == nil {
		return m
	}
	return project(m, paths)
}

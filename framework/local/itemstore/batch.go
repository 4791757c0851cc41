package itemstore

const (
	maxBatchGet    = 100
	maxBatchWrite  = 25
	maxTransaction = 100
	maxTransactMB  = 4
)

func (s *Store) batchGet(members map[string]any) (answer, *Error) {
	r := newRequest("BatchGetItem", members, "RequestItems", "ReturnConsumedCapacity")
	m := newMeter(r.consumed())
	requests := r.object("RequestItems")
	if r.err == nil && len(requests) == 0 {
		r.fail(constraint("{}", "RequestItems", "Member must have length greater than or equal to 1"))
	}
	if r.err != nil {
		return nil, r.err
	}
	reads := make([]*batchRead, 0, len(requests))
	count := 0
	for _, name := range sortedKeys(requests) {
		b, err := decodeBatchRead(r, name, requests[name])
		if err != nil {
			return nil, err
		}
		if count += len(b.keys); count > maxBatchGet {
			return nil, invalid("Too many items requested for the BatchGetItem call")
		}
		reads = append(reads, b)
	}
	responses := answer{}
	for _, b := range reads {
		t, err := s.find(b.name)
		if err != nil {
			return nil, err
		}
		found := []item{}
		seen := map[string]bool{}
		for _, key := range b.keys {
			if err := t.checkKey(key); err != nil {
				return nil, err
			}
			if id := t.keyString(key); seen[id] {
				return nil, invalid("%s", errDuplicateKeys)
			} else {
				seen[id] = true
			}
			whole := t.get(key)
			m.read(t, nil, itemSize(whole), readFactor(b.consistent))
			if whole != nil {
				found = append(found, projectOptional(whole, b.parsed.projection))
			}
		}
		responses[b.name] = found
	}
	out := answer{"Responses": responses, "UnprocessedKeys": answer{}}
	m.addAll(out)
	return out, nil
}

type batchRead struct {
	name       string
	keys       []item
	parsed     *parsedExpressions
	consistent bool
}

func decodeBatchRead(r *request, name string, raw any) (*batchRead, *Error) {
	x := r.nested("RequestItems", raw, "Keys", "ProjectionExpression", "ExpressionAttributeNames", "ConsistentRead")
	b := &batchRead{name: name, consistent: x.flag("ConsistentRead")}
	for _, k := range x.list("Keys") {
		key, err := decodeItem(k)
		if err != nil {
			x.fail(err)
		}
		b.keys = append(b.keys, key)
	}
	e := x.expressions()
	if x.err == nil && len(b.keys) == 0 {
		x.fail(constraint("[]", "RequestItems."+name+".member.keys", "Member must have length greater than or equal to 1"))
	}
	if x.err != nil {
		return nil, x.err
	}
	var err *Error
	b.parsed, err = e.parse()
	return b, err
}

func (s *Store) batchWrite(members map[string]any) (answer, *Error) {
	r := newRequest("BatchWriteItem", members, "RequestItems", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics")
	m := newMeter(r.consumed())
	requests := r.object("RequestItems")
	if r.err == nil && len(requests) == 0 {
		r.fail(constraint("{}", "RequestItems", "Member must have length greater than or equal to 1"))
	}
	count := 0
	for _, name := range sortedKeys(requests) {
		list, err := jsonList(requests[name])
		if err != nil {
			r.fail(err)
		}
		if len(list) == 0 {
			r.fail(constraint("{"+name+"=[]}", "RequestItems", "Map value must satisfy constraint: [Member must have length less than or equal to 25, Member must have length greater than or equal to 1]"))
		}
		count += len(list)
	}
	if count > maxBatchWrite {
		r.fail(invalid("Too many items requested for the BatchWriteItem call"))
	}
	if r.err != nil {
		return nil, r.err
	}
	var writes []*write
	for _, name := range sortedKeys(requests) {
		list, _ := requests[name].([]any)
		for _, raw := range list {
			w, err := decodeBatchWrite(r, raw)
			if err != nil {
				return nil, err
			}
			w.table, err = s.find(name)
			if err != nil {
				return nil, err
			}
			if err := w.resolveBatchKey(); err != nil {
				return nil, err
			}
			writes = append(writes, w)
		}
	}
	if repeatedItem(writes) {
		return nil, invalid("%s", errDuplicateKeys)
	}
	for _, w := range writes {
		m.write(w.table, w.table.get(w.key), w.put, 1)
		w.commit(w.put)
	}
	out := answer{"UnprocessedItems": answer{}}
	m.addAll(out)
	return out, nil
}

// decodeBatchWrite reads one PutRequest or DeleteRequest.
func decodeBatchWrite(r *request, raw any) (*write, *Error) {
	x := r.nested("RequestItems", raw, "PutRequest", "DeleteRequest")
	if x.err != nil {
		return nil, x.err
	}
	if x.has("PutRequest") == x.has("DeleteRequest") {
		return nil, invalid("%s", errManyTypes)
	}
	if x.has("PutRequest") {
		p := x.nested("PutRequest", x.members["PutRequest"], "Item")
		w := &write{kind: "Put", put: p.values("Item")}
		if p.err != nil {
			return nil, p.err
		}
		return w, checkStorable(w.put)
	}
	d := x.nested("DeleteRequest", x.members["DeleteRequest"], "Key")
	w := &write{kind: "Delete", key: d.values("Key")}
	return w, d.err
}

func (w *write) resolveBatchKey() *Error {
	if w.kind == "Delete" {
		return w.table.checkKey(w.key)
	}
	if err := w.table.checkItem(w.put); err != nil {
		return err
	}
	w.key = w.table.keyOf(w.put)
	return nil
}

// repeatedItem tells whether two writes are to one item.
func repeatedItem(writes []*write) bool {
	type id struct {
		table *table
		key   string
	}
	seen := map[id]bool{}
	for _, w := range writes {
		k := id{w.table, w.table.keyString(w.key)}
		if seen[k] {
			return true
		}
		seen[k] = true
	}
	return false
}

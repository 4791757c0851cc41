package itemstore

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"strings"
	"time"
)

// tokenLife is how long a client request token makes a transaction idempotent
// (TransactWriteItems API reference: "valid for 10 minutes after the first
// request that uses it is completed").
const tokenLife = 10 * time.Minute

// usedToken remembers a transaction that succeeded.
type usedToken struct {
	digest  [sha256.Size]byte
	expires time.Time
	replay  []usedTable
}

// usedTable is what repeating the transaction consumes: reads in place of
// writes.
type usedTable struct {
	table *table
	size  int
}

func (s *Store) transactWrite(members map[string]any) (answer, *Error) {
	r := newRequest("TransactWriteItems", members, "TransactItems", "ClientRequestToken",
		"ReturnConsumedCapacity", "ReturnItemCollectionMetrics")
	m := newMeter(r.consumed())
	token := r.text("ClientRequestToken")
	list := r.transactItems()
	if r.err == nil && len(token) > 36 {
		r.fail(constraint(token, "ClientRequestToken", "Member must have length less than or equal to 36"))
	}
	if r.err != nil {
		return nil, r.err
	}
	writes := make([]*write, len(list))
	failures := make([]*Error, len(list))
	for i, raw := range list {
		w, err := s.decodeTransactItem(r, raw)
		if err != nil {
			return nil, err
		}
		writes[i], failures[i] = w, w.fault
	}
	if err := cancelled(failures); err != nil {
		return nil, err
	}
	if repeatedItem(writes) {
		return nil, invalid("%s", errRepeatedItem)
	}
	digest := transactionDigest(members)
	if used, err := s.usedToken(token, digest); used != nil || err != nil {
		if err != nil {
			return nil, err
		}
		return used.answer(m), nil
	}
	before := make([]item, len(writes))
	after := make([]item, len(writes))
	size := 0
	for i, w := range writes {
		before[i], after[i], failures[i] = w.compute()
		size += max(itemSize(before[i]), itemSize(after[i]))
	}
	if err := cancelled(failures); err != nil {
		return nil, err
	}
	if size > maxTransactMB<<20 {
		return nil, invalid("%sThe aggregate size of the items in the transaction cannot exceed 4 MB", errParameter)
	}
	var replay []usedTable
	for i, w := range writes {
		w.commit(after[i])
		m.write(w.table, before[i], after[i], 2)
		replay = append(replay, usedTable{w.table, itemSize(after[i])})
	}
	if token != "" {
		s.tokens[token] = usedToken{digest: digest, expires: s.clock().Add(tokenLife), replay: replay}
	}
	out := answer{}
	m.addAll(out)
	return out, nil
}

func (r *request) transactItems() []any {
	list := r.list("TransactItems")
	switch {
	case r.err != nil:
	case !r.has("TransactItems"):
		r.fail(missing("TransactItems"))
	case len(list) == 0:
		r.fail(constraint("[]", "TransactItems", "Member must have length greater than or equal to 1"))
	case len(list) > maxTransaction:
		r.fail(invalid("1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to 100"))
	}
	return list
}

// decodeTransactItem reads one item of a transaction.
func (s *Store) decodeTransactItem(r *request, raw any) (*write, *Error) {
	x := r.nested("TransactItems", raw, "Put", "Update", "Delete", "ConditionCheck")
	if x.err != nil {
		return nil, x.err
	}
	if len(x.members) == 0 {
		return nil, invalid("Invalid Request: TransactWriteRequest should contain Delete or Put or Update request")
	}
	if len(x.members) > 1 {
		return nil, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
	}
	known := []string{"TableName", "ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues", "ReturnValuesOnConditionCheckFailure"}
	switch {
	case x.has("Put"):
		return s.decodePut(x.nested("Put", x.members["Put"], append(known, "Item")...))
	case x.has("Update"):
		u := x.nested("Update", x.members["Update"], append(known, "Key", "UpdateExpression")...)
		if u.err == nil && !u.has("UpdateExpression") {
			u.fail(missing("transactItems.member.update.updateExpression"))
		}
		return s.decodeKeyed("Update", u)
	case x.has("Delete"):
		return s.decodeKeyed("Delete", x.nested("Delete", x.members["Delete"], append(known, "Key")...))
	}
	c := x.nested("ConditionCheck", x.members["ConditionCheck"], append(known, "Key")...)
	if c.err == nil && !c.has("ConditionExpression") {
		c.fail(missing("transactItems.member.conditionCheck.conditionExpression"))
	}
	return s.decodeKeyed("ConditionCheck", c)
}

// cancelled is nil when no item failed.
func cancelled(failures []*Error) *Error {
	reasons := make([]CancellationReason, len(failures))
	codes := make([]string, len(failures))
	failed := false
	for i, f := range failures {
		reasons[i].Code = "None"
		if f != nil {
			failed = true
			reasons[i] = CancellationReason{Code: reasonCode(f), Message: f.Message, Item: f.Item}
		}
		codes[i] = reasons[i].Code
	}
	if !failed {
		return nil
	}
	err := dynamoError("TransactionCanceledException",
		"Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", "))
	err.Reasons = reasons
	return err
}

// reasonCode is an error's name in a cancellation reason or in the answer of a
// PartiQL statement.
func reasonCode(err *Error) string {
	switch name := err.Name(); name {
	case "ConditionalCheckFailedException":
		return "ConditionalCheckFailed"
	case "ValidationException":
		return "ValidationError"
	case "ResourceNotFoundException":
		return "ResourceNotFound"
	case "DuplicateItemException":
		return "DuplicateItem"
	default:
		return name
	}
}

// transactionDigest tells requests apart, but for what a repetition may
// change.
func transactionDigest(members map[string]any) [sha256.Size]byte {
	m := maps.Clone(members)
	delete(m, "ReturnConsumedCapacity")
	delete(m, "ReturnItemCollectionMetrics")
	canonical, err := json.Marshal(m)
	if err != nil { // cannot happen: it was decoded from JSON
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(canonical)
}

func (s *Store) usedToken(token string, digest [sha256.Size]byte) (*usedToken, *Error) {
	if token == "" {
		return nil, nil
	}
	now := s.clock()
	maps.DeleteFunc(s.tokens, func(_ string, u usedToken) bool { return !u.expires.After(now) })
	used, ok := s.tokens[token]
	switch {
	case !ok:
		return nil, nil
	case used.digest != digest:
		return nil, dynamoError("IdempotentParameterMismatchException", "The request parameters do not match those of the transaction that used this client token before")
	}
	return &used, nil
}

func (u *usedToken) answer(m *meter) answer {
	for _, t := range u.replay {
		m.read(t.table, nil, t.size, 2)
	}
	out := answer{}
	m.addAll(out)
	return out
}

func (s *Store) transactGet(members map[string]any) (answer, *Error) {
	r := newRequest("TransactGetItems", members, "TransactItems", "ReturnConsumedCapacity")
	m := newMeter(r.consumed())
	list := r.transactItems()
	if r.err != nil {
		return nil, r.err
	}
	reads := make([]*readResult, len(list))
	failures := make([]*Error, len(list))
	for i, raw := range list {
		x := r.nested("TransactItems", raw, "Get")
		if x.err == nil && !x.has("Get") {
			x.fail(missing("transactItems.member.get"))
		}
		if x.err != nil {
			return nil, x.err
		}
		g := x.nested("Get", x.members["Get"], "TableName", "Key", "ProjectionExpression", "ExpressionAttributeNames")
		found, err := s.readOne(g)
		if err != nil {
			return nil, err
		}
		reads[i], failures[i] = found, found.fault
	}
	if err := cancelled(failures); err != nil {
		return nil, err
	}
	responses := make([]answer, len(list))
	seen := make([]*write, len(list)) // as writes, to find repeated items
	for i, found := range reads {
		responses[i] = answer{}
		if found.whole != nil {
			responses[i]["Item"] = found.projected
		}
		seen[i] = &write{table: found.table, key: found.key}
		m.read(found.table, nil, itemSize(found.whole), 2)
	}
	if repeatedItem(seen) {
		return nil, invalid("%s", errRepeatedItem)
	}
	out := answer{"Responses": responses}
	m.addAll(out)
	return out, nil
}

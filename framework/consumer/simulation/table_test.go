package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/idempotency/dynamostore"
)

const (
	claimsTable = "claims"
	ledgerTable = "ledger"
)

// table is a dynamostore.Client over a small exact map: it does what DynamoDB
// does with the requests that dynamostore makes, and refuses any other.
type table struct {
	w     *world
	items map[string]map[string]types.AttributeValue

	// doomed are keys whose expired record TTL deletes next, between an INSERT
	// that met it and the read that would look at it.
	doomed [8]bool
}

var _ dynamostore.Client = (*table)(nil)

func newTable(w *world) *table {
	return &table{w: w, items: map[string]map[string]types.AttributeValue{}}
}

// ttl deletes a key's item some time after its expiration. Nobody can tell when
// before they look, so it is done before every request.
func (t *table) ttl(k *keyState) {
	it := t.items[k.store]
	if it == nil {
		return
	}
	d := t.w.dice(siteTTL, k.no, int(number(it, "generation")), k.epoch)
	lag := d.dur(0, 5*time.Second)
	if d.chance(500) {
		lag = d.dur(0, 48*time.Hour)
	}
	if t.doomed[k.no] || time.Since(time.Unix(number(it, "expiration"), 0)) > lag {
		t.doomed[k.no] = false
		delete(t.items, k.store)
		t.w.onTTL(k)
	}
}

func (t *table) peek(k *keyState) (idempotency.Record, bool) {
	it := t.items[k.store]
	if it == nil {
		return idempotency.Record{}, false
	}
	rec := idempotency.Record{
		Key: k.store, Status: idempotency.Status(text(it, "status")), Owner: text(it, "owner"),
		Generation: number(it, "generation"), Expires: time.Unix(number(it, "expiration"), 0),
	}
	if ms := number(it, "in_progress_expiration"); ms != 0 {
		rec.Lease = time.UnixMilli(ms)
	}
	if it["outbox"] != nil {
		rec.Pending = make([]idempotency.Outgoing, 1)
	}
	return rec, true
}

func text(it map[string]types.AttributeValue, name string) string {
	if v, ok := it[name].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

func number(it map[string]types.AttributeValue, name string) int64 {
	if v, ok := it[name].(*types.AttributeValueMemberN); ok {
		if n, err := strconv.ParseInt(v.Value, 10, 64); err == nil {
			return n
		}
	}
	return 0
}

func equal(a, b types.AttributeValue) bool {
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		b, ok := b.(*types.AttributeValueMemberS)
		return ok && a.Value == b.Value
	case *types.AttributeValueMemberN:
		b, ok := b.(*types.AttributeValueMemberN)
		return ok && a.Value == b.Value
	default:
		return false
	}
}

// BatchExecuteStatement runs each statement for itself.
func (t *table) BatchExecuteStatement(ctx context.Context, in *dynamodb.BatchExecuteStatementInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchExecuteStatementOutput, error) {
	out := &dynamodb.BatchExecuteStatementOutput{Responses: make([]types.BatchStatementResponse, len(in.Statements))}
	req, parsed, err := t.request(in.Statements)
	if err != nil {
		return nil, err
	}
	req.apply = func(d *dice) (again []*keyState) {
		troubled := !t.w.calm() && d.chance(t.w.cfg.faults)
		for i := range in.Statements {
			e := t.execute(parsed[i], in.Statements[i].Parameters, req.keys[i], troubled && d.chance(600))
			out.Responses[i].Error = e
			if e != nil {
				again = append(again, req.keys[i])
			}
		}
		return again
	}
	if err := t.w.exchange(ctx, req); err != nil {
		return nil, err
	}
	return out, nil
}

// request classifies statements, and refuses what DynamoDB refuses.
func (t *table) request(statements []types.BatchStatementRequest) (request, []*statement, error) {
	w := t.w
	w.mu.Lock()
	defer w.mu.Unlock()
	var req request
	fail := func(err error) (request, []*statement, error) {
		w.violate("set-up: %v", err)
		return req, nil, err
	}
	if len(statements) == 0 || len(statements) > 25 {
		return fail(fmt.Errorf("simulation: ValidationException: %d statements", len(statements)))
	}
	parsed := make([]*statement, len(statements))
	req.op = opSettle
	for i, st := range statements {
		s := w.lab.statements[*st.Statement]
		if s == nil {
			var err error
			if s, err = parseStatement(*st.Statement); err != nil {
				return fail(err)
			}
			w.lab.statements[*st.Statement] = s
		}
		if s.params() != len(st.Parameters) {
			return fail(fmt.Errorf("simulation: ValidationException: %d parameters for %s", len(st.Parameters), *st.Statement))
		}
		id := s.id(st.Parameters)
		if s.table != claimsTable || w.byKey[id] == nil {
			return fail(fmt.Errorf("simulation: statement on table %q, id %q", s.table, id))
		}
		switch kind := s.kind(st.Parameters); {
		case kind != opSettle:
			req.op = kind
		case s.completes(st.Parameters):
			req.complete = true
		default:
			req.release = true
		}
		for _, k := range req.keys {
			if k.store == id {
				return fail(errors.New("simulation: ValidationException: Provided list of item keys contains duplicates"))
			}
		}
		req.keys = append(req.keys, w.byKey[id])
		parsed[i] = s
	}
	return req, parsed, nil
}

func statementError(code types.BatchStatementErrorCodeEnum) *types.BatchStatementError {
	return &types.BatchStatementError{Code: code, Message: aws.String("simulation")}
}

// execute runs one statement, with the world locked.
func (t *table) execute(s *statement, params []types.AttributeValue, k *keyState, throttle bool) *types.BatchStatementError {
	if throttle {
		t.w.seen[throttled]++
		return statementError(types.BatchStatementErrorCodeEnumThrottlingError)
	}
	it := t.items[k.store]
	if s.verb == "INSERT" {
		if it != nil {
			d := t.w.dice(siteTTL, k.no, int(number(it, "generation")), -1-k.epoch)
			if time.Now().After(time.Unix(number(it, "expiration"), 0)) && d.chance(400) {
				t.doomed[k.no] = true
				t.w.seen[ttlBetween]++
			}
			return statementError(types.BatchStatementErrorCodeEnumDuplicateItem)
		}
		it = make(map[string]types.AttributeValue, len(s.values))
		for i, name := range s.values {
			it[name] = params[i]
		}
		t.items[k.store] = it
		return nil
	}
	if it == nil || !s.holds(it, params) {
		if kind := s.kind(params); kind == opTake {
			t.w.seen[takeoverLost]++
		} else {
			t.w.fenced(s.completes(params))
		}
		return statementError(types.BatchStatementErrorCodeEnumConditionalCheckFailed)
	}
	if s.verb == "DELETE" {
		delete(t.items, k.store)
		return nil
	}
	it = maps.Clone(it) // readers hold the old one
	for i, name := range s.sets {
		it[name] = params[i]
	}
	for _, name := range s.remove {
		delete(it, name)
	}
	t.items[k.store] = it
	return nil
}

// BatchGetItem reads consistently, and sometimes not all of it.
func (t *table) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	w := t.w
	keys := in.RequestItems[claimsTable]
	req := request{op: opRead}
	w.mu.Lock()
	for _, id := range keys.Keys {
		req.keys = append(req.keys, w.byKey[text(id, "id")])
	}
	if len(req.keys) == 0 || !aws.ToBool(keys.ConsistentRead) {
		w.violate("set-up: a read of no key, or one that is not consistent: %+v", in)
	}
	w.mu.Unlock()
	out := &dynamodb.BatchGetItemOutput{Responses: map[string][]map[string]types.AttributeValue{}}
	req.apply = func(d *dice) (again []*keyState) {
		troubled := !w.calm() && d.chance(w.cfg.faults)
		var left []map[string]types.AttributeValue
		items := []map[string]types.AttributeValue{}
		for i, k := range req.keys {
			if troubled && d.chance(600) {
				w.seen[unprocessed]++
				left = append(left, keys.Keys[i])
				again = append(again, k)
				continue
			}
			if it := t.items[k.store]; it != nil {
				items = append(items, it)
			}
		}
		out.Responses[claimsTable] = items
		out.UnprocessedKeys = map[string]types.KeysAndAttributes{}
		if left != nil {
			out.UnprocessedKeys[claimsTable] = types.KeysAndAttributes{Keys: left}
		}
		return again
	}
	if err := w.exchange(ctx, req); err != nil {
		return nil, err
	}
	return out, nil
}

type runKey struct{}

// inTx is a handler's transaction: one item of its own, and the completion.
func (t *table) inTx(ctx context.Context, store *dynamostore.Store, r *run) error {
	return store.InTxPublish(context.WithValue(ctx, runKey{}, r), r.outgoing(), types.TransactWriteItem{Put: &types.Put{
		TableName: aws.String(ledgerTable),
		Item:      map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: r.key.store}},
	}})
}

// TransactWriteItems applies all or nothing.
func (t *table) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	w := t.w
	r, ok := ctx.Value(runKey{}).(*run)
	if !ok || len(in.TransactItems) != 2 || in.TransactItems[0].Put == nil || in.TransactItems[1].Update == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.violate("set-up: a transaction that no handler asked for: %+v", in)
		return nil, errRefused
	}
	var canceled error
	req := request{op: opTx, keys: []*keyState{r.key}}
	req.apply = func(*dice) []*keyState {
		canceled = t.transact(r, in.TransactItems[1].Update)
		return nil
	}
	if err := w.exchange(ctx, req); err != nil {
		return nil, err
	}
	if canceled != nil {
		return nil, canceled
	}
	return &dynamodb.TransactWriteItemsOutput{}, nil
}

func (t *table) transact(r *run, u *types.Update) error {
	w := t.w
	x, err := parseUpdate(aws.ToString(u.UpdateExpression))
	if err == nil {
		x.where, err = parseCondition(aws.ToString(u.ConditionExpression))
	}
	if err != nil || aws.ToString(u.TableName) != claimsTable || text(u.Key, "id") != r.key.store {
		w.violate("set-up: transaction on %s %s: %v", aws.ToString(u.TableName), text(u.Key, "id"), err)
		return errRefused
	}
	it := t.items[r.key.store]
	for _, c := range x.where {
		v, has := it[u.ExpressionAttributeNames[c.name]]
		is := has && equal(v, u.ExpressionAttributeValues[c.value])
		holds := map[string]bool{"=": is, "<>": !is, "exists": has, "missing": !has}[c.op]
		if !holds {
			w.seen[txFenced]++
			w.note("invocation %d: transaction of key %s is fenced", r.inv.no, r.key.store)
			return &types.TransactionCanceledException{
				Message:             aws.String("simulation"),
				CancellationReasons: []types.CancellationReason{{Code: aws.String("None")}, {Code: aws.String("ConditionalCheckFailed")}},
			}
		}
	}
	it = maps.Clone(it)
	if it == nil {
		it = map[string]types.AttributeValue{"id": u.Key["id"]} // an update upserts
	}
	for _, s := range x.sets {
		it[u.ExpressionAttributeNames[s[0]]] = u.ExpressionAttributeValues[s[1]]
	}
	for _, name := range x.remove {
		delete(it, u.ExpressionAttributeNames[name])
	}
	t.items[r.key.store] = it
	w.txEffect(r)
	return nil
}

package dynamostore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/idempotency/dynamostore"
)

func putItem(item map[string]types.AttributeValue) *dynamodb.PutItemInput {
	return &dynamodb.PutItemInput{TableName: aws.String(table), Item: item}
}

// tx is a handler's transaction under a claim of its own.
type tx struct {
	t      *testing.T
	w      *wire
	client *dynamodb.Client
	store  *dynamostore.Store
	req    idempotency.ClaimRequest
	claim  *idempotency.Claim
	ctx    context.Context
}

const effects = "effects"

func newTx(t *testing.T) *tx {
	t.Helper()
	w, client := newWire(t)
	createTable(t, client, effects)
	store, err := dynamostore.New(client, table)
	if err != nil {
		t.Fatal(err)
	}
	x := &tx{t: t, w: w, client: client, store: store, req: requests(1, "me", base())[0]}
	x.claim = idempotency.NewClaim(x.req, claimAll(t, store, []idempotency.ClaimRequest{x.req}, idempotency.Claimed)[0])
	x.ctx = idempotency.NewContext(t.Context(), x.claim)
	w.take()
	return x
}

// effect counts how often it is done. Its condition, if any, is of the item.
func (x *tx) effect(id, condition string) types.TransactWriteItem {
	u := &types.Update{
		TableName:                 aws.String(effects),
		Key:                       map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: id}},
		UpdateExpression:          aws.String("ADD runs :one"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
	}
	if condition != "" {
		u.ConditionExpression = aws.String(condition)
	}
	return types.TransactWriteItem{Update: u}
}

func (x *tx) wantRuns(id, runs string) {
	x.t.Helper()
	out, err := x.client.GetItem(x.t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(effects), Key: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: id}},
	})
	if err != nil {
		x.t.Fatal(err)
	}
	got := ""
	if n, ok := out.Item["runs"].(*types.AttributeValueMemberN); ok {
		got = n.Value
	}
	if got != runs {
		x.t.Errorf("effect %s ran %q times, want %q", id, got, runs)
	}
}

func (x *tx) wantStatus(want idempotency.Status) {
	x.t.Helper()
	rec, found, err := x.store.Get(x.t.Context(), x.req.Key)
	if err != nil || !found || rec.Status != want {
		x.t.Errorf("record: %+v, %t, %v, want %s", rec, found, err, want)
	}
}

func TestInTxCommits(t *testing.T) {
	t.Parallel()
	x := newTx(t)
	if err := x.store.InTx(x.ctx, x.effect("e", "")); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, x.w, "TransactWriteItems")
	x.wantRuns("e", "1")
	rec, _, err := x.store.Get(t.Context(), x.req.Key)
	if err != nil || rec.Status != idempotency.StatusCompleted || !rec.Lease.IsZero() || !rec.Expires.Equal(x.req.Expires) || rec.Owner != "me" {
		t.Errorf("record: %+v, %v", rec, err)
	}
	if !x.claim.Committed() {
		t.Error("the claim does not know")
	}
	x.w.take()
	// A second transaction would be of work that a redelivery never repeats.
	if err := x.store.InTx(x.ctx, x.effect("e", "")); !errors.Is(err, idempotency.ErrCommitted) {
		t.Errorf("second InTx: %v", err)
	}
	wantCalls(t, x.w)
	x.wantRuns("e", "1")
}

func TestInTxWithoutClaim(t *testing.T) {
	t.Parallel()
	x := newTx(t)
	if err := x.store.InTx(t.Context(), x.effect("e", "")); !errors.Is(err, idempotency.ErrNoClaim) {
		t.Errorf("InTx: %v", err)
	}
	wantCalls(t, x.w)
}

func TestR09InTxOfALostClaimWritesNothing(t *testing.T) {
	t.Parallel()
	x := newTx(t)
	other := x.req
	other.Owner, other.Now = "other", x.req.Lease.Add(time.Second)
	other.Lease = other.Now.Add(time.Minute)
	claimAll(t, x.store, []idempotency.ClaimRequest{other}, idempotency.Claimed)
	if err := x.store.InTx(x.ctx, x.effect("e", "")); !errors.Is(err, idempotency.ErrLost) {
		t.Errorf("InTx: %v", err)
	}
	x.wantRuns("e", "")
	x.wantStatus(idempotency.StatusInProgress)
	if x.claim.Committed() {
		t.Error("the claim thinks that it committed")
	}
	// Nor when the handler's own condition fails beside it.
	if err := x.store.InTx(x.ctx, x.effect("e", "attribute_exists(id)")); !errors.Is(err, idempotency.ErrLost) {
		t.Errorf("InTx: %v", err)
	}
}

func TestInTxAfterAFailedCondition(t *testing.T) {
	t.Parallel()
	x := newTx(t)
	err := x.store.InTx(x.ctx, x.effect("e", ""), x.effect("f", "attribute_exists(id)"))
	var canceled *types.TransactionCanceledException
	if !errors.As(err, &canceled) || errors.Is(err, idempotency.ErrLost) {
		t.Fatalf("InTx: %v", err)
	}
	if len(canceled.CancellationReasons) != 3 || aws.ToString(canceled.CancellationReasons[1].Code) != "ConditionalCheckFailed" {
		t.Errorf("reasons: %+v", canceled.CancellationReasons)
	}
	x.wantRuns("e", "")
	x.wantStatus(idempotency.StatusInProgress)
	if err := x.store.InTx(x.ctx, x.effect("e", "")); err != nil { // the handler finds another way
		t.Fatal(err)
	}
	x.wantRuns("e", "1")
	x.wantStatus(idempotency.StatusCompleted)
}

// TestR05InTxAmbiguous: the transaction was applied and nobody said so.
func TestR05InTxAmbiguous(t *testing.T) {
	t.Parallel()
	x := newTx(t)
	x.w.after = func(int, call) error { return errWire } // on every one of the SDK's tries
	err := x.store.InTx(x.ctx, x.effect("e", ""))
	if !errors.Is(err, errWire) || x.claim.Committed() {
		t.Fatalf("InTx: %v, committed %t", err, x.claim.Committed())
	}
	x.w.after = nil
	x.wantRuns("e", "1") // by one token, however many tries
	if err := x.store.InTx(x.ctx, x.effect("e", "")); !errors.Is(err, idempotency.ErrLost) {
		t.Errorf("second InTx: %v", err)
	}
	x.wantRuns("e", "1")
	// What the consumer then does, a release, does not undo it.
	errs := x.store.Settle(t.Context(), []idempotency.Settlement{x.claim.Settlement(idempotency.Release)})
	if !errors.Is(errs[0], idempotency.ErrLost) {
		t.Errorf("release: %v", errs[0])
	}
	claimAll(t, x.store, requests(1, "redelivery", base().Add(time.Second)), idempotency.Completed)
}

// TestR05InTxLostResponseOnce: the SDK's own retry finds its token used.
func TestR05InTxLostResponseOnce(t *testing.T) {
	t.Parallel()
	x := newTx(t)
	x.w.after = func(n int, _ call) error {
		if n == 0 {
			return errWire
		}
		return nil
	}
	if err := x.store.InTx(x.ctx, x.effect("e", "")); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, x.w, "TransactWriteItems", "TransactWriteItems")
	x.wantRuns("e", "1")
	x.wantStatus(idempotency.StatusCompleted)
}

// TestInTxKeepsItsArguments: appending the completion must not write into the
// caller's slice.
func TestInTxKeepsItsArguments(t *testing.T) {
	t.Parallel()
	x := newTx(t)
	items := make([]types.TransactWriteItem, 1, 4)
	items[0] = x.effect("e", "")
	if err := x.store.InTx(x.ctx, items...); err != nil {
		t.Fatal(err)
	}
	if next := items[:2][1]; next.Update != nil {
		t.Error("the caller's slice was written to")
	}
}

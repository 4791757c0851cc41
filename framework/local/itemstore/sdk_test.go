package itemstore_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-go/sluice/framework/local/itemstore"
)

// newClient is the real SDK client in front of a store.
func newClient(t *testing.T) *dynamodb.Client {
	t.Helper()
	store := itemstore.New(nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		out, failure := store.Call(op, body)
		if failure != nil {
			out = failure.JSON()
			w.WriteHeader(failure.Status())
		}
		if _, err := w.Write(out); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: aws.AnonymousCredentials{},
		RetryMaxAttempts: 1, HTTPClient: server.Client(),
	})
}

func s(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
func n(v string) types.AttributeValue { return &types.AttributeValueMemberN{Value: v} }

func TestSDKClient(t *testing.T) {
	t.Parallel()
	ctx, db := t.Context(), newClient(t)
	table := aws.String("records")
	created, err := db.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil || created.TableDescription.TableStatus != types.TableStatusActive || created.TableDescription.CreationDateTime == nil {
		t.Fatalf("CreateTable: %+v, %v", created, err)
	}
	item := map[string]types.AttributeValue{
		"id": s("k"), "n": n("12345678901234567890123456789012345678"),
		"bin":  &types.AttributeValueMemberB{Value: []byte{0, 255}},
		"yes":  &types.AttributeValueMemberBOOL{Value: true},
		"null": &types.AttributeValueMemberNULL{Value: true},
		"list": &types.AttributeValueMemberL{Value: []types.AttributeValue{s(""), n("-1.5")}},
		"map":  &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"a": s("b")}},
		"ss":   &types.AttributeValueMemberSS{Value: []string{"a", "b"}},
		"ns":   &types.AttributeValueMemberNS{Value: []string{"1", "2"}},
		"bs":   &types.AttributeValueMemberBS{Value: [][]byte{{1}, {2}}},
	}
	put := &dynamodb.PutItemInput{
		TableName: table, Item: item, ConditionExpression: aws.String("attribute_not_exists(id)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if _, err := db.PutItem(ctx, put); err != nil {
		t.Fatal(err)
	}
	unexported := cmpopts.IgnoreUnexported(types.AttributeValueMemberS{}, types.AttributeValueMemberN{}, types.AttributeValueMemberB{},
		types.AttributeValueMemberBOOL{}, types.AttributeValueMemberNULL{}, types.AttributeValueMemberL{}, types.AttributeValueMemberM{},
		types.AttributeValueMemberSS{}, types.AttributeValueMemberNS{}, types.AttributeValueMemberBS{})
	got, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: table, Key: map[string]types.AttributeValue{"id": s("k")}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(item, got.Item, unexported); diff != "" {
		t.Error(diff)
	}

	_, err = db.PutItem(ctx, put)
	var conflict *types.ConditionalCheckFailedException
	if !errors.As(err, &conflict) {
		t.Fatalf("the second put: %v", err)
	}
	if diff := cmp.Diff(item, conflict.Item, unexported); diff != "" {
		t.Errorf("old item: %s", diff)
	}

	_, err = db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: table, Item: map[string]types.AttributeValue{"id": s("other")}}},
		{ConditionCheck: &types.ConditionCheck{
			TableName: table, Key: map[string]types.AttributeValue{"id": s("k")}, ConditionExpression: aws.String("attribute_not_exists(id)"),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}},
	}})
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) || len(cancelled.CancellationReasons) != 2 || *cancelled.CancellationReasons[1].Code != "ConditionalCheckFailed" {
		t.Fatalf("transaction: %v", err)
	}
	if diff := cmp.Diff(item, cancelled.CancellationReasons[1].Item, unexported); diff != "" {
		t.Errorf("reason's item: %s", diff)
	}

	batch, err := db.BatchExecuteStatement(ctx, &dynamodb.BatchExecuteStatementInput{Statements: []types.BatchStatementRequest{
		{Statement: aws.String(`INSERT INTO "records" VALUE {'id': ?}`), Parameters: []types.AttributeValue{s("k")}},
		{Statement: aws.String(`INSERT INTO "records" VALUE {'id': ?}`), Parameters: []types.AttributeValue{s("free")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if e := batch.Responses[0].Error; e == nil || e.Code != types.BatchStatementErrorCodeEnumDuplicateItem || batch.Responses[1].Error != nil {
		t.Errorf("batch: %+v", batch.Responses)
	}

	_, err = db.ExecuteStatement(ctx, &dynamodb.ExecuteStatementInput{Statement: aws.String(`INSERT INTO "records" VALUE {'id': 'k'}`)})
	if _, ok := errors.AsType[*types.DuplicateItemException](err); !ok {
		t.Errorf("ExecuteStatement: %v", err)
	}
	_, err = db.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String("nope")})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("DescribeTable: %v", err)
	}
}

// TestSDKWaitersAndPaginators use what SDK users use around the client.
func TestSDKWaitersAndPaginators(t *testing.T) {
	t.Parallel()
	ctx, db := t.Context(), newClient(t)
	_, err := db.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: aws.String("records"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := dynamodb.NewTableExistsWaiter(db).Wait(ctx, &dynamodb.DescribeTableInput{TableName: aws.String("records")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	var writes []types.WriteRequest
	for id := range strings.SplitSeq("abcdefghij", "") {
		writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: map[string]types.AttributeValue{"id": s(id)}}})
	}
	out, err := db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"records": writes}})
	if err != nil || len(out.UnprocessedItems) != 0 {
		t.Fatalf("BatchWriteItem: %+v, %v", out, err)
	}
	pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: aws.String("records"), Limit: aws.Int32(3)})
	count := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		count += len(page.Items)
	}
	if count != 10 {
		t.Errorf("the paginator found %d items, want 10", count)
	}
}

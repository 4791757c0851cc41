package consumer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/idempotency/dynamostore"
	"github.com/sluice-go/sluice/framework/local/itemstore"
)

// storeUnderTest is a kind of store and what only its own package can do.
type storeUnderTest interface {
	idempotency.Store
	// inTx is a handler's effect together with its completion.
	inTx(ctx context.Context) error
	// effects counts the effects of inTx.
	effects() int
	// forget deletes a record, as a table's time-to-live does.
	forget(key string)
	// content is all that the store keeps for a key.
	content(key string) string
}

type memoryUnderTest struct {
	mu sync.Mutex
	*idempotency.Memory
	done int
}

func newMemoryUnderTest(*testing.T) storeUnderTest {
	return &memoryUnderTest{Memory: idempotency.NewMemory()}
}

func (m *memoryUnderTest) memory() *idempotency.Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.Memory
}

func (m *memoryUnderTest) Claim(ctx context.Context, r []idempotency.ClaimRequest) ([]idempotency.ClaimResult, error) {
	return m.memory().Claim(ctx, r)
}

func (m *memoryUnderTest) Settle(ctx context.Context, sets []idempotency.Settlement) []error {
	return m.memory().Settle(ctx, sets)
}

func (m *memoryUnderTest) Get(ctx context.Context, key string) (idempotency.Record, bool, error) {
	return m.memory().Get(ctx, key)
}

func (m *memoryUnderTest) inTx(ctx context.Context) error {
	return m.memory().InTx(ctx, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.done++
		return nil
	})
}

func (m *memoryUnderTest) effects() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.done
}

// forget deletes all, for Memory deletes nothing.
func (m *memoryUnderTest) forget(string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Memory = idempotency.NewMemory()
}

func (m *memoryUnderTest) content(key string) string {
	rec, _, err := m.Get(context.Background(), key)
	return fmt.Sprintf("%#v %v", rec, err)
}

// dynamoUnderTest is dynamostore by the real SDK, over the item store.
type dynamoUnderTest struct {
	*dynamostore.Store
	t      *testing.T
	client *dynamodb.Client
}

const claimsTable, effectsTable = "claims", "effects"

func newDynamoUnderTest(t *testing.T) storeUnderTest {
	t.Helper()
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://itemstore.invalid"), HTTPClient: &http.Client{Transport: itemTransport{itemstore.New(nil)}},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
	for _, table := range []string{claimsTable, effectsTable} {
		_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
			TableName: aws.String(table), BillingMode: types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
			KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	store, err := dynamostore.New(client, claimsTable)
	if err != nil {
		t.Fatal(err)
	}
	return &dynamoUnderTest{Store: store, t: t, client: client}
}

func itemKey(key string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: key}}
}

func (d *dynamoUnderTest) inTx(ctx context.Context) error {
	return d.InTx(ctx, types.TransactWriteItem{Update: &types.Update{
		TableName: aws.String(effectsTable), Key: itemKey("e"), UpdateExpression: aws.String("ADD runs :one"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
	}})
}

func (d *dynamoUnderTest) item(table, key string) map[string]types.AttributeValue {
	d.t.Helper()
	out, err := d.client.GetItem(d.t.Context(), &dynamodb.GetItemInput{TableName: aws.String(table), Key: itemKey(key)})
	if err != nil {
		d.t.Fatal(err)
	}
	return out.Item
}

func (d *dynamoUnderTest) effects() (n int) {
	d.t.Helper()
	if runs, ok := d.item(effectsTable, "e")["runs"].(*types.AttributeValueMemberN); ok {
		if _, err := fmt.Sscan(runs.Value, &n); err != nil {
			d.t.Fatal(err)
		}
	}
	return n
}

func (d *dynamoUnderTest) forget(key string) {
	d.t.Helper()
	if _, err := d.client.DeleteItem(d.t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String(claimsTable), Key: itemKey(key)}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *dynamoUnderTest) content(key string) string {
	d.t.Helper()
	text, err := json.Marshal(d.item(claimsTable, key))
	return fmt.Sprint(string(text), err)
}

// itemTransport serves an item store as DynamoDB, without a socket.
type itemTransport struct{ store *itemstore.Store }

func (i itemTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	_, operation, found := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	if !found {
		return nil, errors.New("the request names no operation")
	}
	status := http.StatusOK
	answer, failed := i.store.Call(operation, body)
	if failed != nil {
		status, answer = failed.Status(), failed.JSON()
	}
	rec := httptest.NewRecorder()
	rec.Header().Set("Content-Type", "application/x-amz-json-1.0")
	rec.WriteHeader(status)
	if _, err := rec.Write(answer); err != nil {
		return nil, err
	}
	return rec.Result(), nil
}

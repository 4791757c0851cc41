package dynamostore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/idempotency/dynamostore"
	"github.com/sluice-go/sluice/framework/idempotency/idempotencytest"
)

func TestStoreOverItemstore(t *testing.T) {
	t.Parallel()
	idempotencytest.Run(t, func(t *testing.T) idempotency.Store {
		_, store := newStore(t)
		return store
	}, idempotencytest.WithOutbox(commit))
}

// TestStoreOverDynamoDBLocal runs the suite against DynamoDB Local:
//
//	java -Djava.library.path=DynamoDBLocal_lib -jar DynamoDBLocal.jar -inMemory -disableTelemetry -port 8000
//	SLUICE_DYNAMODB_LOCAL=http://127.0.0.1:8000 go test -run DynamoDBLocal ./framework/idempotency/dynamostore
func TestStoreOverDynamoDBLocal(t *testing.T) {
	t.Parallel()
	client := dynamoDBLocal(t)
	idempotencytest.Run(t, func(t *testing.T) idempotency.Store {
		name := "claims-" + rand.Text()
		createTable(t, client, name)
		store, err := dynamostore.New(client, name)
		if err != nil {
			t.Fatal(err)
		}
		return store
	}, idempotencytest.WithOutbox(commit))
}

func commit(ctx context.Context, store idempotency.Store, outgoing []idempotency.Outgoing) error {
	dynamo, ok := store.(*dynamostore.Store)
	if !ok {
		return fmt.Errorf("the store is a %T", store)
	}
	return dynamo.InTxPublish(ctx, outgoing)
}

func dynamoDBLocal(t *testing.T) *dynamodb.Client {
	t.Helper()
	endpoint := os.Getenv("SLUICE_DYNAMODB_LOCAL")
	if endpoint == "" {
		t.Skip("SLUICE_DYNAMODB_LOCAL is not set: no DynamoDB Local to run against")
	}
	return newClient(&wire{base: http.DefaultTransport}, endpoint, 3)
}

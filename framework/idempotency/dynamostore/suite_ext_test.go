package dynamostore_test

import (
	"crypto/rand"
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
	})
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
	})
}

func dynamoDBLocal(t *testing.T) *dynamodb.Client {
	t.Helper()
	endpoint := os.Getenv("SLUICE_DYNAMODB_LOCAL")
	if endpoint == "" {
		t.Skip("SLUICE_DYNAMODB_LOCAL is not set: no DynamoDB Local to run against")
	}
	return newClient(&wire{base: http.DefaultTransport}, endpoint, 3)
}

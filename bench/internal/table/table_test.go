package table_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/bench/internal/table"
)

// serveVariable makes this test binary the server process of TestProcess.
const serveVariable = "BENCH_TABLE_SERVE"

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) == "" {
		os.Exit(m.Run())
	}
	server, err := table.NewServer(time.Millisecond, "things")
	if err == nil {
		err = server.Serve(os.Stdin, os.Stdout)
	}
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

func item(id string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: id}}
}

// exercise puts an item, is refused to put it again, and reads it.
func exercise(t *testing.T, c *dynamodb.Client) {
	t.Helper()
	put := &dynamodb.PutItemInput{TableName: aws.String("things"), Item: item("a"), ConditionExpression: aws.String("attribute_not_exists(id)")}
	out, err := c.PutItem(t.Context(), put)
	if err != nil {
		t.Fatal(err)
	}
	if out.ConsumedCapacity != nil {
		t.Error("the client is told what it did not ask for")
	}
	var refused *types.ConditionalCheckFailedException
	if _, err := c.PutItem(t.Context(), put); !errors.As(err, &refused) {
		t.Fatalf("a second put: %v", err)
	}
	got, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("things"), Key: item("a"), ConsistentRead: aws.Bool(true)})
	if err != nil || len(got.Item) != 1 {
		t.Fatalf("GetItem: %v, %v", got, err)
	}
}

func usage() table.Usage {
	return table.Usage{Requests: 3, Operations: map[string]int{"PutItem": 2, "GetItem": 1}, WriteUnits: 2, ReadUnits: 1}
}

func TestServerCounts(t *testing.T) {
	t.Parallel()
	server, err := table.NewServer(0, "things")
	if err != nil {
		t.Fatal(err)
	}
	c, counter := server.Client()
	exercise(t, c)
	if diff := cmp.Diff(usage(), server.Usage()); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
	if counter.Count() != 3 {
		t.Errorf("%d requests were counted", counter.Count())
	}
	before := server.Usage()
	if _, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("things"), Key: item("a")}); err != nil {
		t.Fatal(err)
	}
	want := table.Usage{Requests: 1, Operations: map[string]int{"GetItem": 1}, ReadUnits: 0.5}
	if diff := cmp.Diff(want, server.Usage().Sub(before)); diff != "" {
		t.Errorf("usage since (-want +got):\n%s", diff)
	}
}

func TestServerRefusesWhatAWSRefuses(t *testing.T) {
	t.Parallel()
	server, err := table.NewServer(0, "things")
	if err != nil {
		t.Fatal(err)
	}
	c, _ := server.Client()
	var missing *types.ResourceNotFoundException
	_, err = c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("others"), Key: item("a")})
	if !errors.As(err, &missing) {
		t.Errorf("of another table: %v", err)
	}
	if status, _ := server.Call("PutItem", []byte("not JSON")); status != 400 {
		t.Errorf("of no JSON: status %d", status)
	}
	if _, err := table.NewServer(0, "x"); err == nil {
		t.Error("a table name that AWS refuses was accepted")
	}
}

// TestProcess cannot run in parallel: the environment tells the child its role.
func TestProcess(t *testing.T) {
	t.Setenv(serveVariable, "1")
	p, err := table.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, counter := p.Client()
	exercise(t, c)
	got, err := p.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(usage(), got); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
	if counter.Count() != 3 {
		t.Errorf("%d requests were counted", counter.Count())
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

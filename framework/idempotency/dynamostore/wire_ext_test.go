package dynamostore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sluice-go/sluice/framework/idempotency/dynamostore"
	"github.com/sluice-go/sluice/framework/local/itemstore"
)

const table = "claims"

// call is one request as it was on the wire.
type call struct {
	op         string
	statements []string // of a BatchExecuteStatement
	keys       int      // of a BatchGetItem
	consistent bool
	items      []map[string]struct{ TableName string } // of a TransactWriteItems
}

// short is what a test compares: the operation, of statements their first word
// and number.
func (c call) short() string {
	switch c.op {
	case "BatchExecuteStatement":
		words := map[string]int{}
		for _, s := range c.statements {
			word, _, _ := strings.Cut(s, " ")
			words[word]++
		}
		var out []string
		for _, w := range []string{"INSERT", "UPDATE", "SELECT", "DELETE"} {
			if n := words[w]; n > 0 {
				out = append(out, w+" "+itoa(n))
			}
		}
		return strings.Join(out, ", ")
	case "BatchGetItem":
		if !c.consistent {
			return "BatchGetItem " + itoa(c.keys) + " inconsistent"
		}
		return "BatchGetItem " + itoa(c.keys)
	default:
		return c.op
	}
}

func itoa(n int) string { return string(must(json.Marshal(n))) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// wire is an HTTP transport that remembers, and fails where it is told to: it
// is where real faults are.
type wire struct {
	base http.RoundTripper

	mu    sync.Mutex
	calls []call

	// before and after, if set, decide by call, counted from 0, whether a
	// request fails before it is applied, or after.
	before, after func(n int, c call) error
	// throttle says which statements are refused.
	throttle func(n, statement int) (code string, refused bool)
	// answer rewrites a successful answer's body.
	answer func(n int, c call, body []byte) []byte
}

var errWire = errors.New("connection reset by peer")

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	c := parseCall(req, body)
	w.mu.Lock()
	n := len(w.calls)
	w.calls = append(w.calls, c)
	w.mu.Unlock()
	if w.before != nil {
		if err := w.before(n, c); err != nil {
			return nil, err
		}
	}
	res, err := w.send(req, n, c, body)
	if err != nil {
		return nil, err
	}
	if w.after != nil {
		if err := w.after(n, c); err != nil {
			res.Body.Close()
			return nil, err
		}
	}
	if w.answer != nil && res.StatusCode == http.StatusOK {
		data, err := io.ReadAll(res.Body)
		if err != nil {
			return nil, err
		}
		data = w.answer(n, c, data)
		res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
		res.Header.Del("X-Amz-Crc32")
		res.Header.Del("Content-Length")
	}
	return res, nil
}

func parseCall(req *http.Request, body []byte) call {
	var in struct {
		Statements    []struct{ Statement string }
		TransactItems []map[string]struct{ TableName string }
		RequestItems  map[string]struct {
			Keys           []any
			ConsistentRead bool
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		panic(err)
	}
	_, op, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	c := call{op: op, items: in.TransactItems}
	for _, s := range in.Statements {
		c.statements = append(c.statements, s.Statement)
	}
	for _, r := range in.RequestItems {
		c.keys, c.consistent = c.keys+len(r.Keys), r.ConsistentRead
	}
	return c
}

// send lets through what is not throttled, and answers for the rest as
// DynamoDB does: in its place, beside what succeeded.
func (w *wire) send(req *http.Request, n int, c call, body []byte) (*http.Response, error) {
	forward := func(body []byte) (*http.Response, error) {
		r := req.Clone(req.Context())
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return w.base.RoundTrip(r)
	}
	if w.throttle == nil || c.op != "BatchExecuteStatement" {
		return forward(body)
	}
	var in struct{ Statements []json.RawMessage }
	must(0, json.Unmarshal(body, &in))
	refused := map[int]string{}
	var through []json.RawMessage
	for i, s := range in.Statements {
		if code, is := w.throttle(n, i); is {
			refused[i] = code
		} else {
			through = append(through, s)
		}
	}
	if len(refused) == 0 {
		return forward(body)
	}
	var out struct{ Responses []json.RawMessage }
	if len(through) > 0 {
		res, err := forward(must(json.Marshal(map[string]any{"Statements": through})))
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
			return nil, err
		}
	}
	responses := make([]json.RawMessage, 0, len(in.Statements))
	for i := range in.Statements {
		if code, is := refused[i]; is {
			responses = append(responses, must(json.Marshal(map[string]any{"Error": map[string]string{"Code": code, "Message": "slow down"}})))
			continue
		}
		responses = append(responses, out.Responses[0])
		out.Responses = out.Responses[1:]
	}
	return respond(http.StatusOK, must(json.Marshal(map[string]any{"Responses": responses}))), nil
}

func respond(status int, body []byte) *http.Response {
	rec := httptest.NewRecorder()
	rec.Header().Set("Content-Type", "application/x-amz-json-1.0")
	rec.WriteHeader(status)
	_, _ = rec.Write(body)
	return rec.Result()
}

// items serves an itemstore as DynamoDB.
type items struct{ *itemstore.Store }

func (s items) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	_, op, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	out, failed := s.Call(op, body)
	if failed != nil {
		return respond(failed.Status(), failed.JSON()), nil
	}
	return respond(http.StatusOK, out), nil
}

// take returns the calls since the last take.
func (w *wire) take() []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = nil
	return calls
}

func (w *wire) takeShort() []string {
	out := []string{}
	for _, c := range w.take() {
		out = append(out, c.short())
	}
	return out
}

// newClient is the real SDK client over w. It retries as in production, but
// does not wait for it.
func newClient(w *wire, endpoint string, attempts int) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(endpoint),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
		HTTPClient: &http.Client{Transport: w},
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = attempts
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			o.RateLimiter = ratelimit.None // or a run of faults would use up its tokens
		}),
	})
}

// newWire returns an empty table behind a wire.
func newWire(t *testing.T) (*wire, *dynamodb.Client) {
	t.Helper()
	w := &wire{base: items{itemstore.New(nil)}}
	client := newClient(w, "http://itemstore.invalid", 3)
	createTable(t, client, table)
	w.take()
	return w, client
}

func createTable(t *testing.T, client *dynamodb.Client, name string) {
	t.Helper()
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:            aws.String(name),
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func newStore(t *testing.T) (*wire, *dynamostore.Store) {
	t.Helper()
	w, client := newWire(t)
	store, err := dynamostore.New(client, table)
	if err != nil {
		t.Fatal(err)
	}
	return w, store
}

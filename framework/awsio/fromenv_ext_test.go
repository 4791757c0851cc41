package awsio_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sluice-go/sluice/framework/awsio"
	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/env"
	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/local/itemstore"
)

type placed struct{ ID string }

func (placed) EventType() string        { return "orders.placed.v1" }
func (p placed) IdempotencyKey() string { return p.ID }

// setenv sets all variables that FromEnv reads: those given, and the others to
// nothing.
func setenv(t *testing.T, change map[string]string) {
	t.Helper()
	all := map[string]string{
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "", "AWS_ENDPOINT_URL": "",
		env.IdempotencyTable: "", env.RecordLife: "", env.QueueURL: "", env.DeadLetterQueueURL: "", env.Local: "",
	}
	for name, v := range change {
		if _, known := all[name]; !known {
			t.Fatalf("%s is not a variable of FromEnv", name)
		}
		all[name] = v
	}
	for name, v := range all {
		t.Setenv(name, v)
	}
}

//nolint:paralleltest // it sets the environment
func TestFromEnvErrors(t *testing.T) {
	for _, test := range []struct{ variable, value, want string }{
		{"AWS_REGION", "", "AWS_REGION is not set"},
		{"AWS_ACCESS_KEY_ID", "", "AWS_ACCESS_KEY_ID"},
		{"AWS_SECRET_ACCESS_KEY", "", "AWS_SECRET_ACCESS_KEY"},
		{env.RecordLife, "x", `SLUICE_RECORD_LIFE is "x"`},
		{env.RecordLife, "0", `SLUICE_RECORD_LIFE is "0"`},
		{env.RecordLife, "-5", `SLUICE_RECORD_LIFE is "-5"`},
		{env.RecordLife, "1.5", `SLUICE_RECORD_LIFE is "1.5"`},
		{env.RecordLife, "1h", `SLUICE_RECORD_LIFE is "1h"`},
		{env.RecordLife, "9300000000", `SLUICE_RECORD_LIFE is "9300000000"`}, // no time.Duration is that long
		{env.DeadLetterQueueURL, "arn:aws:sqs:eu-west-1:123456789012:dlq", "SLUICE_DEAD_LETTER_QUEUE_URL"},
		{env.DeadLetterQueueURL, "dlq", "give the URL"},
	} {
		t.Run(test.variable+" "+test.value, func(t *testing.T) {
			setenv(t, map[string]string{test.variable: test.value})
			if _, err := awsio.FromEnv(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want it to say %q", err, test.want)
			}
		})
	}
}

//nolint:paralleltest // it sets the environment
func TestFromEnvBare(t *testing.T) {
	setenv(t, nil)
	a, err := awsio.FromEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if a.Store != nil || a.Config.Region != "eu-west-1" || a.Config.BaseEndpoint != nil || a.DynamoDB == nil {
		t.Errorf("AWS = %+v", a)
	}
	creds, err := a.Config.Credentials.Retrieve(t.Context())
	if err != nil || creds.AccessKeyID != "AKID" || creds.SecretAccessKey != "secret" || creds.SessionToken != "" {
		t.Errorf("credentials %+v, %v", creds, err)
	}
	if err := a.InTx(t.Context(), types.TransactWriteItem{}); err == nil || !strings.Contains(err.Error(), env.IdempotencyTable) {
		t.Errorf("InTx without a store: %v", err)
	}
	for source, build := range map[consumer.Source]func() error{
		consumer.SQS:         func() error { _, err := consumer.NewSQS("c", handle, a.Option()); return err },
		consumer.SNS:         func() error { _, err := consumer.NewSNS("c", handle, a.Option()); return err },
		consumer.EventBridge: func() error { _, err := consumer.NewEventBridge("c", handle, a.Option()); return err },
	} {
		if err := build(); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func handle(context.Context, consumer.Message[placed]) error { return nil }

// cloud is SQS's and DynamoDB's endpoint.
type cloud struct {
	items *itemstore.Store
	mu    sync.Mutex
	calls []request
}

type request struct {
	op   string
	body map[string]any
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	service, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	call := request{op: op}
	_ = json.Unmarshal(body, &call.body)
	c.mu.Lock()
	c.calls = append(c.calls, call)
	c.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if service == "AmazonSQS" {
		_, _ = io.WriteString(w, `{}`)
		return
	}
	answer, failed := c.items.Call(op, body)
	if failed != nil {
		w.WriteHeader(failed.Status())
		answer = failed.JSON()
	}
	_, _ = w.Write(answer)
}

func (c *cloud) find(op string) (request, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.calls, func(r request) bool { return r.op == op })
	if i < 0 {
		return request{}, false
	}
	return c.calls[i], true
}

// TestFromEnvReachesAll: every variable has its effect on the wire.
//
//nolint:paralleltest // it sets the environment
func TestFromEnvReachesAll(t *testing.T) {
	sky := &cloud{items: itemstore.New(nil)}
	if _, err := sky.items.Call("CreateTable", []byte(`{"TableName":"claims","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]}`)); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sky)
	defer server.Close()
	setenv(t, map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_SESSION_TOKEN": "token", env.IdempotencyTable: "claims", env.RecordLife: "7200",
		env.QueueURL: "https://sqs.test/1/source", env.DeadLetterQueueURL: "https://sqs.test/1/dead", env.Local: "1",
	})
	a, err := awsio.FromEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if a.Store.Table() != "claims" || aws.ToString(a.Config.BaseEndpoint) != server.URL {
		t.Errorf("table %q, endpoint %q", a.Store.Table(), aws.ToString(a.Config.BaseEndpoint))
	}
	const ahead = 1000 * time.Hour
	var seen time.Duration
	c, err := consumer.NewSQS("c", func(ctx context.Context, msg consumer.Message[placed]) error {
		seen = time.Until(consumer.Now(ctx)).Round(time.Hour)
		switch msg.Event.ID {
		case "bad":
			return consumer.Permanent(io.ErrUnexpectedEOF)
		case "later":
			return consumer.RetryAfter(90*time.Second, io.ErrUnexpectedEOF)
		}
		return nil
	}, a.Option(), consumer.WithConcurrency(1), consumer.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{ClientContext: lambdacontext.ClientContext{
		Custom: map[string]string{env.ClockOffset: "3600000000000000"},
	}})
	o := consumertest.DeliverContext(ctx, t, c, consumertest.SQS(placed{"good"}, placed{"bad"}, placed{"later"}))
	if !slices.Equal(o.Failed, []int{2}) {
		t.Errorf("outcome %+v", o)
	}
	if seen != ahead {
		t.Errorf("the clock is ahead by %s", seen)
	}
	rec, found, err := a.Store.Get(t.Context(), "c#orders.placed#good")
	if err != nil || !found || rec.Status != idempotency.StatusCompleted || time.Until(rec.Expires).Round(time.Hour) != ahead+2*time.Hour {
		t.Errorf("record %+v, %t, %v", rec, found, err)
	}
	letter, _ := sky.find("SendMessage")
	if letter.body["QueueUrl"] != "https://sqs.test/1/dead" {
		t.Errorf("dead letter: %v", letter.body)
	}
	hide, _ := sky.find("ChangeMessageVisibilityBatch")
	if hide.body["QueueUrl"] != "https://sqs.test/1/source" {
		t.Errorf("visibility: %v", hide.body)
	}
	// The offset is honoured only where the local runtime says that it is.
	t.Setenv(env.Local, "true")
	a, err = awsio.FromEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err = consumer.NewSQS("c", func(ctx context.Context, _ consumer.Message[placed]) error {
		seen = time.Until(consumer.Now(ctx)).Round(time.Hour)
		return nil
	}, a.Option())
	if err != nil {
		t.Fatal(err)
	}
	if o := consumertest.DeliverContext(ctx, t, c, consumertest.SQS(placed{"fresh"})); !o.Settled() || seen != 0 {
		t.Errorf("outcome %+v, clock ahead by %s", o, seen)
	}
}

// TestOddOffsets: what is no offset moves nothing.
//
//nolint:paralleltest // it sets the environment
func TestOddOffsets(t *testing.T) {
	setenv(t, map[string]string{env.Local: "1"})
	a, err := awsio.FromEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var seen time.Duration
	c, err := consumer.NewSQS("c", func(ctx context.Context, _ consumer.Message[placed]) error {
		seen = time.Until(consumer.Now(ctx)).Round(time.Minute)
		return nil
	}, a.Option())
	if err != nil {
		t.Fatal(err)
	}
	for _, ctx := range []context.Context{
		t.Context(),
		lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{}),
		lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{ClientContext: lambdacontext.ClientContext{Custom: map[string]string{env.ClockOffset: "1h"}}}),
	} {
		if consumertest.DeliverContext(ctx, t, c, consumertest.SQS(placed{"x"})); seen != 0 {
			t.Errorf("the clock is ahead by %s", seen)
		}
	}
}

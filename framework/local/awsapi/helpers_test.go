package awsapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"github.com/sluice-go/sluice/framework/local"
	"github.com/sluice-go/sluice/framework/local/awsapi"
)

// api is a server on loopback with real SDK clients for it.
type api struct {
	t      *testing.T
	engine *local.Engine
	url    string
	sqs    *sqs.Client
	sns    *sns.Client
	events *eventbridge.Client

	mu      sync.Mutex
	journal []local.Entry
}

func serve(t *testing.T, opts *awsapi.Options) *api {
	t.Helper()
	a := &api{t: t}
	a.engine = local.New(&local.Options{Journal: func(e local.Entry) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.journal = append(a.journal, e)
	}})
	server := httptest.NewServer(awsapi.New(a.engine, opts))
	t.Cleanup(server.Close)
	a.url = server.URL
	config := aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", ""),
		RetryMaxAttempts: 1}
	a.sqs, a.sns, a.events = sqs.NewFromConfig(config), sns.NewFromConfig(config), eventbridge.NewFromConfig(config)
	return a
}

func (a *api) warnings() (texts []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.journal {
		if e.Kind == local.Warning {
			texts = append(texts, e.Detail)
		}
	}
	return texts
}

// run drives the engine with a jumping clock until the test ends.
func (a *api) run() {
	ctx, cancel := context.WithCancel(a.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = a.engine.Run(ctx, true) })
	a.t.Cleanup(func() { cancel(); wg.Wait() })
}

func (a *api) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *api) createQueue(name string, attributes map[string]string) string {
	a.t.Helper()
	out, err := a.sqs.CreateQueue(a.t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	a.must(err)
	return *out.QueueUrl
}

// wantCode checks the error code an SDK reports, and a part of its text.
func wantCode(t *testing.T, err error, code, text string) {
	t.Helper()
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("got %v, want the API error %s", err, code)
	}
	if e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("got %s: %s\nwant %s: ...%s...", e.ErrorCode(), e.ErrorMessage(), code, text)
	}
}

// post sends a raw request.
func (a *api) post(header http.Header, body string) *http.Response {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.url+"/", strings.NewReader(body))
	a.must(err)
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	a.must(err)
	a.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func containsAny(texts []string, part string) bool {
	return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, part) })
}

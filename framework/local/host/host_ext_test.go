// Package host_test runs the sample shop's real handlers on the local runtime.
package host_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	ordersv2 "github.com/sluice-go/sluice/events/orders/v2"
	stockv1 "github.com/sluice-go/sluice/events/stock/v1"
	"github.com/sluice-go/sluice/framework/local/awsapi"
	"github.com/sluice-go/sluice/framework/local/host"
	"github.com/sluice-go/sluice/framework/publisher"
	"github.com/sluice-go/sluice/infra/build"
)

const root = "../../.."

var binaries = sync.OnceValues(func() (map[string]string, error) { //nolint:gochecknoglobals // built once per test binary
	dir, err := os.MkdirTemp("", "sluice-host-test")
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	packages, err := build.Handlers(abs)
	if err != nil {
		return nil, err
	}
	results, err := build.Many(context.Background(), build.Options{Root: abs, Arch: runtime.GOARCH, Out: dir}, packages, nil)
	if err != nil {
		return nil, err
	}
	paths := map[string]string{"": dir}
	for i, p := range packages {
		paths[p] = results[i].Binary
	}
	return paths, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if paths, err := binaries(); err == nil {
		_ = os.RemoveAll(paths[""])
	}
	os.Exit(code)
}

func shopTemplate(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "infra/testdata/Shop.golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

type shop struct {
	*host.Host
	t   *testing.T
	cfg aws.Config
	db  *dynamodb.Client
}

type intercept = func(*awsapi.Call, func() awsapi.Response) awsapi.Response

func startShop(t *testing.T, fault func(*host.Host) intercept) *shop {
	t.Helper()
	paths, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu      sync.Mutex
		current intercept
	)
	h, err := host.Start(t.Context(), host.Options{
		Template: shopTemplate(t), StackName: "Shop", Listen: "127.0.0.1:0", FastForward: true,
		Binary: func(handler string) (string, error) { return paths[handler], nil },
		Notice: func(line string) { t.Log("notice:", line) },
		Intercept: func(call *awsapi.Call, next func() awsapi.Response) awsapi.Response {
			mu.Lock()
			f := current
			mu.Unlock()
			if f == nil {
				return next()
			}
			return f(call, next)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	if fault != nil {
		f := fault(h)
		mu.Lock()
		current = f
		mu.Unlock()
	}
	s := &shop{Host: h, t: t, cfg: aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(h.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "TEST", SecretAccessKey: "test"}, nil
		}),
	}}
	s.db = dynamodb.NewFromConfig(s.cfg)
	return s
}

func (s *shop) rest() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	if err := s.Quiet(ctx); err != nil {
		s.t.Fatalf("the shop does not come to rest: %v", err)
	}
}

// ledger returns the runs of each effect, as "<consumer> <effect>".
func (s *shop) ledger() map[string]string {
	s.t.Helper()
	out, err := s.db.Scan(s.t.Context(), &dynamodb.ScanInput{TableName: aws.String(s.Topology.Outputs["LedgerTableName"])})
	if err != nil {
		s.t.Fatal(err)
	}
	runs := map[string]string{}
	for _, it := range out.Items {
		consumer, effect, n := it["consumer"].(*types.AttributeValueMemberS), it["effect"].(*types.AttributeValueMemberS), it["runs"].(*types.AttributeValueMemberN)
		runs[consumer.Value+" "+effect.Value] = n.Value
	}
	return runs
}

func (s *shop) wantQueuesEmpty() {
	s.t.Helper()
	for _, q := range s.Topology.Queues {
		queue, ok := s.Engine.Queue(q.Name)
		if !ok {
			s.t.Fatalf("queue %s is gone", q.Name)
		}
		if n := queue.Counts().Total(); n != 0 {
			s.t.Errorf("%d messages are left in %s: %+v", n, q.Name, queue.Snapshot())
		}
	}
}

func (s *shop) stockUp(sku, available string) {
	s.t.Helper()
	_, err := s.db.PutItem(s.t.Context(), &dynamodb.PutItemInput{TableName: aws.String(s.Topology.Outputs["StockTableName"]), Item: map[string]types.AttributeValue{
		"sku": &types.AttributeValueMemberS{Value: sku}, "available": &types.AttributeValueMemberN{Value: available},
	}})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) available(sku string) string {
	s.t.Helper()
	out, err := s.db.GetItem(s.t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(s.Topology.Outputs["StockTableName"]), Key: map[string]types.AttributeValue{"sku": &types.AttributeValueMemberS{Value: sku}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out.Item["available"].(*types.AttributeValueMemberN).Value
}

// What a person does with `aws sqs send-message` reaches a real binary, and its
// effect is in the table.
func TestRawMessageReachesTheHandler(t *testing.T) {
	t.Parallel()
	s := startShop(t, nil)
	_, err := sqs.NewFromConfig(s.cfg).SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl:          aws.String(s.Topology.Outputs["ChargeQueueUrl"]),
		MessageBody:       aws.String(`{"order_id":"o-1","email":"a@example.com","total":{"minor":5,"currency":"EUR"},"lines":[],"placed_at":"2026-01-02T03:04:05Z"}`),
		MessageAttributes: map[string]sqstypes.MessageAttributeValue{"event-type": {DataType: aws.String("String"), StringValue: aws.String("orders.placed.v2")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.rest()
	runs := s.ledger()
	for _, effect := range []string{"charge-payment charge pay-o-1", "record-sale sale pay-o-1"} {
		if runs[effect] != "1" {
			t.Errorf("%s ran %q times, want once; ledger %v", effect, runs[effect], runs)
		}
	}
	s.wantQueuesEmpty()
}

// killer kills the process that makes the n-th matching request, before it is
// applied or after, and never answers it.
func killer(h *host.Host, handler, operation string, n int, applied bool, killed *int) intercept {
	var mu sync.Mutex
	seen := 0
	return func(call *awsapi.Call, next func() awsapi.Response) awsapi.Response {
		p, _, ok := h.Lambda.ProcessByAccessKey(call.AccessKeyID)
		if !ok || !strings.Contains(p.Function, handler) || call.Operation != operation {
			return next()
		}
		mu.Lock()
		defer mu.Unlock()
		seen++
		if seen != n {
			return next()
		}
		if applied {
			next()
		}
		h.Lambda.Kill(p.Token) // SIGKILL
		*killed++
		return awsapi.Response{Drop: true}
	}
}

// A process that is killed at any request of a batch, before it takes effect or
// just after, loses nothing and doubles no transactional effect.
func TestKilledMidBatch(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"BatchExecuteStatement", "TransactWriteItems"} {
		for _, applied := range []bool{false, true} {
			for n := 1; n <= 3; n++ {
				t.Run(fmt.Sprintf("%s/%d/applied=%t", operation, n, applied), func(t *testing.T) {
					t.Parallel()
					killed := 0
					s := startShop(t, func(h *host.Host) intercept { return killer(h, "ReserveStock", operation, n, applied, &killed) })
					s.stockUp("mug", "100")
					s.stockUp("tea", "100")
					release := s.Engine.Hold()
					var lines []publisher.Entry
					for i := range 6 {
						e := stockv1.Requested{OrderID: fmt.Sprintf("o-%d", i), Line: 1, SKU: []string{"mug", "tea"}[i%2], Quantity: 1}
						lines = append(lines, publisher.Entry{Event: e, Group: e.SKU})
					}
					err := publisher.SQS(sqs.NewFromConfig(s.cfg), s.Topology.Outputs["StockQueueUrl"]).PublishEntries(t.Context(), lines...)
					release()
					if err != nil {
						t.Fatal(err)
					}
					s.rest()
					// Two lanes of three: a second claim request comes only
					// with a redelivery, so not every n exists.
					if killed != 1 && operation == "TransactWriteItems" {
						t.Errorf("%d processes were killed, want 1: the test did not test", killed)
					}
					runs := s.ledger()
					if len(runs) != 6 {
						t.Errorf("%d effects, want 6: %v", len(runs), runs)
					}
					for effect, n := range runs {
						if n != "1" {
							t.Errorf("%s ran %s times", effect, n)
						}
					}
					if mug, tea := s.available("mug"), s.available("tea"); mug != "97" || tea != "97" {
						t.Errorf("available: %s mugs, %s tea; want 97 of each", mug, tea)
					}
					s.wantQueuesEmpty()
				})
			}
		}
	}
}

// A process killed between its effect and the publishing of what follows runs
// again, finds the effect done, and publishes.
func TestKilledBetweenEffectAndPublish(t *testing.T) {
	t.Parallel()
	killed := 0
	s := startShop(t, func(h *host.Host) intercept { return killer(h, "ChargePayment", "PutEvents", 1, false, &killed) })
	err := publisher.SNS(sns.NewFromConfig(s.cfg), s.Topology.Outputs["OrdersTopicArn"]).
		Publish(t.Context(), ordersv2.Placed{OrderID: "o-1", Total: ordersv2.Money{Minor: 5, Currency: "EUR"}})
	if err != nil {
		t.Fatal(err)
	}
	s.rest()
	if killed != 1 {
		t.Fatalf("%d processes were killed, want 1", killed)
	}
	runs := s.ledger()
	for _, effect := range []string{"charge-payment charge pay-o-1", "record-sale sale pay-o-1", "send-receipt receipt o-1"} {
		if runs[effect] != "1" {
			t.Errorf("%s ran %q times, want once", effect, runs[effect])
		}
	}
	s.wantQueuesEmpty()
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	tests := map[string]struct {
		o    host.Options
		want []string
	}{
		"a port in use":         {host.Options{Template: []byte(`{"Resources":{}}`), Listen: busy.Addr().String()}, []string{busy.Addr().String(), "stop what uses the port"}},
		"a public address":      {host.Options{Template: []byte(`{"Resources":{}}`), Listen: "0.0.0.0:0"}, []string{"not a loopback address"}},
		"an unknown reference":  {host.Options{Template: []byte(`{"Resources":{"Q":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":{"Ref":"Nowhere"}}}}}`), Listen: "127.0.0.1:0"}, []string{"Resources.Q.Properties.QueueName", "Nowhere"}},
		"a missing program":     {host.Options{Template: []byte(functionTemplate), Listen: "127.0.0.1:0", Binary: func(string) (string, error) { return "/nonexistent/bootstrap", nil }}, []string{"F", "/nonexistent/bootstrap"}},
		"no programs":           {host.Options{Template: []byte(functionTemplate), Listen: "127.0.0.1:0"}, []string{"function F", "no binaries"}},
		"a circle of redrives":  {host.Options{Template: []byte(circleTemplate), Listen: "127.0.0.1:0"}, []string{"circle"}},
		"a template of nothing": {host.Options{Template: []byte(`nonsense`), Listen: "127.0.0.1:0"}, []string{"template"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := host.Start(t.Context(), tt.o)
			if err == nil {
				_ = h.Close()
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not name %q", err, want)
				}
			}
		})
	}
}

const functionTemplate = `{"Resources":{"F":{"Type":"AWS::Lambda::Function","Metadata":{"Sluice":{"Handler":"./handlers/f","Source":"sqs"}},
	"Properties":{"Runtime":"provided.al2023","Handler":"bootstrap","Role":"arn:aws:iam::000000000000:role/r","Code":{"S3Bucket":"b","S3Key":"k"}}}}}`

const circleTemplate = `{"Resources":{
	"A":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":"a","RedrivePolicy":{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:b","maxReceiveCount":3}}},
	"B":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":"b","RedrivePolicy":{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:a","maxReceiveCount":3}}}}}`

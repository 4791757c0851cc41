package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	ordersv1 "github.com/sluice-go/sluice/events/orders/v1"
	ordersv2 "github.com/sluice-go/sluice/events/orders/v2"
	paymentsv1 "github.com/sluice-go/sluice/events/payments/v1"
	stockv1 "github.com/sluice-go/sluice/events/stock/v1"
	"github.com/sluice-go/sluice/framework/local/host"
	"github.com/sluice-go/sluice/framework/publisher"
)

// scene is one message that checkout publishes.
type scene struct {
	label string
	// effects are the ledger's entries that the message must leave, by
	// consumer; a consumer of it without an entry must dead-letter it.
	effects map[string]string
}

// story is what checkout does: it publishes, and remembers what in which order,
// per way of publishing, to find it again in the runtime's journal.
type story struct {
	outputs map[string]string
	db      *dynamodb.Client
	topic   *sns.Client
	orders  *publisher.Publisher
	stock   *publisher.Publisher
	bus     *publisher.Publisher

	toTopic, toStock, toBus []scene
}

// trouble is what fails while the story plays. It fails at the wire: the
// handlers are as they are deployed. Times is how many writes fail; 0 is all.
type trouble struct {
	contains string // of the request to DynamoDB, after unquoting
	times    int
}

// failingSale is the payment that is never booked.
const failingSale = "pay-o-1007"

func troubles() []trouble {
	return []trouble{
		{contains: "charge pay-o-1004", times: 1},
		{contains: "charge pay-o-1005"},
		{contains: "receipt o-1006", times: 2},
		{contains: "sale " + failingSale},
	}
}

func newStory(h *host.Host) (*story, error) {
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(h.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "CHECKOUT", SecretAccessKey: "local"}, nil
		}),
	}
	s := &story{outputs: h.Topology.Outputs, db: dynamodb.NewFromConfig(cfg), topic: sns.NewFromConfig(cfg)}
	for _, name := range []string{"OrdersTopicArn", "StockQueueUrl", "BusName", "StockTableName", "LedgerTableName", "IdempotencyTableName"} {
		if s.outputs[name] == "" {
			return nil, usage("the stack has no output %s: the demo plays the sample shop, run it in Sluice's own module", name)
		}
	}
	s.orders = publisher.SNS(s.topic, s.outputs["OrdersTopicArn"])
	s.stock = publisher.SQS(sqs.NewFromConfig(cfg), s.outputs["StockQueueUrl"])
	s.bus = publisher.EventBridge(eventbridge.NewFromConfig(cfg), s.outputs["BusName"], "shop.checkout")
	return s, nil
}

// acts are played one after another, each when the one before has come to rest.
func (s *story) acts() []func(context.Context) error {
	return []func(context.Context) error{s.stockUp, s.sell, s.sellAgain}
}

// stockUp fills the shelves. There are no unicorns.
func (s *story) stockUp(ctx context.Context) error {
	for _, sku := range []string{"mug", "tea"} {
		_, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(s.outputs["StockTableName"]), Item: map[string]types.AttributeValue{
			"sku": &types.AttributeValueMemberS{Value: sku}, "available": &types.AttributeValueMemberN{Value: "100"},
		}})
		if err != nil {
			return fmt.Errorf("fill the shelves: %w", err)
		}
	}
	return nil
}

func (s *story) sell(ctx context.Context) error {
	return errors.Join(
		s.order(ctx, "order o-1001 (v2)", orderV2("o-1001")),
		s.order(ctx, "order o-1002 (v1)", ordersv1.Placed{OrderID: "o-1002", Email: "ada@example.com", TotalCents: 4200, PlacedAt: placedAt()}),
		// One request: both are in the queue before anything is received.
		s.orderTwice(ctx, "o-1003"),
		s.raw(ctx, "poison: no JSON", `{"order_id": "o-13`, nil),
		s.raw(ctx, "poison: no order", `{"hello": "world"}`, map[string]string{"event-type": "orders.placed.v2"}),
		s.raw(ctx, "poison: unknown type", `{"order_id": "o-1001"}`, map[string]string{"event-type": "orders.cancelled.v1"}),
		s.order(ctx, "order o-1004, charge fails once", orderV2("o-1004")),
		s.order(ctx, "order o-1005, charge always fails", orderV2("o-1005")),
		s.order(ctx, "order o-1006, receipt fails twice", orderV2("o-1006")),
		s.order(ctx, "order o-1007, sale always fails", orderV2("o-1007")),
		s.line(ctx, "o-1001", 1, "mug", ""),
		s.line(ctx, "o-1001", 2, "tea", ""),
		s.line(ctx, "o-1003", 1, "unicorn", ""),
		s.line(ctx, "o-1003", 2, "mug", ""),
		s.line(ctx, "o-1006", 1, "unicorn", ""),
		s.line(ctx, "o-1006", 2, "tea", ""),
	)
}

// sellAgain publishes what was done before, and gives money back.
func (s *story) sellAgain(ctx context.Context) error {
	return errors.Join(
		s.order(ctx, "order o-1001 again", orderV2("o-1001")),
		s.line(ctx, "o-1001", 1, "mug", "again"),
		s.refund(ctx, paymentsv1.RefundRequested{RefundID: "r-1", PaymentID: "pay-o-1001", Minor: 900, Currency: "EUR", Reason: "damaged", RequestedAt: placedAt()}),
	)
}

func placedAt() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func orderV2(id string) ordersv2.Placed {
	return ordersv2.Placed{
		OrderID: id, Email: "grace@example.com", Total: ordersv2.Money{Minor: 12900, Currency: "EUR"},
		Lines: []ordersv2.Line{{SKU: "mug", Quantity: 2}}, PlacedAt: placedAt(),
	}
}

func orderEffects(id string) map[string]string {
	effects := map[string]string{"charge-payment": "charge pay-" + id, "send-receipt": "receipt " + id}
	if id == "o-1005" {
		delete(effects, "charge-payment") // it always fails
	}
	return effects
}

// payments are those that the story's orders must lead to.
func (s *story) payments() []string {
	var ids []string
	for _, sc := range s.toTopic {
		if id, ok := strings.CutPrefix(sc.effects["charge-payment"], "charge "); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

func (s *story) order(ctx context.Context, label string, e interface {
	publisher.Event
	IdempotencyKey() string
},
) error {
	s.toTopic = append(s.toTopic, scene{label, orderEffects(e.IdempotencyKey())})
	return s.orders.Publish(ctx, e)
}

func (s *story) orderTwice(ctx context.Context, id string) error {
	s.toTopic = append(s.toTopic, scene{"order " + id + ", copy 1 of a batch", orderEffects(id)}, scene{"order " + id + ", copy 2 of a batch", orderEffects(id)})
	return s.orders.Publish(ctx, orderV2(id), orderV2(id))
}

// raw publishes what no publisher would.
func (s *story) raw(ctx context.Context, label, body string, attributes map[string]string) error {
	s.toTopic = append(s.toTopic, scene{label: label})
	in := &sns.PublishInput{TopicArn: aws.String(s.outputs["OrdersTopicArn"]), Message: aws.String(body), MessageAttributes: map[string]snstypes.MessageAttributeValue{}}
	for name, v := range attributes {
		in.MessageAttributes[name] = snstypes.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(v)}
	}
	_, err := s.topic.Publish(ctx, in)
	return err
}

func (s *story) line(ctx context.Context, order string, n int, sku, again string) error {
	e := stockv1.Requested{OrderID: order, Line: n, SKU: sku, Quantity: 1, RequestedAt: placedAt()}
	sc := scene{label: fmt.Sprintf("stock %s: %s", e.LineID(), sku), effects: map[string]string{"reserve-stock": "reserve " + e.LineID()}}
	if sku == "unicorn" {
		sc.effects = nil // out of stock for ever
	}
	entry := publisher.Entry{Event: e, Group: sku}
	if again != "" {
		sc.label += ", " + again
		entry.DeduplicationID = e.LineID() + "/" + again
	}
	s.toStock = append(s.toStock, sc)
	return s.stock.PublishEntries(ctx, entry)
}

func (s *story) refund(ctx context.Context, e paymentsv1.RefundRequested) error {
	s.toBus = append(s.toBus, scene{"refund " + e.RefundID, map[string]string{"charge-payment": "refund " + e.RefundID}})
	return s.bus.Publish(ctx, e)
}

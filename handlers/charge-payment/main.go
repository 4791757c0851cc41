// Command charge-payment charges placed orders and refunds payments. Both come
// to one queue: orders through a topic, refunds by a rule of the event bus.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	ordersv1 "github.com/sluice-go/sluice/events/orders/v1"
	ordersv2 "github.com/sluice-go/sluice/events/orders/v2"
	paymentsv1 "github.com/sluice-go/sluice/events/payments/v1"
	"github.com/sluice-go/sluice/framework/awsio"
	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/publisher"
	"github.com/sluice-go/sluice/framework/telemetry"
)

func main() { consumer.Main(setup) }

func setup(ctx context.Context) (*consumer.Consumer, error) {
	aws, err := awsio.FromEnv(ctx)
	if err != nil {
		return nil, err
	}
	payments, err := newPayments(aws.DynamoDB, os.Getenv)
	if err != nil {
		return nil, err
	}
	bus := publisher.EventBridge(eventbridge.NewFromConfig(aws.Config), os.Getenv("BUS_NAME"), "shop.payments")
	return newConsumer(payments, bus.Publish, aws.Option(), telemetry.FromEnv(ctx).Option())
}

// newConsumer is what the test builds too.
func newConsumer(p payments, bus publish, opts ...consumer.Option) (*consumer.Consumer, error) {
	return consumer.NewSQSMux("charge-payment", []consumer.Route{
		consumer.On(charge(p, bus), consumer.Upgrade[ordersv1.Placed](ordersv2.FromV1)),
		consumer.On(func(ctx context.Context, msg consumer.Message[paymentsv1.RefundRequested]) error {
			return p.Refund(ctx, msg.Event)
		}),
	}, consumer.WithOptions(opts...))
}

// charge publishes before it returns: a crash in between repeats both, and the
// charge is conditional on its own key while the event carries one.
func charge(p payments, bus publish) consumer.Handler[ordersv2.Placed] {
	return func(ctx context.Context, msg consumer.Message[ordersv2.Placed]) error {
		o := msg.Event
		captured := paymentsv1.Captured{
			PaymentID: "pay-" + o.OrderID, OrderID: o.OrderID, Minor: o.Total.Minor, Currency: o.Total.Currency, CapturedAt: consumer.Now(ctx).UTC(),
		}
		if err := p.Charge(ctx, captured); err != nil {
			return err
		}
		return bus(ctx, captured)
	}
}

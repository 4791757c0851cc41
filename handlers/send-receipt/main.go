// Command send-receipt mails a receipt for each order. The topic invokes it
// directly.
package main

import (
	"context"
	"os"

	ordersv1 "github.com/sluice-go/sluice/events/orders/v1"
	ordersv2 "github.com/sluice-go/sluice/events/orders/v2"
	"github.com/sluice-go/sluice/framework/awsio"
	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/telemetry"
	"github.com/sluice-go/sluice/handlers/internal/shop"
)

func main() { consumer.Main(setup) }

func setup(ctx context.Context) (*consumer.Consumer, error) {
	aws, err := awsio.FromEnv(ctx)
	if err != nil {
		return nil, err
	}
	// The ledger stands in for a mail service: it too cannot be in the
	// transaction that completes the message.
	ledger, err := shop.NewLedger(aws.DynamoDB, os.Getenv(shop.LedgerTable))
	if err != nil {
		return nil, err
	}
	return newConsumer(ledger, aws.Option(), telemetry.FromEnv(ctx).Option())
}

// newConsumer is what the test builds too.
func newConsumer(m mailer, opts ...consumer.Option) (*consumer.Consumer, error) {
	return consumer.NewSNSMux("send-receipt", []consumer.Route{
		consumer.On(send(m), consumer.Upgrade[ordersv1.Placed](ordersv2.FromV1)),
	}, consumer.WithOptions(opts...))
}

// mailer is all that this function needs of the mail service.
type mailer interface {
	Append(ctx context.Context, consumer, key, effect string) error
}

func send(m mailer) consumer.Handler[ordersv2.Placed] {
	return func(ctx context.Context, msg consumer.Message[ordersv2.Placed]) error {
		return m.Append(ctx, msg.Consumer, msg.Event.OrderID, "receipt")
	}
}

// Command record-sale books captured payments as sales. A rule of the event bus
// invokes it directly.
package main

import (
	"context"
	"os"

	paymentsv1 "github.com/sluice-go/sluice/events/payments/v1"
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
	ledger, err := shop.NewLedger(aws.DynamoDB, os.Getenv(shop.LedgerTable))
	if err != nil {
		return nil, err
	}
	return newConsumer(ledger, aws.Option(), telemetry.FromEnv(ctx).Option())
}

// newConsumer is what the test builds too.
func newConsumer(b books, opts ...consumer.Option) (*consumer.Consumer, error) {
	return consumer.NewEventBridge("record-sale", record(b), consumer.WithOptions(opts...))
}

// books is all that this function needs of the accounts.
type books interface {
	Append(ctx context.Context, consumer, key, effect string) error
}

func record(b books) consumer.Handler[paymentsv1.Captured] {
	return func(ctx context.Context, msg consumer.Message[paymentsv1.Captured]) error {
		return b.Append(ctx, msg.Consumer, msg.Event.PaymentID, "sale")
	}
}

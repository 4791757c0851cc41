// Command reserve-stock sets stock aside for the lines of orders, in order per
// article. It counts, so it does its work in one transaction with the
// completion of the message.
package main

import (
	"context"
	"os"

	stockv1 "github.com/sluice-go/sluice/events/stock/v1"
	"github.com/sluice-go/sluice/framework/awsio"
	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/telemetry"
)

func main() { consumer.Main(setup) }

func setup(ctx context.Context) (*consumer.Consumer, error) {
	aws, err := awsio.FromEnv(ctx)
	if err != nil {
		return nil, err
	}
	stock, err := newStock(aws, os.Getenv)
	if err != nil {
		return nil, err
	}
	return newConsumer(stock, aws.Option(), telemetry.FromEnv(ctx).Option())
}

// newConsumer is what the test builds too.
func newConsumer(s stock, opts ...consumer.Option) (*consumer.Consumer, error) {
	return consumer.NewSQS("reserve-stock", reserve(s), consumer.WithOptions(opts...))
}

// stock is all that this function needs of the warehouse.
type stock interface {
	// Reserve takes the line's quantity out of what is available and completes
	// the message, both or neither.
	Reserve(ctx context.Context, line stockv1.Requested) error
}

func reserve(s stock) consumer.Handler[stockv1.Requested] {
	return func(ctx context.Context, msg consumer.Message[stockv1.Requested]) error {
		return s.Reserve(ctx, msg.Event)
	}
}

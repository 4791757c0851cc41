// Package consume compares what it costs to receive a batch: to decode an SQS
// event and its bodies, call a handler for each record, and answer Lambda with
// the failures. All variants do that for the same bytes, with the same checks
// in the handler, and with no telemetry.
package consume

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"

	"bench/gen"
	"bench/variants"

	"github.com/sluice-go/sluice/bench/internal/traffic"
	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// A Variant is one way to receive batches.
type Variant struct {
	Name string
	// Make returns a receiver that has seen no message. It is not part of what
	// is measured: on Lambda it happens once, at cold start.
	Make func() (*Receiver, error)
}

// A Receiver handles invocations, one at a time.
type Receiver struct {
	Invoke variants.Invoker
	// Handled returns how many records the handler accepted since the Receiver
	// was made.
	Handled func() int
}

// Variants returns what is compared. The first is the baseline that the others
// are set in relation to.
func Variants() []Variant {
	return []Variant{
		{"raw aws-lambda-go", baseline(variants.Raw)},
		{"watermill v1.5.1 router", baseline(sync.OnceValue(variants.Watermill))}, // its router runs until the program ends
		{"Sluice, no store", func() (*Receiver, error) { return sluice() }},
		{"Sluice, Memory store", func() (*Receiver, error) { return sluice(consumer.WithIdempotency(idempotency.NewMemory())) }},
	}
}

// total is the sum of every order that the baseline's generator makes.
var total = gen.NewOrder(0).Total

// baseline counts what the baseline's handler did by what it added up, which it
// does in one variable for all of its variants.
func baseline(newInvoker func() variants.Invoker) func() (*Receiver, error) {
	return func() (*Receiver, error) {
		before := variants.Sink
		return &Receiver{
			Invoke:  newInvoker(),
			Handled: func() int { return int(math.Round((variants.Sink - before) / total)) },
		}, nil
	}
}

var errBad = errors.New("bad order")

// sluice is a consumer whose handler does what the baseline's does: it looks at
// the order and adds up. As in the baseline's watermill variant a mutex guards
// the sum, for Sluice runs records concurrently.
func sluice(opts ...consumer.SQSOption) (*Receiver, error) {
	var (
		mu  sync.Mutex
		sum float64
	)
	handler := func(_ context.Context, msg consumer.Message[traffic.Order]) error {
		mu.Lock()
		defer mu.Unlock()
		if msg.Event.ID == "" || len(msg.Event.Items) != 4 {
			return errBad
		}
		sum += msg.Event.Total
		return nil
	}
	opts = append(opts, consumer.WithLogger(slog.New(slog.DiscardHandler)))
	c, err := consumer.NewSQS("orders", handler, opts...)
	if err != nil {
		return nil, err
	}
	handled := func() int {
		mu.Lock()
		defer mu.Unlock()
		return int(math.Round(sum / total))
	}
	return &Receiver{Invoke: c.Invoke, Handled: handled}, nil
}

// Answers of a batch that succeeded: the baseline leaves the list null, which
// Lambda takes for an empty one.
const (
	allDone     = `{"batchItemFailures":[]}`
	allDoneNull = `{"batchItemFailures":null}`
)

// Check fails unless answer says that every record of a batch was handled.
func Check(answer []byte, err error) error {
	if err != nil {
		return fmt.Errorf("the invocation failed: %w", err)
	}
	if s := string(answer); s != allDone && s != allDoneNull {
		return fmt.Errorf("records failed: %.200s", s)
	}
	return nil
}

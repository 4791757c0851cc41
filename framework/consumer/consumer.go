package consumer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// A Consumer handles the events of one source. Build it once, at cold start. It
// implements lambda.Handler and is safe for concurrent use.
type Consumer struct {
	name   string
	source Source
	mux    mux
	chain  map[*route]Next // each route's handler within the middleware
	cfg    config
	warm   atomic.Bool // it was invoked before
}

var _ lambda.Handler = (*Consumer)(nil)

// NewSQS returns the consumer of a queue whose event source mapping reports
// batch item failures. It is NewSQSMux with one route.
//
// Name is identity: it is part of every idempotency key, so changing it makes
// old messages new again. Errors tell every problem at once.
func NewSQS[E Event](name string, h Handler[E], opts ...SQSOption) (*Consumer, error) {
	return NewSQSMux(name, []Route{On(h)}, opts...)
}

// NewSNS returns the consumer of a topic that invokes the function directly,
// and so asynchronously: a failure is retried by Lambda, twice by default, and
// then goes to the function's failure destination.
func NewSNS[E Event](name string, h Handler[E], opts ...SNSOption) (*Consumer, error) {
	return NewSNSMux(name, []Route{On(h)}, opts...)
}

// NewEventBridge returns the consumer of a rule that invokes the function
// directly, and so asynchronously, as with NewSNS. It takes single events and
// the arrays that custom event buses with batching send; an array needs an
// idempotency store, because it can only be retried whole.
func NewEventBridge[E Event](name string, h Handler[E], opts ...EventBridgeOption) (*Consumer, error) {
	return NewEventBridgeMux(name, []Route{On(h)}, opts...)
}

// NewSQSMux returns the consumer of a queue that carries several event types,
// or older versions of one. A message that names no type is a permanent failure
// unless there is a single route.
func NewSQSMux(name string, routes []Route, opts ...SQSOption) (*Consumer, error) {
	return build(name, SQS, routes, opts, func(o SQSOption, c *config) { o.applySQS(c) })
}

// NewSNSMux is NewSNS for several event types or versions.
func NewSNSMux(name string, routes []Route, opts ...SNSOption) (*Consumer, error) {
	return build(name, SNS, routes, opts, func(o SNSOption, c *config) { o.applySNS(c) })
}

// NewEventBridgeMux is NewEventBridge for several event types or versions.
func NewEventBridgeMux(name string, routes []Route, opts ...EventBridgeOption) (*Consumer, error) {
	return build(name, EventBridge, routes, opts, func(o EventBridgeOption, c *config) { o.applyEventBridge(c) })
}

func build[O comparable](name string, source Source, routes []Route, opts []O, apply func(O, *config)) (*Consumer, error) {
	c := &Consumer{name: name, source: source, chain: map[*route]Next{}}
	c.cfg = config{recordLife: DefaultRecordLife, concurrency: DefaultConcurrency}
	var none O
	for i, o := range opts {
		if o == none {
			c.cfg.errs = append(c.cfg.errs, fmt.Errorf("option %d is nil", i))
			continue
		}
		apply(o, &c.cfg)
	}
	m, err := newMux(name, routes)
	c.cfg.errs = append(c.cfg.errs, c.cfg.contradictions(routes)...)
	if err := errors.Join(append([]error{checkName(name), err}, c.cfg.errs...)...); err != nil {
		return nil, fmt.Errorf("consumer %q: %w", name, err)
	}
	c.mux = m
	if c.cfg.store != nil {
		c.cfg.store = guardedStore{c.cfg.store}
	}
	for _, r := range m.routes {
		if c.chain[r] != nil {
			continue
		}
		next := r.handle
		for _, m := range slices.Backward(c.cfg.middleware) {
			if next = m(next); next == nil {
				return nil, fmt.Errorf("consumer %q: a middleware returned nil instead of the next step: return a function that calls next", name)
			}
		}
		c.chain[r] = next
	}
	c.noticeKeys()
	return c, nil
}

// contradictions are options that would do nothing as they were given.
func (c *config) contradictions(routes []Route) (errs []error) {
	if c.store != nil {
		return nil
	}
	if c.completeAtEnd {
		errs = append(errs, errors.New("CompleteAtEnd needs an idempotency store (WithIdempotency)"))
	}
	if len(c.outboxes) > 0 {
		errs = append(errs, errors.New("WithOutbox needs an idempotency store (WithIdempotency), which keeps the events"))
	}
	for _, r := range routes {
		if r.route != nil && r.route.fingerprint != nil {
			errs = append(errs, fmt.Errorf("Fingerprint of %s needs an idempotency store (WithIdempotency), which keeps it", r.route.eventType))
		}
	}
	return errs
}

// noticeKeys says once, at start, what the transport's ids mean as keys.
func (c *Consumer) noticeKeys() {
	if c.cfg.store == nil {
		return
	}
	seen := map[*route]bool{}
	for _, r := range c.mux.routes {
		if seen[r] {
			continue
		}
		seen[r] = true
		if !r.keyed {
			c.log().Info("event has no IdempotencyKey method: its key is the message's id, so a producer's second send, or a redrive by other tools than Sluice's, runs again",
				"consumer", c.name, "event_type", r.eventType)
		}
	}
}

// Name returns the name that the consumer was built with.
func (c *Consumer) Name() string { return c.name }

// Source returns what the consumer was built for.
func (c *Consumer) Source() Source { return c.source }

func (c *Consumer) log() *slog.Logger {
	if c.cfg.logger != nil {
		return c.cfg.logger
	}
	return slog.Default()
}

// Invoke handles one invocation: payload is what Lambda was invoked with, the
// result what it is to answer. For SQS that is the batch response; an error
// then means that nothing could be said about single messages, and the whole
// batch is retried. For the other sources an error makes Lambda retry.
//
// It answers before ctx's deadline: at a margin of 10% of the time at start,
// between 0.5 s and 5 s, before it, handlers' contexts are cancelled. Payload
// is not kept.
func (c *Consumer) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	started := systemTime()
	inv, err := c.newInvocation(ctx)
	if err != nil {
		return nil, err
	}
	var answer []byte
	switch c.source {
	case SQS:
		answer, err = c.invokeSQS(ctx, inv, payload)
	case SNS:
		answer, err = c.invokeSNS(ctx, inv, payload)
	default:
		answer, err = c.invokeEventBridge(ctx, inv, payload)
	}
	c.observe(ctx, inv, started, err)
	return answer, err
}

// invocation is what one call of Invoke shares among its messages.
type invocation struct {
	owner     string // fences this invocation's claims
	requestID string
	items     []*item       // the messages, once they are read
	offset    time.Duration // of the consumer's clock from the system's
	limits    limits
}

func (c *Consumer) newInvocation(ctx context.Context) (*invocation, error) {
	inv := &invocation{}
	if c.cfg.clockOffset != nil {
		inv.offset = c.cfg.clockOffset(ctx)
	}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		inv.requestID = lc.AwsRequestID
	}
	// Lambda retries an asynchronous invocation under the same request id, so
	// the id alone would let a retry take its predecessor's claim for its own.
	inv.owner = inv.requestID + "/" + rand.Text()
	var err error
	if inv.limits, err = newLimits(ctx); err != nil {
		return nil, c.failed(err)
	}
	return inv, nil
}

// now is the consumer's clock.
func (i *invocation) now() time.Time { return systemTime().Add(i.offset) }

type clockKey struct{}

// Now returns the consumer's clock within a handler, and the system's
// elsewhere. They differ only under the local runtime, whose clock can be
// moved: date effects with Now, and they agree with what the runtime shows.
func Now(ctx context.Context) time.Time {
	offset, _ := ctx.Value(clockKey{}).(time.Duration)
	return systemTime().Add(offset)
}

// systemTime is the one place where this package asks for the time.
func systemTime() time.Time { return time.Now() } //nolint:forbidigo // this is it

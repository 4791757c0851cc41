package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// Options are sealed per source: one that makes no sense for a source does not
// compile there. Nil options are refused when the consumer is built.
type (
	// Option applies to every source.
	Option interface {
		SQSOption
		SNSOption
		EventBridgeOption
	}
	// SQSOption applies to NewSQS and NewSQSMux.
	SQSOption interface{ applySQS(*config) }
	// SNSOption applies to NewSNS and NewSNSMux.
	SNSOption interface{ applySNS(*config) }
	// EventBridgeOption applies to NewEventBridge and NewEventBridgeMux.
	EventBridgeOption interface{ applyEventBridge(*config) }
)

type option func(*config)

func (o option) applySQS(c *config)         { o(c) }
func (o option) applySNS(c *config)         { o(c) }
func (o option) applyEventBridge(c *config) { o(c) }

type sqsOption func(*config)

func (o sqsOption) applySQS(c *config) { o(c) }

// config is what options set; zero values mean the documented defaults.
type config struct {
	store         idempotency.Store
	recordLife    time.Duration
	logger        *slog.Logger
	sink          DeadLetterSink
	visibility    VisibilityChanger
	concurrency   int
	middleware    []Middleware
	clockOffset   func(context.Context) time.Duration
	ignoreUnknown bool
	strictFIFO    bool
	haltOnDead    bool
	completeAtEnd bool
	outboxes      map[string]Outbox
	payloads      PayloadFetcher
	observers     []Observer
	errs          []error
}

// Defaults of a consumer.
const (
	// DefaultConcurrency is how many handlers run at once within one batch.
	DefaultConcurrency = 10
	// DefaultRecordLife is how long a completion is remembered. It outlives
	// SQS's longest retention, 14 days, before and after a dead-letter queue.
	DefaultRecordLife = 28 * 24 * time.Hour
)

// WithOptions composes options into one. WithOptions(a, b) equals giving a and
// then b.
func WithOptions(opts ...Option) Option {
	return option(func(c *config) {
		for _, o := range opts {
			if o == nil {
				c.errs = append(c.errs, errors.New("WithOptions was given a nil option"))
				continue
			}
			o.applySQS(c) // of an Option, all three do the same
		}
	})
}

// WithIdempotency makes the consumer run the work of one key once: see the
// package documentation. Default: none, and every delivery runs the handler.
func WithIdempotency(store idempotency.Store) Option {
	return option(func(c *config) {
		if store == nil {
			c.errs = append(c.errs, errors.New("WithIdempotency was given a nil store"))
		}
		c.store = store
	})
}

// WithRecordLife sets how long a completion is remembered. It should outlive
// every way a message can come back; the constructs compute it from the queues'
// retentions. Default DefaultRecordLife; at least a minute.
func WithRecordLife(d time.Duration) Option {
	return option(func(c *config) {
		if d < time.Minute {
			c.errs = append(c.errs, fmt.Errorf("WithRecordLife(%s): a record must live at least a minute, or redeliveries run again", d))
		}
		c.recordLife = d
	})
}

// WithDeadLetters sets where permanent failures go. Default: none, and they are
// retried until the source gives up on them.
func WithDeadLetters(sink DeadLetterSink) Option {
	return option(func(c *config) {
		if sink == nil {
			c.errs = append(c.errs, errors.New("WithDeadLetters was given a nil sink"))
		}
		c.sink = sink
	})
}

// WithVisibility lets reported messages be hidden for their back-off. Default:
// none, and they come back when the queue's visibility timeout ends.
func WithVisibility(v VisibilityChanger) SQSOption {
	return sqsOption(visibility(v, "WithVisibility"))
}

func visibility(v VisibilityChanger, option string) func(*config) {
	return func(c *config) {
		if v == nil {
			c.errs = append(c.errs, fmt.Errorf("%s was given a nil VisibilityChanger", option))
		}
		c.visibility = v
	}
}

// WithQueueActions is WithVisibility as an Option for every source; sources
// without queues ignore it. It is for helpers that compose one Option.
func WithQueueActions(v VisibilityChanger) Option {
	return option(visibility(v, "WithQueueActions"))
}

// WithConcurrency sets how many handlers run at once within one batch, at least
// 1. Default DefaultConcurrency. The groups of a FIFO queue share it.
func WithConcurrency(n int) SQSOption {
	return sqsOption(func(c *config) {
		if n < 1 {
			c.errs = append(c.errs, fmt.Errorf("WithConcurrency(%d): at least one handler must run", n))
		}
		c.concurrency = n
	})
}

// WithMiddleware wraps the handler. The first is outermost, and
// WithMiddleware(a) then WithMiddleware(b, c) equals WithMiddleware(a, b, c):
//
//	a ( b ( c ( handler ) ) )
func WithMiddleware(m ...Middleware) Option {
	return option(func(c *config) {
		if slices.ContainsFunc(m, func(m Middleware) bool { return m == nil }) {
			c.errs = append(c.errs, errors.New("WithMiddleware was given a nil middleware"))
		}
		c.middleware = append(c.middleware, m...)
	})
}

// WithLogger sets the logger. Default: slog.Default at the time of each line.
// Every line is given the invocation's context. Bodies are never logged.
func WithLogger(l *slog.Logger) Option {
	return option(func(c *config) { c.logger = l })
}

// WithClockOffset makes the consumer's clock run ahead of the system's by what
// f returns for an invocation's context. It is for the local runtime, whose
// clock can be moved. Deadlines stay the system's. Default: no offset.
func WithClockOffset(f func(context.Context) time.Duration) Option {
	return option(func(c *config) { c.clockOffset = f })
}

// StrictFIFO stops all groups of a FIFO queue's batch at the first message that
// is not settled, to the letter of AWS's advice. What runs already is not
// interrupted. Default: only that message's own group stops.
func StrictFIFO() SQSOption { return sqsOption(func(c *config) { c.strictFIFO = true }) }

// HaltOnDeadLetter stops a FIFO group for this batch when one of its messages
// goes to the dead-letter sink. Default: the group goes on.
func HaltOnDeadLetter() SQSOption { return sqsOption(func(c *config) { c.haltOnDead = true }) }

// CompleteAtEnd completes the claims of a batch when all of its handlers have
// ended: always two requests to the store per 25 keys, and after a crash the
// whole batch runs again. Default: what ends is completed within 20 ms, and a
// crash repeats at most what ended since and during the last request. It needs
// a store.
func CompleteAtEnd() Option { return option(func(c *config) { c.completeAtEnd = true }) }

// IgnoreUnknownTypes settles messages of a type that has no route, and logs
// each. Default: they are permanent failures, because a missing route is more
// often a mistake than a wish; prefer a filter on the subscription or rule.
func IgnoreUnknownTypes() Option {
	return option(func(c *config) { c.ignoreUnknown = true })
}

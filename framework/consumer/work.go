package consumer

import (
	"context"
	"errors"
	"runtime/debug"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// startWork starts handlers up to the bound.
func (b *batch) startWork() {
	for len(b.runnable) > 0 && b.active < b.c.cfg.concurrency && !b.stopping {
		it := b.runnable[0]
		b.runnable = b.runnable[1:]
		b.active++
		it.started = true
		if it.claim != nil {
			b.ahead--
		}
		go func() {
			// Sent by defer: runtime.Goexit in a handler ends this goroutine.
			var m workedMsg
			defer func() { b.worked <- m }()
			m = workedMsg{it: it, verdict: verdict{fate: retried, err: &PanicError{}}}
			begin := systemTime()
			m = b.perform(it)
			if it.reason == nil {
				m.ran = systemTime().Sub(begin)
			}
		}()
	}
}

// perform runs in a goroutine of its own, and reads only what was set before.
func (b *batch) perform(it *item) workedMsg {
	if it.reason != nil {
		return b.deadLetter(it, it.reason)
	}
	var err error
	if it.claim == nil || !it.claim.Committed() { // committed work waits for its events only
		err = b.call(it)
	}
	if it.claim != nil && it.claim.Committed() {
		return b.afterCommit(it, err)
	}
	switch {
	case err == nil:
		return workedMsg{it: it, verdict: verdict{fate: done}, complete: true}
	case IsSkip(err):
		return workedMsg{it: it, verdict: verdict{fate: skipped, err: err}, complete: true}
	case IsPermanent(err):
		return b.deadLetter(it, err)
	default:
		return workedMsg{it: it, verdict: verdict{fate: retried, err: err}}
	}
}

// afterCommit ends a message whose work is done, in one transaction with its
// claim: completed, or with events that are to be published first.
func (b *batch) afterCommit(it *item, err error) workedMsg {
	if err != nil {
		b.c.log().ErrorContext(b.base, "handler failed after its transaction committed: the message is done and is not retried",
			append(b.c.attrs(it), "error", err)...)
	}
	pending := it.claim.Pending()
	if len(pending) == 0 {
		return workedMsg{it: it, verdict: verdict{fate: done}, keep: true}
	}
	if err := b.publish(pending); err != nil {
		return workedMsg{it: it, verdict: verdict{fate: retried, err: err}}
	}
	return workedMsg{it: it, verdict: verdict{fate: done}, complete: true}
}

// call runs the handler and turns a panic into an error. The flag tells
// panic(nil) and Goexit apart from a return.
func (b *batch) call(it *item) (err error) {
	ctx := context.WithValue(b.workCtx, metaKey{}, &it.meta)
	if it.claim != nil {
		ctx = idempotency.NewContext(ctx, it.claim)
	}
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	return b.c.chain[it.route](ctx, &Delivery{Meta: it.meta, Event: it.event, Body: it.body})
}

// deadLetter sends a message that no delivery can help to the sink. Its claim
// is released, never completed, so that a redrive runs it.
func (b *batch) deadLetter(it *item, reason error) workedMsg {
	sink := b.c.cfg.sink
	if sink == nil {
		return workedMsg{it: it, verdict: verdict{fate: retried, err: &noSinkError{reason}}}
	}
	ctx, cancel := until(b.workCtx, b.inv.limits.send)
	defer cancel()
	err := send(ctx, sink, DeadLetter{
		Meta: it.meta, Body: it.outerBody, AllAttrs: it.outerAttrs, Reason: reason, FIFO: it.fifo, ReceivedFor: b.inv.requestID,
	})
	if err != nil {
		return workedMsg{it: it, verdict: verdict{fate: retried, err: errors.Join(reason, err)}}
	}
	return workedMsg{it: it, verdict: verdict{fate: deadLettered, err: reason}}
}

func send(ctx context.Context, sink DeadLetterSink, dl DeadLetter) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	return sink.Send(ctx, dl)
}

// noSinkError is a permanent failure that is retried because it has nowhere to
// go.
type noSinkError struct{ err error }

func (e *noSinkError) Error() string {
	return "permanent failure is retried, for the consumer has no dead-letter sink (WithDeadLetters): " + e.err.Error()
}
func (e *noSinkError) Unwrap() error { return e.err }

func (b *batch) onWorked(m workedMsg) {
	b.active--
	m.it.ran = m.ran
	if m.it.phase == final {
		return // abandoned; its claim lapses, and a late completion is not sent
	}
	if m.it.claim != nil && !m.keep {
		action := idempotency.Release
		if m.complete {
			action = idempotency.Complete
		}
		b.settle(m.it.claim.Settlement(action))
	}
	b.finish(m.it, m.verdict)
}

// Package consumer turns one typed function into a Lambda handler for events
// from SQS, SNS or EventBridge.
//
// # Delivery semantics
//
// Delivery is at least once: that is what the sources give. With an idempotency
// store ([WithIdempotency]) the work for one key is done by one attempt at a
// time, and once it is done, later deliveries of that key are settled without
// running the handler. What remains possible is a second run after a crash
// between an effect outside the store's table and the write that completes its
// claim; see package idempotency for the window and for what closes it.
//
// A message is settled only when its work is done, was done before, was skipped
// on purpose, or is safely in the dead-letter sink. Everything else is reported
// to Lambda, which delivers it again until the queue's redrive policy (SQS) or
// the retries of an asynchronous invocation (SNS, EventBridge) give up and move
// it to a dead-letter queue or failure destination. A bug in a handler can cause
// a retry; it cannot lose a message.
//
// A queue is FIFO if its ARN ends in ".fifo". Within a message group of a FIFO
// queue handlers run one at a time and in order, and the first message that is
// not settled stops its group for this batch; groups run in parallel. On
// standard queues a message group id (fair queues) has no such meaning.
//
// The event source mapping must have ReportBatchItemFailures in its function
// response types: without it Lambda deletes what was reported as failed. The
// constructs of this module set it.
//
// # What a handler returns
//
// nil settles the message. An error, or a panic, which is recovered, retries it
// with back-off. [RetryAfter] retries it after a time of the handler's choice.
// [Permanent] sends it to the dead-letter sink, for no retry can help. [Skip]
// settles it without work done.
//
// # Concurrency
//
// A Consumer is safe for concurrent use: Lambda may run several invocations in
// one process. Handlers must be safe for concurrent use too; within one batch
// up to ten run at once, or as many as [WithConcurrency] says.
package consumer

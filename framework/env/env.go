// Package env names what a function's configuration and its infrastructure
// must agree on: environment variables, and the AWS operations that a part of
// the framework performs. It holds constants and nothing else, so that
// infrastructure code can import it without importing the framework, and a
// handler without importing infrastructure code.
package env

// Variables that the constructs set on a function and that awsio.FromEnv reads.
const (
	// IdempotencyTable is the name of the DynamoDB table of idempotency
	// records. Without it a consumer runs with no idempotency store.
	IdempotencyTable = "SLUICE_IDEMPOTENCY_TABLE"

	// RecordLife is how long a completed record is remembered, in whole
	// seconds. It must outlive every way a message can come back: the source
	// queue's retention, then the dead-letter queue's, then the source's again.
	// Without it: 28 days.
	RecordLife = "SLUICE_RECORD_LIFE"

	// QueueURL is the URL of the source queue, where visibility changes go.
	// Without it the URL is derived from the ARN that each event carries.
	QueueURL = "SLUICE_QUEUE_URL"

	// DeadLetterQueueURL is the URL of the queue that receives messages no
	// delivery of which can ever succeed. Without it such messages are
	// retried until the source queue's own redrive policy takes them.
	DeadLetterQueueURL = "SLUICE_DEAD_LETTER_QUEUE_URL"

	// Local is "1" in a process that the local runtime started, and only
	// there: it lets an invocation carry an offset of the clock. Policy
	// rejects a template that sets it.
	Local = "SLUICE_LOCAL"
)

// ClockOffset is the key, in the "custom" member of an invocation's client
// context, of the local runtime's clock offset: whole nanoseconds, as a decimal
// string. It is honoured only where Local is "1".
const ClockOffset = "sluice-clock-offset"

// HashKey and TTL are the attribute names of an idempotency table that
// infrastructure has to know: its partition key, and its time-to-live
// attribute. They are named as Powertools for AWS Lambda names them.
const (
	HashKey = "id"
	TTL     = "expiration"
)

// IdempotencyActions are the IAM actions that dynamostore performs on its
// table, and all of them: a grant of exactly these is enough.
func IdempotencyActions() []string {
	return []string{
		"dynamodb:PartiQLInsert",
		"dynamodb:PartiQLUpdate",
		"dynamodb:BatchGetItem",
		"dynamodb:UpdateItem",
	}
}

// QueueActions are the IAM actions that awsio performs on a source queue
// beyond what an event source mapping itself needs.
func QueueActions() []string {
	return []string{"sqs:ChangeMessageVisibility"}
}

// DeadLetterActions are the IAM actions that awsio performs on the queue of
// DeadLetterQueueURL.
func DeadLetterActions() []string {
	return []string{"sqs:SendMessage"}
}

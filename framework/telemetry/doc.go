// Package telemetry writes what a consumer does as structured log lines and as
// CloudWatch metrics, both on standard output, where Lambda collects them.
//
// # Semantics
//
// Nothing here can fail a message, and nothing leaves the function over the
// network: a line that cannot be written is lost, and nothing else is. This
// package never writes a message's body or key. A key appears as a hash only, so
// that all lines about one key can be found by who knows it. (An event without
// a key of its own has its id for one, and ids are written.) What a handler
// gives to slog, and what the texts of errors say, is written as it is:
// [Options].Redact sees each such attribute, those of the consumer's own lines
// included.
//
// # Log lines
//
// With the format JSON, each record is one line with these members, in this
// order: timestamp (RFC 3339, UTC, milliseconds), level (TRACE, DEBUG, INFO,
// WARN, ERROR or FATAL), message, the record's attributes, and then what the
// context knows, each only where it is known:
//
//	requestId      the invocation's request id
//	consumer       the consumer's name
//	message_id     the id that batch item failures name
//	id             the id that the message had from its first service on
//	event_type     the event's type as it arrived
//	key_hash       the first 16 hexadecimal digits of the key's SHA-256
//	generation     the fencing number of this run; not without a store
//	xray_trace_id  the invocation's trace, as X-Ray writes it: 1-5759e988-bd86...
//	trace_id       the same as W3C and OpenTelemetry write it: 5759e988bd86...
//	truncated      true if something was cut from the line
//
// Timestamp, level, message and requestId are named as in Lambda's own JSON
// logs. An attribute that has the name of one of this list takes its place, and
// one named timestamp, level or message gets "_" after its name, because Lambda
// filters by level and orders by timestamp. This is for attributes outside of
// groups only.
//
// With the format Text, the same is one line for people: level, request id or
// "-", message, and name=value for the rest. Lambda adds the time.
//
// No line is longer than 256 KiB less 26 bytes, which CloudWatch Logs takes as
// one event: longer strings are cut, and what then still has no room is left
// out. What cannot be encoded is replaced by a text that says why, and starts
// with "!".
//
// # Metrics
//
// Each invocation writes a document in CloudWatch's embedded metric format, of
// which CloudWatch makes metrics without a request by the function. Namespace
// "Sluice", unless [MetricsNamespace] names another; dimensions: consumer and
// source (sqs, sns, eventbridge), together.
//
//	Processed           Count         messages that the invocation was given
//	Succeeded           Count         messages done
//	Failed              Count         messages that the source delivers again
//	DeadLettered        Count         messages that went to the dead-letter sink
//	Skipped             Count         messages that the handler skipped
//	Duplicates          Count         messages whose work was done before
//	InProgress          Count         messages whose key another attempt held
//	TakenOver           Count         messages whose earlier attempt had ended without completion
//	Retries             Count         messages received more than once
//	CompletionLost      Count         messages that are done, and the store does not know it
//	HandlerDuration     Milliseconds  one value for each message whose handler ran
//	MessageAge          Milliseconds  one value for each message of known age, when the invocation began
//	BatchSize           Count         messages in the batch; not if the payload could not be read
//	InvocationDuration  Milliseconds  until the answer was ready
//	ColdStart           Count         1 for the consumer's first invocation in a process
//	InvocationErrors    Count         1 if the payload could not be read
//
// A counter that is zero is left out, except Processed and Failed: alarms on a
// rate of failures need both in every period. MessageAge is in milliseconds
// because that is how exactly SQS dates messages, and so that it can share an
// axis with HandlerDuration. More than 100 values of one metric, which is the
// format's limit, continue in further documents, which hold no counters.
// The request id and the function's name are in the document for searching, and
// are no dimensions.
//
// # Cost
//
// CloudWatch bills a custom metric for each combination of name and dimension
// values that occurs in an hour: at most 16 for each consumer, and 8 for one
// without trouble. The number of functions' instances, messages and
// requests does not matter, but each document is ingested as a log event of one
// to two kilobytes.
package telemetry

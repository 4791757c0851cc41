// Package constructs provisions what a Sluice consumer needs around its
// function, so that no message is lost and nobody has to remember how.
//
// What holds for every consumer made here:
//
//   - A message that fails is delivered again, and after its last delivery it
//     is in a dead-letter queue that keeps it for 14 days and raises an alarm
//     within a minute. Messages that a topic or a rule could not hand over go
//     to a second queue of the consumer, with an alarm of its own.
//   - An environment variable and the permission it needs are made together
//     (see Use), so that neither is there without the other. The role may do
//     what its variables need, write to its own log group, send traces, and
//     nothing else.
//   - What follows from something else is computed and cannot be set: the
//     visibility timeout, the redrive policy, how long a completed record is
//     remembered.
//   - Names are CloudFormation's, so that a resource can be replaced.
//
// QueueConsumer is the core. TopicConsumer and RuleConsumer are a
// QueueConsumer and the subscription or rule that feeds its queue, unless they
// are Direct: then Lambda is invoked asynchronously, without a queue.
//
// Constructors take plain Go values. A zero field means its default. They
// report every field that is wrong, by name, in one error; what the CDK itself
// refuses is an error too and never a panic. After an error the construct tree
// is incomplete and must not be synthesized.
//
// The CDK runs in one Node process that answers one request at a time: no
// function of this package may be called concurrently with another, or with
// any other use of the CDK.
package constructs

// Package lambdaapi runs real Lambda handler binaries on this machine, over
// the real Lambda Runtime API and without containers.
//
// # What holds
//
//   - An invocation starts a process when none is free (a cold start) and fewer
//     than [Config.MaxConcurrency] exist; otherwise it waits, first come first
//     served. A process works on one invocation at a time.
//   - A process is given work only while it waits in GET .../invocation/next.
//     One that has answered is not free until it asks again, so no invocation
//     goes to a process that is about to end after a panic.
//   - Every invocation that [Function.Start] accepts gets exactly one [Result],
//     whatever becomes of its process.
//   - A result that follows from the end of a process (a time-out, a crash, a
//     kill) is delivered after the process and its children are gone: what
//     happens next can not overlap what they did.
//   - After [Server.Kill], nothing that the process still sends to the Runtime
//     API counts.
//   - Children start from a clean environment; see [Config.Env].
//   - [Server.Close] leaves no process behind. On Linux the processes also end
//     when this process dies in any other way; what they started themselves is
//     then left.
//
// # Time
//
// Everything here runs on the wall clock: a handler's deadline is the moment
// it received the invocation plus the function's timeout, and
// Lambda-Runtime-Deadline-Ms carries it. The time a handler dates things by may
// differ: [Invocation.ClockOffset] travels in the client context under
// env.ClockOffset. [Server.Expire] makes a time-out happen now.
//
// # Where the rules come from
//
// The endpoints, headers and states are those of AWS's "Using the Lambda
// runtime API" and "Lambda extensions API"; the texts of errors, the answers to
// requests out of turn and the size limits are those of AWS's runtime interface
// emulator, which is built from Lambda's own sources.
//
// # What it does not do
//
//   - Memory limits, CPU shares and the read-only file system are not enforced.
//   - A process is not frozen between invocations: goroutines that a handler
//     leaves behind go on running here and do not on AWS.
//   - Idle processes are kept for ever.
//   - Extensions: an internal extension may register for no events, which is
//     what lambda.WithEnableSIGTERM does. Registering for INVOKE or SHUTDOWN is
//     refused, and so are the Telemetry and Logs APIs.
//   - Response streaming is accepted and buffered. Several invocations at a time
//     in one process (AWS_LAMBDA_MAX_CONCURRENCY) and SnapStart are refused.
//   - Windows is refused: it has no process groups to end.
package lambdaapi

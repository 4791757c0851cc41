// Package local is the engine of the local runtime: SQS queues, SNS topics, EventBridge buses, SQS event source mappings
// and Lambda's asynchronous invocation, all on one clock that can jump.
//
// # Semantics
//
// What a queue, a topic, a bus or a mapping does follows AWS, and where AWS's own answers were recorded, the tests hold the
// engine to them. What the engine does not do it refuses by name when it is configured, never silently when a message
// passes; NOT_EMULATED.md is the list.
//
// The engine is pure. It opens no socket, starts no process, and reads the time only from [Options.Wall]. All state is
// behind one mutex, everything iterates in creation order, and ids come from a generator seeded by [Options.Seed]: two
// runs that make the same calls at the same times produce the same journal.
//
// # The clock
//
// The engine's time is the wall's plus an offset. [Engine.Run] with jump=true moves the offset to the next thing that would
// happen by itself, but only while the engine is [Engine.Idle]: nothing held, no invocation in flight, nothing deliverable.
// So time passes at the real rate while anything works, and costs nothing while everything waits. Whoever is about to act
// (an API request being served, a process not yet waiting for its next event) holds the clock with [Engine.Hold].
//
// # Who does what
//
// Calls such as [Queue.Send] change state and return; they never run a function. Only [Engine.Run] delivers: it receives
// for the mappings, starts invocations, retries, closes batching windows, and works message move tasks. Everything that
// happens is told, in order, to [Options.Journal].
//
// All methods are safe for concurrent use.
package local

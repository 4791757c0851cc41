// Package simulation_test shows that the idempotency protocol keeps its
// promises, by running the real consumer over the real stores in thousands of
// small worlds whose every accident is drawn from a seed.
//
// # Worlds
//
// A world has one to four keys, a few messages for each, a source that delivers
// them at least once (a standard or FIFO queue with a visibility timeout,
// receive counts and a dead-letter queue; or Lambda's asynchronous invocation
// with two retries and a failure destination), and up to three sandboxes with
// clocks of their own. A sandbox is frozen between its invocations, and
// handlers that outlived an invocation go on when the next one thaws it. Time
// is testing/synctest's: a world of hours takes microseconds.
//
// Until a world grows calm, its sandboxes crash before and after requests,
// responses get lost, requests fail, arrive twice or arrive long after their
// sender gave up, single statements are throttled, handlers fail, hang and act
// late. Afterwards nothing fails; what is in the dead-letter queue is redriven,
// and every message must be settled.
//
// # Invariants
//
//	I1  no two runs of one key overlap while both leases are live; no claim ends under its running handler
//	I2  with InTx exactly one effect per key, for as long as its record lives, and what it left to be published is published after it
//	I3  generations strictly increase per key, for as long as its record lives
//	I4  an id is absent from batchItemFailures only if the work is done, was skipped, or the message is in the dead-letter queue
//	I5  once faults stop every message is settled or dead-lettered within bounded time, and a redriven dead letter runs
//	I6  foreign effects repeat only where a crash, a lost or fenced completion, or the handler's own failure fell between effect and completion
//	I7  within a FIFO group no message runs while an earlier one is unsettled, and what follows a reported one is reported
//	I8  answers come before the deadline
//	I9  only the owner changes a record, or who takes it over after its lease; a completed record is not reopened before it expires; one's own claim is recognised
//
// # Seeds
//
// Every draw depends on the seed and on what it is drawn for, never on the
// order in which goroutines run, and no two events share an instant. So a seed
// replays exactly. The consumer's and the store's own jitter cannot be seeded;
// the models absorb it (see settleJitter and reseed).
//
// SLUICE_SIM_SCHEDULES is how many worlds TestSimulation runs (default 3,000;
// 300,000 take under a minute on two cores),
// SLUICE_SIM_FROM the first seed, SLUICE_SIM_SEED replays one seed with its
// trace. Seeds that fail are kept in testdata/failing-seeds.txt, or the file
// that SLUICE_SIM_FAILED names, and are replayed first. SLUICE_SIM_FLOORS=off
// leaves out that every window must be reached often enough.
package simulation_test

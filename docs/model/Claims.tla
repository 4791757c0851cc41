------------------------------- MODULE Claims -------------------------------
(***************************************************************************)
(* The idempotency protocol of framework/idempotency as a consumer of a    *)
(* queue runs it: claim, work, complete; release on failure. README.md     *)
(* says what is modelled and what is left to the simulation.               *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Sandboxes,    \* execution environments
  Keys,         \* idempotency keys
  Messages,     \* messages, numbers: copies of a key are told by KeyOf
  MaxReceives,  \* of the queue's redrive policy
  MaxRedrives,  \* how often an operator redrives a message
  MaxClock,     \* time stands still then
  LeaseLength,
  MaxCrashes, MaxLosses, MaxFailures,  \* budgets of faults
  Tx,           \* TRUE: the effect is InTx's; FALSE: it is foreign
  Mutant        \* "none", or the mistake to make

KeyOf(m) == CHOOSE k \in Keys : Cardinality({j \in Keys : j < k}) = m % Cardinality(Keys)

VARIABLES
  rec,       \* the record of each key
  sb,        \* what each sandbox does
  queue,     \* each message: queued or gone, and how often it was received
  dead,      \* messages in the dead-letter queue
  redrives,  \* of each message
  effects,   \* how often each key's effect happened: 0, 1, or 2 for more
  lastGen,   \* the last generation handed to a handler of each key
  genOK,     \* generations were handed out in strictly increasing order
  clock, crashes, losses, failures

vars == <<rec, sb, queue, dead, redrives, effects, lastGen, genOK, clock, crashes, losses, failures>>

Absent == [st |-> "absent", owner |-> 0, gen |-> 0, lease |-> 0]
Idle   == [pc |-> "idle", m |-> 0, epoch |-> 0, tok |-> 0, gen |-> 0, lease |-> 0, seen |-> Absent, then |-> "fail"]

\* Sandboxes are alike; a run that checks liveness must not say so to TLC.
Alike == Permutations(Sandboxes)

Init ==
  /\ rec = [k \in Keys |-> Absent]
  /\ sb = [s \in Sandboxes |-> Idle]
  /\ queue = [m \in Messages |-> [st |-> "queued", receives |-> 0]]
  /\ dead = {}
  /\ redrives = [m \in Messages |-> 0]
  /\ effects = [k \in Keys |-> 0]
  /\ lastGen = [k \in Keys |-> 0]
  /\ genOK = TRUE
  /\ clock = 1 /\ crashes = 0 /\ losses = 0 /\ failures = 0

K(s) == KeyOf(sb[s].m)

\* A lease is over after its end. A released claim has lease 0.
Over(r) == r.lease < clock

GoTo(s, pc) == sb' = [sb EXCEPT ![s].pc = pc]

\* A request may be applied and its answer lost, or not be applied at all, as
\* often as the budget allows.
CanLose == losses < MaxLosses
Lose    == losses' = losses + 1
Keep    == losses' = losses

\* The claim is the sandbox's: its handler starts.
Start(s, gen, lease) ==
  /\ sb' = [sb EXCEPT ![s].pc = "work", ![s].gen = gen, ![s].lease = lease]
  /\ genOK' = (genOK /\ gen > lastGen[K(s)])
  /\ lastGen' = [lastGen EXCEPT ![K(s)] = gen]

NoStart == UNCHANGED <<genOK, lastGen>>

\* An owner token is unique to one delivery.
Token(m) == 100 * m + 10 * redrives[m] + queue[m].receives + 1

Stop(s) == sb' = [sb EXCEPT ![s] = Idle]

\* A claim that failed may be written all the same: it is released.
GiveUp(s) == sb' = [sb EXCEPT ![s].pc = "release", ![s].then = "fail"]

----------------------------------------------------------------------------
\* The queue delivers at least once, at any time, until its redrive policy moves
\* the message.

Receive(s, m) ==
  /\ sb[s].pc = "idle" /\ queue[m].st = "queued" /\ queue[m].receives < MaxReceives
  /\ queue' = [queue EXCEPT ![m].receives = @ + 1]
  /\ sb' = [sb EXCEPT ![s] = [Idle EXCEPT !.pc = "insert", !.m = m, !.epoch = redrives[m], !.tok = Token(m)]]
  /\ NoStart /\ UNCHANGED <<rec, dead, redrives, effects, clock, crashes, losses, failures>>

Exhaust(m) ==
  /\ queue[m].st = "queued" /\ queue[m].receives = MaxReceives
  /\ queue' = [queue EXCEPT ![m].st = "gone"]
  /\ dead' = dead \cup {m}
  /\ NoStart /\ UNCHANGED <<rec, sb, redrives, effects, clock, crashes, losses, failures>>

\* A redriven message is a new one: an answer to an earlier receive of it does
\* not settle it (epoch).
Redrive(m) ==
  /\ m \in dead /\ queue[m].st = "gone" /\ redrives[m] < MaxRedrives
  /\ queue' = [queue EXCEPT ![m] = [st |-> "queued", receives |-> 0]]
  /\ dead' = dead \ {m}
  /\ redrives' = [redrives EXCEPT ![m] = @ + 1]
  /\ NoStart /\ UNCHANGED <<rec, sb, effects, clock, crashes, losses, failures>>

----------------------------------------------------------------------------
\* Claiming. A lost answer is either sent again by the SDK (the step repeats)
\* or given up: then what may be one's own is released.

Claimed(s, gen) == [st |-> IF Mutant = "mark before work" THEN "done" ELSE "open", owner |-> sb[s].tok, gen |-> gen, lease |-> clock + LeaseLength]

Insert(s) ==
  /\ sb[s].pc = "insert"
  /\ IF rec[K(s)].st = "absent"
     THEN /\ rec' = [rec EXCEPT ![K(s)] = Claimed(s, 1)]
          /\ \/ Keep /\ Start(s, 1, clock + LeaseLength)
             \/ CanLose /\ Lose /\ NoStart /\ (UNCHANGED sb \/ GiveUp(s))
     ELSE /\ GoTo(s, "read") /\ Keep /\ NoStart /\ UNCHANGED rec
  /\ UNCHANGED <<queue, dead, redrives, effects, clock, crashes, failures>>

Read(s) ==
  /\ sb[s].pc = "read"
  /\ LET r == rec[K(s)] IN
     CASE r.st = "absent" -> GoTo(s, "insert") /\ NoStart
       [] r.st = "done" -> GoTo(s, "settle") /\ NoStart
       [] r.st = "open" /\ r.owner = sb[s].tok /\ ~Over(r) -> Start(s, r.gen, r.lease)
       [] r.st = "open" /\ (Over(r) \/ (Mutant = "lease ignored" /\ r.owner # sb[s].tok)) ->
            sb' = [sb EXCEPT ![s].pc = "take", ![s].seen = r] /\ NoStart
       [] OTHER -> Stop(s) /\ NoStart  \* in progress elsewhere
  /\ UNCHANGED <<rec, queue, dead, redrives, effects, clock, crashes, losses, failures>>

Take(s) ==
  /\ sb[s].pc = "take"
  /\ IF rec[K(s)] = sb[s].seen
     THEN LET gen == IF Mutant = "generation starts anew" THEN 1 ELSE sb[s].seen.gen + 1 IN
          /\ rec' = [rec EXCEPT ![K(s)] = Claimed(s, gen)]
          /\ \/ Keep /\ Start(s, gen, clock + LeaseLength)
             \/ CanLose /\ Lose /\ NoStart /\ (UNCHANGED sb \/ GiveUp(s))
     ELSE /\ GoTo(s, "read") /\ Keep /\ NoStart /\ UNCHANGED rec
  /\ UNCHANGED <<queue, dead, redrives, effects, clock, crashes, failures>>

\* A request of the claim that is not applied.
ClaimFails(s) ==
  /\ sb[s].pc \in {"insert", "read", "take"}
  /\ CanLose /\ Lose /\ GiveUp(s) /\ NoStart
  /\ UNCHANGED <<rec, queue, dead, redrives, effects, clock, crashes, failures>>

----------------------------------------------------------------------------
\* Working. Time may pass here as long as it likes: a handler that outlives its
\* lease acts all the same.

Owns(s) == rec[K(s)].st = "open" /\ rec[K(s)].owner = sb[s].tok

Fenced(s) == Owns(s) \/ (Mutant = "no fence on complete" /\ rec[K(s)].st # "absent")

ForeignEffect(s) ==
  /\ ~Tx /\ sb[s].pc = "work"
  /\ effects' = [effects EXCEPT ![K(s)] = IF @ = 2 THEN 2 ELSE @ + 1]
  /\ GoTo(s, "complete") /\ NoStart
  /\ UNCHANGED <<rec, queue, dead, redrives, clock, crashes, losses, failures>>

\* A transaction whose answer is lost fails the handler; that its claim is to be
\* released then must change nothing.
InTx(s) ==
  /\ Tx /\ sb[s].pc = "work"
  /\ IF Fenced(s)
     THEN /\ effects' = [effects EXCEPT ![K(s)] = IF @ = 2 THEN 2 ELSE @ + 1]
          /\ rec' = [rec EXCEPT ![K(s)] = [@ EXCEPT !.st = "done", !.lease = 0]]
          /\ \/ Keep /\ GoTo(s, "settle")
             \/ CanLose /\ Lose /\ GiveUp(s)
     ELSE /\ GiveUp(s)
          /\ Keep /\ UNCHANGED <<rec, effects>>
  /\ NoStart /\ UNCHANGED <<queue, dead, redrives, clock, crashes, failures>>

\* What a handler does before it fails is not counted: only what is done may
\* stand for a message that is gone.
HandlerFails(s) ==
  /\ sb[s].pc = "work" /\ failures < MaxFailures
  /\ failures' = failures + 1
  /\ GiveUp(s)
  /\ NoStart /\ UNCHANGED <<rec, queue, dead, redrives, effects, clock, crashes, losses>>

\* A permanent failure is sent to the dead-letter queue, and then settled; its
\* claim is released, so that a redrive runs it.
Permanent(s) ==
  /\ sb[s].pc = "work" /\ failures < MaxFailures
  /\ failures' = failures + 1
  /\ dead' = IF sb[s].epoch = redrives[sb[s].m] THEN dead \cup {sb[s].m} ELSE dead
  /\ sb' = [sb EXCEPT ![s].pc = "release", ![s].then = IF sb[s].epoch = redrives[sb[s].m] THEN "settle" ELSE "fail"]
  /\ NoStart /\ UNCHANGED <<rec, queue, redrives, effects, clock, crashes, losses>>

----------------------------------------------------------------------------
\* Settling. Work that is done is settled even if the store does not hear of it.

Complete(s) ==
  /\ sb[s].pc = "complete"
  /\ \/ /\ rec' = IF Fenced(s) THEN [rec EXCEPT ![K(s)] = [@ EXCEPT !.st = "done", !.lease = 0]] ELSE rec
        /\ Keep
     \/ CanLose /\ Lose /\ UNCHANGED rec
  /\ GoTo(s, "settle") /\ NoStart
  /\ UNCHANGED <<queue, dead, redrives, effects, clock, crashes, failures>>

Release(s) ==
  /\ sb[s].pc = "release"
  /\ \/ /\ rec' = IF Owns(s) \/ (Mutant = "no fence on release" /\ rec[K(s)].st = "open")
                  THEN [rec EXCEPT ![K(s)] = [@ EXCEPT !.lease = 0]] ELSE rec
        /\ Keep
     \/ CanLose /\ Lose /\ UNCHANGED rec
  /\ IF sb[s].then = "settle" THEN GoTo(s, "settle") ELSE Stop(s)
  /\ NoStart
  /\ UNCHANGED <<queue, dead, redrives, effects, clock, crashes, failures>>

Settle(s) ==
  /\ sb[s].pc = "settle"
  /\ queue' = IF sb[s].epoch = redrives[sb[s].m] THEN [queue EXCEPT ![sb[s].m].st = "gone"] ELSE queue
  /\ Stop(s)
  /\ NoStart /\ UNCHANGED <<rec, dead, redrives, effects, clock, crashes, losses, failures>>

----------------------------------------------------------------------------
Crash(s) ==
  /\ sb[s].pc # "idle" /\ crashes < MaxCrashes
  /\ crashes' = crashes + 1
  /\ Stop(s)
  /\ NoStart /\ UNCHANGED <<rec, queue, dead, redrives, effects, clock, losses, failures>>

Tick ==
  /\ clock < MaxClock
  /\ clock' = clock + 1
  /\ NoStart /\ UNCHANGED <<rec, sb, queue, dead, redrives, effects, crashes, losses, failures>>

\* What a sandbox does by itself.
Step(s) ==
  \/ Insert(s) \/ Read(s) \/ Take(s)
  \/ ForeignEffect(s) \/ InTx(s)
  \/ Complete(s) \/ Release(s) \/ Settle(s)

Next ==
  \/ \E s \in Sandboxes : Step(s) \/ ClaimFails(s) \/ HandlerFails(s) \/ Permanent(s) \/ Crash(s)
  \/ \E s \in Sandboxes, m \in Messages : Receive(s, m)
  \/ \E m \in Messages : Exhaust(m) \/ Redrive(m)
  \/ Tick

Fairness ==
  /\ \A s \in Sandboxes : WF_vars(Step(s))
  /\ \A m \in Messages : WF_vars(\E s \in Sandboxes : Receive(s, m)) /\ WF_vars(Exhaust(m)) /\ WF_vars(Redrive(m))
  /\ WF_vars(Tick)

Spec == Init /\ [][Next]_vars /\ Fairness

\* Without fairness nothing need ever happen: the property must fail.
Unfair == Init /\ [][Next]_vars

----------------------------------------------------------------------------
Runs(s) == sb[s].pc = "work"
Live(s) == ~Over(sb[s])

\* No two handlers of a key run while both leases are live.
NoOverlap ==
  \A s, t \in Sandboxes : s # t /\ Runs(s) /\ Runs(t) /\ K(s) = K(t) => ~(Live(s) /\ Live(t))

\* While a lease is live, the record is its owner's, and says so.
LeaseHolds == \A s \in Sandboxes : Runs(s) /\ Live(s) => Owns(s) /\ rec[K(s)].lease = sb[s].lease

\* InTx: one effect, whatever happens.
OneEffect == Tx => \A k \in Keys : effects[k] <= 1

Generations == genOK

\* A message that is gone was worked, or is in the dead-letter queue.
NoLoss == \A m \in Messages : queue[m].st = "gone" => effects[KeyOf(m)] > 0 \/ m \in dead

\* What is completed was worked.
CompletedIsDone == \A k \in Keys : rec[k].st = "done" => effects[k] > 0

\* Every message is settled or dead-lettered, in the end for good, and what is
\* dead-lettered is redriven as often as an operator does so.
Settles == \A m \in Messages :
  <>[](queue[m].st = "gone" /\ (m \in dead => redrives[m] = MaxRedrives))
=============================================================================

package simulation_test

import (
	"fmt"
	"strings"
)

// window is a situation that a schedule may reach.
type window int

const (
	runs window = iota
	claimFailed
	claimLost
	claimRetried
	ownClaim
	claimCrashBefore
	claimCrashAfter
	takeover
	takeoverLapsed
	takeoverLost
	expiredReopened
	completionLost
	completionFailed
	completionLate
	completeFenced
	completeCrashBefore
	completeCrashAfter
	releaseFenced
	releaseFailed
	releaseCrashBefore
	releaseCrashAfter
	throttled
	unprocessed
	handlerCrashBefore
	handlerCrashAfter
	answerCrash
	hungAbandoned
	zombieActed
	cancelled
	notStarted
	txCommitted
	txLost
	txFenced
	txCrashBefore
	txCrashAfter
	ttlIdle
	ttlMidFlight
	copyInBatch
	busyHidden
	awaitCompleted
	awaitTookOver
	awaitGaveUp
	sinkFailed
	sinkLost
	deadLettered
	maxReceives
	redriven
	redriveRan
	fifoStopped
	duplicateSkipped
	deleteLost
	visibilityFailed
	foreignRepeated
	retriesExhausted
	cacheHit
	outboxTaken
	outboxPublished
	outboxRepeated
	outboxFailed
	outboxLost
	outboxCrash
	txRetried
	ttlBetween
	windows
)

// describe returns a window's name, and how often in 10,000 schedules it must be
// reached: two fifths of what was measured, so that a change which makes the
// simulation blind to a window is noticed.
func (x window) describe() (name string, floor int) {
	switch x {
	case runs:
		return "handler run", 13030
	case claimFailed:
		return "claim failed, not applied", 520
	case claimLost:
		return "claim applied, response lost", 625
	case claimRetried:
		return "claim sent twice by the SDK", 361
	case ownClaim:
		return "own claim recognised", 222
	case claimCrashBefore:
		return "crash before a claim", 325
	case claimCrashAfter:
		return "crash after a claim", 324
	case takeover:
		return "takeover of a released claim", 4263
	case takeoverLapsed:
		return "takeover of a lapsed lease", 1324
	case takeoverLost:
		return "takeover lost to another attempt", 258
	case expiredReopened:
		return "completed record expired and claimed anew", 200
	case completionLost:
		return "completion applied, response lost", 120
	case completionFailed:
		return "completion not applied", 101
	case completionLate:
		return "settlement applied after its sender gave up", 188
	case completeFenced:
		return "completion fenced", 24
	case completeCrashBefore:
		return "crash before a completion", 46
	case completeCrashAfter:
		return "crash after a completion", 45
	case releaseFenced:
		return "release fenced", 1922
	case releaseFailed:
		return "release not applied", 165
	case releaseCrashBefore:
		return "crash before a release", 75
	case releaseCrashAfter:
		return "crash after a release", 77
	case throttled:
		return "statement throttled", 1873
	case unprocessed:
		return "key left unprocessed by a read", 621
	case handlerCrashBefore:
		return "crash in a handler before its effect", 148
	case handlerCrashAfter:
		return "crash in a handler after its effect", 141
	case answerCrash:
		return "crash after the work, before the answer", 472
	case hungAbandoned:
		return "hung handler abandoned", 498
	case zombieActed:
		return "abandoned handler acted late", 215
	case cancelled:
		return "handler heeded its cancelled context", 148
	case notStarted:
		return "deadline margin reached before the start", 169
	case txCommitted:
		return "InTx committed", 3786
	case txLost:
		return "InTx applied, response lost", 56
	case txFenced:
		return "InTx fenced", 87
	case txCrashBefore:
		return "crash before InTx", 22
	case txCrashAfter:
		return "crash after InTx", 21
	case ttlIdle:
		return "TTL deleted an idle record", 327
	case ttlMidFlight:
		return "TTL deleted a record mid-flight", 8
	case copyInBatch:
		return "copy in one batch", 1544
	case busyHidden:
		return "in progress elsewhere, hidden", 678
	case awaitCompleted:
		return "awaited, then completed elsewhere", 105
	case awaitTookOver:
		return "awaited, then took over", 50
	case awaitGaveUp:
		return "awaited until the own margin", 109
	case sinkFailed:
		return "dead-letter send failed", 93
	case sinkLost:
		return "dead-letter send applied, response lost", 93
	case deadLettered:
		return "message dead-lettered by the consumer", 1849
	case maxReceives:
		return "message dead-lettered by the queue", 418
	case redriven:
		return "dead letter redriven", 2525
	case redriveRan:
		return "redriven dead letter ran", 1428
	case fifoStopped:
		return "rest of a FIFO group reported", 636
	case duplicateSkipped:
		return "duplicate settled without a run", 6253
	case deleteLost:
		return "settled message delivered again", 297
	case visibilityFailed:
		return "visibility change failed", 538
	case foreignRepeated:
		return "foreign effect repeated, with its excuse", 527
	case retriesExhausted:
		return "asynchronous retries exhausted", 257
	case cacheHit:
		return "duplicate answered by a sandbox's cache", 256
	case outboxTaken:
		return "claim granted with events to publish", 248
	case outboxPublished:
		return "outbox published", 1616
	case outboxRepeated:
		return "outbox published again", 102
	case outboxFailed:
		return "outbox not published", 37
	case outboxLost:
		return "outbox published, response lost", 36
	case outboxCrash:
		return "crash around a publication", 75
	case txRetried:
		return "InTx tried again by its handler", 76
	case ttlBetween:
		return "TTL deleted a record between INSERT and read", 138
	default:
		return "unknown", 0
	}
}

// tally counts windows.
type tally [windows]int

func (t *tally) add(o *tally) {
	for i, n := range o {
		t[i] += n
	}
}

// table prints how often each window was reached.
func (t *tally) table(schedules int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-48s %12s %12s %8s\n", "window", "reached", "per 10,000", "floor")
	for x := range windows {
		name, floor := x.describe()
		fmt.Fprintf(&b, "%-48s %12d %12.1f %8d\n", name, t[x], float64(t[x])*10000/float64(max(schedules, 1)), floor)
	}
	return b.String()
}

// blind returns the windows that were reached too seldom. In a run too short to
// promise a window twice, its absence says nothing.
func (t *tally) blind(schedules int) (names []string) {
	for x := range windows {
		name, floor := x.describe()
		if want := floor * schedules / 10000; want > 1 && t[x] < want {
			names = append(names, fmt.Sprintf("%s: %d times in %d schedules, floor %d per 10,000", name, t[x], schedules, floor))
		}
	}
	return names
}

package main

// mutant is a mistake in the protocol's source.
type mutant struct {
	name  string // short, and said when it survives
	edits []edit
	test  string // a package and a test that finds it; empty for the simulation
	run   string
}

// edit replaces the one occurrence of old in a file, whose path is relative to
// the module.
type edit struct{ file, old, new string }

const (
	batchFile      = "framework/consumer/batch.go"
	claimsFile     = "framework/consumer/claims.go"
	workFile       = "framework/consumer/work.go"
	sourcesFile    = "framework/consumer/sources.go"
	limitsFile     = "framework/consumer/limits.go"
	storeFile      = "framework/idempotency/store.go"
	memoryFile     = "framework/idempotency/memory.go"
	cachedFile     = "framework/idempotency/cached.go"
	statementsFile = "framework/idempotency/dynamostore/statements.go"
	dynamoFile     = "framework/idempotency/dynamostore/store.go"
	txFile         = "framework/idempotency/dynamostore/tx.go"
)

// mutants is the list. Each breaks one promise, and compiles.
func mutants() []mutant {
	one := func(name, file, before, after string) mutant {
		return mutant{name: name, edits: []edit{{file, before, after}}}
	}
	list := append(storeMutants(one), consumerMutants(one)...)
	expired := one("TTL trusted: what has expired counts until it is deleted", storeFile,
		"	case rec.Expires.Before(req.Now):\n		return 0\n", "")
	expired.test, expired.run = "./framework/idempotency/...", "."
	cache := one("cache outlives the record", cachedFile,
		"	if !result.Until.IsZero() && result.Until.Before(until) {", "	if false {")
	cache.test, cache.run = "./framework/idempotency", "Cached"
	return append(list, expired, cache)
}

type maker func(name, file, before, after string) mutant

func storeMutants(one maker) []mutant {
	return []mutant{
		{name: "no fence on complete (DynamoDB)", edits: []edit{
			{statementsFile, `REMOVE "outbox" WHERE "id"=? AND "owner"=?` + "`", `REMOVE "outbox" WHERE "id"=?` + "`"},
			{
				statementsFile, "str(string(idempotency.StatusCompleted)), seconds(set.Expires), str(set.Key), str(set.Owner),",
				"str(string(idempotency.StatusCompleted)), seconds(set.Expires), str(set.Key),",
			},
		}},
		{name: "no fence on release (DynamoDB)", edits: []edit{
			{statementsFile, `WHERE "id"=? AND "owner"=? AND "status"=?`, `WHERE "id"=? AND "status"=?`},
			{
				statementsFile, "num(0), str(set.Key), str(set.Owner), str(string(idempotency.StatusInProgress)),",
				"num(0), str(set.Key), str(string(idempotency.StatusInProgress)),",
			},
		}},
		one("no fence on settlements (Memory)", memoryFile, "	if !found || rec.Owner != s.Owner {\n		return ErrLost", "	if !found {\n		return ErrLost"),
		one("no fence on takeover", statementsFile,
			`for _, name := range []string{"status", "owner", "generation", "in_progress_expiration", "expiration"} {`,
			`for _, name := range []string{"id"} {`),
		one("lease ignored", storeFile, "	case rec.Lease.Before(req.Now):", "	case rec.Lease.Before(req.Now) || rec.Owner != req.Owner:"),
		one("completed record reopened", storeFile, "	case rec.Status == StatusCompleted:\n		return Completed", "	case rec.Status == StatusCompleted:\n		return 0"),
		one("absent record taken for a completed one", dynamoFile, "				absent = append(absent, i)\n",
			"				c.results[i] = idempotency.ClaimResult{Outcome: idempotency.Completed}\n"),
		one("generation starts anew on takeover (DynamoDB)", dynamoFile, "				Generation: rec.Generation + 1,", "				Generation: 1,"),
		one("generation kept on takeover (DynamoDB)", statementsFile, "num(seen.record().Generation + 1)", "num(seen.record().Generation)"),
		one("generation starts anew on takeover (Memory)", memoryFile, "		Generation: rec.Generation + 1,", "		Generation: 1,"),
		one("own claim not recognised after a lost response", storeFile, `	case rec.Owner == req.Owner && rec.Owner != "":`, "	case false:"),
		{name: "released claim deletes the record (DynamoDB)", edits: []edit{
			{statementsFile, "`UPDATE \"`+s.table+`\" SET \"in_progress_expiration\"=? WHERE \"id\"=? AND \"owner\"=? AND \"status\"=?`", "`DELETE FROM \"`+s.table+`\" WHERE \"id\"=? AND \"owner\"=? AND \"status\"=?`"},
			{statementsFile, "num(0), str(set.Key), str(set.Owner)", "str(set.Key), str(set.Owner)"},
		}},
		one("released claim deletes the record (Memory)", memoryFile, "		rec.Lease = time.Time{}\n	default:", "		delete(m.records, s.Key)\n		return nil\n	default:"),
		one("InTx not fenced by its owner (DynamoDB)", txFile, "#owner = :owner AND #status = :open AND attribute_not_exists(#outbox)", "attribute_not_exists(#outbox)"),
		one("InTx applied twice: its claim need not be open", txFile, "#owner = :owner AND #status = :open AND", "#owner = :owner AND"),
		one("InTx applied twice: its events need not be new", txFile, " AND attribute_not_exists(#outbox)", ""),
		one("InTx not fenced by its owner (Memory)", memoryFile, "if !found || rec.Owner != s.Owner || rec.Status != StatusInProgress || len(rec.Pending) > 0 {", "if !found {"),
		one("takeover forgets that the work is committed (DynamoDB)", dynamoFile, "				Pending:    pending(rec, c.requests[l.index]),\n", ""),
		one("takeover forgets that the work is committed (Memory)", memoryFile, "		next.Pending = rec.Pending // committed work stays committed\n", ""),
		one("cache remembers claims", cachedFile, "if answers[n].Outcome == Completed {", "if answers[n].Err == nil {"),
	}
}

func consumerMutants(one maker) []mutant {
	const granted = "		it.claim = idempotency.NewClaim(it.request, result)\n"
	return []mutant{
		one("mark before work: completed when claimed", claimsFile, granted, granted+"		b.settle(it.claim.Settlement(idempotency.Complete))\n"),
		one("completion counted before the handler returned", workFile, "		it.started = true\n",
			"		it.started = true\n		if it.claim != nil {\n			b.settle(it.claim.Settlement(idempotency.Complete))\n		}\n"),
		one("failure completed", workFile, "		action := idempotency.Release\n		if m.complete {", "		action := idempotency.Release\n		if m.it != nil {"),
		one("Permanent completed instead of released", workFile, "	return workedMsg{it: it, verdict: verdict{fate: deadLettered, err: reason}}", "	return workedMsg{it: it, verdict: verdict{fate: deadLettered, err: reason}, complete: true}"),
		one("dead letter settled though it was not sent", workFile, "verdict{fate: retried, err: errors.Join(reason, err)}", "verdict{fate: deadLettered, err: errors.Join(reason, err)}"),
		one("hung handler's claim released at the deadline", batchFile, "		v := verdict{fate: retried, err: errDeadlineRunning}\n		if it.claim != nil {",
			"		v := verdict{fate: retried, err: errDeadlineRunning}\n		if it.claim != nil {\n			b.settle(it.claim.Settlement(idempotency.Release))"),
		one("hung handler taken for done", batchFile, "v := verdict{fate: retried, err: errDeadlineRunning}", "v := verdict{fate: done, err: errDeadlineRunning}"),
		one("message not started taken for done", batchFile, "		b.finish(it, verdict{fate: retried, err: errDeadlineUnstarted})\n	}\n}", "		b.finish(it, verdict{fate: done, err: errDeadlineUnstarted})\n	}\n}"),
		one("batchItemFailures forgets a message", sourcesFile, "		if !it.verdict.fate.settled() {\n			failures", "		if !it.verdict.fate.settled() && len(failures) == 0 {\n			failures"),
		one("follower settled though its leader failed", batchFile, "	default:\n		b.resolve(f, v)", "	default:\n		b.resolve(f, verdict{fate: duplicate})"),
		one("dead letter's copy settled without being sent", batchFile, "			f.reason, f.phase = v.err, ready\n			b.advance(f.lane)", "			b.resolve(f, verdict{fate: duplicate})"),
		one("FIFO lane not stopped", batchFile, "	case v.fate == retried:\n		b.stopLane(it, v.hide)", "	case v.fate == retried:"),
		one("in progress elsewhere taken for done", claimsFile, "verdict{fate: retried, err: &busyError{result.Until}}", "verdict{fate: duplicate}"),
		one("in progress elsewhere hidden too shortly", batchFile, "		return max(busy.until.Sub(b.inv.now()), time.Second)", "		return time.Second"),
		one("store failure runs the handler unguarded", claimsFile, "		b.resolve(it, verdict{fate: retried, err: &storeError{result.Err}})", "		it.phase = ready\n		b.advance(it.lane)"),
		one("lease without grace", limitsFile, "	return end.Add(leaseGrace)", "	return end"),
		one("answer comes after the deadline", limitsFile, "		settle:   deadline.Add(-margin / 4),", "		settle:   deadline.Add(margin),"),
		one("hung handler waited for", limitsFile, "		hard:     deadline.Add(-margin / 2),\n		settle:   deadline.Add(-margin / 4),", "		hard:     deadline.Add(margin / 2),\n		settle:   deadline.Add(margin),"),
		one("completed though its events were not published", workFile, "		return workedMsg{it: it, verdict: verdict{fate: retried, err: err}}\n	}\n	return workedMsg{it: it, verdict: verdict{fate: done}, complete: true}",
			"		return workedMsg{it: it, verdict: verdict{fate: done}, complete: true}\n	}\n	return workedMsg{it: it, verdict: verdict{fate: done}, complete: true}"),
		one("committed work run again", workFile, "	if it.claim == nil || !it.claim.Committed() {", "	if it.claim == nil || it.claim != nil {"),
		one("completions forgotten when the batch ends", batchFile, "if b.left == 0 && !b.settling && len(b.pending) == 0 &&", "if b.left == 0 &&"),
		one("visibility of what was not reported changed", sourcesFile, "		if it.verdict.fate == retried {\n			changes", "		if it.verdict.fate != undecided {\n			changes"),
	}
}

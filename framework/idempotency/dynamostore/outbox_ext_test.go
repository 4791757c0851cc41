package dynamostore_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/idempotency"
)

func outgoing(bodies ...string) []idempotency.Outgoing {
	var events []idempotency.Outgoing
	for _, b := range bodies {
		events = append(events, idempotency.Outgoing{To: "bus", Type: "x.v1", Body: json.RawMessage(b), Group: "g", DeduplicationID: "d"})
	}
	return events
}

// next is the claim of the message's next delivery, an hour later.
func (x *tx) next() (idempotency.ClaimRequest, idempotency.ClaimResult) {
	x.t.Helper()
	req := requests(1, "successor", base().Add(time.Hour))[0]
	results, err := x.store.Claim(x.t.Context(), []idempotency.ClaimRequest{req})
	if err != nil {
		x.t.Fatal(err)
	}
	return req, results[0]
}

func TestInTxPublishKeepsEventsUntilTheyArePublished(t *testing.T) {
	t.Parallel()
	x := newTx(t)
	events := outgoing(`{"a":1}`, `2`)
	if err := x.store.InTxPublish(x.ctx, events, x.effect("e", "")); err != nil {
		t.Fatal(err)
	}
	x.wantRuns("e", "1")
	x.wantStatus(idempotency.StatusInProgress)
	if !x.claim.Committed() || len(x.claim.Pending()) != 2 {
		t.Errorf("committed %t, pending %v", x.claim.Committed(), x.claim.Pending())
	}

	// Neither a second commit by this attempt, nor one by a claim that believes
	// its first was not applied, does the work again.
	if err := x.store.InTx(x.ctx, x.effect("e", "")); !errors.Is(err, idempotency.ErrCommitted) {
		t.Errorf("second commit: %v", err)
	}
	again := idempotency.NewClaim(x.req, idempotency.ClaimResult{Generation: 1})
	for _, events := range [][]idempotency.Outgoing{nil, outgoing(`3`)} {
		if err := x.store.InTxPublish(idempotency.NewContext(t.Context(), again), events, x.effect("e", "")); !errors.Is(err, idempotency.ErrLost) {
			t.Errorf("commit of a committed record: %v", err)
		}
	}
	x.wantRuns("e", "1")

	// A release keeps them; the next delivery is handed what is pending.
	settleAll(t, x.store, []idempotency.Settlement{x.claim.Settlement(idempotency.Release)})
	req, result := x.next()
	if result.Outcome != idempotency.Claimed || result.Generation != 2 {
		t.Fatalf("next claim = %+v", result)
	}
	if diff := cmp.Diff(events, result.Pending); diff != "" {
		t.Errorf("pending (-want +got):\n%s", diff)
	}
	settleAll(t, x.store, []idempotency.Settlement{{Key: req.Key, Owner: req.Owner, Action: idempotency.Complete, Expires: req.Expires}})
	rec, _, err := x.store.Get(t.Context(), req.Key)
	if err != nil || rec.Status != idempotency.StatusCompleted || len(rec.Pending) != 0 {
		t.Errorf("record = %+v, %v; want completed, with nothing pending", rec, err)
	}
}

// A crash leaves the lease; a takeover after it finds the events too.
func TestInTxPublishCrash(t *testing.T) {
	t.Parallel()
	x := newTx(t)
	if err := x.store.InTxPublish(x.ctx, outgoing(`1`), x.effect("e", "")); err != nil {
		t.Fatal(err)
	}
	soon := requests(1, "too soon", base().Add(time.Second))
	if results, err := x.store.Claim(t.Context(), soon); err != nil || results[0].Outcome != idempotency.InProgress {
		t.Errorf("while the lease is live: %+v, %v", results, err)
	}
	if _, result := x.next(); result.Outcome != idempotency.Claimed || len(result.Pending) != 1 || !result.TakenOver {
		t.Errorf("after the lease: %+v", result)
	}
	// And again, whoever crashes.
	req := requests(1, "third", base().Add(2*time.Hour))
	if results, err := x.store.Claim(t.Context(), req); err != nil || len(results[0].Pending) != 1 || results[0].Generation != 3 {
		t.Errorf("third claim: %+v, %v", results, err)
	}
}

// A commit whose answer is lost is a failure to the handler; the release that
// follows must not lose what was committed.
func TestInTxPublishAnswerLost(t *testing.T) {
	t.Parallel()
	x := newTx(t)
	x.w.after = func(int, call) error { return errWire }
	if err := x.store.InTxPublish(x.ctx, outgoing(`1`), x.effect("e", "")); err == nil {
		t.Fatal("no error: the test does not test")
	}
	x.w.after = nil
	settleAll(t, x.store, []idempotency.Settlement{x.claim.Settlement(idempotency.Release)})
	if _, result := x.next(); len(result.Pending) != 1 {
		t.Errorf("next claim = %+v, want the event pending", result)
	}
	x.wantRuns("e", "1")
}

// What an expired record held is as forgotten as the work.
func TestOutboxOfAnExpiredRecord(t *testing.T) {
	t.Parallel()
	x := newTx(t)
	if err := x.store.InTxPublish(x.ctx, outgoing(`1`), x.effect("e", "")); err != nil {
		t.Fatal(err)
	}
	late := requests(1, "late", x.req.Expires.Add(time.Hour))
	results, err := x.store.Claim(t.Context(), late)
	if err != nil || results[0].Outcome != idempotency.Claimed || len(results[0].Pending) != 0 {
		t.Fatalf("claim = %+v, %v", results, err)
	}
	if rec, _, _ := x.store.Get(t.Context(), late[0].Key); len(rec.Pending) != 0 {
		t.Errorf("record = %+v: the next redelivery would publish what is forgotten", rec)
	}
}

func TestR19InTxPublishRefusesTooMuch(t *testing.T) {
	t.Parallel()
	x := newTx(t)
	err := x.store.InTxPublish(x.ctx, outgoing(`"`+strings.Repeat("x", 400<<10)+`"`), x.effect("e", ""))
	if err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("error = %v", err)
	}
	x.wantRuns("e", "")
	if x.claim.Committed() {
		t.Error("the claim counts as committed")
	}
}

// A takeover without a fingerprint forgets the one before: it was of a message
// that failed.
func TestTakeoverForgetsTheFingerprint(t *testing.T) {
	t.Parallel()
	_, store := newStore(t)
	first := requests(1, "first", base())
	first[0].Fingerprint = "x.v1:old:"
	claimAll(t, store, first, idempotency.Claimed)
	claimAll(t, store, requests(1, "second", base().Add(time.Hour)), idempotency.Claimed)
	if rec, _, err := store.Get(t.Context(), first[0].Key); err != nil || rec.Fingerprint != "" {
		t.Errorf("record = %+v, %v", rec, err)
	}
}

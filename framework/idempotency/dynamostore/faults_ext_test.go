package dynamostore_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/idempotency/dynamostore"
)

// TestThrottledStatementsAlone: what succeeded is not sent again.
func TestThrottledStatementsAlone(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"ProvisionedThroughputExceeded", "ThrottlingError", "RequestLimitExceeded", "InternalServerError", "TransactionConflict"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, s := newStore(t)
				w.throttle = func(n, i int) (string, bool) { return code, n == 0 && i >= 7 || n == 1 && i == 0 }
				reqs := requests(10, "me", base())
				claimAll(t, s, reqs, idempotency.Claimed)
				wantCalls(t, w, "INSERT 10", "INSERT 3", "INSERT 1")

				w.throttle = func(n, i int) (string, bool) { return code, n == 0 && i%2 == 0 }
				settleAll(t, s, settlements(idempotency.Complete, reqs))
				wantCalls(t, w, "UPDATE 10", "UPDATE 5")
				claimAll(t, s, requests(10, "other", base()), idempotency.Completed)
			})
		})
	}
}

func TestThrottledForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s := newStore(t)
		w.throttle = func(_, i int) (string, bool) { return "ThrottlingError", i == 0 } // the first that is left
		results, err := s.Claim(t.Context(), requests(3, "me", base()))
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			if i == 0 != (r.Err != nil) || i == 0 && !strings.Contains(r.Err.Error(), "ThrottlingError") {
				t.Errorf("key %d: %+v", i, r)
			}
		}
		wantCalls(t, w, "INSERT 3", "INSERT 1", "INSERT 1", "INSERT 1")

		w.throttle = func(int, int) (string, bool) { return "ThrottlingError", true }
		if _, err := s.Claim(t.Context(), requests(2, "me", base())); err == nil {
			t.Error("nothing is known about any key, and the call has no error")
		}
	})
}

// TestRefusedStatementIsNotRetried: its parameters would be as wrong again.
func TestRefusedStatementIsNotRetried(t *testing.T) {
	t.Parallel()
	w, s := newStore(t)
	w.throttle = func(_, i int) (string, bool) { return "ValidationError", i == 1 }
	results, err := s.Claim(t.Context(), requests(2, "me", base()))
	if err != nil || results[0].Outcome != idempotency.Claimed || results[1].Err == nil {
		t.Errorf("results: %+v, %v", results, err)
	}
	wantCalls(t, w, "INSERT 2")
}

func TestContextEndsTheRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s := newStore(t)
		ctx, cancel := context.WithCancel(t.Context())
		w.throttle = func(int, int) (string, bool) { cancel(); return "ThrottlingError", true }
		if _, err := s.Claim(ctx, requests(2, "me", base())); err == nil {
			t.Error("no error")
		}
		wantCalls(t, w, "INSERT 2")
	})
}

// TestR03R06LostResponses: each request is applied, and its response lost. The SDK
// sends it again, and the store knows its own work.
func TestR03R06LostResponses(t *testing.T) {
	t.Parallel()
	lose := func(w *wire, op string) {
		lost := false
		w.after = func(_ int, c call) error {
			if !lost && strings.HasPrefix(c.short(), op) {
				lost = true
				return errWire
			}
			return nil
		}
	}
	t.Run("claim", func(t *testing.T) {
		t.Parallel()
		w, s := newStore(t)
		lose(w, "INSERT")
		results := claimAll(t, s, requests(3, "me", base()), idempotency.Claimed)
		if results[0].Generation != 1 {
			t.Errorf("result = %+v", results[0])
		}
		wantCalls(t, w, "INSERT 3", "INSERT 3", "BatchGetItem 3")
	})
	t.Run("takeover", func(t *testing.T) {
		t.Parallel()
		w, s := newStore(t)
		claimAll(t, s, requests(3, "crashed", base()), idempotency.Claimed)
		w.take()
		lose(w, "UPDATE")
		results := claimAll(t, s, requests(3, "me", base().Add(time.Hour/2)), idempotency.Claimed)
		if results[0].Generation != 2 {
			t.Errorf("result = %+v", results[0])
		}
		wantCalls(t, w, "INSERT 3", "BatchGetItem 3", "UPDATE 3", "UPDATE 3", "BatchGetItem 3")
	})
	for name, action := range map[string]idempotency.Action{"completion": idempotency.Complete, "release": idempotency.Release} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := newStore(t)
			reqs := requests(3, "me", base())
			claimAll(t, s, reqs, idempotency.Claimed)
			w.take()
			lose(w, "UPDATE")
			settleAll(t, s, settlements(action, reqs))
			wantCalls(t, w, "UPDATE 3", "UPDATE 3")
		})
	}
	t.Run("claim, on every try", func(t *testing.T) {
		t.Parallel()
		w, s := newStore(t)
		w.after = func(int, call) error { return errWire }
		reqs := requests(2, "me", base())
		if _, err := s.Claim(t.Context(), reqs); !errors.Is(err, errWire) {
			t.Fatalf("err = %v", err)
		}
		w.after = nil
		claimAll(t, s, reqs, idempotency.Claimed)
		claimAll(t, s, requests(2, "other", base()), idempotency.InProgress)
	})
}

// TestOneRequestOfTwoFails: what is known is told, key by key.
func TestOneRequestOfTwoFails(t *testing.T) {
	t.Parallel()
	w, s := newStore(t)
	w.before = func(_ int, c call) error {
		if c.short() == "INSERT 1" {
			return errWire
		}
		return nil
	}
	results, err := s.Claim(t.Context(), requests(26, "me", base()))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if failed := i == 25; failed != errors.Is(r.Err, errWire) || failed != (r.Outcome == 0) {
			t.Errorf("key %d: %+v", i, r)
		}
	}
}

// TestReadFails: a key that exists, and whose record cannot be read, is not
// known to be anything.
func TestReadFails(t *testing.T) {
	t.Parallel()
	w, s := newStore(t)
	claimAll(t, s, requests(1, "other", base()), idempotency.Claimed)
	w.before = func(_ int, c call) error {
		if c.op == "BatchGetItem" {
			return errWire
		}
		return nil
	}
	results, err := s.Claim(t.Context(), requests(2, "me", base()))
	if err != nil || results[0].Err == nil || results[0].Outcome != 0 || results[1].Outcome != idempotency.Claimed {
		t.Errorf("results: %+v, %v", results, err)
	}
	if _, _, err := s.Get(t.Context(), "any"); !errors.Is(err, errWire) {
		t.Errorf("Get: %v", err)
	}
}

// TestUnprocessedKeys: BatchGetItem may leave keys out, and say so.
func TestUnprocessedKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s := newStore(t)
		claimAll(t, s, requests(3, "other", base()), idempotency.Claimed)
		w.take()
		w.answer = func(_ int, c call, body []byte) []byte {
			if c.op != "BatchGetItem" || c.keys == 1 {
				return body
			}
			var out struct {
				Responses map[string][]map[string]json.RawMessage
			}
			must(0, json.Unmarshal(body, &out))
			items := out.Responses[table]
			last := items[len(items)-1]
			return must(json.Marshal(map[string]any{
				"Responses":       map[string]any{table: items[:len(items)-1]},
				"UnprocessedKeys": map[string]any{table: map[string]any{"ConsistentRead": true, "Keys": []any{map[string]any{"id": last["id"]}}}},
			}))
		}
		claimAll(t, s, requests(3, "me", base()), idempotency.InProgress)
		wantCalls(t, w, "INSERT 3", "BatchGetItem 3", "BatchGetItem 1")

		w.answer = func(_ int, c call, body []byte) []byte {
			if c.op != "BatchGetItem" {
				return body
			}
			return []byte(`{"Responses":{},"UnprocessedKeys":{"` + table + `":{"ConsistentRead":true,"Keys":[{"id":{"S":"shop#order#0"}}]}}}`)
		}
		// A key that stays unread is not a key that has no record.
		if rec, found, err := s.Get(t.Context(), "shop#order#0"); err == nil {
			t.Errorf("Get: %+v, %t", rec, found)
		}
		wantCalls(t, w, slices.Repeat([]string{"BatchGetItem 1"}, 4)...)
	})
}

// TestAnswerOfAnotherLength: whose answers they are is then unknown.
func TestAnswerOfAnotherLength(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"fewer": `{"Responses":[{}]}`, "none": `{}`, "more": `{"Responses":[{},{},{},{}]}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := newStore(t)
			w.answer = func(int, call, []byte) []byte { return []byte(body) }
			if results, err := s.Claim(t.Context(), requests(3, "me", base())); err == nil {
				t.Errorf("Claim: %+v", results)
			}
			for i, err := range s.Settle(t.Context(), settlements(idempotency.Complete, requests(3, "me", base()))) {
				if err == nil || errors.Is(err, idempotency.ErrLost) {
					t.Errorf("settlement %d: %v", i, err)
				}
			}
		})
	}
}

// TestR24RecordVanishesBetween: TTL deletes it after our INSERT and before our
// read; and a key that never stops changing is given up, not spun on.
func TestR24RecordVanishesBetween(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s := newStore(t)
		w.throttle = func(n, _ int) (string, bool) { return "DuplicateItem", n == 0 }
		claimAll(t, s, requests(2, "me", base()), idempotency.Claimed)
		wantCalls(t, w, "INSERT 2", "BatchGetItem 2", "INSERT 2")

		w.throttle = func(int, int) (string, bool) { return "DuplicateItem", true }
		reqs := requests(1, "me", base())
		reqs[0].Key = "restless"
		if _, err := s.Claim(t.Context(), reqs); err == nil || !strings.Contains(err.Error(), "keeps changing") {
			t.Errorf("err = %v", err)
		}
		if calls := w.take(); len(calls) > 12 {
			t.Errorf("%d requests for one key", len(calls))
		}
	})
}

// TestR02TakeoverOfAChangedRecord: between our read and our write another attempt
// claims the key. We look again.
func TestR02TakeoverOfAChangedRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s := newStore(t)
		claimAll(t, s, requests(1, "crashed", base()), idempotency.Claimed)
		now := base().Add(time.Hour / 2)
		raced := false
		w.before = func(_ int, c call) error {
			if !raced && strings.HasPrefix(c.short(), "UPDATE") {
				raced = true
				claimAll(t, s, requests(1, "faster", now), idempotency.Claimed)
			}
			return nil
		}
		got := claimAll(t, s, requests(1, "me", now), idempotency.InProgress)
		if want := now.Add(time.Minute); !got[0].Until.Equal(want) || !raced {
			t.Errorf("until %s, want %s; raced %t", got[0].Until, want, raced)
		}
	})
}

// TestR02TakeoverOfAStrangersRecord: attributes that it lacks are part of what was
// seen, for all the others may come to have the same values again.
func TestR02TakeoverOfAStrangersRecord(t *testing.T) {
	t.Parallel()
	w, client := newWire(t)
	s, err := dynamostore.New(client, table)
	if err != nil {
		t.Fatal(err)
	}
	expired := base().Add(-time.Minute)
	req := requests(1, "me", base())
	if _, err := client.PutItem(t.Context(), putItem(map[string]types.AttributeValue{
		"id":     &types.AttributeValueMemberS{Value: req[0].Key},
		"status": &types.AttributeValueMemberS{Value: "INPROGRESS"}, "expiration": &types.AttributeValueMemberN{Value: strconv.FormatInt(expired.Unix(), 10)},
	})); err != nil {
		t.Fatal(err)
	}
	raced := false
	w.before = func(_ int, c call) error {
		if !raced && strings.HasPrefix(c.short(), "UPDATE") {
			raced = true
			other := req[0]
			other.Owner, other.Lease, other.Expires = "faster", expired, expired
			claimAll(t, s, []idempotency.ClaimRequest{other}, idempotency.Claimed)
		}
		return nil
	}
	if got := claimAll(t, s, req, idempotency.Claimed); got[0].Generation != 2 || !raced {
		t.Errorf("result %+v, raced %t: the faster one had generation 1", got[0], raced)
	}
}

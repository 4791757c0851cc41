package dynamostore_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/env"
	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/idempotency/dynamostore"
)

func base() time.Time { return time.Date(2090, 1, 2, 3, 4, 5, 0, time.UTC) }

func requests(n int, owner string, now time.Time) []idempotency.ClaimRequest {
	out := make([]idempotency.ClaimRequest, n)
	for i := range out {
		out[i] = idempotency.ClaimRequest{Key: fmt.Sprintf("shop#order#%d", i), Owner: owner, Now: now, Lease: now.Add(time.Minute), Expires: now.Add(time.Hour)}
	}
	return out
}

func settlements(action idempotency.Action, reqs []idempotency.ClaimRequest) []idempotency.Settlement {
	out := make([]idempotency.Settlement, len(reqs))
	for i, r := range reqs {
		out[i] = idempotency.Settlement{Key: r.Key, Owner: r.Owner, Action: action, Expires: r.Expires}
	}
	return out
}

// claimAll claims and checks that every outcome is the wanted one.
func claimAll(t *testing.T, s *dynamostore.Store, reqs []idempotency.ClaimRequest, want idempotency.Outcome) []idempotency.ClaimResult {
	t.Helper()
	results, err := s.Claim(t.Context(), reqs)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Outcome != want {
			t.Fatalf("key %d: %+v, want %s", i, r, want)
		}
	}
	return results
}

func settleAll(t *testing.T, s *dynamostore.Store, sets []idempotency.Settlement) {
	t.Helper()
	for i, err := range s.Settle(t.Context(), sets) {
		if err != nil {
			t.Fatalf("settlement %d: %v", i, err)
		}
	}
}

func wantCalls(t *testing.T, w *wire, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), w.takeShort()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestRequestCounts(t *testing.T) {
	t.Parallel()
	for _, n := range []struct {
		keys    int
		inserts []string
		reads   []string
		updates []string
	}{
		{1, []string{"INSERT 1"}, []string{"BatchGetItem 1"}, []string{"UPDATE 1"}},
		{10, []string{"INSERT 10"}, []string{"BatchGetItem 10"}, []string{"UPDATE 10"}},
		{25, []string{"INSERT 25"}, []string{"BatchGetItem 25"}, []string{"UPDATE 25"}},
		{26, []string{"INSERT 25", "INSERT 1"}, []string{"BatchGetItem 26"}, []string{"UPDATE 25", "UPDATE 1"}},
		{100, slices.Repeat([]string{"INSERT 25"}, 4), []string{"BatchGetItem 100"}, slices.Repeat([]string{"UPDATE 25"}, 4)},
		{101, append(slices.Repeat([]string{"INSERT 25"}, 4), "INSERT 1"), []string{"BatchGetItem 100", "BatchGetItem 1"}, append(slices.Repeat([]string{"UPDATE 25"}, 4), "UPDATE 1")},
	} {
		t.Run(fmt.Sprint(n.keys), func(t *testing.T) {
			t.Parallel()
			w, s := newStore(t)
			first := requests(n.keys, "first", base())
			claimAll(t, s, first, idempotency.Claimed)
			wantCalls(t, w, n.inserts...)

			lapsed := requests(n.keys, "second", base().Add(2*time.Minute))
			claimAll(t, s, lapsed, idempotency.Claimed)
			wantCalls(t, w, slices.Concat(n.inserts, n.reads, n.updates)...)

			settleAll(t, s, settlements(idempotency.Complete, lapsed))
			wantCalls(t, w, n.updates...)

			claimAll(t, s, requests(n.keys, "third", base().Add(3*time.Minute)), idempotency.Completed)
			wantCalls(t, w, slices.Concat(n.inserts, n.reads)...)
		})
	}
}

func TestNoRequestForNothing(t *testing.T) {
	t.Parallel()
	w, s := newStore(t)
	if _, err := s.Claim(t.Context(), nil); err != nil {
		t.Error(err)
	}
	s.Settle(t.Context(), nil)
	if _, err := s.Claim(t.Context(), append(requests(1, "a", base()), requests(1, "b", base())...)); err == nil {
		t.Error("a key twice was accepted")
	}
	wantCalls(t, w)
}

// TestActionsAreGranted maps what crosses the wire to IAM's actions, and wants
// the grant to be exactly that: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html
func TestActionsAreGranted(t *testing.T) {
	t.Parallel()
	w, s := newStore(t)
	first := requests(3, "first", base())
	claimAll(t, s, first, idempotency.Claimed)
	settleAll(t, s, settlements(idempotency.Release, first))
	second := requests(3, "second", base())
	results := claimAll(t, s, second, idempotency.Claimed)
	settleAll(t, s, settlements(idempotency.Complete, second[1:]))
	if _, _, err := s.Get(t.Context(), first[0].Key); err != nil {
		t.Error(err)
	}
	ctx := idempotency.NewContext(t.Context(), idempotency.NewClaim(second[0], results[0]))
	if err := s.InTx(ctx); err != nil {
		t.Error(err)
	}
	used := map[string]bool{}
	for _, c := range w.take() {
		switch c.op {
		case "BatchExecuteStatement":
			for _, statement := range c.statements {
				switch action, ok := map[string]string{"INSERT": "Insert", "UPDATE": "Update", "DELETE": "Delete", "SELECT": "Select"}[statement[:6]]; {
				case ok:
					used["dynamodb:PartiQL"+action] = true
				default:
					t.Errorf("statement of no known action: %s", statement)
				}
			}
		case "TransactWriteItems":
			for _, item := range c.items {
				for kind, of := range item {
					if of.TableName == table {
						used["dynamodb:"+map[string]string{"Update": "UpdateItem", "Put": "PutItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}[kind]] = true
					}
				}
			}
		default:
			used["dynamodb:"+c.op] = true
		}
	}
	granted := map[string]bool{}
	for _, a := range env.IdempotencyActions() {
		granted[a] = true
	}
	if diff := cmp.Diff(granted, used); diff != "" {
		t.Errorf("actions (-granted +used):\n%s", diff)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := dynamostore.New(nil, table); err == nil {
		t.Error("no client was accepted")
	}
	w, client := newWire(t)
	if _, err := dynamostore.New(client, ""); err == nil {
		t.Error("no table was accepted")
	}
	s, err := dynamostore.New(client, table)
	if err != nil || s.Table() != table {
		t.Errorf("New: %v, table %q", err, s.Table())
	}
	wantCalls(t, w)
}

// TestRecordsOfPowertools: their records are read as what they mean, and fenced
// when they are taken over, though they have neither owner nor generation.
func TestRecordsOfPowertools(t *testing.T) {
	t.Parallel()
	now := base()
	n := func(t time.Time) types.AttributeValue {
		return &types.AttributeValueMemberN{Value: fmt.Sprint(t.Unix())}
	}
	ms := func(t time.Time) types.AttributeValue {
		return &types.AttributeValueMemberN{Value: fmt.Sprint(t.UnixMilli())}
	}
	str := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	type attrs = map[string]types.AttributeValue
	for name, test := range map[string]struct {
		item attrs
		want idempotency.ClaimResult
	}{
		"in progress without a lease is locked until it expires": {
			attrs{"status": str("INPROGRESS"), "expiration": n(now.Add(time.Minute))},
			idempotency.ClaimResult{Outcome: idempotency.InProgress, Until: now.Add(time.Minute)},
		},
		"in progress without a lease, expired": {
			attrs{"status": str("INPROGRESS"), "expiration": n(now.Add(-time.Second))},
			idempotency.ClaimResult{Outcome: idempotency.Claimed, Generation: 1, TakenOver: true},
		},
		"in progress": {
			attrs{"status": str("INPROGRESS"), "expiration": n(now.Add(time.Hour)), "in_progress_expiration": ms(now.Add(1500 * time.Millisecond))},
			idempotency.ClaimResult{Outcome: idempotency.InProgress, Until: now.Add(1500 * time.Millisecond)},
		},
		"crashed": {
			attrs{"status": str("INPROGRESS"), "expiration": n(now.Add(time.Hour)), "in_progress_expiration": ms(now.Add(-time.Millisecond))},
			idempotency.ClaimResult{Outcome: idempotency.Claimed, Generation: 1, TakenOver: true},
		},
		"completed": {
			attrs{"status": str("COMPLETED"), "expiration": n(now.Add(time.Hour)), "in_progress_expiration": ms(now.Add(-time.Hour)), "data": str(`{"a":1}`), "validation": str("abc")},
			idempotency.ClaimResult{Outcome: idempotency.Completed, Until: now.Add(time.Hour), Fingerprint: "abc"},
		},
		"completed and expired": {
			attrs{"status": str("COMPLETED"), "expiration": n(now.Add(-time.Second)), "data": str(`{"a":1}`)},
			idempotency.ClaimResult{Outcome: idempotency.Claimed, Generation: 1},
		},
		"of a stranger, with a text for a generation": {
			attrs{"status": str("INPROGRESS"), "expiration": n(now.Add(-time.Second)), "generation": str("seven")},
			idempotency.ClaimResult{Outcome: idempotency.Claimed, Generation: 1, TakenOver: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client := newWire(t)
			s, err := dynamostore.New(client, table)
			if err != nil {
				t.Fatal(err)
			}
			req := requests(1, "me", now)
			test.item["id"] = str(req[0].Key)
			if _, err := client.PutItem(t.Context(), putItem(test.item)); err != nil {
				t.Fatal(err)
			}
			got, err := s.Claim(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]idempotency.ClaimResult{test.want}, got); diff != "" {
				t.Fatalf("result (-want +got):\n%s", diff)
			}
			rec, found, err := s.Get(t.Context(), req[0].Key)
			if err != nil || !found {
				t.Fatalf("Get: %t, %v", found, err)
			}
			if mine := rec.Owner == "me"; mine != (test.want.Outcome == idempotency.Claimed) {
				t.Errorf("record = %+v", rec)
			}
		})
	}
}

package itemstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestClientRequestToken(t *testing.T) {
	t.Parallel()
	now := testClock()
	s := testStore(t, func() time.Time { return now })
	add := `{"TransactItems":[{"Update":{"TableName":"ttt","Key":{"id":{"S":"n"}},"UpdateExpression":"ADD n :a","ExpressionAttributeValues":{":a":{"N":"%s"}}}}],"ClientRequestToken":"token"%s}`
	total := func(want string) {
		t.Helper()
		items, err := s.Items("ttt")
		if err != nil || len(items) != 1 || items[0]["n"].Str != want {
			t.Fatalf("n: %v, %v; want %s", items, err, want)
		}
	}
	first := must(t, s, "TransactWriteItems", add, "1", `,"ReturnConsumedCapacity":"TOTAL"`)
	total("1")
	now = now.Add(10*time.Minute - time.Nanosecond)
	must(t, s, "TransactWriteItems", add, "1", "")
	total("1")
	again := must(t, s, "TransactWriteItems", add, "1", `,"ReturnConsumedCapacity":"TOTAL"`)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("a small transaction reads what it wrote: %s", diff)
	}
	if err := refused(t, s, "TransactWriteItems", add, "2", ""); err.Name() != "IdempotentParameterMismatchException" {
		t.Error(err)
	}
	total("1")
	now = now.Add(time.Nanosecond)
	must(t, s, "TransactWriteItems", add, "2", "")
	total("3")
}

// TestFailedTokenIsNotUsed: only a transaction that succeeded is remembered.
func TestFailedTokenIsNotUsed(t *testing.T) {
	t.Parallel()
	s := testStore(t, testClock)
	body := `{"TransactItems":[{"Put":{"TableName":"ttt","Item":{"id":{"S":"new"}}}},{"ConditionCheck":{"TableName":"ttt","Key":{"id":{"S":"gate"}},"ConditionExpression":"attribute_exists(id)"}}],"ClientRequestToken":"token"}`
	refused(t, s, "TransactWriteItems", "%s", body)
	if got := ids(t, s); len(got) != 0 {
		t.Fatalf("a cancelled transaction left %v", got)
	}
	must(t, s, "PutItem", `{"TableName":"ttt","Item":{"id":{"S":"gate"}}}`)
	must(t, s, "TransactWriteItems", "%s", body)
	if diff := cmp.Diff([]string{"gate", "new"}, ids(t, s)); diff != "" {
		t.Error(diff)
	}
}

func TestTransactionTooLarge(t *testing.T) {
	t.Parallel()
	s := testStore(t, nil)
	var puts []string
	for i := range 11 {
		puts = append(puts, fmt.Sprintf(`{"Put":{"TableName":"ttt","Item":{"id":{"S":"%d"},"v":{"S":%q}}}}`, i, strings.Repeat("x", 400000)))
	}
	err := refused(t, s, "TransactWriteItems", `{"TransactItems":[%s]}`, strings.Join(puts, ","))
	if !strings.Contains(err.Message, "4 MB") || len(ids(t, s)) != 0 {
		t.Errorf("%v; items %v", err, ids(t, s))
	}
	must(t, s, "TransactWriteItems", `{"TransactItems":[%s]}`, strings.Join(puts[:10], ","))
}

// TestBatchRejectsRepeatsWithoutEffect: one item twice refuses the whole
// request, and nothing of it is done.
func TestBatchRejectsRepeatsWithoutEffect(t *testing.T) {
	t.Parallel()
	s := testStore(t, nil)
	for op, body := range map[string]string{
		"BatchExecuteStatement": `{"Statements":[{"Statement":"INSERT INTO ttt VALUE {'id':'first'}"},{"Statement":"INSERT INTO ttt VALUE {'id':'k'}"},{"Statement":"UPDATE ttt SET n = 1 WHERE id = 'k'"}]}`,
		"BatchWriteItem":        `{"RequestItems":{"ttt":[{"PutRequest":{"Item":{"id":{"S":"first"}}}},{"PutRequest":{"Item":{"id":{"S":"k"}}}},{"DeleteRequest":{"Key":{"id":{"S":"k"}}}}]}}`,
		"TransactWriteItems":    `{"TransactItems":[{"Put":{"TableName":"ttt","Item":{"id":{"S":"first"}}}},{"Put":{"TableName":"ttt","Item":{"id":{"S":"k"}}}},{"Delete":{"TableName":"ttt","Key":{"id":{"S":"k"}}}}]}`,
	} {
		if err := refused(t, s, op, "%s", body); err.Name() != "ValidationException" {
			t.Errorf("%s: %v", op, err)
		}
		if got := ids(t, s); len(got) != 0 {
			t.Errorf("%s was refused and yet wrote %v", op, got)
		}
	}
	// The same key in another table is another item.
	must(t, s, "BatchExecuteStatement", `{"Statements":[{"Statement":"INSERT INTO ttt VALUE {'id':'k'}"},{"Statement":"INSERT INTO rrr VALUE {'pk':'k','sk':1}"},{"Statement":"INSERT INTO rrr VALUE {'pk':'k','sk':2}"}]}`)
}

// TestBatchOfClaims is the idempotency store's batch: taken keys fail alone.
func TestBatchOfClaims(t *testing.T) {
	t.Parallel()
	s := testStore(t, nil)
	must(t, s, "PutItem", `{"TableName":"ttt","Item":{"id":{"S":"1"},"owner":{"S":"other"}}}`)
	var claims []string
	for i := range 3 {
		claims = append(claims, fmt.Sprintf(`{"Statement":"INSERT INTO \"ttt\" VALUE {'id': ?, 'owner': ?}","Parameters":[{"S":"%d"},{"S":"me"}],"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`, i))
	}
	out := must(t, s, "BatchExecuteStatement", `{"Statements":[%s],"ReturnConsumedCapacity":"TOTAL"}`, strings.Join(claims, ","))
	ok := map[string]any{"TableName": "ttt"}
	want := map[string]any{
		"Responses": []any{ok, map[string]any{"TableName": "ttt", "Error": map[string]any{
			"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table",
		}}, ok},
		"ConsumedCapacity": []any{map[string]any{"TableName": "ttt", "CapacityUnits": 3.0}},
	}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	out = must(t, s, "BatchExecuteStatement", `{"Statements":[{"Statement":"UPDATE \"ttt\" SET \"done\"=? WHERE \"id\"=? AND \"owner\"=?","Parameters":[{"BOOL":true},{"S":"0"},{"S":"me"}]},{"Statement":"UPDATE \"ttt\" SET \"done\"=? WHERE \"id\"=? AND \"owner\"=?","Parameters":[{"BOOL":true},{"S":"1"},{"S":"me"}]},{"Statement":"UPDATE \"ttt\" SET \"done\"=? WHERE \"id\"=? AND \"owner\"=?","Parameters":[{"BOOL":true},{"S":"absent"},{"S":"me"}]}]}`)
	failed := map[string]any{"TableName": "ttt", "Error": map[string]any{"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}}
	if diff := cmp.Diff(map[string]any{"Responses": []any{ok, failed, failed}}, out); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"0", "1", "2"}, ids(t, s)); diff != "" {
		t.Errorf("an UPDATE made an item: %s", diff)
	}
}

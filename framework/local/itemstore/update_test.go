package itemstore

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUpdatedPaths is where DynamoDB Local differs from AWS: UPDATED_OLD and
// UPDATED_NEW hold the updated paths and nothing around them, by the positions
// that the paths name before and after the update.
func TestUpdatedPaths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ update, values, mode, want string }{
		{`SET m.b = :v`, `{":v":{"S":"new"}}`, "UPDATED_OLD", `{"m":{"M":{"b":{"S":"old"}}}}`},
		{`SET m.b = :v`, `{":v":{"S":"new"}}`, "UPDATED_NEW", `{"m":{"M":{"b":{"S":"new"}}}}`},
		{`SET m.l[1] = :v`, `{":v":{"N":"7"}}`, "UPDATED_OLD", `{"m":{"M":{"l":{"L":[{"N":"2"}]}}}}`},
		{`SET m.l[1] = :v`, `{":v":{"N":"7"}}`, "UPDATED_NEW", `{"m":{"M":{"l":{"L":[{"N":"7"}]}}}}`},
		{`SET m.l[2] = :v, m.l[0] = :v, m.b = :v`, `{":v":{"N":"7"}}`, "UPDATED_OLD", `{"m":{"M":{"b":{"S":"old"},"l":{"L":[{"N":"1"},{"N":"3"}]}}}}`},
		{`REMOVE m.l[1], m.l[3]`, ``, "UPDATED_OLD", `{"m":{"M":{"l":{"L":[{"N":"2"}]}}}}`},
		{`SET m.x = :v`, `{":v":{"N":"7"}}`, "UPDATED_OLD", ``},
		{`SET m.x = :v`, `{":v":{"N":"7"}}`, "UPDATED_NEW", `{"m":{"M":{"x":{"N":"7"}}}}`},
		// An element set beyond the end is appended, where the path is not.
		{`SET m.l[100] = :v`, `{":v":{"N":"7"}}`, "UPDATED_NEW", ``},
		// A removed position is taken by the next element.
		{`REMOVE m.l[1]`, ``, "UPDATED_NEW", `{"m":{"M":{"l":{"L":[{"N":"3"}]}}}}`},
		{`REMOVE m`, ``, "UPDATED_NEW", ``},
		{`REMOVE s ADD n :v`, `{":v":{"N":"7"}}`, "UPDATED_NEW", `{"n":{"N":"8"}}`},
		{`REMOVE s ADD n :v`, `{":v":{"N":"7"}}`, "UPDATED_OLD", `{"n":{"N":"1"},"s":{"S":"str"}}`},
	} {
		s := testStore(t, nil)
		must(t, s, "PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"},"n":{"N":"1"},"s":{"S":"str"},"m":{"M":{"b":{"S":"old"},"l":{"L":[{"N":"1"},{"N":"2"},{"N":"3"}]}}}}}`)
		values := ""
		if c.values != "" {
			values = `,"ExpressionAttributeValues":` + c.values
		}
		out, err := s.Call("UpdateItem", []byte(`{"TableName":"ttt","Key":{"id":{"S":"a"}},"UpdateExpression":"`+c.update+`","ReturnValues":"`+c.mode+`"`+values+`}`))
		if err != nil {
			t.Fatal(err)
		}
		want := `{}`
		if c.want != "" {
			want = `{"Attributes":` + c.want + `}`
		}
		if diff := cmp.Diff(want, string(out)); diff != "" {
			t.Errorf("%s, %s: %s", c.update, c.mode, diff)
		}
	}
}

// TestRemoveDoesNotCreate: an update of nothing that only removes leaves
// nothing, one without an expression leaves the key.
func TestRemoveDoesNotCreate(t *testing.T) {
	t.Parallel()
	s := testStore(t, nil)
	for _, c := range []struct{ id, rest, want string }{
		{"removed", `,"UpdateExpression":"REMOVE a, b"`, `{}`},
		{"deleted", `,"UpdateExpression":"DELETE a :v","ExpressionAttributeValues":{":v":{"SS":["x"]}}`, `{}`},
		{"key", ``, `{"Attributes":{"id":{"S":"key"}}}`},
		{"mixed", `,"UpdateExpression":"REMOVE a SET b = :v","ExpressionAttributeValues":{":v":{"N":"1"}}`, `{"Attributes":{"b":{"N":"1"},"id":{"S":"mixed"}}}`},
	} {
		body := []byte(`{"TableName":"ttt","Key":{"id":{"S":"` + c.id + `"}},"ReturnValues":"ALL_NEW"` + c.rest + `}`)
		out, err := s.Call("UpdateItem", body)
		if err != nil {
			t.Fatal(err)
		}
		if string(out) != c.want {
			t.Errorf("%s: %s, want %s", c.id, out, c.want)
		}
	}
	if diff := cmp.Diff([]string{"key", "mixed"}, ids(t, s)); diff != "" {
		t.Error(diff)
	}
}

// TestFailedUpdateChangesNothing: an update that fails half-way, after some of
// its clauses could be applied, leaves the item as it was.
func TestFailedUpdateChangesNothing(t *testing.T) {
	t.Parallel()
	s := testStore(t, nil)
	must(t, s, "PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"},"n":{"N":"1"},"m":{"M":{"x":{"N":"1"}}},"l":{"L":[{"N":"1"},{"N":"2"}]},"z":{"S":"s"}}}`)
	before, err := s.Items("ttt")
	if err != nil {
		t.Fatal(err)
	}
	for _, update := range []string{
		"SET m.x = :v, n = :v REMOVE l[0] ADD z :v",
		"SET l[0] = :v, m.q.r = :v",
		"REMOVE l[0], n SET z = missing",
	} {
		refused(t, s, "UpdateItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"UpdateExpression":%q,"ExpressionAttributeValues":{":v":{"N":"5"}}}`, update)
	}
	after, err := s.Items("ttt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
}

// TestSetsHaveNoOrder: however a set came to be, it equals every set of the
// same elements.
func TestSetsHaveNoOrder(t *testing.T) {
	t.Parallel()
	s := testStore(t, nil)
	must(t, s, "PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"},"ss":{"SS":["m","z"]},"ns":{"NS":["10","9"]},"bs":{"BS":["Qg==","Wg=="]}}}`)
	must(t, s, "UpdateItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"UpdateExpression":"ADD ss :s, ns :n, bs :b","ExpressionAttributeValues":{":s":{"SS":["b","z"]},":n":{"NS":["-1","10.0"]},":b":{"BS":["QQ=="]}}}`)
	must(t, s, "UpdateItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"UpdateExpression":"SET ok = :ok","ConditionExpression":"ss = :s AND ns = :n AND bs = :b AND size(ns) = :three","ExpressionAttributeValues":{":ok":{"BOOL":true},":three":{"N":"3"},":s":{"SS":["z","b","m"]},":n":{"NS":["9","-1","10"]},":b":{"BS":["Wg==","QQ==","Qg=="]}}}`)
}

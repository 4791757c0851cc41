package itemstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testStore has the table "ttt" (id) and "rrr" (pk, sk: N).
func testStore(t *testing.T, clock func() time.Time) *Store {
	t.Helper()
	s := New(&Options{Clock: clock})
	for _, def := range []Table{
		{Name: "ttt", HashKey: "id", Types: map[string]Type{"id": TypeS}, TTL: "exp"},
		{Name: "rrr", HashKey: "pk", RangeKey: "sk", Types: map[string]Type{"pk": TypeS, "sk": TypeN}},
	} {
		if err := s.CreateTable(def); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// must calls and decodes; the request is a format with Go's quoting for %q.
func must(t *testing.T, s *Store, op, format string, args ...any) map[string]any {
	t.Helper()
	out, err := s.Call(op, fmt.Appendf(nil, format, args...))
	if err != nil {
		t.Fatalf("%s: %v", op, err)
	}
	var m map[string]any
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func refused(t *testing.T, s *Store, op, format string, args ...any) *Error {
	t.Helper()
	out, err := s.Call(op, fmt.Appendf(nil, format, args...))
	if err == nil {
		t.Fatalf("%s succeeded: %s", op, out)
	}
	return err
}

// TestRaceForOneKey is the claim of an idempotency record: of many writers with
// "if it does not exist" exactly one wins, whatever way they write.
func TestRaceForOneKey(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]struct{ op, body string }{
		"PutItem":  {"PutItem", `{"TableName":"ttt","Item":{"id":{"S":"k"},"owner":{"N":"%d"}},"ConditionExpression":"attribute_not_exists(id)"}`},
		"INSERT":   {"ExecuteStatement", `{"Statement":"INSERT INTO ttt VALUE {'id':'k','owner':%d}"}`},
		"Update":   {"UpdateItem", `{"TableName":"ttt","Key":{"id":{"S":"k"}},"UpdateExpression":"SET #o = :o","ConditionExpression":"attribute_not_exists(#o)","ExpressionAttributeNames":{"#o":"owner"},"ExpressionAttributeValues":{":o":{"N":"%d"}}}`},
		"Transact": {"TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"ttt","Item":{"id":{"S":"k"},"owner":{"N":"%d"}},"ConditionExpression":"attribute_not_exists(id)"}}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 20 {
				s := testStore(t, nil)
				var wins, winner atomic.Int64
				var wg sync.WaitGroup
				for i := range 50 {
					wg.Go(func() {
						if _, err := s.Call(request.op, fmt.Appendf(nil, request.body, i)); err == nil {
							wins.Add(1)
							winner.Store(int64(i))
						}
					})
				}
				wg.Wait()
				items, err := s.Items("ttt")
				if err != nil {
					t.Fatal(err)
				}
				if wins.Load() != 1 || len(items) != 1 || items[0]["owner"].Str != fmt.Sprint(winner.Load()) {
					t.Fatalf("%d winners, last %d; items %v", wins.Load(), winner.Load(), items)
				}
			}
		})
	}
}

// TestConcurrentCalls lets the race detector see every operation at once, and
// checks that no increment is lost.
func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	s := testStore(t, testClock)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 25 {
				_, err := s.Call("UpdateItem", []byte(`{"TableName":"ttt","Key":{"id":{"S":"n"}},"UpdateExpression":"ADD n :a","ExpressionAttributeValues":{":a":{"N":"1"}},"ReturnValues":"ALL_NEW"}`))
				if err != nil {
					t.Error(err)
				}
				_, _ = s.Call("Scan", []byte(`{"TableName":"ttt"}`))
				_, _ = s.Call("DescribeTable", []byte(`{"TableName":"ttt"}`))
				_, _ = s.Items("ttt")
				s.Sweep()
				s.Tables()
			}
		})
	}
	wg.Wait()
	items, err := s.Items("ttt")
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]Value{{"id": {Type: TypeS, Str: "n"}, "n": {Type: TypeN, Str: "400"}}}
	if diff := cmp.Diff(want, items); diff != "" {
		t.Error(diff)
	}
}

func TestItemsAreCopies(t *testing.T) {
	t.Parallel()
	s := testStore(t, nil)
	must(t, s, "PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"},"m":{"M":{"l":{"L":[{"B":"aGk="}]}}},"ss":{"SS":["x"]}}}`)
	first, err := s.Items("ttt")
	if err != nil {
		t.Fatal(err)
	}
	first[0]["m"].Map["l"].List[0].Bin[0] = 'X'
	first[0]["ss"].Set[0] = "changed"
	delete(first[0]["m"].Map, "l")
	second, err := s.Items("ttt")
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]Value{{
		"id": {Type: TypeS, Str: "a"},
		"m":  {Type: TypeM, Map: map[string]Value{"l": {Type: TypeL, List: []Value{{Type: TypeB, Bin: []byte("hi")}}}}},
		"ss": {Type: TypeSS, Set: []string{"x"}},
	}}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Error(diff)
	}
	if _, err := s.Items("nope"); err == nil {
		t.Error("Items of a missing table succeeded")
	}
}

// TestUpdatesDoNotAlias: values copied inside an item live their own lives.
func TestUpdatesDoNotAlias(t *testing.T) {
	t.Parallel()
	s := testStore(t, nil)
	must(t, s, "PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"},"l":{"L":[{"M":{"x":{"N":"1"}}}]}}}`)
	must(t, s, "UpdateItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"UpdateExpression":"SET c = l"}`)
	must(t, s, "UpdateItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"UpdateExpression":"SET c[0].x = :v","ExpressionAttributeValues":{":v":{"N":"2"}}}`)
	got := must(t, s, "GetItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"ProjectionExpression":"l[0].x, c[0].x"}`)
	list := func(n string) any {
		return map[string]any{"L": []any{map[string]any{"M": map[string]any{"x": map[string]any{"N": n}}}}}
	}
	if diff := cmp.Diff(map[string]any{"Item": map[string]any{"l": list("1"), "c": list("2")}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCreateTableInGo(t *testing.T) {
	t.Parallel()
	s := testStore(t, nil)
	types := map[string]Type{"id": TypeS}
	for name, c := range map[string]struct {
		def  Table
		want string
	}{
		"short name":     {Table{Name: "t", HashKey: "id", Types: types}, errTableName},
		"taken":          {Table{Name: "ttt", HashKey: "id", Types: types}, "Table already exists: ttt"},
		"no hash key":    {Table{Name: "new", Types: types}, "Some index key attributes are not defined"},
		"no type":        {Table{Name: "new", HashKey: "id"}, "Some index key attributes are not defined"},
		"unused type":    {Table{Name: "new", HashKey: "id", Types: map[string]Type{"id": TypeS, "x": TypeS}}, "does not exactly match"},
		"bad type":       {Table{Name: "new", HashKey: "id", Types: map[string]Type{"id": TypeBOOL}}, "enum value set: [B, N, S]"},
		"same keys":      {Table{Name: "new", HashKey: "id", RangeKey: "id", Types: types}, "have the same name"},
		"local on hash":  {Table{Name: "new", HashKey: "id", Types: map[string]Type{"id": TypeS, "r": TypeS}, Local: []Index{{Name: "lsi", HashKey: "id", RangeKey: "r"}}}, "does not have a range key, which is required"},
		"other hash":     {Table{Name: "new", HashKey: "id", RangeKey: "r", Types: map[string]Type{"id": TypeS, "r": TypeS}, Local: []Index{{Name: "lsi", HashKey: "r", RangeKey: "id"}}}, "same leading hash key"},
		"bad projection": {Table{Name: "new", HashKey: "id", Types: types, Global: []Index{{Name: "gsi", HashKey: "id", Projection: "SOME"}}}, "[ALL, INCLUDE, KEYS_ONLY]"},
	} {
		err := s.CreateTable(c.def)
		var failure *Error
		if !errors.As(err, &failure) || !strings.Contains(failure.Message, c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if diff := cmp.Diff([]string{"rrr", "ttt"}, s.Tables()); diff != "" {
		t.Error(diff)
	}
	include := []string{"x"}
	def := Table{Name: "new", HashKey: "id", Types: types, Global: []Index{{Name: "gsi", HashKey: "id", Projection: "INCLUDE", Include: include}, {Name: "all", HashKey: "id"}}}
	if err := s.CreateTable(def); err != nil {
		t.Fatal(err)
	}
	include[0] = "changed"
	must(t, s, "PutItem", `{"TableName":"new","Item":{"id":{"S":"a"},"x":{"N":"1"},"y":{"N":"2"}}}`)
	for index, want := range map[string]int{"gsi": 2, "all": 3} {
		out := must(t, s, "Scan", `{"TableName":"new","IndexName":%q}`, index)
		if got := len(out["Items"].([]any)[0].(map[string]any)); got != want {
			t.Errorf("index %s holds %d attributes, want %d", index, got, want)
		}
	}
}

func TestTableByARN(t *testing.T) {
	t.Parallel()
	s := New(&Options{Region: "eu-west-1", Account: "123456789012"})
	if err := s.CreateTable(Table{Name: "ttt", HashKey: "id", Types: map[string]Type{"id": TypeS}}); err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/ttt"
	must(t, s, "GetItem", `{"TableName":%q,"Key":{"id":{"S":"a"}}}`, arn)
	description := must(t, s, "DescribeTable", `{"TableName":"ttt"}`)["Table"].(map[string]any)
	if description["TableArn"] != arn {
		t.Errorf("TableArn = %v", description["TableArn"])
	}
	refused(t, s, "GetItem", `{"TableName":"arn:aws:dynamodb:us-east-1:123456789012:table/ttt","Key":{"id":{"S":"a"}}}`)
}

func TestErrorJSON(t *testing.T) {
	t.Parallel()
	s := testStore(t, nil)
	must(t, s, "PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"}}}`)
	for _, c := range []struct{ op, body, want string }{
		{"PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"}},"ConditionExpression":"attribute_not_exists(id)","ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`,
			`{"Item":{"id":{"S":"a"}},"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed"}`},
		{"GetItem", `{"TableName":"ttt","Key":{"id":{"N":"1"}}}`,
			`{"__type":"com.amazon.coral.validate#ValidationException","message":"The provided key element does not match the schema"}`},
		{"DescribeTable", `{"TableName":"nope"}`,
			`{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found: Table: nope not found"}`},
		{"TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"ttt","Item":{"id":{"S":"b"}}}},{"Put":{"TableName":"ttt","Item":{"id":{"S":"a"}},"ConditionExpression":"attribute_not_exists(id)"}}]}`,
			`{"CancellationReasons":[{"Code":"None"},{"Code":"ConditionalCheckFailed","Message":"The conditional request failed"}],"Message":"Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]","__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException"}`},
		{"PutItem", `{`, `{"Message":"the request is not JSON: unexpected EOF","__type":"com.amazon.coral.service#SerializationException"}`},
	} {
		err := refused(t, s, c.op, "%s", c.body)
		if diff := cmp.Diff(c.want, string(err.JSON())); diff != "" {
			t.Errorf("%s: %s", c.op, diff)
		}
		if err.Status() != 400 {
			t.Errorf("%s: status %d", c.op, err.Status())
		}
	}
	if status := internalError(errors.New("x")).Status(); status != 500 {
		t.Errorf("an internal error has status %d", status)
	}
}

package itemstore

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seedsOf adds every value of a member in the case files.
func seedsOf(f *testing.F, member string) {
	f.Helper()
	paths, err := filepath.Glob("testdata/cases/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	seeds := 0
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.SplitSeq(string(data), "\n") {
			_, body, _ := strings.Cut(line, " ")
			var members map[string]any
			if json.Unmarshal([]byte(body), &members) != nil {
				continue
			}
			if s, ok := members[member].(string); ok && len(s) < 500 {
				f.Add(s)
				seeds++
			}
		}
	}
	if seeds == 0 {
		f.Fatalf("no case has a %s", member)
	}
}

func fuzzContext() *exprContext {
	return &exprContext{
		names:     map[string]string{"#n": "n", "#d": "date"},
		values:    map[string]Value{":a": {Type: TypeN, Str: "1"}, ":b": {Type: TypeS, Str: "x"}, ":s": {Type: TypeSS, Set: []string{"x"}}, ":l": {Type: TypeL}},
		usedNames: map[string]bool{}, usedValues: map[string]bool{}, heads: map[string]bool{}, nested: map[string]bool{},
	}
}

func fuzzItem() item {
	return item{
		"id": stringValue("a"), "n": {Type: TypeN, Str: "5"}, "s": stringValue("str"),
		"l":  {Type: TypeL, List: []Value{{Type: TypeN, Str: "1"}, {Type: TypeM, Map: item{"x": stringValue("y")}}}},
		"m":  {Type: TypeM, Map: item{"x": {Type: TypeN, Str: "1"}}},
		"ss": {Type: TypeSS, Set: []string{"a", "b"}},
	}
}

// FuzzCondition: whatever parses can be evaluated, on any item, and NOT of it
// is its contrary.
func FuzzCondition(f *testing.F) {
	seedsOf(f, "ConditionExpression")
	f.Fuzz(func(t *testing.T, src string) {
		n, err := parseCondition(src, fuzzContext())
		if err != nil {
			return
		}
		for _, m := range []item{nil, fuzzItem()} {
			if n.holds(m) == (&node{op: opNot, args: []*node{n}}).holds(m) {
				t.Errorf("%q and its negation agree", src)
			}
		}
		_, _ = keyConditions(n)
	})
}

// FuzzUpdate: whatever parses can be applied, leaves the old item alone, and
// its paths can be projected.
func FuzzUpdate(f *testing.F) {
	seedsOf(f, "UpdateExpression")
	f.Fuzz(func(t *testing.T, src string) {
		u, err := parseUpdate(src, fuzzContext())
		if err != nil {
			return
		}
		old := fuzzItem()
		changed, applyErr := u.apply(old)
		if !(Value{Type: TypeM, Map: old}).equal(Value{Type: TypeM, Map: fuzzItem()}) {
			t.Fatalf("%q changed the old item", src)
		}
		if applyErr == nil {
			project(changed, u.paths())
		}
	})
}

func FuzzProjection(f *testing.F) {
	seedsOf(f, "ProjectionExpression")
	f.Fuzz(func(t *testing.T, src string) {
		paths, err := parseProjection(src, fuzzContext())
		if err != nil {
			return
		}
		once := project(fuzzItem(), paths)
		for name := range once {
			if _, ok := fuzzItem()[name]; !ok {
				t.Errorf("%q projects %q, which the item does not have", src, name)
			}
		}
	})
}

// FuzzStatement: any statement is run or refused, and leaves a table that still
// describes itself.
func FuzzStatement(f *testing.F) {
	seedsOf(f, "Statement")
	f.Fuzz(func(t *testing.T, src string) {
		s := New(nil)
		if err := s.CreateTable(Table{Name: "ttt", HashKey: "id", Types: map[string]Type{"id": TypeS}}); err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(map[string]any{"Statement": src, "Parameters": []Value{stringValue("a"), {Type: TypeN, Str: "1"}}})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if out, callErr := s.Call("ExecuteStatement", body); callErr == nil && !json.Valid(out) {
				t.Fatalf("%q: answer %q", src, out)
			}
		}
		if _, err := s.Items("ttt"); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzCall: no request body makes the store panic, and every answer is JSON.
func FuzzCall(f *testing.F) {
	for _, op := range []string{"PutItem", "UpdateItem", "Query", "Scan", "TransactWriteItems", "BatchExecuteStatement", "CreateTable"} {
		f.Add(op, `{"TableName":"ttt","Item":{"id":{"S":"a"},"v":{"L":[{"N":"1"}]}}}`)
	}
	f.Add("TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"ttt","Item":{"id":{"S":"a"}}}}]}`)
	f.Add("UpdateItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"UpdateExpression":"SET a[0] = :v","ExpressionAttributeValues":{":v":{"NULL":true}}}`)
	f.Fuzz(func(t *testing.T, op, body string) {
		s := New(nil)
		if err := s.CreateTable(Table{Name: "ttt", HashKey: "id", Types: map[string]Type{"id": TypeS}}); err != nil {
			t.Fatal(err)
		}
		out, err := s.Call(op, []byte(body))
		if err != nil {
			out = err.JSON()
		}
		if !json.Valid(out) {
			t.Fatalf("%s %q: answer %q", op, body, out)
		}
	})
}

package itemstore

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAgainstModel runs random writes on a few keys, singly, in batches, in
// transactions and as statements, and compares every answer and the final
// table with a model that is a Go map of integers.
func TestAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			t.Parallel()
			runModel(t, seed)
		})
	}
}

type modelKey struct {
	pk string
	sk int
}

func (k modelKey) json() string { return fmt.Sprintf(`{"pk":{"S":%q},"sk":{"N":"%d"}}`, k.pk, k.sk) }

func (k modelKey) item(n int) string {
	return fmt.Sprintf(`{"pk":{"S":%q},"sk":{"N":"%d"},"n":{"N":"%d"}}`, k.pk, k.sk, n)
}

func runModel(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	s := testStore(t, nil)
	model := map[modelKey]int{}
	key := func() modelKey { return modelKey{string(rune('a' + rng.IntN(3))), rng.IntN(4) - 2} }
	succeeded, failed := 0, 0
	expect := func(want bool, op, format string, args ...any) {
		t.Helper()
		_, err := s.Call(op, fmt.Appendf(nil, format, args...))
		if (err == nil) != want {
			t.Fatalf("%s %s: %v, want success %v; model %v", op, fmt.Sprintf(format, args...), err, want, model)
		}
		if want {
			succeeded++
		} else {
			failed++
		}
	}
	for range 400 {
		k, n := key(), rng.IntN(5)
		old, exists := model[k]
		switch rng.IntN(8) {
		case 0: // put if it is not there
			expect(!exists, "PutItem", `{"TableName":"rrr","Item":%s,"ConditionExpression":"attribute_not_exists(pk)"}`, k.item(n))
			if !exists {
				model[k] = n
			}
		case 1: // compare and set
			ok := exists && old < n
			expect(ok, "UpdateItem", `{"TableName":"rrr","Key":%s,"UpdateExpression":"SET n = :n","ConditionExpression":"n < :n","ExpressionAttributeValues":{":n":{"N":"%d"}}}`, k.json(), n)
			if ok {
				model[k] = n
			}
		case 2: // upsert
			expect(true, "UpdateItem", `{"TableName":"rrr","Key":%s,"UpdateExpression":"ADD n :n","ExpressionAttributeValues":{":n":{"N":"%d"}}}`, k.json(), n)
			model[k] = old + n
		case 3:
			ok := exists && old != n
			expect(ok, "DeleteItem", `{"TableName":"rrr","Key":%s,"ConditionExpression":"attribute_exists(n) AND NOT n = :n","ExpressionAttributeValues":{":n":{"N":"%d"}}}`, k.json(), n)
			if ok {
				delete(model, k)
			}
		case 4: // all or nothing
			other := key()
			_, otherExists := model[other]
			ok := other != k && !otherExists && exists
			expect(ok, "TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"rrr","Item":%s,"ConditionExpression":"attribute_not_exists(pk)"}},{"Update":{"TableName":"rrr","Key":%s,"UpdateExpression":"SET n = n - :n","ConditionExpression":"attribute_exists(pk)","ExpressionAttributeValues":{":n":{"N":"%d"}}}}]}`, other.item(n), k.json(), n)
			if ok {
				model[other], model[k] = n, old-n
			}
		case 5:
			expect(!exists, "ExecuteStatement", `{"Statement":"INSERT INTO rrr VALUE {'pk':?,'sk':%d,'n':%d}","Parameters":[{"S":%q}]}`, k.sk, n, k.pk)
			if !exists {
				model[k] = n
			}
		case 6:
			ok := exists && old >= n
			expect(ok, "ExecuteStatement", `{"Statement":"UPDATE rrr SET n = n + ? WHERE sk = %d AND n >= ? AND pk = '%s'","Parameters":[{"N":"1"},{"N":"%d"}]}`, k.sk, k.pk, n)
			if ok {
				model[k]++
			}
		case 7:
			other := key()
			expect(other != k, "BatchWriteItem", `{"RequestItems":{"rrr":[{"PutRequest":{"Item":%s}},{"DeleteRequest":{"Key":%s}}]}}`, k.item(n), other.json())
			if other != k {
				model[k] = n
				delete(model, other)
			}
		}
	}
	if succeeded < 100 || failed < 50 {
		t.Errorf("%d successes and %d failures: the sequence tests too little", succeeded, failed)
	}
	compareWithModel(t, s, model)
}

func compareWithModel(t *testing.T, s *Store, model map[modelKey]int) {
	t.Helper()
	got := map[modelKey]int{}
	items, err := s.Items("rrr")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range items {
		var k modelKey
		var n int
		if _, err := fmt.Sscan(m["pk"].Str+" "+m["sk"].Str+" "+m["n"].Str, &k.pk, &k.sk, &n); err != nil {
			t.Fatal(err)
		}
		got[k] = n
	}
	if !maps.Equal(got, model) {
		t.Fatalf("table %v, model %v", got, model)
	}
	// A query returns one partition in the order of its range key.
	for _, pk := range []string{"a", "b", "c"} {
		var want, have []int
		for k := range model {
			if k.pk == pk {
				want = append(want, k.sk)
			}
		}
		slices.Sort(want)
		out, err := s.Call("Query", fmt.Appendf(nil, `{"TableName":"rrr","KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":%q}}}`, pk))
		if err != nil {
			t.Fatal(err)
		}
		var page struct{ Items []map[string]Value }
		if err := json.Unmarshal(out, &page); err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Items {
			var sk int
			if _, err := fmt.Sscan(m["sk"].Str, &sk); err != nil {
				t.Fatal(err)
			}
			have = append(have, sk)
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Error(diff)
		}
	}
}

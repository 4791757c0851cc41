package itemstore

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// walk reads all pages of a Query or Scan and returns the attribute n of every
// item, in order, and the sizes of the pages.
func walk(t *testing.T, s *Store, op string, request map[string]any, between func()) (ns []string, pages []int) {
	t.Helper()
	for {
		body, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		out := must(t, s, op, "%s", body)
		items := out["Items"].([]any)
		for _, m := range items {
			ns = append(ns, m.(map[string]any)["n"].(map[string]any)["N"].(string))
		}
		pages = append(pages, len(items))
		last, ok := out["LastEvaluatedKey"]
		if !ok {
			return ns, pages
		}
		request["ExclusiveStartKey"] = last
		if between != nil {
			between()
		}
	}
}

func pagedStore(t *testing.T, count int) *Store {
	t.Helper()
	s := New(nil)
	err := s.CreateTable(Table{
		Name: "paged", HashKey: "pk", RangeKey: "sk",
		Types:  map[string]Type{"pk": TypeS, "sk": TypeN, "g": TypeS, "h": TypeN},
		Global: []Index{{Name: "gsi", HashKey: "g", RangeKey: "h"}},
		Local:  []Index{{Name: "lsi", HashKey: "pk", RangeKey: "h"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range count {
		// h repeats, so that the order of equal index keys matters.
		must(t, s, "PutItem", `{"TableName":"paged","Item":{"pk":{"S":"p%d"},"sk":{"N":"%d"},"g":{"S":"g"},"h":{"N":"%d"},"n":{"N":"%d"}}}`, i%7, i, i%3, i)
	}
	return s
}

// TestPagesCoverEverythingOnce walks every kind of read by small pages, while
// items that were read already disappear.
func TestPagesCoverEverythingOnce(t *testing.T) {
	t.Parallel()
	const count = 60
	value := func(s string) any { return map[string]any{"S": s} }
	for name, c := range map[string]struct {
		op      string
		request map[string]any
		want    int
	}{
		"scan":                {"Scan", map[string]any{}, count},
		"scan of an index":    {"Scan", map[string]any{"IndexName": "gsi"}, count},
		"query":               {"Query", map[string]any{"KeyConditionExpression": "pk = :k", "ExpressionAttributeValues": map[string]any{":k": value("p0")}}, 9},
		"query of an index":   {"Query", map[string]any{"IndexName": "gsi", "KeyConditionExpression": "g = :k", "ExpressionAttributeValues": map[string]any{":k": value("g")}}, count},
		"query of a local":    {"Query", map[string]any{"IndexName": "lsi", "KeyConditionExpression": "pk = :k", "ExpressionAttributeValues": map[string]any{":k": value("p0")}}, 9},
		"backward":            {"Query", map[string]any{"ScanIndexForward": false, "KeyConditionExpression": "pk = :k", "ExpressionAttributeValues": map[string]any{":k": value("p0")}}, 9},
		"backward on index":   {"Query", map[string]any{"ScanIndexForward": false, "IndexName": "gsi", "KeyConditionExpression": "g = :k", "ExpressionAttributeValues": map[string]any{":k": value("g")}}, count},
		"range on the index":  {"Query", map[string]any{"IndexName": "gsi", "KeyConditionExpression": "g = :k AND h BETWEEN :l AND :h", "ExpressionAttributeValues": map[string]any{":k": value("g"), ":l": map[string]any{"N": "1"}, ":h": map[string]any{"N": "2"}}}, 40},
		"scan with projected": {"Scan", map[string]any{"ProjectionExpression": "n"}, count},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := pagedStore(t, count)
			c.request["TableName"] = "paged"
			whole, pages := walk(t, s, c.op, c.request, nil)
			if len(whole) != c.want || len(pages) != 1 {
				t.Fatalf("without a limit: %d items on %d pages, want %d on 1", len(whole), len(pages), c.want)
			}
			delete(c.request, "ExclusiveStartKey")
			c.request["Limit"] = 4
			read := 0
			paged, _ := walk(t, s, c.op, c.request, func() {
				// What was read is deleted under the reader, among it the
				// item that the next page starts after.
				for _, n := range whole[read : read+4] {
					var i int
					if _, err := fmt.Sscan(n, &i); err != nil {
						t.Fatal(err)
					}
					must(t, s, "DeleteItem", `{"TableName":"paged","Key":{"pk":{"S":"p%d"},"sk":{"N":"%d"}}}`, i%7, i)
				}
				read += 4
			})
			if diff := cmp.Diff(whole, paged); diff != "" {
				t.Errorf("by pages: %s", diff)
			}
		})
	}
}

func TestSegmentsPartitionATable(t *testing.T) {
	t.Parallel()
	s := pagedStore(t, 60)
	for _, total := range []int{1, 2, 3, 8} {
		for _, index := range []string{"", "gsi"} {
			var all []string
			for segment := range total {
				request := map[string]any{"TableName": "paged", "Segment": segment, "TotalSegments": total, "Limit": 5}
				if index != "" {
					request["IndexName"] = index
				}
				ns, _ := walk(t, s, "Scan", request, nil)
				all = append(all, ns...)
			}
			slices.Sort(all)
			if n := len(slices.Compact(all)); len(all) != 60 || n != 60 {
				t.Errorf("%d segments of %q: %d items, %d different", total, index, len(all), n)
			}
		}
	}
}

// TestStartKeyOfAnotherSegment is a mistake that would lose items.
func TestStartKeyOfAnotherSegment(t *testing.T) {
	t.Parallel()
	s := pagedStore(t, 60)
	failures := 0
	for segment := range 2 {
		_, err := s.Call("Scan", fmt.Appendf(nil, `{"TableName":"paged","Segment":%d,"TotalSegments":2,"ExclusiveStartKey":{"pk":{"S":"p0"},"sk":{"N":"0"}}}`, segment))
		if err != nil && strings.Contains(err.Message, "correct Segment") {
			failures++
		}
	}
	if failures != 1 {
		t.Errorf("%d of two segments refused the key, want 1", failures)
	}
}

// TestPageOfOneMegabyte: a page ends with the item that crosses 1 MB, whatever
// the filter keeps of it.
func TestPageOfOneMegabyte(t *testing.T) {
	t.Parallel()
	s := New(nil)
	if err := s.CreateTable(Table{Name: "paged", HashKey: "pk", RangeKey: "sk", Types: map[string]Type{"pk": TypeS, "sk": TypeN}}); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		must(t, s, "PutItem", `{"TableName":"paged","Item":{"pk":{"S":"p"},"sk":{"N":"%d"},"n":{"N":"%d"},"v":{"S":%q}}}`, i, i, strings.Repeat("x", 350_000))
	}
	request := map[string]any{
		"TableName": "paged", "KeyConditionExpression": "pk = :p", "FilterExpression": "n > :n", "ProjectionExpression": "n",
		"ExpressionAttributeValues": map[string]any{":p": map[string]any{"S": "p"}, ":n": map[string]any{"N": "3"}},
	}
	ns, pages := walk(t, s, "Query", request, nil)
	if diff := cmp.Diff([]string{"4", "5", "6", "7"}, ns); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{0, 2, 2}, pages); diff != "" {
		t.Errorf("pages: %s", diff)
	}
}

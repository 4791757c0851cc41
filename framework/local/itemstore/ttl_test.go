package itemstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 500_000_000, time.UTC)
	s := testStore(t, func() time.Time { return now })
	year := int64(365 * 24 * 3600)
	for name, exp := range map[string]string{
		"past":        fmt.Sprintf(`{"N":"%d"}`, now.Unix()-1),
		"this second": fmt.Sprintf(`{"N":"%d"}`, now.Unix()),
		"future":      fmt.Sprintf(`{"N":"%d"}`, now.Unix()+1),
		"fraction":    fmt.Sprintf(`{"N":"%d.75"}`, now.Unix()),
		"millis":      fmt.Sprintf(`{"N":"%d"}`, now.UnixMilli()),
		"4 years":     fmt.Sprintf(`{"N":"%d"}`, now.Unix()-4*year),
		"6 years":     fmt.Sprintf(`{"N":"%d"}`, now.Unix()-6*year),
		"zero":        `{"N":"0"}`,
		"text":        fmt.Sprintf(`{"S":"%d"}`, now.Unix()-1),
		"null":        `{"NULL":true}`,
	} {
		must(t, s, "PutItem", `{"TableName":"ttt","Item":{"id":{"S":%q},"exp":%s}}`, name, exp)
	}
	must(t, s, "PutItem", `{"TableName":"ttt","Item":{"id":{"S":"none"}}}`)

	// Expired items are there until the sweep, and conditions see them.
	if out := must(t, s, "GetItem", `{"TableName":"ttt","Key":{"id":{"S":"past"}}}`); out["Item"] == nil {
		t.Error("an expired item cannot be read before the sweep")
	}
	refused(t, s, "PutItem", `{"TableName":"ttt","Item":{"id":{"S":"past"}},"ConditionExpression":"attribute_not_exists(id)"}`)

	if n := s.Sweep(); n != 3 {
		t.Errorf("Sweep deleted %d items, want 3", n)
	}
	if diff := cmp.Diff([]string{"6 years", "fraction", "future", "millis", "none", "null", "text", "zero"}, ids(t, s)); diff != "" {
		t.Error(diff)
	}
	now = now.Add(time.Second)
	s.Sweep()
	if diff := cmp.Diff([]string{"6 years", "millis", "none", "null", "text", "zero"}, ids(t, s)); diff != "" {
		t.Errorf("a second later: %s", diff)
	}
	must(t, s, "UpdateTimeToLive", `{"TableName":"ttt","TimeToLiveSpecification":{"AttributeName":"exp","Enabled":false}}`)
	now = now.Add(time.Hour)
	if n := s.Sweep(); n != 0 {
		t.Errorf("without a time to live Sweep deleted %d items", n)
	}
}

func ids(t *testing.T, s *Store) []string {
	t.Helper()
	items, err := s.Items("ttt")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range items {
		names[m["id"].Str] = true
	}
	return sortedKeys(names)
}

// TestDefaultClock stands still, so that nothing expires.
func TestDefaultClock(t *testing.T) {
	t.Parallel()
	s := testStore(t, nil)
	must(t, s, "PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"},"exp":{"N":"1"}}}`)
	if n := s.Sweep(); n != 0 {
		t.Errorf("Sweep deleted %d items at the epoch", n)
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"testing"
)

type resource struct {
	Type       string
	Properties map[string]any
	Metadata   map[string]any

	DeletionPolicy, UpdateReplacePolicy string
}

type resources map[string]resource

func golden(t *testing.T) resources {
	t.Helper()
	raw, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct{ Resources resources }
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // so that numbers print as the template has them
	if err := decoder.Decode(&parsed); err != nil {
		t.Fatal(err)
	}
	return parsed.Resources
}

// of returns the resources of a type. None is a failure: a test that looks at
// nothing would pass.
func (rs resources) of(t *testing.T, kind string) resources {
	t.Helper()
	found := resources{}
	for id, r := range rs {
		if r.Type == kind {
			found[id] = r
		}
	}
	if len(found) == 0 {
		t.Fatalf("the template has no %s", kind)
	}
	return found
}

// at follows keys and indexes into v; what is not there is nil.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// target is the logical id that a Ref or an Fn::GetAtt points to.
func target(v any) string {
	if id, ok := at(v, "Ref").(string); ok {
		return id
	}
	id, _ := at(v, "Fn::GetAtt", 0).(string)
	return id
}

func list(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

func check(t *testing.T, id string, r resource, want any, path ...any) {
	t.Helper()
	if got := fmt.Sprint(at(r.Properties, path...)); got != fmt.Sprint(want) {
		t.Errorf("%s: %v = %s, want %v", id, path, got, want)
	}
}

// deadLetters are the queues that no function polls.
func deadLetters(t *testing.T, rs resources) resources {
	t.Helper()
	dead := maps.Clone(rs.of(t, "AWS::SQS::Queue"))
	for _, m := range rs.of(t, "AWS::Lambda::EventSourceMapping") {
		delete(dead, target(m.Properties["EventSourceArn"]))
	}
	return dead
}

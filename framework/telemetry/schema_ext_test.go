package telemetry_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// checkDocument checks a line against the format's specification.
func checkDocument(t testing.TB, line string) {
	t.Helper()
	if err := documentError(t, line); err != nil {
		t.Errorf("%v: %.2000s", err, line)
	}
}

func documentError(t testing.TB, line string) error {
	t.Helper()
	if err := checkLine(line); err != nil {
		return err
	}
	raw, err := os.ReadFile("testdata/emf.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var rules, doc map[string]any
	if err := json.Unmarshal(raw, &rules); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(line), &doc); err != nil {
		return err
	}
	if err := validate(t, "document", rules, doc); err != nil {
		return err
	}
	return targets(doc)
}

// targets checks the members that metrics and dimensions refer to, and that
// every number is of a metric.
func targets(doc map[string]any) error {
	metrics := map[string]bool{}
	for _, directive := range doc["_aws"].(map[string]any)["CloudWatchMetrics"].([]any) {
		d := directive.(map[string]any)
		for _, set := range d["Dimensions"].([]any) {
			for _, name := range set.([]any) {
				// CloudWatch's limits of a dimension's value.
				v, ok := doc[name.(string)].(string)
				if !ok || strings.TrimSpace(v) == "" || len(v) > 1024 || v[0] == ':' || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) {
					return fmt.Errorf("dimension %s is %v", name, doc[name.(string)])
				}
			}
		}
		for _, m := range d["Metrics"].([]any) {
			name := m.(map[string]any)["Name"].(string)
			if metrics[name] {
				return fmt.Errorf("metric %s is defined twice", name)
			}
			metrics[name] = true
			switch v := doc[name].(type) {
			case float64:
			case []any:
				if len(v) == 0 || len(v) > 100 || slices.ContainsFunc(v, func(v any) bool { _, ok := v.(float64); return !ok }) {
					return fmt.Errorf("metric %s has %d values, or some that are no numbers", name, len(v))
				}
			default:
				return fmt.Errorf("metric %s is %v", name, v)
			}
		}
	}
	for name, v := range doc {
		if _, isText := v.(string); !isText && name != "_aws" && !metrics[name] {
			return fmt.Errorf("member %s is of no metric", name)
		}
	}
	return nil
}

// validate is as much of JSON Schema as the schema uses. A keyword that it does
// not know fails the test.
func validate(t testing.TB, path string, rules map[string]any, v any) error {
	t.Helper()
	object, _ := v.(map[string]any)
	list, _ := v.([]any)
	text, _ := v.(string)
	number, _ := v.(float64)
	size := func(keyword string, limit any, n int) error {
		if within := float64(n) <= limit.(float64); within != strings.HasPrefix(keyword, "max") && float64(n) != limit.(float64) {
			return fmt.Errorf("%s: %s is %v, and it has %d", path, keyword, limit, n)
		}
		return nil
	}
	for keyword, rule := range rules {
		var err error
		switch keyword {
		case "description":
		case "type":
			if got := typeOf(v); got != rule {
				return fmt.Errorf("%s is %s, not %s", path, got, rule)
			}
		case "required":
			for _, name := range rule.([]any) {
				if _, ok := object[name.(string)]; !ok {
					err = fmt.Errorf("%s has no %s", path, name)
				}
			}
		case "properties":
			for name, inner := range rule.(map[string]any) {
				if member, ok := object[name]; ok && err == nil {
					err = validate(t, path+"."+name, inner.(map[string]any), member)
				}
			}
		case "additionalProperties":
			known, _ := rules["properties"].(map[string]any)
			for name := range object {
				if known[name] == nil && rule == false {
					err = fmt.Errorf("%s has %s", path, name)
				}
			}
		case "items":
			for i, inner := range list {
				if err == nil {
					err = validate(t, fmt.Sprintf("%s[%d]", path, i), rule.(map[string]any), inner)
				}
			}
		case "minItems", "maxItems":
			err = size(keyword, rule, len(list))
		case "minLength", "maxLength":
			err = size(keyword, rule, utf8.RuneCountInString(text))
		case "minimum":
			if number < rule.(float64) {
				err = fmt.Errorf("%s is %v", path, number)
			}
		case "pattern":
			if !regexp.MustCompile(rule.(string)).MatchString(text) {
				err = fmt.Errorf("%s is %q", path, text)
			}
		default:
			t.Fatalf("the schema has %q, which this test does not know", keyword)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func typeOf(v any) string {
	switch v := v.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
		return "number"
	default:
		return fmt.Sprintf("%T", v)
	}
}

// The check itself must find what is wrong.
func TestCheckDocumentRefuses(t *testing.T) {
	t.Parallel()
	good := observe(t, telemetryDefaults(), report(2))[0]
	for what, change := range map[string][2]string{
		"no object":               {"{", "["},
		"two lines":               {",", ",\n"},
		"member twice":            {`"source":"sqs"`, `"source":"sqs","source":"sqs"`},
		"no _aws":                 {`"_aws"`, `"_awt"`},
		"no timestamp":            {`"Timestamp"`, `"Time"`},
		"fraction of a timestamp": {`"Timestamp":1767319446913`, `"Timestamp":1767319446.5`},
		"negative timestamp":      {`"Timestamp":`, `"Timestamp":-`},
		"no namespace":            {`"Namespace":"Sluice"`, `"Namespace":""`},
		"long namespace":          {`"Namespace":"Sluice"`, `"Namespace":"` + strings.Repeat("x", 256) + `"`},
		"no dimension set":        {`[["consumer","source"]]`, `[]`},
		"flat dimensions":         {`[["consumer","source"]]`, `["consumer","source"]`},
		"dimension without value": {`["consumer","source"]`, `["consumer","region"]`},
		"empty dimension":         {`"consumer":"charge-payment"`, `"consumer":""`},
		"foreign dimension":       {`"consumer":"charge-payment"`, `"consumer":"caf` + "\u00e9" + `"`},
		"unknown unit":            {`"Unit":"Count"`, `"Unit":"Counts"`},
		"metric without value":    {`,"Processed":2`, ``},
		"metric twice":            {`{"Name":"Failed"`, `{"Name":"Processed"`},
		"metric of text":          {`"Processed":2`, `"Processed":"2"`},
		"empty values":            {`"HandlerDuration":[1.5,3]`, `"HandlerDuration":[]`},
		"text among values":       {`"HandlerDuration":[1.5,3]`, `"HandlerDuration":[1.5,"3"]`},
		"too many values":         {`"HandlerDuration":[1.5,3]`, `"HandlerDuration":[1` + strings.Repeat(",1", 100) + `]`},
		"value of no metric":      {`"Processed":2`, `"Processed":2,"Other":1`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Errorf("%s: the document has no %s: %s", what, change[0], good)
		} else if documentError(t, bad) == nil {
			t.Errorf("%s: not refused", what)
		}
	}
}

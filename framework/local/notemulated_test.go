package local_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every line of NOT_EMULATED.md names tests that exist.
func TestNotEmulatedNamesItsTests(t *testing.T) {
	t.Parallel()
	var sources strings.Builder
	for _, pattern := range []string{"*_test.go", "awsapi/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources.Write(text)
		}
	}
	doc, err := os.ReadFile("NOT_EMULATED.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`\bTest\w+`)
	rows := 0
	for line := range strings.Lines(string(doc)) {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.Contains(line, "| Test |") {
			continue
		}
		rows++
		tests := name.FindAllString(line, -1)
		if len(tests) == 0 {
			t.Errorf("no test: %s", line)
		}
		for _, test := range tests {
			if !strings.Contains(sources.String(), "func "+test+"(t *testing.T)") {
				t.Errorf("there is no test %s: %s", test, line)
			}
		}
	}
	if rows < 20 {
		t.Errorf("only %d rows found: is the table still a table?", rows)
	}
}

package consumer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// raceSources are the directories whose tests docs/races.md may name.
func raceSources(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for _, pattern := range []string{"*_test.go", "../idempotency/*_test.go", "../idempotency/dynamostore/*_test.go", "../idempotency/idempotencytest/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(source)
			text.WriteString("\n")
		}
	}
	return text.String()
}

var (
	raceRow      = regexp.MustCompile(`(?m)^\| R(\d+) \|.*$`)
	raceTest     = regexp.MustCompile("`(Test\\w+)`")
	raceCase     = regexp.MustCompile("`(R\\d+ [^`]+)`")
	testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	suiteCase    = regexp.MustCompile(`\{name: "((?:[^"\\]|\\.)*)"`)
)

func matches(re *regexp.Regexp, text string) []string {
	var found []string
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

// TestRacesTable: docs/races.md has every race, names only tests that exist,
// each in the row of its number, and leaves no numbered test out.
func TestRacesTable(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/races.md")
	if err != nil {
		t.Fatal(err)
	}
	sources := raceSources(t)
	functions, cases := matches(testFunction, sources), matches(suiteCase, sources)

	rows := raceRow.FindAllStringSubmatch(string(doc), -1)
	if len(rows) != 28 {
		t.Errorf("%d rows, want R1 to R28", len(rows))
	}
	for i, row := range rows {
		number := "R" + row[1]
		if want := fmt.Sprint("R", i+1); number != want {
			t.Errorf("row %d is %s, want %s", i+1, number, want)
		}
		tests, named := matches(raceTest, row[0]), matches(raceCase, row[0])
		switch {
		case number == "R27":
			if !strings.Contains(row[0], "**per region**") || len(tests)+len(named) > 0 {
				t.Errorf("R27 must say that attempts exclude each other per region, and that no test shows it: %s", row[0])
			}
		case len(tests) == 0:
			t.Errorf("%s names no test", number)
		}
		for _, name := range named {
			if !strings.HasPrefix(name, number+" ") {
				t.Errorf("%s names %q", number, name)
			}
		}
	}

	for _, name := range matches(raceTest, string(doc)) {
		if !slices.Contains(functions, name) {
			t.Errorf("there is no test %s", name)
		}
	}
	listed := matches(raceCase, string(doc))
	for _, name := range listed {
		if !slices.Contains(cases, name) {
			t.Errorf("the suite has no case %q", name)
		}
	}
	for _, name := range cases {
		if regexp.MustCompile(`^R\d+ `).MatchString(name) && !slices.Contains(listed, name) {
			t.Errorf("the table leaves out the suite's case %q", name)
		}
	}
	for _, name := range functions {
		for _, number := range regexp.MustCompile(`R(\d\d)`).FindAllStringSubmatch(name, -1) {
			if !strings.HasPrefix(name, "TestR") {
				continue
			}
			row := slices.IndexFunc(rows, func(r []string) bool { return fmt.Sprintf("%02s", r[1]) == number[1] })
			if row < 0 || !strings.Contains(rows[row][0], "`"+name+"`") {
				t.Errorf("the row of R%s leaves out %s", number[1], name)
			}
		}
	}
}

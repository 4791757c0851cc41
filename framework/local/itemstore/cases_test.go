package itemstore

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("update", false, "rewrite the expected answers in testdata/cases")

// A case file is a sequence of requests to one store, with their answers:
//
//	# comment
//	PutItem {"TableName":"ttt","Item":{"id":{"S":"a"}}}
//	=> {}
//	GetItem {"TableName":"nope","Key":{"id":{"S":"a"}}}
//	=> ResourceNotFoundException {"message":"Requested resource not found"}
//
// The same files are run against DynamoDB Local: see oracle_test.go.
type caseStep struct {
	line     int
	op, body string
	want     string
}

type caseFile struct {
	path  string
	lines []string
	steps []caseStep
}

func loadCases(t *testing.T) []*caseFile {
	t.Helper()
	paths, err := filepath.Glob("testdata/cases/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no case files in testdata/cases: %v", err)
	}
	var files []*caseFile
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f := &caseFile{path: path}
		for line := range strings.SplitSeq(strings.TrimRight(string(data), "\n"), "\n") {
			if want, ok := strings.CutPrefix(line, "=> "); ok {
				if len(f.steps) == 0 {
					t.Fatalf("%s starts with an answer", path)
				}
				f.steps[len(f.steps)-1].want = want
				continue
			}
			f.lines = append(f.lines, line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			op, body, ok := strings.Cut(line, " ")
			if !ok {
				t.Fatalf("%s: %q has no body", path, line)
			}
			f.steps = append(f.steps, caseStep{line: len(f.lines) - 1, op: op, body: expandCase(body)})
		}
		files = append(files, f)
	}
	return files
}

// expandCase replaces <x*N> by N times x, for limits that no file should spell
// out.
func expandCase(body string) string {
	for {
		start := strings.Index(body, "<")
		for start >= 0 {
			end := strings.Index(body[start:], ">")
			if end < 0 {
				return body
			}
			text, count, ok := strings.Cut(body[start+1:start+end], "*")
			n, err := strconv.Atoi(count)
			if ok && err == nil {
				body = body[:start] + strings.Repeat(text, n) + body[start+end+1:]
				break
			}
			next := strings.Index(body[start+1:], "<")
			if next < 0 {
				return body
			}
			start += 1 + next
		}
		if start < 0 {
			return body
		}
	}
}

// caseAnswer is an answer as the case files spell it.
func caseAnswer(response []byte, err *Error) string {
	if err == nil {
		return string(response)
	}
	var members map[string]json.RawMessage
	if decodeErr := json.Unmarshal(err.JSON(), &members); decodeErr != nil {
		return decodeErr.Error()
	}
	delete(members, "__type")
	if m, ok := members["Message"]; ok {
		members["message"] = m
		delete(members, "Message")
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if encodeErr := e.Encode(members); encodeErr != nil {
		return encodeErr.Error()
	}
	return err.Name() + " " + strings.TrimSpace(b.String())
}

func testClock() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func TestCases(t *testing.T) {
	t.Parallel()
	for _, f := range loadCases(t) {
		t.Run(strings.TrimSuffix(filepath.Base(f.path), ".txt"), func(t *testing.T) {
			t.Parallel()
			s := New(&Options{Clock: testClock})
			answers := map[int]string{}
			for _, step := range f.steps {
				got := caseAnswer(s.Call(step.op, []byte(step.body)))
				if len(got) > 4000 {
					got = got[:4000] + "..."
				}
				answers[step.line] = got
				if !*rewrite && got != step.want {
					t.Errorf("%s %.300s\n got %s\nwant %s", step.op, step.body, got, step.want)
				}
			}
			if *rewrite {
				rewriteCases(t, f, answers)
			}
		})
	}
}

func rewriteCases(t *testing.T, f *caseFile, answers map[int]string) {
	t.Helper()
	var b strings.Builder
	for i, line := range f.lines {
		b.WriteString(line + "\n")
		if a, ok := answers[i]; ok {
			b.WriteString("=> " + a + "\n")
		}
	}
	if err := os.WriteFile(f.path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestExpandCase(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"S":"<ab*3>"}`:     `{"S":"ababab"}`,
		`n <> :a <x*2> <y*1`: `n <> :a xx <y*1`,
		`a < b > c`:          `a < b > c`,
		`<<'a'>> <z*2>`:      `<<'a'>> zz`,
	} {
		if diff := cmp.Diff(want, expandCase(in)); diff != "" {
			t.Errorf("expandCase(%q): %s", in, diff)
		}
	}
}

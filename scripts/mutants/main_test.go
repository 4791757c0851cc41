package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryTextOccursOnce keeps the list in step with the source, at no cost.
func TestEveryTextOccursOnce(t *testing.T) {
	t.Parallel()
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range mutants() {
		if names[m.name] {
			t.Errorf("two mutants are named %q", m.name)
		}
		names[m.name] = true
		files, err := m.apply(root)
		if err != nil {
			t.Errorf("mutant %q: %v", m.name, err)
		}
		if len(files) == 0 {
			t.Errorf("mutant %q changes no file", m.name)
		}
		for _, e := range m.edits {
			if e.old == e.new {
				t.Errorf("mutant %q changes nothing in %s", m.name, e.file)
			}
		}
		if (m.test == "") != (m.run == "") {
			t.Errorf("mutant %q names half a test: %q %q", m.name, m.test, m.run)
		}
	}
}

func TestApplyRefusesWhatIsNotThereOnce(t *testing.T) {
	t.Parallel()
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for old, want := range map[string]string{"no such text": "occurs 0 times", "b.": "must once"} {
		_, err := mutant{edits: []edit{{batchFile, old, ""}}}.apply(root)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), batchFile) {
			t.Errorf("old text %q: error %v, want one with %q and the file", old, err, want)
		}
	}
	if _, err := (mutant{edits: []edit{{"no/such.go", "", ""}}}).apply(root); err == nil {
		t.Error("a missing file is no error")
	}
	files, err := mutant{edits: []edit{{limitsFile, "marginShare = 10", "marginShare = 9"}, {limitsFile, "marginShare = 9", "marginShare = 8"}}}.apply(root)
	if err != nil || !strings.Contains(files[filepath.Join(root, limitsFile)], "marginShare = 8") {
		t.Errorf("two edits of one file: %v", err)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, printed     string
		failed, simulated bool
		want              string
		refused           bool
	}{
		{name: "survives", printed: "ok", simulated: true},
		{name: "caught", printed: "x_test.go:1: seed 12: I9 key a", failed: true, simulated: true, want: "simulation, I9 (seed 12)"},
		{name: "does not compile", printed: "FAIL p [build failed]", failed: true, simulated: true, refused: true},
		{name: "dies of something else", printed: "panic: deadlock", failed: true, simulated: true, refused: true},
		{name: "another test", printed: "--- FAIL: TestMemory/case (0.1s)", failed: true, want: "TestMemory/case"},
		{name: "another test, silent", printed: "exit status 2", failed: true, refused: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := judge(tc.printed, tc.failed, tc.simulated)
			if got != tc.want || (err != nil) != tc.refused {
				t.Errorf("judge = %q, %v; want %q, refused %t", got, err, tc.want, tc.refused)
			}
		})
	}
}

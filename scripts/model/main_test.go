package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	dir, err := sourceDir(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRunsFitTheModel: each run changes constants that exist, and each mutant
// and invariant that a run names is in the model.
func TestRunsFitTheModel(t *testing.T) {
	t.Parallel()
	base, model := read(t, "Claims.cfg"), read(t, "Claims.tla")
	liveness, mutants := 0, 0
	for _, r := range runs() {
		config, err := r.config(base)
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		for name, value := range r.constants {
			if !strings.Contains(config, "\n  "+name+" = "+value+"\n") {
				t.Errorf("%s: the configuration does not set %s to %s:\n%s", r.name, name, value, config)
			}
		}
		if r.liveness != strings.Contains(config, "PROPERTY Settles") || r.liveness == strings.Contains(config, "SYMMETRY") {
			t.Errorf("%s: liveness %t in:\n%s", r.name, r.liveness, config)
		}
		if r.liveness {
			liveness++
		}
		if m := r.constants["Mutant"]; m != "" {
			mutants++
			if !strings.Contains(model, "Mutant = "+m) {
				t.Errorf("%s: the model does not know the mutant %s", r.name, m)
			}
			if !strings.Contains(model, "\n"+r.violates+" ==") || !strings.Contains(base, r.violates) {
				t.Errorf("%s: %q is no invariant that is checked", r.name, r.violates)
			}
		}
		if (r.violates != "") != (r.constants["Mutant"] != "" || r.unfair) || r.unfair && !strings.Contains(config, "SPECIFICATION Unfair\n") {
			t.Errorf("%s: what is to be violated goes with a mutant", r.name)
		}
	}
	if liveness == 0 || mutants == 0 {
		t.Errorf("%d runs check liveness, %d are mutants", liveness, mutants)
	}
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]modelRun{
		"an unknown constant": {constants: map[string]string{"MaxRecieves": "2"}},
		"a lost symmetry":     {liveness: true},
	} {
		if config, err := r.config("CONSTANTS\n  MaxReceives = 2\n"); err == nil {
			t.Errorf("%s: %q", name, config)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	const (
		clean   = "Model checking completed. No error has been found.\n12 states generated, 5 distinct states found, 0 states left on queue.\n"
		overlap = "Error: Invariant NoOverlap is violated.\n9 states generated, 4 distinct states found, 2 states left on queue.\n"
		stuck   = "Error: Temporal properties were violated.\n"
		dies    = "java.lang.OutOfMemoryError\n"
	)
	model, mutated := modelRun{name: "model"}, modelRun{name: "mutant", violates: "NoOverlap"}
	other := modelRun{name: "mutant", violates: "NoLoss"}
	for _, tc := range []struct {
		name, printed string
		run           modelRun
		want          string
	}{
		{"holds", clean, model, ""},
		{"is violated", overlap, model, "NoOverlap is violated"},
		{"does not settle", stuck, model, "temporal properties is violated"},
		{"does not finish", dies, model, "did not finish"},
		{"mutant caught", overlap, mutated, ""},
		{"mutant survives", clean, mutated, "survives"},
		{"mutant does not finish", dies, mutated, "did not finish"},
		{"mutant caught by something else", overlap, other, "and not NoLoss"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := tc.run.judge(parse(tc.printed), tc.printed)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("judge: %v, want %q", err, tc.want)
			}
		})
	}
	if r := parse(clean); r.states != "12" || r.distinct != "5" {
		t.Errorf("parse: %+v", r)
	}
}

// TestWithoutJava: a machine without the tools is told so, and fails nothing.
func TestWithoutJava(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if _, err := locate(t.Context(), dir, ""); !errors.Is(err, errSkip) || !strings.Contains(err.Error(), "java") {
		t.Errorf("without java: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "java"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := locate(t.Context(), dir, ""); !errors.Is(err, errSkip) || !strings.Contains(err.Error(), "mvn") {
		t.Errorf("without mvn: %v", err)
	}
	if _, err := locate(t.Context(), dir, filepath.Join(dir, "none.jar")); err == nil || errors.Is(err, errSkip) {
		t.Errorf("a jar that is named and missing: %v", err)
	}
}

package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
)

// modelRun is one run of the model checker: docs/model/Claims.cfg with some of
// its constants changed.
type modelRun struct {
	name      string
	constants map[string]string
	liveness  bool   // also that every message settles; costs the symmetry
	unfair    bool   // nothing need ever happen
	violates  string // of a mutant: what must fail
}

// runs is what is checked. Together they take about a minute on two cores.
func runs() []modelRun {
	single := map[string]string{"Messages": "{1}"}
	with := func(more ...string) map[string]string {
		m := map[string]string{}
		maps.Copy(m, single)
		for i := 0; i+1 < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	mutant := func(name, tx, violates string) modelRun {
		return modelRun{name: "mutant: " + name + ", Tx " + tx, constants: with("Mutant", `"`+name+`"`, "Tx", tx), violates: violates}
	}
	return []modelRun{
		{name: "two copies, InTx", constants: map[string]string{}},
		{name: "two copies, foreign effect", constants: map[string]string{"Tx": "FALSE"}},
		{name: "two keys, InTx", constants: map[string]string{"Keys": "{1, 2}", "MaxLosses": "0"}},
		{name: "three sandboxes, InTx", constants: with("Sandboxes", "{s1, s2, s3}", "MaxReceives", "3", "MaxCrashes", "0")},
		{name: "redrive, two lost answers, InTx", constants: with("MaxRedrives", "1", "MaxLosses", "2")},
		{name: "redrive and liveness, InTx", constants: with("MaxRedrives", "1"), liveness: true},
		{name: "redrive and liveness, foreign effect", constants: with("MaxRedrives", "1", "Tx", "FALSE", "MaxLosses", "0"), liveness: true},
		{name: "mutant: no fairness, InTx", constants: with("MaxCrashes", "0", "MaxLosses", "0"), liveness: true, unfair: true, violates: temporal},
		mutant("no fence on complete", "TRUE", "LeaseHolds"),
		mutant("no fence on complete", "FALSE", "LeaseHolds"),
		mutant("no fence on release", "TRUE", "LeaseHolds"),
		mutant("lease ignored", "TRUE", "NoOverlap"),
		mutant("lease ignored", "FALSE", "NoOverlap"),
		mutant("mark before work", "FALSE", "CompletedIsDone"),
		mutant("generation starts anew", "TRUE", "Generations"),
	}
}

// config returns the configuration of a run.
func (r modelRun) config(base string) (string, error) {
	for name, value := range r.constants {
		line := regexp.MustCompile(`(?m)^  ` + regexp.QuoteMeta(name) + ` = .*$`)
		if len(line.FindAllString(base, -1)) != 1 {
			return "", fmt.Errorf("constant %s must be set once in Claims.cfg", name)
		}
		base = line.ReplaceAllLiteralString(base, "  "+name+" = "+value)
	}
	if r.liveness {
		if strings.Count(base, "\nSYMMETRY Alike\n") != 1 {
			return "", errors.New("the line SYMMETRY Alike must be once in Claims.cfg: TLC checks liveness without it")
		}
		base = strings.Replace(base, "\nSYMMETRY Alike\n", "\nPROPERTY Settles\n", 1)
	}
	if r.unfair {
		base = strings.Replace(base, "SPECIFICATION Spec\n", "SPECIFICATION Unfair\n", 1)
	}
	return base, nil
}

// temporal stands for the property, of which TLC does not say the name.
const temporal = "temporal properties"

// result is what TLC printed.
type result struct {
	states, distinct string
	violated         string // an invariant, or temporal
	clean            bool
}

func parse(printed string) result {
	var r result
	if m := regexp.MustCompile(`(?m)^(\d+) states generated, (\d+) distinct states found`).FindStringSubmatch(printed); m != nil {
		r.states, r.distinct = m[1], m[2]
	}
	if m := regexp.MustCompile(`Invariant (\w+) is violated`).FindStringSubmatch(printed); m != nil {
		r.violated = m[1]
	} else if strings.Contains(printed, "Temporal properties were violated") {
		r.violated = temporal
	}
	r.clean = strings.Contains(printed, "Model checking completed. No error has been found.")
	return r
}

// judge compares what TLC found with what it had to find.
func (r modelRun) judge(got result, printed string) error {
	switch {
	case r.violates == "" && got.clean && got.violated == "":
		return nil
	case r.violates != "" && got.violated == r.violates:
		return nil
	case got.violated == "" && !got.clean:
		return fmt.Errorf("%s: TLC did not finish:\n%s", r.name, printed)
	case r.violates == "":
		return fmt.Errorf("%s: %s is violated:\n%s", r.name, got.violated, printed)
	case got.violated == "":
		return fmt.Errorf("%s: survives, and %s had to fail: the model proves less than it says", r.name, r.violates)
	default:
		return fmt.Errorf("%s: violates %s, and not %s", r.name, got.violated, r.violates)
	}
}

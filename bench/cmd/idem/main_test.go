package main

import (
	"os"
	"strings"
	"testing"

	"github.com/sluice-go/sluice/bench/internal/idem"
)

// TestMain lets this binary be the table's process, as the command itself is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-serve" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestRun compares over real TLS and in two processes. The counts in its rows
// are exact; the times are whatever they are.
func TestRun(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := run(t.Context(), &out, 0, []plan{
		{idem.Scenario{N: 3}, 1, 2},
		{idem.Scenario{N: 4, Duplicate: true}, 1, 1},
		{idem.Scenario{N: 5, Crashed: 2}, 1, 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range strings.Split(out.String(), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 6 || strings.HasPrefix(line, "|-") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		got = append(got, strings.Join(cells[1:5], " | "))
	}
	want := []string{
		"3 fresh records | requests | write units | read units",
		"classic, sequential | 6 | 6 | 0",
		"classic, 10 concurrent | 6 | 6 | 0",
		"Sluice's store, no consumer | 2 | 6 | 0",
		"Sluice, whole consumer | 2 | 6 | 0",
		"Sluice, CompleteAtEnd | 2 | 6 | 0",
		"4 records, all completed before | requests | write units | read units",
		"classic, sequential | 4 | 4 | 0",
		"classic, 10 concurrent | 4 | 4 | 0",
		"Sluice's store, no consumer | 2 | 4 | 4",
		"Sluice, whole consumer | 2 | 4 | 4",
		"Sluice, CompleteAtEnd | 2 | 4 | 4",
		"5 records, 2 of them claimed by an attempt that crashed | requests | write units | read units",
		"classic, sequential | 10 | 10 | 0",
		"classic, 10 concurrent | 10 | 10 | 0",
		"Sluice's store, no consumer | 4 | 12 | 2",
		"Sluice, whole consumer | 4 | 12 | 2",
		"Sluice, CompleteAtEnd | 4 | 12 | 2",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("rows:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestPlans: the table that README shows has the sizes that it says.
func TestPlans(t *testing.T) {
	t.Parallel()
	fresh := map[int]bool{}
	for _, p := range plans(false) {
		if p.rounds < 3 || p.batches < 1 {
			t.Errorf("%s is measured in %d rounds of %d batches", p, p.rounds, p.batches)
		}
		if !p.Duplicate && p.Crashed == 0 {
			fresh[p.N] = true
		}
	}
	for _, n := range []int{1, 10, 25, 100, 1000} {
		if !fresh[n] {
			t.Errorf("batches of %d are not measured", n)
		}
	}
	for _, p := range plans(true) {
		if p.N >= 1000 || p.rounds > 3 {
			t.Errorf("%s in %d rounds is not quick", p, p.rounds)
		}
	}
}

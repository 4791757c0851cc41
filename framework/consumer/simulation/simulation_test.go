package simulation_test

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	defaultSchedules = 3000
	workers          = 2
	perBubble        = 250
	maxFailures      = 5
)

// simulate runs one schedule in the current bubble. It starts on the hour, so
// that what is kept to the second is the same for every run of a seed.
func simulate(l *lab, seed uint64, trace bool) *world {
	time.Sleep(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour)))
	w := newWorld(l, seed)
	w.tracing = trace
	w.live()
	return w
}

// bubble runs f where time is virtual. What abandoned handlers and late
// requests still have to do ends within an hour.
func bubble(t *testing.T, f func(l *lab)) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		f(&lab{statements: map[string]*statement{}})
		time.Sleep(time.Hour)
	})
}

func TestSimulation(t *testing.T) {
	t.Parallel()
	schedules := environment(t, "SLUICE_SIM_SCHEDULES", defaultSchedules)
	from := uint64(environment(t, "SLUICE_SIM_FROM", 1))
	if seed, set := os.LookupEnv("SLUICE_SIM_SEED"); set {
		n, err := strconv.ParseUint(seed, 10, 64)
		if err != nil {
			t.Fatalf("SLUICE_SIM_SEED: %v", err)
		}
		replay(t, n)
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	s := &session{t: t, end: from + uint64(schedules), next: from}
	for _, seed := range keptSeeds(t) {
		bubble(t, func(l *lab) { s.take(simulate(l, seed, false)) })
	}
	kept := s.ran
	began := time.Now()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for s.work() {
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	t.Logf("%d schedules, after %d kept seeds, in %s (%s each on %d workers), %d invocations, %d handler runs\n%s",
		s.ran-kept, kept, took.Round(time.Millisecond), (took / time.Duration(max(s.ran-kept, 1))).Round(time.Microsecond), workers, s.invoked, s.seen[runs], s.seen.table(s.ran))
	for _, w := range s.failed {
		t.Errorf("%s", w.report())
	}
	if len(s.failed) > 0 {
		keep(t, s.failed)
		replay(t, s.failed[0].seed)
		return
	}
	if os.Getenv("SLUICE_SIM_FLOORS") == "off" {
		return
	}
	for _, name := range s.seen.blind(s.ran) {
		t.Errorf("the simulation is blind to a window: %s", name)
	}
}

// session is one run of TestSimulation, shared by its workers.
type session struct {
	t         *testing.T
	mu        sync.Mutex
	next, end uint64
	ran       int
	invoked   int
	seen      tally
	failed    []*world
}

// work runs the next seeds in a bubble, and reports false if none are left.
func (s *session) work() bool {
	s.mu.Lock()
	from, to := s.next, min(s.next+perBubble, s.end)
	s.next = to
	if from == to || len(s.failed) >= maxFailures {
		s.mu.Unlock()
		return false
	}
	s.mu.Unlock()
	bubble(s.t, func(l *lab) {
		for seed := from; seed < to; seed++ {
			if !s.take(simulate(l, seed, false)) {
				return
			}
		}
	})
	return true
}

func (s *session) take(w *world) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran++
	s.invoked += w.invoked
	s.seen.add(&w.seen)
	if len(w.broken) > 0 {
		s.failed = append(s.failed, w)
	}
	return len(s.failed) < maxFailures
}

// replay runs a seed with its trace.
func replay(t *testing.T, seed uint64) {
	t.Helper()
	bubble(t, func(l *lab) {
		w := simulate(l, seed, true)
		t.Logf("trace of seed %d (replay it by SLUICE_SIM_SEED=%d):\n%s", seed, seed, strings.Join(w.trace, "\n"))
		if len(w.broken) > 0 {
			t.Errorf("%s", w.report())
		}
	})
}

// TestReplay: a seed that fails must fail again.
func TestReplay(t *testing.T) {
	t.Parallel()
	bubble(t, func(l *lab) {
		for seed := range uint64(300) {
			first, second := simulate(l, seed, true), simulate(l, seed, true)
			if a, b := first.events(), second.events(); !slices.Equal(a, b) {
				t.Errorf("seed %d runs differently:\n%s\n--- and\n%s", seed, strings.Join(a, "\n"), strings.Join(b, "\n"))
				return
			}
		}
	})
}

// events is the trace in an order that does not depend on which of one
// instant's goroutines ran first.
func (w *world) events() []string {
	s := slices.Clone(w.trace)
	slices.Sort(s)
	return s
}

func environment(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s, set := os.LookupEnv(name)
	if !set {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q: it must be a number that is not negative", name, s)
	}
	return n
}

func keptFile() string {
	if name := os.Getenv("SLUICE_SIM_FAILED"); name != "" {
		return name
	}
	return "testdata/failing-seeds.txt"
}

// keptSeeds reads the seeds that failed once. Lines may end in a comment.
func keptSeeds(t *testing.T) (seeds []uint64) {
	t.Helper()
	f, err := os.Open(keptFile())
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		seed, err := strconv.ParseUint(line, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", keptFile(), err)
		}
		seeds = append(seeds, seed)
	}
	return seeds
}

// keep adds failing seeds to the file.
func keep(t *testing.T, failed []*world) {
	t.Helper()
	known := keptSeeds(t)
	f, err := os.OpenFile(keptFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Errorf("failing seeds not kept: %v", err)
		return
	}
	defer func() { _ = f.Close() }()
	for _, w := range failed {
		if !slices.Contains(known, w.seed) {
			first, _, _ := strings.Cut(w.broken[0], "\n")
			if _, err := fmt.Fprintf(f, "%d # %s\n", w.seed, first); err != nil {
				t.Errorf("failing seeds not kept: %v", err)
			}
		}
	}
}

package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluice-go/sluice/bench/internal/consume"
)

// Both tests use the baseline's shared sum, so they do not run in parallel.

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out, []int{1, 10}, 1, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	for _, head := range []string{"| batches of 1, per record ", "| batches of 10, per record "} {
		if strings.Count(out.String(), head) != 1 {
			t.Errorf("no table %q", head)
		}
	}
	for _, v := range consume.Variants() {
		if got := strings.Count(out.String(), "| "+v.Name+" "); got != 2 {
			t.Errorf("%s is in %d tables, want 2", v.Name, got)
		}
	}
}

func TestRunEnds(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ended, &strings.Builder{}, []int{1}, 1, time.Millisecond); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

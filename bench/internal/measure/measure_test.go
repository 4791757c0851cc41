package measure_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/bench/internal/measure"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	got, spread := measure.Median([]measure.Sample{
		{CPU: 40, Wall: 1, Allocs: 9, Bytes: 5},
		{CPU: 10, Wall: 3, Allocs: 7, Bytes: 5},
		{CPU: 20, Wall: 2, Allocs: 8, Bytes: 6},
		{CPU: 30, Wall: 9, Allocs: 6, Bytes: 5},
		{CPU: 50, Wall: 8, Allocs: 5, Bytes: 1},
	})
	if diff := cmp.Diff(measure.Sample{CPU: 30, Wall: 3, Allocs: 7, Bytes: 5}, got); diff != "" {
		t.Errorf("median (-want +got):\n%s", diff)
	}
	if want := 20.0 / 30; spread != want {
		t.Errorf("spread = %v, want %v", spread, want)
	}
	if got, spread := measure.Median(nil); got != (measure.Sample{}) || spread != 0 {
		t.Errorf("of nothing: %+v, %v", got, spread)
	}
	if got, _ := measure.Median([]measure.Sample{{CPU: 10}, {CPU: 20}}); got.CPU != 15 {
		t.Errorf("of two: %v", got.CPU)
	}
}

func TestTakeDividesByTheWorkDone(t *testing.T) {
	t.Parallel()
	var keep [][]byte
	got, err := measure.Take(func() (int, error) {
		for range 64 {
			keep = append(keep, make([]byte, 1<<16))
		}
		return 64, nil
	})
	if err != nil || len(keep) != 64 {
		t.Fatal(err)
	}
	// Other tests may allocate meanwhile, so this is a floor.
	if got.Bytes < 1<<16 || got.Allocs < 1 {
		t.Errorf("sample = %+v", got)
	}
	if got.CPU < 0 || got.Wall <= 0 {
		t.Errorf("times = %+v", got)
	}
}

func TestTakeRefuses(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	if _, err := measure.Take(func() (int, error) { return 1, boom }); !errors.Is(err, boom) {
		t.Errorf("error = %v", err)
	}
	if _, err := measure.Take(func() (int, error) { return 0, nil }); err == nil {
		t.Error("no work was accepted")
	}
}

func TestInterleave(t *testing.T) {
	t.Parallel()
	var order []int
	samples, err := measure.Interleave(3, 4, func(v int) (measure.Sample, error) {
		order = append(order, v)
		return measure.Sample{CPU: time.Duration(v)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 1, 2, 0, 2, 0, 1, 0, 1, 2}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	for v, of := range samples {
		if len(of) != 4 {
			t.Errorf("variant %d has %d samples", v, len(of))
		}
		for _, s := range of {
			if s.CPU != time.Duration(v) {
				t.Errorf("variant %d got a sample of %d", v, s.CPU)
			}
		}
	}
	boom := errors.New("boom")
	if _, err := measure.Interleave(2, 2, func(v int) (measure.Sample, error) { return measure.Sample{}, boom }); !errors.Is(err, boom) {
		t.Errorf("error = %v", err)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := measure.NewTable("what", "µs", "x")
	table.Row("one", "10.0", "1.00")
	table.Row("a longer name", "7")
	var b strings.Builder
	if _, err := table.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	want := "" +
		"| what          |   µs |    x |\n" +
		"|---------------|-----:|-----:|\n" +
		"| one           | 10.0 | 1.00 |\n" +
		"| a longer name |    7 |      |\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	if got := measure.Ratio(1, 4); got != "0.25" {
		t.Errorf("Ratio = %q", got)
	}
	if got := measure.Ratio(1, 0); got != "-" {
		t.Errorf("Ratio to nothing = %q", got)
	}
}

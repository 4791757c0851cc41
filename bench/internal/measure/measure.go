// Package measure samples what a piece of work costs and summarises it.
//
// Machines that run benchmarks are shared, so wall time alone says little. What
// is compared is the CPU time of the whole process (user and system, as
// getrusage reports it, hence with the garbage collector's share), in medians
// over rounds in which the variants take turns: see [Interleave]. Only numbers
// of one run are comparable.
package measure

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// A Sample is the cost of some work, divided by how often it was done.
type Sample struct {
	CPU    time.Duration // of the process, user and system
	Wall   time.Duration
	Allocs float64
	Bytes  float64
}

// Take runs work and returns its cost divided by times, the number of units
// of which work says that it did them. Garbage of earlier work is collected
// first, so that each pays for its own.
func Take(work func() (times int, err error)) (Sample, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	used, err := cpuTime()
	if err != nil {
		return Sample{}, err
	}
	times, err := work()
	if err != nil {
		return Sample{}, err
	}
	if times < 1 {
		return Sample{}, fmt.Errorf("the work says that it was done %d times: a cost cannot be told", times)
	}
	now, err := cpuTime()
	if err != nil {
		return Sample{}, err
	}
	wall := time.Since(start)
	runtime.ReadMemStats(&after)
	return Sample{
		CPU:    (now - used) / time.Duration(times),
		Wall:   wall / time.Duration(times),
		Allocs: float64(after.Mallocs-before.Mallocs) / float64(times),
		Bytes:  float64(after.TotalAlloc-before.TotalAlloc) / float64(times),
	}, nil
}

// Interleave calls take for each of n variants in turn, rounds times over,
// starting every round with another variant, and returns the samples of each:
// a slow minute of the machine then hits all of them alike.
func Interleave(n, rounds int, take func(variant int) (Sample, error)) ([][]Sample, error) {
	samples := make([][]Sample, n)
	for round := range rounds {
		for i := range n {
			v := (i + round) % n
			s, err := take(v)
			if err != nil {
				return nil, err
			}
			samples[v] = append(samples[v], s)
		}
	}
	return samples, nil
}

// Median returns the median of each member of samples by itself, and the
// relative inter-quartile range of the CPU time, the measure of its noise.
func Median(samples []Sample) (median Sample, spread float64) {
	cpu := pick(samples, func(s Sample) float64 { return float64(s.CPU) })
	median = Sample{
		CPU:    time.Duration(quantile(cpu, 0.5)),
		Wall:   time.Duration(quantile(pick(samples, func(s Sample) float64 { return float64(s.Wall) }), 0.5)),
		Allocs: quantile(pick(samples, func(s Sample) float64 { return s.Allocs }), 0.5),
		Bytes:  quantile(pick(samples, func(s Sample) float64 { return s.Bytes }), 0.5),
	}
	if median.CPU > 0 {
		spread = (quantile(cpu, 0.75) - quantile(cpu, 0.25)) / float64(median.CPU)
	}
	return median, spread
}

func pick(samples []Sample, of func(Sample) float64) []float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values
}

// quantile interpolates between the two nearest of sorted values; 0 for none.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low == len(sorted)-1 {
		return sorted[low]
	}
	part := at - float64(low)
	return sorted[low]*(1-part) + sorted[low+1]*part
}

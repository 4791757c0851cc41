// Command consume prints what a record costs to receive: with a plain
// aws-lambda-go handler, with watermill's router, and with a Sluice consumer.
//
// All variants take turns in one process; every number is a median over rounds,
// and ratios are of medians of this run. Run it a second time with
// GOEXPERIMENT=jsonv2 to see them with the codec that Go 1.27 has by default.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/sluice-go/sluice/bench/internal/consume"
	"github.com/sluice-go/sluice/bench/internal/measure"
	"github.com/sluice-go/sluice/bench/internal/traffic"
)

func main() {
	rounds := flag.Int("rounds", 11, "rounds, each of which gives every variant a turn")
	per := flag.Duration("per", 80*time.Millisecond, "length of a turn")
	procs := flag.Int("procs", 1, "GOMAXPROCS: a function of up to 1,769 MB has at most one vCPU")
	flag.Parse()
	runtime.GOMAXPROCS(*procs)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, []int{1, 10, 1000}, *rounds, *per); err != nil {
		fmt.Fprintln(os.Stderr, "consume:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, sizes []int, rounds int, per time.Duration) error {
	fmt.Fprintf(out, "%s; medians of %d interleaved rounds of %s; CPU time of the process, GC included\n", measure.Host(), rounds, per)
	for _, n := range sizes {
		if err := compare(ctx, out, n, rounds, per); err != nil {
			return fmt.Errorf("batches of %d: %w", n, err)
		}
	}
	return nil
}

func compare(ctx context.Context, out io.Writer, n, rounds int, per time.Duration) error {
	variants := consume.Variants()
	batch, err := new(traffic.Source).NewBatch(n)
	if err != nil {
		return err
	}
	turn := func(v int) (measure.Sample, error) {
		if err := ctx.Err(); err != nil {
			return measure.Sample{}, err
		}
		r, err := variants[v].Make()
		if err != nil {
			return measure.Sample{}, err
		}
		ctx, cancel := traffic.Context(ctx)
		defer cancel()
		return measure.Take(func() (int, error) {
			records := 0
			for start := time.Now(); records == 0 || time.Since(start) < per; {
				if err := consume.Check(r.Invoke(ctx, batch.Next())); err != nil {
					return 0, fmt.Errorf("%s: %w", variants[v].Name, err)
				}
				records += n
			}
			if got := r.Handled(); got != records {
				return 0, fmt.Errorf("%s: %d records were handled, want %d", variants[v].Name, got, records)
			}
			return records, nil
		})
	}
	// One round that is not counted: caches of types, pools, the page cache.
	if _, err := measure.Interleave(len(variants), 1, turn); err != nil {
		return err
	}
	samples, err := measure.Interleave(len(variants), rounds, turn)
	if err != nil {
		return err
	}
	raw, _ := measure.Median(samples[0])
	t := measure.NewTable(fmt.Sprintf("batches of %d, per record", n), "CPU µs", "IQR %", "allocs", "bytes", "CPU / raw", "allocs / raw", "bytes / raw")
	for v, of := range samples {
		m, spread := measure.Median(of)
		t.Row(variants[v].Name,
			fmt.Sprintf("%.1f", float64(m.CPU.Nanoseconds())/1e3), fmt.Sprintf("%.0f", 100*spread),
			fmt.Sprintf("%.0f", m.Allocs), fmt.Sprintf("%.0f", m.Bytes),
			measure.Ratio(float64(m.CPU), float64(raw.CPU)), measure.Ratio(m.Allocs, raw.Allocs), measure.Ratio(m.Bytes, raw.Bytes))
	}
	fmt.Fprintln(out)
	_, err = t.WriteTo(out)
	return err
}

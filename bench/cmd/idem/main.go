// Command idem prints what it costs to protect a batch from duplicates: the
// classic protocol of one conditional PutItem and one UpdateItem for each
// record, against a Sluice consumer with its DynamoDB store.
//
// The table is in a second process, reached over TLS, which holds conditional
// state and answers each request after a fixed latency. CPU time and allocations
// are the client's alone. The protocols take turns; every number is a median
// over rounds, and ratios are of medians of this run. Requests and units are
// also asserted, exactly, by the tests of internal/idem.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/sluice-go/sluice/bench/internal/idem"
	"github.com/sluice-go/sluice/bench/internal/measure"
	"github.com/sluice-go/sluice/bench/internal/table"
	"github.com/sluice-go/sluice/bench/internal/traffic"
	"github.com/sluice-go/sluice/framework/consumer"
)

func main() {
	latency := flag.Duration("latency", 5*time.Millisecond, "assumed time from a request to its answer")
	quick := flag.Bool("quick", false, "three rounds, and no batches of 1,000")
	serve := flag.Bool("serve", false, "be the table's process; for this program's own use")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *serve {
		err = serveTable(*latency)
	} else {
		err = run(ctx, os.Stdout, *latency, plans(*quick))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "idem:", err)
		os.Exit(1)
	}
}

func serveTable(latency time.Duration) error {
	server, err := table.NewServer(latency, idem.Tables()...)
	if err != nil {
		return err
	}
	return server.Serve(os.Stdin, os.Stdout)
}

// plan is a scenario with how much of it is measured: rounds, and how many
// batches of it make a turn.
type plan struct {
	idem.Scenario

	rounds, batches int
}

func plans(quick bool) []plan {
	all := []plan{
		{idem.Scenario{N: 1}, 11, 20},
		{idem.Scenario{N: 10}, 11, 5},
		{idem.Scenario{N: 25}, 11, 3},
		{idem.Scenario{N: 100}, 7, 2},
		{idem.Scenario{N: 1000}, 3, 1},
		{idem.Scenario{N: 10, Duplicate: true}, 11, 5},
		{idem.Scenario{N: 10, Crashed: 5}, 11, 5},
	}
	if !quick {
		return all
	}
	var some []plan
	for _, p := range all {
		if p.N < 1000 {
			p.rounds = 3
			some = append(some, p)
		}
	}
	return some
}

func run(ctx context.Context, out io.Writer, latency time.Duration, all []plan) (err error) {
	server, err := table.Start(ctx, "-serve", "-latency", latency.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	protocols, err := newProtocols(server)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s; store latency %s (assumed), TLS to a second process; medians of interleaved rounds; the client's cost per batch\n", measure.Host(), latency)
	c := comparison{server: server, protocols: protocols}
	for _, p := range all {
		if err := c.run(ctx, out, p); err != nil {
			return fmt.Errorf("%s: %w", p.Scenario, err)
		}
	}
	return nil
}

func newProtocols(server *table.Process) ([]*idem.Protocol, error) {
	c1, n1 := server.Client()
	c10, n10 := server.Client()
	ca, na := server.Client()
	alone, err := idem.StoreAlone("Sluice's store, no consumer", ca, na)
	if err != nil {
		return nil, err
	}
	cs, ns := server.Client()
	sluice, err := idem.Sluice("Sluice, whole consumer", cs, ns)
	if err != nil {
		return nil, err
	}
	ce, ne := server.Client()
	atEnd, err := idem.Sluice("Sluice, CompleteAtEnd", ce, ne, consumer.CompleteAtEnd())
	if err != nil {
		return nil, err
	}
	return []*idem.Protocol{
		idem.Classic("classic, sequential", 1, c1, n1),
		idem.Classic("classic, 10 concurrent", 10, c10, n10),
		alone,
		sluice,
		atEnd,
	}, nil
}

// asked is what one protocol asked of the table.
type asked struct {
	batches, requests int
	writes, reads     float64
}

type comparison struct {
	server    *table.Process
	protocols []*idem.Protocol
	source    traffic.Source // one for all: the table remembers every id
}

func (c *comparison) run(ctx context.Context, out io.Writer, p plan) error {
	batches := make([]*traffic.Batch, p.batches)
	for i := range batches {
		var err error
		if batches[i], err = c.source.NewBatch(p.N); err != nil {
			return err
		}
	}
	totals := make([]asked, len(c.protocols))
	turn := func(i int) (measure.Sample, error) {
		for _, b := range batches {
			if err := c.protocols[i].Prepare(ctx, p.Scenario, b); err != nil {
				return measure.Sample{}, err
			}
		}
		return c.turn(ctx, c.protocols[i], p.Scenario, batches, &totals[i])
	}
	// One round that is not counted: connections, caches of types.
	if _, err := measure.Interleave(len(c.protocols), 1, turn); err != nil {
		return err
	}
	clear(totals)
	samples, err := measure.Interleave(len(c.protocols), p.rounds, turn)
	if err != nil {
		return err
	}
	return report(out, c.protocols, p, totals, samples)
}

// turn measures batches that are prepared, and adds what they asked to total.
func (c *comparison) turn(ctx context.Context, proto *idem.Protocol, s idem.Scenario, batches []*traffic.Batch, total *asked) (measure.Sample, error) {
	before, err := c.server.Usage(ctx)
	if err != nil {
		return measure.Sample{}, err
	}
	sent := proto.Requests()
	sample, err := measure.Take(func() (int, error) {
		for _, b := range batches {
			if err := proto.Run(ctx, s, b); err != nil {
				return 0, err
			}
		}
		return len(batches), nil
	})
	if err != nil {
		return measure.Sample{}, err
	}
	after, err := c.server.Usage(ctx)
	if err != nil {
		return measure.Sample{}, err
	}
	used := after.Sub(before)
	total.batches += len(batches)
	total.requests += proto.Requests() - sent
	total.writes += used.WriteUnits
	total.reads += used.ReadUnits
	return sample, nil
}

func report(out io.Writer, protocols []*idem.Protocol, p plan, totals []asked, samples [][]measure.Sample) error {
	base, _ := measure.Median(samples[0])
	t := measure.NewTable(p.String(), "requests", "write units", "read units", "CPU ms", "IQR %", "wall ms", "allocs",
		"requests / classic", "writes / classic", "CPU / classic", "wall / classic", "allocs / classic")
	for i, proto := range protocols {
		m, spread := measure.Median(samples[i])
		a, c := totals[i], totals[0]
		t.Row(proto.Name,
			perBatch(float64(a.requests), a.batches), perBatch(a.writes, a.batches), perBatch(a.reads, a.batches),
			fmt.Sprintf("%.2f", millis(m.CPU)), fmt.Sprintf("%.0f", 100*spread), fmt.Sprintf("%.1f", millis(m.Wall)), fmt.Sprintf("%.0f", m.Allocs),
			measure.Ratio(float64(a.requests), float64(c.requests)), measure.Ratio(a.writes, c.writes),
			measure.Ratio(float64(m.CPU), float64(base.CPU)), measure.Ratio(float64(m.Wall), float64(base.Wall)), measure.Ratio(m.Allocs, base.Allocs))
	}
	fmt.Fprintln(out)
	_, err := t.WriteTo(out)
	return err
}

// perBatch is a mean; of counts that are the same for every batch it is whole.
func perBatch(sum float64, batches int) string {
	mean := sum / float64(batches)
	if mean == float64(int(mean)) {
		return fmt.Sprintf("%.0f", mean)
	}
	return fmt.Sprintf("%.1f", mean)
}

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

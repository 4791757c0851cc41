package idem_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/bench/internal/idem"
	"github.com/sluice-go/sluice/bench/internal/table"
	"github.com/sluice-go/sluice/bench/internal/traffic"
	"github.com/sluice-go/sluice/framework/consumer"
)

// latency is the server's, of virtual time: requests have a length, so what a
// protocol does while one is under way is counted too.
const latency = 5 * time.Millisecond

// cost is what one batch asks of the table. It is exact.
type cost struct {
	Requests    int
	Operations  map[string]int
	Write, Read float64
}

const (
	sequential = "classic, sequential"
	concurrent = "classic, 10 concurrent"
	sluice     = "Sluice"
	atEnd      = "Sluice, CompleteAtEnd"
	store      = "Sluice's store alone"
)

func protocol(t *testing.T, name string, s *table.Server) *idem.Protocol {
	t.Helper()
	client, counter := s.Client()
	var p *idem.Protocol
	var err error
	switch name {
	case sequential:
		p = idem.Classic(name, 1, client, counter)
	case concurrent:
		p = idem.Classic(name, 10, client, counter)
	case store:
		p, err = idem.StoreAlone(name, client, counter)
	case atEnd:
		p, err = idem.Sluice(name, client, counter, consumer.CompleteAtEnd())
	default:
		p, err = idem.Sluice(name, client, counter)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// measure runs two batches, so that what is counted does not depend on being
// the first, and returns the second's cost and virtual duration.
func measure(t *testing.T, name string, s idem.Scenario) (cost, time.Duration) {
	t.Helper()
	server, err := table.NewServer(latency, idem.Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	p := protocol(t, name, server)
	batch, err := new(traffic.Source).NewBatch(s.N)
	if err != nil {
		t.Fatal(err)
	}
	var got cost
	var took time.Duration
	for range 2 {
		if err := p.Prepare(t.Context(), s, batch); err != nil {
			t.Fatal(err)
		}
		before, sent, start := server.Usage(), p.Requests(), time.Now()
		if err := p.Run(t.Context(), s, batch); err != nil {
			t.Fatal(err)
		}
		u := server.Usage().Sub(before)
		took = time.Since(start)
		got = cost{p.Requests() - sent, u.Operations, u.WriteUnits, u.ReadUnits}
		if u.Requests != got.Requests {
			t.Errorf("the client sent %d requests, the server got %d", got.Requests, u.Requests)
		}
	}
	return got, took
}

func ceil(n, per int) int { return (n + per - 1) / per }

// TestFreshRecords: 2 requests for each 25 records against 2 for each record,
// at the same write units.
func TestFreshRecords(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 10, 25, 26, 100, 1000} {
		units := float64(2 * n)
		ops := map[string]int{"PutItem": n, "UpdateItem": n}
		for name, want := range map[string]cost{
			sequential: {2 * n, ops, units, 0},
			concurrent: {2 * n, ops, units, 0},
			sluice:     {2 * ceil(n, 25), map[string]int{"BatchExecuteStatement": 2 * ceil(n, 25)}, units, 0},
			atEnd:      {2 * ceil(n, 25), map[string]int{"BatchExecuteStatement": 2 * ceil(n, 25)}, units, 0},
			store:      {2 * ceil(n, 25), map[string]int{"BatchExecuteStatement": 2 * ceil(n, 25)}, units, 0},
		} {
			check(t, name, idem.Scenario{N: n}, want)
		}
	}
}

// TestDuplicates: what was completed costs a refused write each and, in Sluice's
// protocol, a read, in 2 requests up to 25 records.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 10, 25} {
		for name, want := range map[string]cost{
			sequential: {n, map[string]int{"PutItem": n}, float64(n), 0},
			concurrent: {n, map[string]int{"PutItem": n}, float64(n), 0},
			sluice:     {2, map[string]int{"BatchExecuteStatement": 1, "BatchGetItem": 1}, float64(n), float64(n)},
			atEnd:      {2, map[string]int{"BatchExecuteStatement": 1, "BatchGetItem": 1}, float64(n), float64(n)},
			store:      {2, map[string]int{"BatchExecuteStatement": 1, "BatchGetItem": 1}, float64(n), float64(n)},
		} {
			check(t, name, idem.Scenario{N: n, Duplicate: true}, want)
		}
	}
}

// TestTakeovers: crashed claims add one read and one write request to a batch,
// and to each of them a refused write and a read.
func TestTakeovers(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]cost{
		sequential: {20, map[string]int{"PutItem": 10, "UpdateItem": 10}, 20, 0},
		concurrent: {20, map[string]int{"PutItem": 10, "UpdateItem": 10}, 20, 0},
		sluice:     {4, map[string]int{"BatchExecuteStatement": 3, "BatchGetItem": 1}, 25, 5},
		atEnd:      {4, map[string]int{"BatchExecuteStatement": 3, "BatchGetItem": 1}, 25, 5},
		store:      {4, map[string]int{"BatchExecuteStatement": 3, "BatchGetItem": 1}, 25, 5},
	} {
		check(t, name, idem.Scenario{N: 10, Crashed: 5}, want)
	}
}

func check(t *testing.T, name string, s idem.Scenario, want cost) {
	t.Helper()
	t.Run(fmt.Sprintf("%s/%s", s, name), func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			got, _ := measure(t, name, s)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("cost (-want +got):\n%s", diff)
			}
		})
	})
}

// TestRoundTrips: requests that follow one another are what a batch waits for.
// Time is virtual, so this is exact too.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]time.Duration{
		sequential: 20 * latency,
		concurrent: 2 * latency,
		sluice:     2 * latency,
		atEnd:      2 * latency,
		store:      2 * latency,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if _, took := measure(t, name, idem.Scenario{N: 10}); took != want {
					t.Errorf("a batch of 10 took %s, want %s", took, want)
				}
			})
		})
	}
}

// TestRunTellsLies: a comparison whose work did not run measures nothing.
func TestRunTellsLies(t *testing.T) {
	t.Parallel()
	for _, name := range []string{sequential, concurrent, sluice, atEnd, store} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := table.NewServer(0, idem.Tables()...)
			if err != nil {
				t.Fatal(err)
			}
			p := protocol(t, name, server)
			batch, err := new(traffic.Source).NewBatch(3)
			if err != nil {
				t.Fatal(err)
			}
			fresh := idem.Scenario{N: 3}
			if err := p.Prepare(t.Context(), fresh, batch); err != nil {
				t.Fatal(err)
			}
			if err := p.Run(t.Context(), fresh, batch); err != nil {
				t.Fatal(err)
			}
			// The same batch again is no fresh one.
			if err := p.Run(t.Context(), fresh, batch); err == nil {
				t.Error("duplicates passed for fresh records")
			}
		})
	}
}

// TestSlowHandlers: handlers that end within the linger of 20 ms share one
// completion; those that end far apart cost one each, unless the batch is
// completed at its end. A batch never costs more than its records and one.
func TestSlowHandlers(t *testing.T) {
	t.Parallel()
	for apart, want := range map[time.Duration]struct{ byDefault, atEnd int }{
		2 * time.Millisecond:   {2, 2},
		100 * time.Millisecond: {11, 2},
	} {
		for name, requests := range map[string]int{sluice: want.byDefault, atEnd: want.atEnd} {
			t.Run(fmt.Sprintf("%s apart/%s", apart, name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var started atomic.Int64
					slow := consumer.WithMiddleware(func(next consumer.Next) consumer.Next {
						return func(ctx context.Context, d *consumer.Delivery) error {
							time.Sleep(apart * time.Duration(started.Add(1)))
							return next(ctx, d)
						}
					})
					opts := []consumer.SQSOption{slow}
					if name == atEnd {
						opts = append(opts, consumer.CompleteAtEnd())
					}
					server, err := table.NewServer(latency, idem.Tables()...)
					if err != nil {
						t.Fatal(err)
					}
					client, counter := server.Client()
					p, err := idem.Sluice(name, client, counter, opts...)
					if err != nil {
						t.Fatal(err)
					}
					batch, err := new(traffic.Source).NewBatch(10)
					if err != nil {
						t.Fatal(err)
					}
					if err := p.Run(t.Context(), idem.Scenario{N: 10}, batch); err != nil {
						t.Fatal(err)
					}
					if got := p.Requests(); got != requests {
						t.Errorf("%d requests, want %d", got, requests)
					}
				})
			})
		}
	}
}

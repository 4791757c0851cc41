package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/sluice-go/sluice/framework/local/awsapi"
	"github.com/sluice-go/sluice/framework/local/host"
)

// demoCmd plays the sample shop's story.
type demoCmd struct {
	Without string `help:"Break something on purpose, to see the demo notice: idempotency lets every claim be granted." enum:",idempotency" default:""`
	Chaos   bool   `help:"Make faults at the wire while the story plays: refused, lost and unanswered requests, processes killed in the middle of one."`
	Seed    uint64 `help:"Which faults chaos makes." default:"1"`
	Listen  string `help:"Address to listen on; port 0 takes a free one." default:"127.0.0.1:0"`
}

// The real time that one act may take. Under chaos an invocation may wait for
// the lease of a killed one, and while it does, time passes as it does.
const (
	restLimit      = 30 * time.Second
	chaosRestLimit = 3 * time.Minute
)

// Run is called by the command line's parser.
func (c *demoCmd) Run(ctx context.Context, a *app) error {
	p, err := findProject(a.cli.Dir)
	if err != nil {
		return err
	}
	var j journal
	w := &wire{troubles: troubles(), forget: c.Without == "idempotency"}
	o := host.Options{Listen: c.Listen, FastForward: true, Journal: j.add, Intercept: w.intercept}
	if c.Chaos {
		w.chaos = newChaos(c.Seed)
	}
	if a.cli.Verbose {
		o.Log = a.stderr
	}
	h, err := p.start(ctx, a, o)
	if err != nil {
		return err
	}
	defer h.Close() //nolint:errcheck // nothing to do about it at the end
	began := time.Now()
	result, err := tell(ctx, h, &j, w)
	if err != nil {
		return err
	}
	if a.cli.JSON {
		err = a.printJSON(result)
	} else {
		err = printOutcome(a.stdout, result, h.Engine.Offset()+time.Since(began), time.Since(began))
	}
	if err != nil {
		return err
	}
	if !result.good() {
		return &exitError{exitNo, nil}
	}
	return nil
}

// tell plays the story on a running host and takes its measure.
func tell(ctx context.Context, h *host.Host, j *journal, w *wire) (*outcome, error) {
	s, err := newStory(h)
	if err != nil {
		return nil, err
	}
	w.use(h, s.outputs["IdempotencyTableName"])
	limit := restLimit
	if w.chaos != nil {
		limit = chaosRestLimit
	}
	for _, act := range s.acts() {
		if err := play(ctx, h, act, limit); err != nil {
			return nil, err
		}
	}
	result, err := count(h, s, j.all())
	if err != nil {
		return nil, err
	}
	if w.chaos != nil {
		w.chaos.judge(result) // faults may send to a dead-letter queue what the story has settled
	} else {
		result.Problems = append(result.Problems, result.deviations...)
	}
	return result, nil
}

// play lets an act publish while the clock stands still, and waits for rest.
func play(ctx context.Context, h *host.Host, act func(context.Context) error, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	release := h.Engine.Hold()
	err := act(ctx)
	release()
	if err != nil {
		return fmt.Errorf("checkout could not publish: %w", err)
	}
	if err := h.Quiet(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("the shop did not come to rest within %s of real time: run with --verbose to see what the functions log", limit)
		}
		return err
	}
	return nil
}

// wire makes the story's troubles, where requests to DynamoDB pass.
type wire struct {
	forget bool

	mu       sync.Mutex
	troubles []trouble
	failed   map[int]int
	chaos    *chaos
	host     *host.Host
	table    string
}

func (w *wire) use(h *host.Host, idempotencyTable string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.host, w.table = h, idempotencyTable
	if w.chaos != nil {
		w.chaos.mu.Lock()
		w.chaos.host = h
		w.chaos.mu.Unlock()
	}
}

func (w *wire) intercept(call *awsapi.Call, next func() awsapi.Response) awsapi.Response {
	if w.chaos != nil {
		apply := next
		next = func() awsapi.Response { return w.chaos.intercept(call, apply) }
	}
	if call.Service != "dynamodb" {
		return next()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.forget && call.Operation == "BatchExecuteStatement" {
		w.forgetClaims(call.Body)
	}
	if call.Operation != "UpdateItem" && call.Operation != "TransactWriteItems" {
		return next()
	}
	for i, t := range w.troubles {
		if !strings.Contains(string(call.Body), `"`+t.contains+`"`) || t.times > 0 && w.failed[i] >= t.times {
			continue
		}
		if w.failed == nil {
			w.failed = map[int]int{}
		}
		w.failed[i]++
		// No code that the SDK retries by itself: each run fails once.
		return awsapi.Response{
			Status: http.StatusBadRequest,
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
			Body:   []byte(`{"__type":"com.amazonaws.dynamodb.v20120810#StoryException","message":"the story makes this write fail"}`),
		}
	}
	return next()
}

// forgetClaims takes away the records that a request is about to insert: the
// table grants every claim, as if it had never seen the key.
func (w *wire) forgetClaims(body []byte) {
	var request struct {
		Statements []struct {
			Statement  string
			Parameters []struct{ S string }
		}
	}
	if json.Unmarshal(body, &request) != nil || w.host == nil {
		return
	}
	for _, s := range request.Statements {
		if !strings.HasPrefix(s.Statement, "INSERT") || len(s.Parameters) == 0 {
			continue
		}
		// It is no error if there is no such record.
		item, err := json.Marshal(map[string]any{"TableName": w.table, "Key": map[string]any{"id": map[string]string{"S": s.Parameters[0].S}}})
		if err == nil {
			_, _ = w.host.Items.Call("DeleteItem", item)
		}
	}
}

func printOutcome(out io.Writer, o *outcome, virtual, took time.Duration) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MESSAGE\tCONSUMER\tDELIVERIES\tWHAT HAPPENED\tFINAL PLACE")
	for _, p := range o.Messages {
		place := p.Place
		if p.Queue != "" {
			place += ": " + p.Queue
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", p.Message, p.Consumer, len(p.Deliveries), summary(p.Deliveries), place)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	t := o.Totals
	fmt.Fprintf(out, "\npublished %d (message and consumer) = settled %d + dead-lettered %d + lost %d; effects that ran twice: %d\n",
		t.Published, t.Settled, t.DeadLettered, t.Lost, t.DoubleEffects)
	for _, d := range o.Doubles {
		fmt.Fprintf(out, "  twice: %s did %q %s times\n", d.Consumer, d.Effect, d.Runs)
	}
	for _, p := range o.Problems {
		fmt.Fprintf(out, "  problem: %s\n", p)
	}
	for _, d := range o.Repeated {
		fmt.Fprintf(out, "  repeated in the window: %s did %q %s times, for a fault fell between it and its completion\n", d.Consumer, d.Effect, d.Runs)
	}
	for _, kind := range slices.Sorted(maps.Keys(o.Faults)) {
		fmt.Fprintf(out, "  fault: %s, %d times\n", kind, o.Faults[kind])
	}
	fmt.Fprintf(out, "%s of the shop's time in %s\n", virtual.Round(time.Second), took.Round(10*time.Millisecond))
	verdict := "Nothing was lost and nothing was done twice."
	if !o.good() {
		verdict = "FAILED: see above."
	}
	fmt.Fprintln(out, verdict)
	return nil
}

package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/sluice-go/sluice/framework/local"
	"github.com/sluice-go/sluice/framework/local/host"
	"github.com/sluice-go/sluice/framework/local/lambdaapi"
)

// devCmd runs the stack until it is interrupted.
type devCmd struct {
	Listen      string `help:"Address to listen on; port 0 takes a free one." default:"127.0.0.1:4599"`
	FastForward bool   `help:"Let the clock jump to the next timer when nothing happens: retries of minutes take no time."`
	AllowRemote bool   `help:"Allow a listen address that other machines reach. Nothing is authenticated."`
}

// Run is called by the command line's parser.
func (c *devCmd) Run(ctx context.Context, a *app) error {
	p, err := findProject(a.cli.Dir)
	if err != nil {
		return err
	}
	h, err := p.start(ctx, a, host.Options{
		Listen: c.Listen, AllowRemote: c.AllowRemote, FastForward: c.FastForward, Log: a.stderr, Journal: a.tell, Observe: a.tellProcess,
	})
	if err != nil {
		return err
	}
	defer h.Close() //nolint:errcheck // nothing to do about it at the end
	if a.cli.JSON {
		if err := a.printJSON(map[string]any{"endpoint": h.URL(), "outputs": h.Topology.Outputs}); err != nil {
			return err
		}
	} else if err := printResources(a.stdout, h); err != nil {
		return err
	}
	<-ctx.Done()
	a.say("\nstopping")
	return h.Close()
}

// tell prints what a developer would miss: what the runtime refuses, and what
// happens to messages whose invocation failed as a whole.
func (a *app) tell(e local.Entry) {
	switch {
	case e.Kind == local.Warning:
		a.say("notice: %s", e.Detail)
	case e.Kind == local.InvocationEnded && e.Cause != "ok" && len(e.MessageIDs) > 0:
		a.say("notice: %s failed (%s): %d messages of %s come back when their visibility timeout ends", e.Function, e.Cause, len(e.MessageIDs), e.Queue)
	case e.Kind == local.AsyncRetry:
		a.say("notice: %s failed, try %d; the next is at %s", e.Function, e.Attempt, e.VisibleAt.Format(time.TimeOnly))
	case e.Kind == local.AsyncFailed:
		a.say("notice: %s failed for good (%s): the event went to %s", e.Function, e.Cause, e.Target)
	case e.Kind == local.MessageDeadLettered:
		a.say("notice: message %s of %s was received %d times and is moved to %s", e.MessageID, e.Queue, e.ReceiveCount, e.Target)
	}
}

func (a *app) tellProcess(e lambdaapi.Event) {
	if e.Kind == lambdaapi.ProcessExited && e.Reason != "" && e.RequestID != "" {
		a.say("notice: a process of %s ended in the middle of an invocation: %s", e.Function, e.Reason)
	}
}

// start builds the handlers that the template names, and starts the runtime.
func (p project) start(ctx context.Context, a *app, o host.Options) (*host.Host, error) {
	t, err := p.template(ctx, a)
	if err != nil {
		return nil, err
	}
	packages, err := t.handlers()
	if err != nil {
		return nil, err
	}
	o.Template, o.StackName = t.json, t.stackName
	if o.Binary, err = p.binaries(ctx, a, packages); err != nil {
		return nil, err
	}
	o.Notice = func(line string) { a.say("notice: %s", line) }
	return host.Start(ctx, o)
}

func printResources(out io.Writer, h *host.Host) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Endpoint\t%s\t(SQS, SNS, EventBridge, DynamoDB; any credentials, region us-east-1)\n\n", h.URL())
	for _, q := range h.Topology.Queues {
		fmt.Fprintf(w, "queue\t%s\t%s\n", q.Name, q.URL)
	}
	for _, t := range h.Topology.Topics {
		fmt.Fprintf(w, "topic\t%s\t%s\n", t.Name, t.ARN)
	}
	for _, b := range h.Topology.Buses {
		fmt.Fprintf(w, "bus\t%s\t%s\n", b.Name, b.ARN)
	}
	for _, t := range h.Topology.Tables {
		fmt.Fprintf(w, "table\t%s\t\n", t.Name)
	}
	for _, f := range h.Topology.Functions {
		fmt.Fprintf(w, "function\t%s\t%s\n", f.Name, f.Handler)
	}
	fmt.Fprintln(w)
	for _, name := range slices.Sorted(maps.Keys(h.Topology.Outputs)) {
		fmt.Fprintf(w, "output\t%s\t%s\n", name, h.Topology.Outputs[name])
	}
	fmt.Fprintf(w, "\nTry:\tAWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=us-east-1 aws --endpoint-url %s sqs list-queues\n", h.URL())
	fmt.Fprintln(w, "Stop with Ctrl-C. What is in memory is gone then.")
	return w.Flush()
}

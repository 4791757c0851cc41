package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/sluice-go/sluice/framework/local/host"
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
		Listen: c.Listen, AllowRemote: c.AllowRemote, FastForward: c.FastForward, Log: a.stderr,
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
	fmt.Fprintf(w, "\nTry:\taws --endpoint-url %s sqs list-queues\n", h.URL())
	fmt.Fprintln(w, "Stop with Ctrl-C. What is in memory is gone then.")
	return w.Flush()
}

// Package host is the local runtime put together: one process and one port on
// the loopback that serve a stack's queues, topics, buses, tables and
// functions.
//
// # Semantics
//
// The resources are those of a synthesized CloudFormation template. Services
// speak AWS's wire protocols, so an unmodified SDK works with the endpoint's
// URL; functions are the real handler binaries, started as processes over the
// real Lambda Runtime API. What the template says and the runtime does not do
// is told in Options.Notice, each as one line.
//
// Time is the engine's: real, or, with Options.FastForward, real while anything
// is in flight and jumping to the next timer when nothing is. State is in
// memory and ends with the host.
package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/sluice-go/sluice/framework/local"
	"github.com/sluice-go/sluice/framework/local/awsapi"
	"github.com/sluice-go/sluice/framework/local/itemstore"
	"github.com/sluice-go/sluice/framework/local/lambdaapi"
	"github.com/sluice-go/sluice/framework/local/stack"
)

// DefaultListen is where a host listens unless told otherwise.
const DefaultListen = "127.0.0.1:4599"

// Options configure a host.
type Options struct {
	// Template is the synthesized template's JSON; StackName names its
	// resources. Required.
	Template  []byte
	StackName string

	// Binary returns the executable of a handler as the template's metadata
	// names it ("./handlers/charge-payment"). Required if the template has
	// functions; a function without a handler is not run, and said so.
	Binary func(handler string) (string, error)

	// Listen is the address, by default DefaultListen; port 0 takes a free
	// one. Only loopback addresses are allowed, because nothing is
	// authenticated, unless AllowRemote is set.
	Listen      string
	AllowRemote bool

	// FastForward lets the clock jump when nothing happens.
	FastForward bool

	// Journal is told everything that the engine does: see local.Options.
	Journal func(local.Entry)

	// Observe is told of processes and invocations: see lambdaapi.Options.
	Observe func(lambdaapi.Event)

	// Log gets what functions write, a line each with the function's name.
	Log io.Writer

	// Notice is told what a developer should read, a line each.
	Notice func(string)

	// Intercept sees every request to a service and may answer it, refuse it
	// or drop its connection: faults at the wire. Nil: none.
	Intercept func(call *awsapi.Call, next func() awsapi.Response) awsapi.Response

	// MaxProcesses bounds the processes of each function. Default 4.
	MaxProcesses int
}

// Host is a running local runtime.
type Host struct {
	Engine   *local.Engine
	Items    *itemstore.Store
	Lambda   *lambdaapi.Server
	Topology *stack.Topology

	opts     Options
	listener net.Listener
	server   *http.Server
	stop     context.CancelFunc
	done     sync.WaitGroup
	closed   sync.Once

	functions map[string]*lambdaapi.Function // by name
}

// Start reads the template, makes its resources and serves them. It returns
// when they can be used; functions start with their first invocation.
func Start(ctx context.Context, opts Options) (_ *Host, err error) {
	h := &Host{opts: opts, functions: map[string]*lambdaapi.Function{}}
	if h.opts.Listen == "" {
		h.opts.Listen = DefaultListen
	}
	if h.opts.MaxProcesses == 0 {
		h.opts.MaxProcesses = 4
	}
	if err := h.listen(ctx); err != nil {
		return nil, err
	}
	h.Topology, err = stack.Read(opts.Template, &stack.Options{StackName: opts.StackName, EndpointURL: h.URL()})
	if err != nil {
		return nil, errors.Join(err, h.listener.Close())
	}
	h.Engine = local.New(&local.Options{Journal: opts.Journal})
	h.Items = itemstore.New(&itemstore.Options{Clock: h.Engine.Now})
	h.Lambda = lambdaapi.NewServer(&lambdaapi.Options{
		Addr:    func() string { return h.listener.Addr().String() },
		Env:     map[string]string{"AWS_ENDPOINT_URL": h.URL()},
		Observe: opts.Observe,
		Logf:    func(format string, args ...any) { h.notice(fmt.Sprintf(format, args...)) },
	})
	for _, f := range h.Topology.Findings {
		h.notice(f.String())
	}
	if err := h.build(); err != nil {
		return nil, errors.Join(fmt.Errorf("local runtime: %w", err), h.Lambda.Close(), h.listener.Close())
	}
	h.serve()
	return h, nil
}

func (h *Host) listen(ctx context.Context) error {
	addr, err := net.ResolveTCPAddr("tcp", h.opts.Listen)
	if err != nil {
		return fmt.Errorf("local runtime: listen address %q: %w", h.opts.Listen, err)
	}
	if !h.opts.AllowRemote && !addr.IP.IsLoopback() {
		return fmt.Errorf("local runtime: %q is not a loopback address, and nothing here is authenticated: listen on 127.0.0.1, or allow remote access on purpose (--allow-remote)", h.opts.Listen)
	}
	var lc net.ListenConfig
	h.listener, err = lc.Listen(ctx, "tcp", h.opts.Listen)
	if err != nil {
		return fmt.Errorf("local runtime: cannot listen on %s: %w: stop what uses the port, or choose another (port 0 takes a free one)", h.opts.Listen, err)
	}
	return nil
}

func (h *Host) serve() {
	api := awsapi.New(h.Engine, &awsapi.Options{DynamoDB: h.dynamoDB, Intercept: h.opts.Intercept})
	mux := http.NewServeMux()
	mux.Handle("/lambda-runtime/", h.Lambda.Handler())
	mux.Handle("/", api)
	h.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	h.done.Go(func() { _ = h.Engine.Run(ctx, h.opts.FastForward) })
	h.done.Go(func() { _ = h.server.Serve(h.listener) })
	h.done.Go(func() { h.sweep(ctx) })
}

// sweep deletes what TTL has ended, as late as a second of real time: AWS takes
// days, so nothing may rely on it.
func (h *Host) sweep(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			h.Items.Sweep()
		case <-ctx.Done():
			return
		}
	}
}

func (h *Host) dynamoDB(op string, request []byte) (status int, body []byte) {
	response, err := h.Items.Call(op, request)
	if err != nil {
		return err.Status(), err.JSON()
	}
	return http.StatusOK, response
}

// URL is the endpoint of all services, as SDKs take it.
func (h *Host) URL() string { return "http://" + h.listener.Addr().String() }

// Quiet waits until nothing is in flight and no timer is left.
func (h *Host) Quiet(ctx context.Context) error { return h.Engine.Quiet(ctx) }

// Invocation returns the function and request id that a request to a service
// comes from, by its access key; ok is false for requests from elsewhere.
func (h *Host) Invocation(accessKey string) (function, requestID string, ok bool) {
	p, requestID, ok := h.Lambda.ProcessByAccessKey(accessKey)
	return p.Function, requestID, ok
}

// Close ends every process that the host started, and the server.
func (h *Host) Close() error {
	var err error
	h.closed.Do(func() {
		h.stop()
		err = errors.Join(h.Lambda.Close(), h.server.Close())
		h.done.Wait()
	})
	return err
}

func (h *Host) notice(line string) {
	if h.opts.Notice != nil {
		h.opts.Notice(line)
	}
}

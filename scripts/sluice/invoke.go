package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/local/host"
)

// invokeCmd runs one event against one handler, in the local runtime of its
// stack: what the handler calls is there, and empty.
type invokeCmd struct {
	Handler string `arg:"" help:"Handler, by directory name (charge-payment)."`
	Event   string `arg:"" help:"File with the event as Lambda would send it; - is standard input."`
}

// Run is called by the command line's parser.
func (c *invokeCmd) Run(ctx context.Context, a *app) error {
	p, err := findProject(a.cli.Dir)
	if err != nil {
		return err
	}
	var event []byte
	if c.Event == "-" {
		event, err = io.ReadAll(a.stdin)
	} else {
		event, err = os.ReadFile(c.Event)
	}
	if err != nil {
		return usage("event file: %w", err)
	}
	if !json.Valid(event) {
		return usage("event file %s is not JSON: Lambda only sends JSON; in the form of a Lambda event, as {\"Records\": [...]}", c.Event)
	}
	packages, err := p.choose([]string{c.Handler})
	if err != nil {
		return err
	}
	h, err := p.start(ctx, a, host.Options{Listen: "127.0.0.1:0", Log: a.stderr})
	if err != nil {
		return err
	}
	defer h.Close() //nolint:errcheck // nothing to do about it at the end
	name := ""
	for _, f := range h.Topology.Functions {
		if filepath.Clean(f.Handler) == filepath.Clean(packages[0]) {
			name = f.Name
		}
	}
	if name == "" {
		return usage("the stack has no function whose handler is %s: add it in infra/, or check its metadata", packages[0])
	}
	result, err := h.Engine.Invoke(ctx, name, event, "")
	if err != nil {
		return err
	}
	if a.cli.JSON {
		if err := a.printJSON(map[string]any{"function": name, "functionError": result.FunctionError, "response": json.RawMessage(result.Payload)}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.stdout, "%s\n", result.Payload)
	}
	if result.FunctionError != "" || !settled(result.Payload) || a.deadLetters(h) > 0 {
		return &exitError{exitNo, nil}
	}
	return nil
}

// settled reports whether a function's answer names no message to be retried.
func settled(answer []byte) bool {
	var response struct {
		Failures []json.RawMessage `json:"batchItemFailures"`
	}
	return json.Unmarshal(answer, &response) != nil || len(response.Failures) == 0
}

// deadLetters says which messages the function refused for good.
func (a *app) deadLetters(h *host.Host) (n int) {
	for _, q := range h.Engine.Queues() {
		for _, m := range q.Snapshot() {
			if reason, ok := m.Attributes[consumer.AttributeReason]; ok {
				n++
				a.say("dead letter in %s: %s", q.Name(), reason.StringValue)
			}
		}
	}
	return n
}

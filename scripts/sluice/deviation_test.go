package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-go/sluice/framework/local/host"
)

// A handler that is broken loses nothing: all of its messages are dead letters.
// The story must not be told as a success for that.
func TestDemoOfABrokenHandlerIsNoSuccess(t *testing.T) {
	t.Parallel()
	p, err := findProject("../..")
	if err != nil {
		t.Fatal(err)
	}
	a := &app{cli: &cli{}, stdout: io.Discard, stderr: io.Discard}
	tmpl, err := p.template(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	packages, err := tmpl.handlers()
	if err != nil {
		t.Fatal(err)
	}
	built, err := p.binaries(t.Context(), a, packages)
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "bootstrap")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	var j journal
	w := &wire{troubles: troubles()}
	h, err := host.Start(t.Context(), host.Options{
		Template: tmpl.json, StackName: tmpl.stackName, Listen: "127.0.0.1:0", FastForward: true, Journal: j.add, Intercept: w.intercept,
		Binary: func(handler string) (string, error) {
			if strings.HasSuffix(handler, "/charge-payment") {
				return broken, nil
			}
			return built(handler)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	o, err := tell(t.Context(), h, &j, w)
	if err != nil {
		t.Fatal(err)
	}
	if o.Totals.Lost != 0 {
		t.Errorf("%d lost: they should be in the dead-letter queue", o.Totals.Lost)
	}
	problems := strings.Join(o.Problems, "\n")
	if o.good() || !strings.Contains(problems, "order o-1001 (v2) at charge-payment is dead-lettered") || !strings.Contains(problems, "payment pay-o-1001 was never captured") {
		t.Errorf("good = %t, problems:\n%s", o.good(), problems)
	}
}

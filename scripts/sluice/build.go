package main

import (
	"context"
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"github.com/sluice-go/sluice/infra/build"
)

// buildCmd builds what is deployed.
type buildCmd struct {
	Handlers []string `arg:"" optional:"" help:"Handlers to build, by directory name or package path; default: all under handlers/."`
	Arch     string   `help:"Instruction set: arm64 or amd64." default:"arm64" enum:"arm64,amd64"`
	Out      string   `help:"Directory for the binaries, one directory per handler." default:"dist"`
}

// Run is called by the command line's parser.
func (c *buildCmd) Run(ctx context.Context, a *app) error {
	p, err := findProject(a.cli.Dir)
	if err != nil {
		return err
	}
	packages, err := p.choose(c.Handlers)
	if err != nil {
		return err
	}
	results, err := p.build(ctx, a, packages, build.Options{Root: p.root, Arch: c.Arch, Out: c.Out})
	if err != nil {
		return err
	}
	type built struct {
		Handler string `json:"handler"`
		Binary  string `json:"binary"`
		SHA256  string `json:"sha256"`
		Bytes   int64  `json:"bytes"`
	}
	all := make([]built, len(results))
	for i, r := range results {
		all[i] = built{packages[i], r.Binary, r.SHA256, r.Size}
	}
	if a.cli.JSON {
		return a.printJSON(map[string]any{"arch": c.Arch, "handlers": all})
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, b := range all {
		rel, err := filepath.Rel(p.root, b.Binary)
		if err != nil {
			rel = b.Binary
		}
		fmt.Fprintf(w, "%s\t%.1f MB\tsha256 %.12s\t%s\n", b.Handler, float64(b.Bytes)/1e6, b.SHA256, rel)
	}
	return w.Flush()
}

// choose turns names into packages: "charge-payment" is ./handlers/charge-payment.
func (p project) choose(names []string) ([]string, error) {
	all, err := build.Handlers(p.root)
	if err != nil {
		return nil, usage("%w", err)
	}
	if len(names) == 0 {
		return all, nil
	}
	var packages []string
	for _, name := range names {
		found := ""
		for _, pkg := range all {
			if pkg == name || filepath.Base(pkg) == name || filepath.Clean(pkg) == filepath.Clean(name) {
				found = pkg
			}
		}
		if found == "" {
			return nil, usage("no handler %q: there are %v", name, all)
		}
		packages = append(packages, found)
	}
	return packages, nil
}

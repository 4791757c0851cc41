// Command infra is the CDK app of the sample shop. Run in the module's root,
// it builds the handlers into dist and writes the cloud assembly to the
// directory in CDK_OUTDIR, or to cdk.out. The template is the same with the
// CDK CLI and without.
//
// It needs the go command and Node: the one in JSII_NODE, or node on PATH.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"github.com/aws/jsii-runtime-go"

	"github.com/sluice-go/sluice/infra/build"
	"github.com/sluice-go/sluice/infra/digest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, ".", os.Getenv, os.Stderr)
	stop()
	// Before os.Exit, which would leave Node and its scratch files behind.
	jsii.Close()
	if err != nil {
		fmt.Fprintf(os.Stderr, "infra: %v\n", err)
		os.Exit(1)
	}
}

// run builds and synthesizes the module in root, telling on log what it builds.
func run(ctx context.Context, root string, getenv func(string) string, log io.Writer) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "infra")); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no infra directory in %s: run go run ./infra in the module's root", root)
	}
	if err := checkNode(getenv); err != nil {
		return err
	}
	sum, err := digest.Of(root)
	if err != nil {
		return err
	}
	assets := filepath.Join(root, "dist")
	_, err = build.Many(ctx, build.Options{Root: root, Out: assets}, handlers(), &build.ManyOptions{
		Progress: func(p build.Progress) {
			if p.Err == nil {
				_, _ = fmt.Fprintf(log, "[%d/%d] built %s for arm64, %.1f MB\n", p.Done, p.Total, p.Package, float64(p.Result.Size)/1e6)
			}
		},
	})
	if err != nil {
		return err
	}
	outdir := getenv("CDK_OUTDIR")
	if outdir == "" {
		outdir = filepath.Join(root, "cdk.out")
	}
	return synth(synthOptions{assets: assets, digest: sum, outdir: outdir})
}

// checkNode says in our words what the CDK's bindings would say by a panic.
func checkNode(getenv func(string) string) error {
	node := getenv("JSII_NODE")
	if node == "" {
		node = "node"
	}
	if _, err := exec.LookPath(node); err != nil {
		return fmt.Errorf("the CDK needs Node, and %q does not run: install Node 22 or later, or set JSII_NODE to its path: %w", node, err)
	}
	return nil
}

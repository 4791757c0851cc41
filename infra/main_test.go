package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-go/sluice/infra/digest"
)

var update = flag.Bool("update", false, "rewrite testdata/Shop.golden.json")

// childOutdir makes the test binary synthesize once into the directory it
// names, and end: Node's environment is fixed when a process starts.
const childOutdir = "SLUICE_INFRA_TEST_OUTDIR"

func TestMain(m *testing.M) {
	flag.Parse()
	if dir := os.Getenv(childOutdir); dir != "" {
		_, err := synthStub(dir)
		closeKernel()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	closeKernel()
	os.Exit(code)
}

// synthStub synthesizes into dir/cdk.out with stubs for handlers and returns
// the template.
func synthStub(dir string) ([]byte, error) {
	sum, err := digest.Of("..")
	if err != nil {
		return nil, err
	}
	assets := filepath.Join(dir, "dist")
	for _, h := range handlers() {
		sub := filepath.Join(assets, path.Base(h))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(sub, "bootstrap"), []byte("stub of "+h), 0o755); err != nil {
			return nil, err
		}
	}
	outdir := filepath.Join(dir, "cdk.out")
	if err := synth(synthOptions{assets: assets, digest: sum, outdir: outdir}); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(outdir, stackName+".template.json"))
}

// synthesized is the template, made once for all tests: the CDK cannot run
// concurrently, and starting it takes seconds.
var synthesized = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "sluice-infra-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	return synthStub(dir)
})

func synthesize(t *testing.T) []byte {
	t.Helper()
	requireNode(t)
	template, err := synthesized()
	if err != nil {
		t.Fatal(err)
	}
	return template
}

func requireNode(t *testing.T) {
	t.Helper()
	if err := checkNode(os.Getenv); err != nil {
		t.Skip("skipped: ", err)
	}
}

func TestTemplateDoesNotDependOnTheCLI(t *testing.T) {
	want := synthesize(t)

	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	// What CDK CLI 2.1148 passes to an app, and a cdk.json that disagrees.
	cmd.Env = append(os.Environ(),
		childOutdir+"="+dir,
		"CDK_OUTDIR="+filepath.Join(dir, "unused"),
		"CDK_DEFAULT_ACCOUNT=111122223333",
		"CDK_DEFAULT_REGION=eu-west-1",
		"CDK_CLI_VERSION=2.1148.1",
		`CDK_CONTEXT_JSON={"aws:cdk:enable-path-metadata":true,"aws:cdk:enable-asset-metadata":false,`+
			`"aws:cdk:version-reporting":true,"aws:cdk:bundling-stacks":["**"],"@aws-cdk/aws-iam:minimizePolicies":false}`,
	)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	got, err := os.ReadFile(filepath.Join(dir, "cdk.out", stackName+".template.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the template under the CDK CLI differs from the one without:\n%s", lineDiff(want, got))
	}
	if _, err := os.Stat(filepath.Join(dir, "unused")); err == nil {
		t.Error("the CDK wrote to CDK_OUTDIR although it was given another directory")
	}
}

func TestSynthReportsWhatTheCDKRefuses(t *testing.T) {
	requireNode(t)

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	// No directory can be made below a file, so Node fails and the binding
	// panics.
	err := synth(synthOptions{assets: t.TempDir(), outdir: filepath.Join(file, "cdk.out")})
	if err == nil || !strings.Contains(err.Error(), `"Shop"`) {
		t.Errorf("error = %v, want one that names the stack", err)
	}
}

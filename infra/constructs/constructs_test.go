package constructs

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

func TestMain(m *testing.M) {
	code := m.Run()
	closeKernel()
	os.Exit(code)
}

// requireNode skips a test that runs the CDK. Such a test must not be parallel
// to another: the CDK's bindings are not safe for concurrent use.
func requireNode(t *testing.T) {
	t.Helper()
	node := orElse(os.Getenv("JSII_NODE"), "node")
	if _, err := exec.LookPath(node); err != nil {
		t.Skipf("skipped: the CDK needs Node: %v", err)
	}
}

// code is a directory with a stub of a built handler.
func code(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bootstrap"), []byte("stub"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func newStack(t *testing.T) (awscdk.App, awscdk.Stack) {
	t.Helper()
	app := awscdk.NewApp(&awscdk.AppProps{
		Outdir:             jsii.String(filepath.Join(t.TempDir(), "cdk.out")),
		AnalyticsReporting: jsii.Bool(false),
	})
	return app, awscdk.NewStack(app, jsii.String("Test"), nil)
}

type resource struct {
	Type       string
	Properties map[string]any
	Metadata   map[string]any
	DependsOn  []string

	DeletionPolicy, UpdateReplacePolicy string
}

// template is a synthesized template, by logical id.
type template map[string]resource

func synth(t *testing.T, app awscdk.App) template {
	t.Helper()
	assembly := app.Synth(nil)
	raw, err := os.ReadFile(filepath.Join(*assembly.Directory(), "Test.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct{ Resources template }
	if err := json.Unmarshal(raw, &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed.Resources
}

// one is the only resource of a type below a construct, with its logical id.
func (tm template) one(t *testing.T, kind, prefix string) (string, resource) {
	t.Helper()
	var found []string
	for id, r := range tm {
		if r.Type == kind && len(id) >= len(prefix) && id[:len(prefix)] == prefix {
			found = append(found, id)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d resources of type %s begin with %q, want 1: %v", len(found), kind, prefix, slices.Sorted(maps.Keys(tm)))
	}
	return found[0], tm[found[0]]
}

// at follows keys and indexes into v; what is not there is nil.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func check(t *testing.T, r resource, want any, path ...any) {
	t.Helper()
	if got := fmt.Sprint(at(r.Properties, path...)); got != fmt.Sprint(want) {
		t.Errorf("%s: %v = %s, want %v", r.Type, path, got, want)
	}
}

func arnOf(id string) any { return map[string]any{"Fn::GetAtt": []any{id, "Arn"}} }
func refOf(id string) any { return map[string]any{"Ref": id} }

// Package imports holds the module's import rules: what each part may depend
// on, and what it must never pull in. A handler that imports the CDK grows from
// 6 to 37 MB and starts ten times slower, without a compile error.
package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/sluice-go/sluice"

// rule is about the non-test files of the packages whose path matches from.
// Patterns are paths, or prefixes if they end in "/**".
type rule struct {
	from string
	// direct lists all that may be imported from this module and beyond std;
	// nil allows everything.
	direct []string
	// never must not be reached at all, however indirectly.
	never []string
	why   string
}

func rules() []rule {
	const (
		awscdk  = "github.com/aws/aws-cdk-go/**"
		jsii    = "github.com/aws/jsii-runtime-go/**"
		local   = module + "/framework/local/**"
		otelSDK = "go.opentelemetry.io/otel/sdk/**"
	)
	return []rule{
		{from: module + "/events/**", direct: []string{module + "/events/**"}, why: "events are plain data that anybody can import"},
		{
			from: module + "/framework/consumer",
			direct: []string{
				"github.com/aws/aws-lambda-go/**", "go.opentelemetry.io/otel", "go.opentelemetry.io/otel/attribute", "go.opentelemetry.io/otel/codes",
				"go.opentelemetry.io/otel/propagation", "go.opentelemetry.io/otel/semconv/**", "go.opentelemetry.io/otel/trace/**", module + "/framework/idempotency",
			},
			never: []string{otelSDK, "github.com/aws/aws-sdk-go-v2/**", awscdk, "testing"},
			why:   "the consumer knows AWS's events, not AWS's clients",
		},
		{from: module + "/framework/idempotency", direct: []string{}, why: "the protocol is for any store"},
		{from: module + "/framework/awsio/**", never: []string{module + "/framework/telemetry"}, why: "only main packages choose telemetry"},
		{from: module + "/framework/publisher", never: []string{module + "/framework/telemetry"}, why: "only main packages choose telemetry"},
		{from: module + "/framework/env", direct: []string{}, why: "infrastructure and runtime share it and nothing else"},
		{
			from:  module + "/framework/**",
			never: []string{awscdk, jsii, module + "/infra/**", module + "/handlers/**"},
			why:   "the library is used without the CDK",
		},
		{
			from: module + "/handlers/**",
			never: []string{
				awscdk, jsii, local, module + "/infra/**", module + "/framework/consumertest", module + "/framework/idempotency/idempotencytest",
				"github.com/aws/aws-sdk-go-v2/config", "testing",
			},
			why: "what a handler links is what a cold start loads",
		},
		{from: module + "/scripts/**", never: []string{awscdk, jsii, module + "/handlers/**"}, why: "the tool must build fast and without the CDK's 78 MB"},
		{
			from:  module + "/infra/**",
			never: []string{module + "/handlers/**", module + "/framework/consumer", module + "/framework/local/**", module + "/framework/awsio", module + "/framework/publisher"},
			why:   "infrastructure and code agree through framework/env alone",
		},
		{from: module + "/infra/build", direct: []string{}, why: "the tool imports it"},
		{from: module + "/infra/digest", direct: []string{}, why: "the tool imports it"},
	}
}

func matches(pattern, path string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/**"); ok {
		return path == prefix || strings.HasPrefix(path, prefix+"/")
	}
	return path == pattern
}

func matchesAny(patterns []string, path string) bool {
	for _, p := range patterns {
		if matches(p, path) {
			return true
		}
	}
	return false
}

type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
}

func list(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps", "./...")
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	all := map[string]pkg{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
}

func TestImportRules(t *testing.T) {
	t.Parallel()
	all := list(t)
	for _, r := range rules() {
		matched := false
		for path, p := range all {
			if !matches(r.from, path) {
				continue
			}
			matched = true
			for _, imported := range p.Imports {
				if r.direct != nil && !all[imported].Standard && imported != "unsafe" && imported != "C" && !matchesAny(r.direct, imported) {
					t.Errorf("%s imports %s: %s", path, imported, r.why)
				}
			}
			for _, dep := range p.Deps {
				if matchesAny(r.never, dep) {
					t.Errorf("%s depends on %s: %s", path, dep, r.why)
				}
			}
		}
		if !matched {
			t.Errorf("no package matches the rule for %s: it protects nothing", r.from)
		}
	}
}

// The library has no package of its own name: "framework" names nothing.
func TestFrameworkHoldsNoGoFiles(t *testing.T) {
	t.Parallel()
	if _, ok := list(t)[module+"/framework"]; ok {
		t.Error("framework/ holds Go files")
	}
}

func TestEventsKeepToTheirDomain(t *testing.T) {
	t.Parallel()
	domain := func(path string) string {
		parts := strings.Split(strings.TrimPrefix(path, module+"/events/"), "/")
		return parts[0]
	}
	for path, p := range list(t) {
		if !strings.HasPrefix(path, module+"/events/") {
			continue
		}
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, module+"/events/") && domain(imported) != domain(path) {
				t.Errorf("%s imports %s: events know only other versions of their own domain", path, imported)
			}
		}
	}
}

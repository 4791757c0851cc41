package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// result is what a call of the command line came to.
type result struct {
	code           int
	stdout, stderr string
}

func call(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(stdin), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	noJSON := file("event.json", "{")
	tests := map[string]struct {
		args []string
		code int
		want []string
	}{
		"no command":         {nil, 0, []string{"demo", "dev", "build", "invoke", "Exit codes"}},
		"unknown command":    {[]string{"dance"}, exitUsage, []string{"dance", "--help"}},
		"unknown flag":       {[]string{"demo", "--fast"}, exitUsage, []string{"--fast"}},
		"unknown breakage":   {[]string{"demo", "--without", "coffee"}, exitUsage, []string{"coffee", "idempotency"}},
		"no module":          {[]string{"demo", "--dir", empty}, exitUsage, []string{"no go.mod", empty}},
		"no such directory":  {[]string{"demo", "--dir", filepath.Join(empty, "x")}, exitUsage, []string{"x"}},
		"unknown handler":    {[]string{"build", "--dir", "../..", "charge-everything"}, exitUsage, []string{"charge-everything", "charge-payment"}},
		"no such event file": {[]string{"invoke", "--dir", "../..", "record-sale", "missing.json"}, exitUsage, []string{"missing.json"}},
		"event is no JSON":   {[]string{"invoke", "--dir", "../..", "record-sale", noJSON}, exitUsage, []string{noJSON, "not JSON"}},
		"unknown arch":       {[]string{"build", "--arch", "mips"}, exitUsage, []string{"mips"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := call(t, "", tt.args...)
			if r.code != tt.code {
				t.Errorf("exit code %d, want %d\n%s", r.code, tt.code, r.stderr)
			}
			for _, want := range tt.want {
				if !strings.Contains(r.stdout+r.stderr, want) {
					t.Errorf("%q is not said:\n%s%s", want, r.stdout, r.stderr)
				}
			}
		})
	}
}

func demo(t *testing.T, args ...string) (result, outcome) {
	t.Helper()
	r := call(t, "", append([]string{"demo", "--dir", "../..", "--json"}, args...)...)
	var o outcome
	if err := json.Unmarshal([]byte(r.stdout), &o); err != nil {
		t.Fatalf("exit code %d, %v\n%s\n%s", r.code, err, r.stdout, r.stderr)
	}
	return r, o
}

// The demo's measure, on the real handlers: everything is accounted for, and
// each message ends where its story says.
func TestDemo(t *testing.T) {
	t.Parallel()
	r, o := demo(t)
	if r.code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	want := totals{Published: 38, Settled: 28, DeadLettered: 10}
	if o.Totals != want {
		t.Errorf("totals = %+v, want %+v", o.Totals, want)
	}
	dead := map[string]bool{
		"order o-1005, charge always fails/charge-payment": true,
		"captured pay-o-1007/record-sale":                  true,
	}
	for _, p := range o.Messages {
		isDead := dead[p.Message+"/"+p.Consumer] || strings.HasPrefix(p.Message, "poison") || strings.HasSuffix(p.Message, "unicorn")
		wantPlace := settledPlace
		if isDead {
			wantPlace = deadPlace
		}
		if p.Place != wantPlace {
			t.Errorf("%s at %s is %s, want %s", p.Message, p.Consumer, p.Place, wantPlace)
		}
		n := 1
		switch {
		case p.Message == "order o-1005, charge always fails" && p.Consumer == "charge-payment", strings.HasSuffix(p.Message, "unicorn"):
			n = 8 // the queues' maxReceiveCount
		case p.Message == "order o-1006, receipt fails twice" && p.Consumer == "send-receipt", p.Message == "captured pay-o-1007":
			n = 3 // Lambda's two retries
		case p.Message == "order o-1004, charge fails once" && p.Consumer == "charge-payment":
			n = 2
		}
		if len(p.Deliveries) != n {
			t.Errorf("%s was delivered to %s %d times, want %d: %v", p.Message, p.Consumer, len(p.Deliveries), n, p.Deliveries)
		}
	}
}

// The measure must notice when what it measures is broken.
func TestDemoWithoutIdempotencyShowsDoubles(t *testing.T) {
	t.Parallel()
	r, o := demo(t, "--without", "idempotency")
	if r.code != exitNo {
		t.Errorf("exit code %d, want %d", r.code, exitNo)
	}
	if o.Totals.DoubleEffects < 3 || len(o.Doubles) < 3 {
		t.Errorf("double effects = %d, %v; want at least a receipt, a reservation and a sale", o.Totals.DoubleEffects, o.Doubles)
	}
	if o.Totals.Lost != 0 {
		t.Errorf("%d lost", o.Totals.Lost)
	}
}

// Under faults at the wire, processes killed in the middle of a request among
// them, nothing is lost and no transactional effect is doubled; and the measure
// still notices when idempotency is broken as well.
func TestDemoUnderChaos(t *testing.T) {
	t.Parallel()
	for _, seed := range []string{"1", "2"} {
		r, o := demo(t, "--chaos", "--seed", seed)
		faults := 0
		for _, n := range o.Faults {
			faults += n
		}
		if r.code != 0 || o.Totals.Lost != 0 || o.Totals.DoubleEffects != 0 {
			t.Errorf("seed %s: exit code %d, totals %+v, doubles %v, problems %v", seed, r.code, o.Totals, o.Doubles, o.Problems)
		}
		if faults < 5 {
			t.Errorf("seed %s: only %d faults were made: %v", seed, faults, o.Faults)
		}
	}
	if r, o := demo(t, "--chaos", "--without", "idempotency"); r.code != exitNo || o.Totals.DoubleEffects == 0 {
		t.Errorf("without idempotency: exit code %d, totals %+v", r.code, o.Totals)
	}
}

const placedEvent = `{"Records":[{"messageId":"m-1","receiptHandle":"r","body":"{\"order_id\":\"o-1\",\"email\":\"a@example.com\",\"total\":{\"minor\":5,\"currency\":\"EUR\"}}",
	"attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1767323045000"},
	"messageAttributes":{"event-type":{"stringValue":"orders.placed.v2","dataType":"String"}},
	"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:000000000000:Shop-ChargePaymentQueue","awsRegion":"us-east-1"}]}`

func TestInvoke(t *testing.T) {
	t.Parallel()
	r := call(t, placedEvent, "invoke", "--dir", "../..", "charge-payment", "-")
	if r.code != 0 || strings.TrimSpace(r.stdout) != `{"batchItemFailures":[]}` {
		t.Errorf("exit code %d, stdout %q, stderr %q", r.code, r.stdout, r.stderr)
	}
	// A handler that is invoked by what it was not built for says so.
	r = call(t, placedEvent, "invoke", "--dir", "../..", "send-receipt", "-")
	if r.code != exitNo || !strings.Contains(r.stdout, "not an SNS event") {
		t.Errorf("exit code %d, stdout %q", r.code, r.stdout)
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	r := call(t, "", "build", "--dir", "../..", "--out", out, "--json", "record-sale")
	var built struct {
		Arch     string
		Handlers []struct{ Handler, Binary, SHA256 string }
	}
	if err := json.Unmarshal([]byte(r.stdout), &built); err != nil {
		t.Fatalf("exit code %d: %v\n%s", r.code, err, r.stderr)
	}
	if r.code != 0 || built.Arch != "arm64" || len(built.Handlers) != 1 {
		t.Fatalf("exit code %d, %+v", r.code, built)
	}
	if _, err := os.Stat(filepath.Join(out, "record-sale", "bootstrap")); err != nil {
		t.Error(err)
	}
}

// A module whose handler does not compile, or exits at start, is told so.
func TestBrokenHandler(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":                  "module example.com/broken\n\ngo 1.26\n",
		"handlers/broken/main.go": "package main\n\nfunc main() { undefined() }\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := call(t, "", "build", "--dir", root)
	if r.code != exitCannot || !strings.Contains(r.stderr, "undefined: undefined") || !strings.Contains(r.stderr, "./handlers/broken") {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	if code := run(ctx, []string{"demo", "--dir", "../.."}, strings.NewReader(""), &stdout, &stderr); code != exitInterrupted {
		t.Errorf("exit code %d, want %d\n%s", code, exitInterrupted, stderr.String())
	}
}

// Command mutants shows that the tests of the idempotency protocol would notice
// if it broke: it makes one mistake after another in the protocol's source, and
// each must make the simulation, or a named other test, fail.
//
//	go run ./scripts/mutants [-schedules 4000] [-only text] [-v]
//
// The tree is never modified: mistakes are laid over it (go test -overlay).
// It exits with 1 if a mutant survives, does not compile, or no longer finds the
// text that it replaces, so that the list cannot rot.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

type options struct {
	schedules int
	only      string
	verbose   bool
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	var opts options
	flags.IntVar(&opts.schedules, "schedules", 4000, "how many worlds the simulation tries per mutant")
	flags.StringVar(&opts.only, "only", "", "only mutants whose name contains this")
	flags.BoolVar(&opts.verbose, "v", false, "print what each mutant's test printed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var survivors []string
	tried := 0
	_, _ = fmt.Fprintf(out, "%-62s %-34s %8s\n", "mutant", "caught by", "seconds")
	for _, m := range mutants() {
		if !strings.Contains(m.name, opts.only) {
			continue
		}
		tried++
		began := time.Now()
		by, printed, err := try(ctx, root, dir, m, opts.schedules)
		if err != nil {
			return fmt.Errorf("mutant %q: %w", m.name, err)
		}
		if by == "" {
			survivors = append(survivors, m.name)
			by = "SURVIVES"
		}
		_, _ = fmt.Fprintf(out, "%-62s %-34s %8.1f\n", m.name, by, time.Since(began).Seconds())
		if opts.verbose {
			_, _ = fmt.Fprintln(out, printed)
		}
	}
	switch {
	case tried == 0:
		return fmt.Errorf("no mutant's name contains %q", opts.only)
	case len(survivors) > 0:
		return fmt.Errorf("%d of %d mutants survive, so no test would notice: %s", len(survivors), tried, strings.Join(survivors, "; "))
	}
	_, _ = fmt.Fprintf(out, "%d mutants, all caught\n", tried)
	return nil
}

func moduleRoot(ctx context.Context) (string, error) {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	path := strings.TrimSpace(string(mod))
	if path == "" || path == os.DevNull {
		return "", errors.New("not within a module: run it in the repository")
	}
	return filepath.Dir(path), nil
}

// apply returns the mutated files, by their absolute path.
func (m mutant) apply(root string) (map[string]string, error) {
	files := map[string]string{}
	for _, e := range m.edits {
		path := filepath.Join(root, filepath.FromSlash(e.file))
		text, ok := files[path]
		if !ok {
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			text = string(b)
		}
		if n := strings.Count(text, e.old); n != 1 {
			return nil, fmt.Errorf("%s: the text to replace occurs %d times, and must once; change the list with the source: %q", e.file, n, e.old)
		}
		files[path] = strings.Replace(text, e.old, e.new, 1)
	}
	return files, nil
}

// try runs a mutant's test, and returns what caught it, or nothing.
func try(ctx context.Context, root, dir string, m mutant, schedules int) (by, printed string, err error) {
	files, err := m.apply(root)
	if err != nil {
		return "", "", err
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for path, text := range files {
		mutated := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(mutated, []byte(text), 0o600); err != nil {
			return "", "", err
		}
		overlay.Replace[path] = mutated
	}
	b, err := json.Marshal(overlay)
	if err != nil {
		return "", "", err
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, b, 0o600); err != nil {
		return "", "", err
	}
	pkg, test := m.test, m.run
	if pkg == "" {
		pkg, test = "./framework/consumer/simulation", "^TestSimulation$"
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-overlay", overlayFile, "-count=1", "-timeout=3m", "-run", test, pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(),
		"SLUICE_SIM_SCHEDULES="+strconv.Itoa(schedules), "SLUICE_SIM_FLOORS=off",
		"SLUICE_SIM_FAILED="+filepath.Join(dir, "seeds-of-"+filepath.Base(dir)+"-"+strconv.FormatInt(time.Now().UnixNano(), 10)))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	failed := cmd.Run()
	if ctx.Err() != nil {
		return "", "", ctx.Err()
	}
	by, err = judge(out.String(), failed != nil, m.test == "")
	return by, out.String(), err
}

// judge says what caught a mutant. A test that did not get so far as to look,
// and one that fails without naming an invariant, caught nothing.
func judge(printed string, failed, simulated bool) (by string, err error) {
	violation := regexp.MustCompile(`seed (\d+): (I\d+) `)
	failure := regexp.MustCompile(`--- FAIL: (\S+)`)
	switch {
	case strings.Contains(printed, "[build failed]") || strings.Contains(printed, "[setup failed]"):
		return "", fmt.Errorf("it does not compile, and so shows nothing:\n%s", printed)
	case !failed:
		return "", nil
	case simulated:
		if v := violation.FindStringSubmatch(printed); v != nil {
			return "simulation, " + v[2] + " (seed " + v[1] + ")", nil
		}
	default:
		if f := failure.FindStringSubmatch(printed); f != nil {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("its test fails, but does not say at what:\n%s", printed)
}

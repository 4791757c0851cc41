package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Bootstrap is the file name that Lambda's provided.* runtimes start.
const Bootstrap = "bootstrap"

// Options say what to build and where to put it.
type Options struct {
	// Root is the directory of the module, where go.mod is. Required.
	Root string

	// Package is a main package below Root, relative to it and with slashes,
	// as in "./handlers/charge-payment". Its last element names the handler.
	// Required.
	Package string

	// Arch is the instruction set as Go names it: "arm64" or "amd64".
	// Empty means "arm64", what the constructs deploy.
	Arch string

	// Out is the directory that receives one directory per handler. A relative
	// path is relative to Root. Empty means "dist".
	Out string
}

// Result describes one binary.
type Result struct {
	Dir    string // absolute path of the handler's directory: a CDK asset
	Binary string // absolute path of the binary in Dir
	SHA256 string // of the binary, lower-case hexadecimal
	Size   int64  // of the binary, in bytes
}

// A CompileError is a package that the Go compiler or linker refused.
type CompileError struct {
	Package string // as it was given in Options
	Output  string // what the go command printed
}

// Error names the package and repeats the go command's output.
func (e *CompileError) Error() string {
	return fmt.Sprintf("build %s: it does not compile: correct the package and build again:\n%s", e.Package, e.Output)
}

// Handler builds one handler. It replaces the binary in one step, so that a
// process which runs the old one is not disturbed, and leaves the old one in
// place when it fails. A package that does not compile is a *CompileError.
// When ctx ends, the go command is interrupted and the error wraps ctx's.
func Handler(ctx context.Context, o Options) (Result, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Result{}, err
	}
	if err := checkPackage(o); err != nil {
		return Result{}, err
	}
	dir := filepath.Join(o.Out, path.Base(o.Package))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Result{}, fmt.Errorf("build %s: make the output directory: %w", o.Package, err)
	}
	// Beside dir and not in it: an asset is the whole directory.
	scratch, err := os.MkdirTemp(o.Out, ".build-*")
	if err != nil {
		return Result{}, fmt.Errorf("build %s: make a scratch directory: %w", o.Package, err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()

	made := filepath.Join(scratch, Bootstrap)
	if err := compile(ctx, o, made); err != nil {
		return Result{}, err
	}
	if err := checkBinary(o, made); err != nil {
		return Result{}, err
	}
	// The umask may have taken bits away that Lambda needs.
	if err := os.Chmod(made, 0o755); err != nil {
		return Result{}, fmt.Errorf("build %s: %w", o.Package, err)
	}
	sum, size, err := digest(made)
	if err != nil {
		return Result{}, fmt.Errorf("build %s: %w", o.Package, err)
	}
	binary := filepath.Join(dir, Bootstrap)
	if err := os.Rename(made, binary); err != nil {
		return Result{}, fmt.Errorf("build %s: put the binary in place: %w", o.Package, err)
	}
	return Result{Dir: dir, Binary: binary, SHA256: sum, Size: size}, nil
}

func (o Options) withDefaults() (Options, error) {
	if o.Root == "" {
		return o, errors.New("build: Root is empty: give the directory of go.mod")
	}
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return o, fmt.Errorf("build: Root: %w", err)
	}
	o.Root = root
	switch o.Arch {
	case "":
		o.Arch = "arm64"
	case "arm64", "amd64":
	default:
		return o, fmt.Errorf("build %s: Arch: Lambda runs no %q: use arm64 or amd64", o.Package, o.Arch)
	}
	if o.Out == "" {
		o.Out = "dist"
	}
	if !filepath.IsAbs(o.Out) {
		o.Out = filepath.Join(o.Root, o.Out)
	}
	return o, nil
}

// checkPackage finds the mistakes for which the go command's own words point
// the wrong way.
func checkPackage(o Options) error {
	rel := strings.TrimPrefix(o.Package, "./")
	switch {
	case o.Package == "":
		return errors.New("build: Package is empty: name a main package such as ./handlers/charge-payment")
	case rel == "" || rel == "." || path.Clean(rel) != rel || !filepath.IsLocal(filepath.FromSlash(rel)) || strings.Contains(rel, "..."):
		return fmt.Errorf("build %s: Package: give one directory below the module's root, such as ./handlers/charge-payment", o.Package)
	}
	info, err := os.Stat(filepath.Join(o.Root, filepath.FromSlash(rel)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("build %s: there is no such directory in %s: write the handler, or correct its name", o.Package, o.Root)
	case err != nil:
		return fmt.Errorf("build %s: %w", o.Package, err)
	case !info.IsDir():
		return fmt.Errorf("build %s: it is a file: name the directory of its package", o.Package)
	}
	return nil
}

func compile(ctx context.Context, o Options, out string) error {
	pkg := "./" + strings.TrimPrefix(o.Package, "./")
	cmd := exec.CommandContext(ctx, "go", "build",
		"-trimpath",       // no paths of this machine
		"-buildvcs=false", // no commit: it would rename every asset at each commit
		"-tags", "lambda.norpc",
		"-ldflags", "-s -w -buildid=",
		"-o", out, pkg)
	cmd.Dir = o.Root
	cmd.Env = environment(os.Environ(), o.Arch)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second

	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("build %s: stopped: %w", o.Package, context.Cause(ctx))
	case errors.As(err, &exit):
		return &CompileError{Package: o.Package, Output: strings.TrimSpace(output.String())}
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("build %s: the go command is not on PATH: install Go, or correct PATH: %w", o.Package, err)
	default:
		return fmt.Errorf("build %s: run the go command: %w", o.Package, err)
	}
}

// environment pins everything in env that changes the bytes of a build.
// GOFLAGS must not be empty: the go command then reads it from its own
// configuration file, where a user may have set -race or -tags.
func environment(env []string, arch string) []string {
	return append(slices.Clip(env),
		"GOOS=linux",
		"GOARCH="+arch,
		"GOARM64=v8.0",
		"GOAMD64=v1",
		"CGO_ENABLED=0",
		"GOFLAGS=-trimpath",
	)
}

// checkBinary also catches a package that is not main, for which the go
// command succeeds and writes an archive.
func checkBinary(o Options, name string) error {
	f, err := elf.Open(name)
	if err != nil {
		return fmt.Errorf("build %s: the result is not a program: give the package the name main and a main function", o.Package)
	}
	defer func() { _ = f.Close() }()
	want := map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64}[o.Arch]
	if f.Machine != want {
		return fmt.Errorf("build %s: the result is for %v, not for %v: check the go command on PATH", o.Package, f.Machine, want)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("build %s: the result is dynamically linked, and Lambda's image may lack its libraries: build it without cgo", o.Package)
		}
	}
	return nil
}

func digest(name string) (sum string, size int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	size, err = io.Copy(h, f)
	if err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

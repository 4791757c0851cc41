package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-go/sluice/framework/local/stack"
	"github.com/sluice-go/sluice/infra/build"
	"github.com/sluice-go/sluice/infra/digest"
)

// project is the module that a command works on.
type project struct{ root string }

// findProject returns the module of dir, or of the nearest go.mod above it.
func findProject(dir string) (project, error) {
	if dir == "" {
		dir = "."
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return project{}, err
	}
	for d := abs; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return project{d}, nil
		}
		if filepath.Dir(d) == d {
			return project{}, usage("no go.mod in %s or above it: run this in a Go module, or name one with --dir", abs)
		}
	}
}

// template is a synthesized stack.
type template struct {
	stackName string
	path      string
	json      []byte
}

// template returns the stack's template: the one in cdk.out, or the committed
// golden one, whichever was made from the sources as they are. If neither was,
// it synthesizes, where Node is.
func (p project) template(ctx context.Context, a *app) (template, error) {
	if path := a.cli.Template; path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return template{}, usage("template: %w", err)
		}
		name, _, _ := strings.Cut(filepath.Base(path), ".")
		return template{name, path, text}, nil
	}
	want, err := digest.Of(p.root)
	if err != nil {
		return template{}, fmt.Errorf("%w\nThe local runtime takes its resources from the template of a CDK app in infra/ (see \"In your own module\" in Sluice's README), or from a synthesized template that you name with --template", err)
	}
	if t, ok, err := p.current(want); ok || err != nil {
		return t, err
	}
	node := os.Getenv("JSII_NODE")
	if node == "" {
		node = "node"
	}
	if _, err := exec.LookPath(node); err != nil {
		return template{}, errors.New("the template is older than the sources under infra/, and Node is not installed to make it anew: install Node 22 and run `go run ./infra`, or restore infra/")
	}
	a.say("The sources under infra/ changed: synthesizing the template (go run ./infra)")
	synth := exec.CommandContext(ctx, "go", "run", "./infra")
	synth.Dir, synth.Stdout, synth.Stderr = p.root, a.stderr, a.stderr
	if err := synth.Run(); err != nil {
		return template{}, fmt.Errorf("go run ./infra: %w: correct what it says above and try again", err)
	}
	t, ok, err := p.current(want)
	if err == nil && !ok {
		err = errors.New("go run ./infra wrote no template of the present sources into cdk.out: its app must set the digest, as constructs do")
	}
	return t, err
}

// current looks for a template with a digest.
func (p project) current(want string) (template, bool, error) {
	var files []string
	for _, pattern := range []string{"cdk.out/*.template.json", "infra/testdata/*.golden.json"} {
		matches, err := filepath.Glob(filepath.Join(p.root, pattern))
		if err != nil {
			return template{}, false, err
		}
		files = append(files, matches...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return template{}, false, err
		}
		if got, err := digest.FromTemplate(text); err == nil && got == want {
			name, _, _ := strings.Cut(filepath.Base(file), ".")
			return template{name, file, text}, true, nil
		}
	}
	return template{}, false, nil
}

// handlers returns the packages of the handlers that a template names.
func (t template) handlers() ([]string, error) {
	topology, err := stack.Read(t.json, &stack.Options{StackName: t.stackName})
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", t.path, err)
	}
	var packages []string
	for _, f := range topology.Functions {
		if f.Handler != "" && !slices.Contains(packages, f.Handler) {
			packages = append(packages, f.Handler)
		}
	}
	return packages, nil
}

// binaries builds handlers for this machine, outside dist, which holds what is
// deployed, and returns where each package's binary is.
func (p project) binaries(ctx context.Context, a *app, packages []string) (func(string) (string, error), error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	out := filepath.Join(cache, "sluice", "bin", strings.ReplaceAll(strings.Trim(p.root, string(filepath.Separator)), string(filepath.Separator), "_"))
	results, err := p.build(ctx, a, packages, build.Options{Root: p.root, Arch: runtime.GOARCH, Out: out})
	if err != nil {
		return nil, err
	}
	paths := map[string]string{}
	for i, pkg := range packages {
		paths[pkg] = results[i].Binary
	}
	return func(handler string) (string, error) {
		if path, ok := paths[handler]; ok {
			return path, nil
		}
		return "", fmt.Errorf("handler %s was not built", handler)
	}, nil
}

// build builds packages and shows how far it is.
func (p project) build(ctx context.Context, a *app, packages []string, o build.Options) ([]build.Result, error) {
	for _, pkg := range packages {
		if _, err := os.Stat(filepath.Join(p.root, filepath.FromSlash(pkg))); errors.Is(err, fs.ErrNotExist) {
			return nil, usage("handler %s does not exist in %s: the template names it", pkg, p.root)
		}
	}
	bar := newProgress(a.stderr, "building", len(packages))
	results, err := build.Many(ctx, o, packages, &build.ManyOptions{Progress: func(pr build.Progress) {
		bar.step(pr.Done, pr.Package)
	}})
	bar.end()
	return results, err
}

// progress is a line that grows on a terminal, and a line per step elsewhere.
type progress struct {
	w        io.Writer
	what     string
	total    int
	terminal bool
	mu       sync.Mutex
}

func newProgress(w io.Writer, what string, total int) *progress {
	p := &progress{w: w, what: what, total: total}
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			p.terminal = info.Mode()&os.ModeCharDevice != 0
		}
	}
	if p.terminal {
		p.step(0, "")
	}
	return p
}

func (p *progress) step(done int, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.terminal {
		fmt.Fprintf(p.w, "%s %d/%d %s\n", p.what, done, p.total, name)
		return
	}
	const width = 24
	full := width
	if p.total > 0 {
		full = width * done / p.total
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s [%s%s] %d/%d %s", p.what, strings.Repeat("=", full), strings.Repeat(" ", width-full), done, p.total, name)
}

func (p *progress) end() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

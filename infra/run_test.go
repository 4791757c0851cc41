package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-go/sluice/infra/digest"
)

// bare is a module without handlers.
func bare() map[string]string {
	return map[string]string{
		"go.mod":        "module example.com/shop\n\ngo 1.26\n",
		"cdk.json":      "{}",
		"infra/main.go": "package main\n",
	}
}

// withHandlers is a module with the smallest handlers that compile.
func withHandlers() map[string]string {
	files := bare()
	for _, h := range handlers() {
		files[strings.TrimPrefix(h, "./")+"/main.go"] = "package main\n\nfunc main() {}\n"
	}
	return files
}

func module(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestRun runs everything that go run ./infra does, on a module of its own.
func TestRun(t *testing.T) {
	requireNode(t)

	root := module(t, withHandlers())
	elsewhere := filepath.Join(t.TempDir(), "assembly")
	for outdir, want := range map[string]string{"": filepath.Join(root, "cdk.out"), elsewhere: elsewhere} {
		getenv := func(key string) string {
			if key == "CDK_OUTDIR" {
				return outdir
			}
			return os.Getenv(key)
		}
		var log bytes.Buffer
		if err := run(context.Background(), root, getenv, &log); err != nil {
			t.Fatal(err)
		}
		template, err := os.ReadFile(filepath.Join(want, "Shop.template.json"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := digest.FromTemplate(template)
		if err != nil {
			t.Fatal(err)
		}
		if sources, err := digest.Of(root); err != nil || got != sources {
			t.Errorf("the template carries %s, the sources have %s, %v", got, sources, err)
		}
		for _, h := range handlers() {
			if !strings.Contains(log.String(), h) {
				t.Errorf("the log does not say that %s was built:\n%s", h, &log)
			}
			if got := files(t, filepath.Join(root, "dist", path.Base(h))); !slices.Equal(got, []string{"bootstrap -rwxr-xr-x"}) {
				t.Errorf("dist of %s holds %v", h, got)
			}
		}
		assets, err := filepath.Glob(filepath.Join(want, "asset.*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(assets) != len(handlers()) {
			t.Errorf("assets = %v, want %d", assets, len(handlers()))
		}
		for _, a := range assets {
			if got := files(t, a); !slices.Equal(got, []string{"bootstrap -rwxr-xr-x"}) {
				t.Errorf("%s holds %v", a, got)
			}
		}
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Name()+" "+info.Mode().String())
	}
	return all
}

func TestRunSaysWhatIsMissing(t *testing.T) {
	t.Parallel()

	broken := withHandlers()
	broken["handlers/charge-payment/main.go"] = "package main\n\nfunc main() { undefinedThing() }\n"
	this, err := os.Executable() // stands for Node: it is never started
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		files map[string]string
		node  string
		want  []string
	}{
		"NotTheRoot": {
			files: map[string]string{"go.mod": "module example.com/shop\n"},
			want:  []string{"no infra directory", "module's root"},
		},
		"NoNode": {
			files: bare(),
			node:  "/nonexistent/node",
			want:  []string{"/nonexistent/node", "install Node", "JSII_NODE"},
		},
		"NoHandlers": {
			files: bare(),
			want:  append([]string{"no such directory"}, handlers()...),
		},
		"HandlerDoesNotCompile": {
			files: broken,
			want:  []string{"./handlers/charge-payment", "undefined: undefinedThing", "main.go:3"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			node := tt.node
			if node == "" {
				node = this
			}
			getenv := func(key string) string { return map[string]string{"JSII_NODE": node}[key] }
			err := run(context.Background(), module(t, tt.files), getenv, io.Discard)
			if err == nil {
				t.Fatal("run returned no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

package build

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const program = "package main\n\nfunc main() { println(\"hello\") }\n"

// module writes a module with the given files and returns its root.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	write(t, root, "go.mod", "module example.com/shop\n\ngo 1.26\n")
	for name, content := range files {
		write(t, root, name, content)
	}
	return root
}

func write(t *testing.T, root, name, content string) {
	t.Helper()
	name = filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestHandler(t *testing.T) {
	t.Parallel()

	for arch, machine := range map[string]elf.Machine{"": elf.EM_AARCH64, "arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64} {
		t.Run("Arch="+arch, func(t *testing.T) {
			t.Parallel()

			root := module(t, map[string]string{"handlers/pay/main.go": program})
			r, err := Handler(context.Background(), Options{Root: root, Package: "./handlers/pay", Arch: arch})
			if err != nil {
				t.Fatal(err)
			}
			if want := filepath.Join(root, "dist", "pay"); r.Dir != want {
				t.Errorf("Dir = %s, want %s", r.Dir, want)
			}
			if want := filepath.Join(r.Dir, "bootstrap"); r.Binary != want {
				t.Errorf("Binary = %s, want %s", r.Binary, want)
			}
			if got := names(t, r.Dir); !slices.Equal(got, []string{"bootstrap"}) {
				t.Errorf("the asset holds %v, want only bootstrap", got)
			}
			if got := names(t, filepath.Dir(r.Dir)); !slices.Equal(got, []string{"pay"}) {
				t.Errorf("the output directory holds %v, want only pay", got)
			}
			info, err := os.Stat(r.Binary)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode() != 0o755 {
				t.Errorf("mode = %v, want -rwxr-xr-x", info.Mode())
			}
			content, err := os.ReadFile(r.Binary)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(content)
			if r.SHA256 != hex.EncodeToString(sum[:]) || r.Size != int64(len(content)) {
				t.Errorf("result says %s, %d bytes; the file is %x, %d bytes", r.SHA256, r.Size, sum, len(content))
			}
			f, err := elf.Open(r.Binary)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			if f.Machine != machine {
				t.Errorf("machine = %v, want %v", f.Machine, machine)
			}
		})
	}
}

func TestHandlerIsReproducible(t *testing.T) {
	t.Parallel()

	files := map[string]string{"handlers/pay/main.go": program}
	var sums []string
	for range 2 {
		r, err := Handler(context.Background(), Options{Root: module(t, files), Package: "./handlers/pay", Out: t.TempDir(), Arch: "amd64"})
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, r.SHA256)

		info, err := buildinfo.ReadFile(r.Binary)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, s := range info.Settings {
			got[s.Key] = s.Value
		}
		want := map[string]string{
			"-buildmode": "exe", "-compiler": "gc", "-tags": "lambda.norpc", "-trimpath": "true",
			"CGO_ENABLED": "0", "GOARCH": "amd64", "GOOS": "linux", "GOAMD64": "v1",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("build settings (-want +got):\n%s", diff)
		}
	}
	if sums[0] != sums[1] {
		t.Errorf("two directories gave %s and %s", sums[0], sums[1])
	}
}

func TestEnvironmentPinsWhatChangesBytes(t *testing.T) {
	t.Parallel()

	dirty := []string{"PATH=/bin", "GOFLAGS=-race", "GOOS=plan9", "GOARCH=mips", "CGO_ENABLED=1", "GOARM64=v9.0", "GOAMD64=v3"}
	got := map[string]string{}
	for _, kv := range environment(dirty, "arm64") { // as exec does: the last one wins
		k, v, _ := strings.Cut(kv, "=")
		got[k] = v
	}
	want := map[string]string{
		"PATH": "/bin", "GOFLAGS": "-trimpath", "GOOS": "linux", "GOARCH": "arm64",
		"CGO_ENABLED": "0", "GOARM64": "v8.0", "GOAMD64": "v1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHandlerCompileError(t *testing.T) {
	t.Parallel()

	root := module(t, map[string]string{"handlers/pay/main.go": program})
	o := Options{Root: root, Package: "./handlers/pay", Arch: "amd64"}
	before, err := Handler(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	write(t, root, "handlers/pay/main.go", "package main\n\nfunc main() { missing() }\n")

	_, err = Handler(context.Background(), o)
	var compile *CompileError
	if !errors.As(err, &compile) {
		t.Fatalf("error = %v, want a *CompileError", err)
	}
	if compile.Package != "./handlers/pay" || !strings.Contains(compile.Output, "main.go:3:15: undefined: missing") {
		t.Errorf("package %q, output %q", compile.Package, compile.Output)
	}
	if !strings.Contains(err.Error(), "./handlers/pay") || !strings.Contains(err.Error(), "undefined: missing") {
		t.Errorf("error %q names the package or the mistake not", err)
	}
	sum, _, err := digest(before.Binary)
	if err != nil || sum != before.SHA256 {
		t.Errorf("the failed build changed the old binary: %s, %v", sum, err)
	}
	if got := names(t, filepath.Join(root, "dist")); !slices.Equal(got, []string{"pay"}) {
		t.Errorf("the failed build left %v, want only pay", got)
	}
}

func TestHandlerRefuses(t *testing.T) {
	t.Parallel()

	root := module(t, map[string]string{
		"handlers/lib/lib.go":  "package lib\n",
		"handlers/docs/x.md":   "no Go\n",
		"handlers/file":        "a file\n",
		"handlers/ok/main.go":  program,
		"handlers/ok2/main.go": program,
	})
	tests := map[string]struct {
		o    Options
		want string
	}{
		"NoRoot":     {Options{Package: "./handlers/ok"}, "Root is empty"},
		"NoPackage":  {Options{Root: root}, "Package is empty"},
		"Missing":    {Options{Root: root, Package: "./handlers/absent"}, "./handlers/absent: there is no such directory"},
		"File":       {Options{Root: root, Package: "./handlers/file"}, "it is a file"},
		"Outside":    {Options{Root: root, Package: "../elsewhere"}, "one directory below the module's root"},
		"Absolute":   {Options{Root: root, Package: root + "/handlers/ok"}, "one directory below the module's root"},
		"Pattern":    {Options{Root: root, Package: "./handlers/..."}, "one directory below the module's root"},
		"Root":       {Options{Root: root, Package: "."}, "one directory below the module's root"},
		"Flag":       {Options{Root: root, Package: "-toolexec=x"}, "-toolexec=x: there is no such directory"},
		"Arch":       {Options{Root: root, Package: "./handlers/ok", Arch: "386"}, `Lambda runs no "386"`},
		"NotMain":    {Options{Root: root, Package: "./handlers/lib", Arch: "amd64"}, "the result is not a program"},
		"NoGoFiles":  {Options{Root: root, Package: "./handlers/docs"}, "no Go files"},
		"BadOutput":  {Options{Root: root, Package: "./handlers/ok", Out: "handlers/file"}, "output directory"},
		"RootAbsent": {Options{Root: filepath.Join(root, "absent"), Package: "./handlers/ok"}, "no such directory"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := Handler(context.Background(), tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestHandlerStopsWithItsContext(t *testing.T) {
	t.Parallel()

	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("the user pressed ctrl-c")
	cancel(reason)
	root := module(t, map[string]string{"handlers/pay/main.go": program})
	_, err := Handler(ctx, Options{Root: root, Package: "./handlers/pay"})
	if !errors.Is(err, reason) {
		t.Errorf("error = %v, want one that wraps %q", err, reason)
	}
}

func TestHandlers(t *testing.T) {
	t.Parallel()

	root := module(t, map[string]string{
		"handlers/b/main.go":              program,
		"handlers/a/main.go":              program,
		"handlers/a/nested/main.go":       program,
		"handlers/lib/lib.go":             "package lib\n",
		"handlers/docs/README.md":         "no Go\n",
		"handlers/tests/x_test.go":        "package main\n",
		"handlers/windows/main.go":        "//go:build windows\n\n" + program,
		"handlers/ignored/main.go":        "//go:build ignore\n\n" + program,
		"handlers/handlers_test.go":       "package handlers\n",
		"handlers/c/main.go":              program,
		"handlers/c/internal/lib/lib.go":  "package lib\n",
		"handlers/c/main_windows_test.go": "package main\n",
	})
	got, err := Handlers(root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"./handlers/a", "./handlers/b", "./handlers/c"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	write(t, root, "handlers/a/other.go", "package other\n")
	if _, err := Handlers(root); err == nil || !strings.Contains(err.Error(), "./handlers/a") {
		t.Errorf("two packages in a directory: error = %v, want one that names ./handlers/a", err)
	}
	if _, err := Handlers(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no handlers directory: error = %v, want os.ErrNotExist", err)
	}
}

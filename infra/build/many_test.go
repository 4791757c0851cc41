package build

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestManyBuilds(t *testing.T) {
	t.Parallel()

	root := module(t, map[string]string{
		"handlers/a/main.go": program,
		"handlers/b/main.go": "package main\n\nfunc main() { missing() }\n",
		"handlers/c/main.go": program,
	})
	var done []int
	packages := []string{"./handlers/c", "./handlers/b", "./handlers/a", "./handlers/absent"}
	results, err := Many(context.Background(), Options{Root: root, Arch: "amd64"}, packages, &ManyOptions{
		Progress: func(p Progress) {
			done = append(done, p.Done)
			if p.Total != 4 {
				t.Errorf("total = %d, want 4", p.Total)
			}
			if failed := p.Package == "./handlers/b" || p.Package == "./handlers/absent"; failed != (p.Err != nil) {
				t.Errorf("%s: err = %v", p.Package, p.Err)
			}
		},
	})
	var compile *CompileError
	if !errors.As(err, &compile) || compile.Package != "./handlers/b" {
		t.Errorf("error = %v, want a *CompileError of ./handlers/b", err)
	}
	if err == nil || !strings.Contains(err.Error(), "./handlers/absent") {
		t.Errorf("error = %v, want one that names ./handlers/absent too", err)
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4}, done); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	for i, name := range []string{"c", "", "a", ""} {
		if got := results[i].Dir; name == "" && got != "" || !strings.HasSuffix(got, name) {
			t.Errorf("result %d is of %q, want %q", i, got, name)
		}
	}
}

func TestManyIsBounded(t *testing.T) {
	t.Parallel()

	packages := []string{"./a", "./b", "./c", "./d", "./e", "./f", "./g"}
	for parallel, want := range map[int]int32{0: DefaultParallel, 1: 1, 3: 3, 100: int32(len(packages))} {
		synctest.Test(t, func(t *testing.T) {
			var running, most atomic.Int32
			_, err := many(context.Background(), Options{}, packages, &ManyOptions{Parallel: parallel}, func(context.Context, Options) (Result, error) {
				n := running.Add(1)
				defer running.Add(-1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(time.Second) // of the bubble's clock: all that can start, start
				return Result{}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := most.Load(); got != want {
				t.Errorf("Parallel %d: %d built at once, want %d", parallel, got, want)
			}
		})
	}
}

func TestManyRefusesTwoOfOneName(t *testing.T) {
	t.Parallel()

	_, err := Many(context.Background(), Options{Root: t.TempDir()}, []string{"./handlers/a", "./other/a"}, nil)
	if err == nil || !strings.Contains(err.Error(), "./handlers/a and ./other/a") {
		t.Errorf("error = %v, want one that names both", err)
	}
}

func TestManyOfNothing(t *testing.T) {
	t.Parallel()

	results, err := Many(context.Background(), Options{Root: t.TempDir()}, nil, nil)
	if err != nil || len(results) != 0 {
		t.Errorf("got %v, %v; want nothing", results, err)
	}
}

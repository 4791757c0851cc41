package build

import (
	"context"
	"errors"
	"path"
	"sync"
)

// DefaultParallel is how many handlers Many builds at once unless told
// otherwise. The go command is parallel itself; a second one only fills the
// time in which the first links.
const DefaultParallel = 2

// Progress is one handler done, or failed.
type Progress struct {
	Package string
	Result  Result // zero if Err is not nil
	Err     error
	Done    int // handlers finished so far, this one included
	Total   int
}

// ManyOptions say how Many works. Nil means the defaults.
type ManyOptions struct {
	// Parallel is how many handlers are built at once. 0 means DefaultParallel.
	Parallel int

	// Progress is called after each handler, from one goroutine at a time.
	// It must not call Many. Nil: no calls.
	Progress func(Progress)
}

// Many builds several handlers with the same Root, Arch and Out, and returns
// their results in the order of packages. Every package is tried, whichever
// fails, and the error joins all that failed; the result of a failed one is
// zero. Two packages of one name are an error, since they share a directory.
func Many(ctx context.Context, o Options, packages []string, opts *ManyOptions) ([]Result, error) {
	return many(ctx, o, packages, opts, Handler)
}

func many(ctx context.Context, o Options, packages []string, opts *ManyOptions, build func(context.Context, Options) (Result, error)) ([]Result, error) {
	if opts == nil {
		opts = &ManyOptions{}
	}
	if err := distinct(packages); err != nil {
		return nil, err
	}
	parallel := opts.Parallel
	if parallel <= 0 {
		parallel = DefaultParallel
	}
	var (
		results = make([]Result, len(packages))
		errs    = make([]error, len(packages))
		next    = make(chan int)
		workers sync.WaitGroup
		report  sync.Mutex
		done    int
	)
	for range min(parallel, len(packages)) {
		workers.Go(func() {
			for i := range next {
				each := o
				each.Package = packages[i]
				results[i], errs[i] = build(ctx, each)

				report.Lock()
				done++
				if opts.Progress != nil {
					opts.Progress(Progress{Package: packages[i], Result: results[i], Err: errs[i], Done: done, Total: len(packages)})
				}
				report.Unlock()
			}
		})
	}
	for i := range packages {
		next <- i
	}
	close(next)
	workers.Wait()
	return results, errors.Join(errs...)
}

func distinct(packages []string) error {
	seen := make(map[string]string, len(packages))
	var errs []error
	for _, p := range packages {
		name := path.Base(p)
		if first, ok := seen[name]; ok {
			errs = append(errs, errors.New("build: "+first+" and "+p+" would both be written to "+name+"/: rename one"))
			continue
		}
		seen[name] = p
	}
	return errors.Join(errs...)
}

package build

import (
	"errors"
	"fmt"
	gobuild "go/build"
	"io/fs"
	"os"
	"path/filepath"
)

// Handlers lists the main packages directly under root/handlers, as
// "./handlers/<name>", sorted. A directory without Go files for Linux, or with
// a package of another name, is no handler and is left out; one whose files
// cannot be read as one package is an error. Without a handlers directory the
// error wraps fs.ErrNotExist.
func Handlers(root string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(root, "handlers"))
	if err != nil {
		return nil, fmt.Errorf("list handlers: %w", err)
	}
	linux := gobuild.Default
	linux.GOOS = "linux"
	linux.CgoEnabled = false
	linux.BuildTags = []string{"lambda.norpc"}

	var handlers []string
	for _, e := range entries {
		dir := filepath.Join(root, "handlers", e.Name())
		// Stat, because a directory may be a symbolic link to one.
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("list handlers: %w", err)
			}
			continue
		}
		pkg, err := linux.ImportDir(dir, 0)
		var none *gobuild.NoGoError
		switch {
		case errors.As(err, &none):
			continue
		case err != nil:
			return nil, fmt.Errorf("list handlers: ./handlers/%s: %w", e.Name(), err)
		}
		if pkg.IsCommand() && len(pkg.GoFiles) > 0 { // and not only tests
			handlers = append(handlers, "./handlers/"+e.Name())
		}
	}
	return handlers, nil
}

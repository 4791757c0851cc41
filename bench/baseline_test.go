package bench_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// originals is where the baselines were copied from, beside the repository.
// Where it is missing the checked-in list alone holds the copies.
const originals = "../../shared/bench"

// TestBaselinesAreHeld: a baseline that is edited to be slower proves nothing.
func TestBaselinesAreHeld(t *testing.T) {
	t.Parallel()
	listed := readList(t, "baseline.sha256")
	if len(listed) < 10 {
		t.Fatalf("the list holds %d files only", len(listed))
	}
	copies := map[string]string{}
	err := filepath.WalkDir("baseline", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel("baseline", path)
		if err != nil {
			return err
		}
		copies[filepath.ToSlash(name)] = sum(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(listed, copies); diff != "" {
		t.Errorf("baseline/ differs from baseline.sha256 (-listed +found):\n%s", diff)
	}
}

// TestListMatchesOriginals: a list that is edited together with a copy would
// hold nothing.
func TestListMatchesOriginals(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(originals); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the originals are not beside this repository; only the list was checked")
	}
	for name, listed := range readList(t, "baseline.sha256") {
		if got := sum(t, filepath.Join(originals, name)); got != listed {
			t.Errorf("%s: the list says %s, the original is %s", name, listed, got)
		}
	}
}

// readList reads the form that sha256sum writes.
func readList(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		digest, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok || len(digest) != hex.EncodedLen(sha256.Size) {
			t.Fatalf("%s: no line of sha256sum: %q", path, lines.Text())
		}
		list[name] = digest
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

func sum(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}

// Package digest names the sources that a template was synthesized from, so
// that a template can be told to be stale without synthesizing it again, and
// so without Node.
//
// Equal digests mean that synthesizing again would give the same template,
// apart from the hashes of the handlers' binaries. The package uses nothing
// but the standard library. All functions are safe for concurrent use.
package digest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// format is hashed first. Change it together with the algorithm.
const format = "sluice template digest 1\n"

// undecisive are directories that cannot change a template: the builder
// changes binaries, whose hashes are not compared; the digest and the policy
// only judge a template that is already made. Leaving them out keeps a
// template valid while they are worked on.
func undecisive() []string {
	return []string{"infra/build", "infra/digest", "infra/policy"}
}

// decisiveModules are the modules whose version decides a template: the CDK,
// and Sluice's own constructs where root is the module of somebody who uses
// them. go.mod's other lines do not matter.
func decisiveModules() []string {
	return []string{
		"github.com/aws/aws-cdk-go/awscdk/v2",
		"github.com/sluice-go/sluice",
	}
}

// Of returns the digest of the module in root: 64 lower-case hexadecimal
// digits. It covers, by path and content, cdk.json, every Go file below infra
// that is neither a test nor in a directory that cannot change a template,
// framework/env where it exists, and the versions in go.mod of the CDK and of
// Sluice. testdata and directories that the go command skips do not count.
func Of(root string) (string, error) {
	tree := os.DirFS(root)
	files := []string{"cdk.json"}
	infra, err := goFiles(tree, "infra")
	if err != nil {
		return "", fmt.Errorf("digest of the infrastructure's sources: %w", err)
	}
	if len(infra) == 0 {
		return "", fmt.Errorf("digest of the infrastructure's sources: no Go files below %s/infra: give the module's root directory", root)
	}
	files = append(files, infra...)

	env, err := goFiles(tree, "framework/env")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("digest of the infrastructure's sources: %w", err)
	}
	files = append(files, env...)
	slices.Sort(files)

	h := sha256.New()
	_, _ = h.Write([]byte(format))
	for _, name := range files {
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			return "", fmt.Errorf("digest of the infrastructure's sources: %w", err)
		}
		// A checkout on Windows may have other line ends; the template has not.
		part(h, name, bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")))
	}
	gomod, err := fs.ReadFile(tree, "go.mod")
	if err != nil {
		return "", fmt.Errorf("digest of the infrastructure's sources: %w", err)
	}
	for _, line := range versions(gomod) {
		part(h, "go.mod", []byte(line))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// part adds a name and a content so that no two different lists of parts have
// the same bytes.
func part(h hash.Hash, name string, content []byte) {
	_, _ = h.Write([]byte(strconv.Quote(name) + " " + strconv.Itoa(len(content)) + "\n"))
	_, _ = h.Write(content)
	_, _ = h.Write([]byte("\n"))
}

func goFiles(tree fs.FS, dir string) ([]string, error) {
	var names []string
	err := fs.WalkDir(tree, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if d.IsDir() {
			if name != dir && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return fs.SkipDir
			}
			if slices.Contains(undecisive(), name) {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(base, ".go") && !strings.HasSuffix(base, "_test.go") &&
			!strings.HasPrefix(base, ".") && !strings.HasPrefix(base, "_") {
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// versions returns "<module> <version>" for each decisive module that gomod
// requires or replaces, in go.mod's order, without comments and so without
// the word indirect that `go mod tidy` adds and removes.
func versions(gomod []byte) []string {
	var found []string
	lines := bufio.NewScanner(bytes.NewReader(gomod))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "//")
		fields := strings.Fields(line)
		if len(fields) > 0 && (fields[0] == "require" || fields[0] == "replace") {
			fields = fields[1:]
		}
		if len(fields) >= 2 && slices.Contains(decisiveModules(), fields[0]) {
			found = append(found, strings.Join(fields, " "))
		}
	}
	return found
}

// FromTemplate returns the digest that a CloudFormation template in JSON
// carries, in {"Metadata": {"Sluice": {"Digest": "..."}}}. A template without
// one was not made by this app: that is an error.
func FromTemplate(template []byte) (string, error) {
	var t struct {
		Metadata struct {
			Sluice struct {
				Digest string
			}
		}
	}
	if err := json.Unmarshal(template, &t); err != nil {
		return "", fmt.Errorf("digest of the template: it is not a template in JSON: %w", err)
	}
	d := t.Metadata.Sluice.Digest
	if d == "" {
		return "", errors.New("digest of the template: it carries none in Metadata.Sluice.Digest: synthesize it with go run ./infra")
	}
	if raw, err := hex.DecodeString(d); err != nil || len(raw) != sha256.Size || strings.ToLower(d) != d {
		return "", fmt.Errorf("digest of the template: %q is not a SHA-256 in lower-case hexadecimal: synthesize it with go run ./infra", d)
	}
	return d, nil
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/infra/digest"
)

var goldenFile = filepath.Join("testdata", stackName+".golden.json")

const howToUpdate = "if that is intended, run: go test ./infra -update"

// normalize replaces the hashes of assets, which change with every handler.
// The digest of the sources stays: it tells whether the golden is current.
func normalize(template []byte) []byte {
	template = regexp.MustCompile(`[0-9a-f]{64}\.zip`).ReplaceAll(template, []byte("ASSET_HASH.zip"))
	template = regexp.MustCompile(`asset\.[0-9a-f]{64}`).ReplaceAll(template, []byte("asset.ASSET_HASH"))
	return append(bytes.TrimSpace(template), '\n')
}

func lineDiff(want, got []byte) string {
	return cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n"))
}

func TestGolden(t *testing.T) {
	got := normalize(synthesize(t))
	if *update {
		if err := os.WriteFile(goldenFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the template differs from %s (-golden +synthesized); %s\n%s", goldenFile, howToUpdate, lineDiff(want, got))
	}
}

// TestGoldenIsCurrent needs no Node: it fails also where TestGolden skips.
func TestGoldenIsCurrent(t *testing.T) {
	if *update {
		t.Skip("skipped: -update rewrites the golden in this run")
	}
	golden, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	got, err := digest.FromTemplate(golden)
	if err != nil {
		t.Fatal(err)
	}
	want, err := digest.Of("..")
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("%s was made from other sources: its digest is %s, theirs %s; %s", goldenFile, got, want, howToUpdate)
	}
}

func TestGoldenNamesNoMachine(t *testing.T) {
	t.Parallel()

	golden, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{root, os.TempDir() + "/", "/home/", "/Users/", "/root/"} {
		if bytes.Contains(golden, []byte(part)) {
			t.Errorf("%s contains the path %s", goldenFile, part)
		}
	}
	if hash := regexp.MustCompile(`[0-9a-f]{64}(\.zip|")`).FindAll(golden, -1); len(hash) != 1 {
		t.Errorf("%s has %d hashes, want only the digest of the sources: %s", goldenFile, len(hash), hash)
	}
}

package digest

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func base() map[string]string {
	return map[string]string{
		"go.mod":                      "module example.com/m\n\nrequire (\n\tgithub.com/aws/aws-cdk-go/awscdk/v2 v2.270.0\n\tgithub.com/google/go-cmp v0.7.0\n)\n",
		"cdk.json":                    "{\"app\": \"go run ./infra\"}\n",
		"infra/main.go":               "package main\n",
		"infra/constructs/queue.go":   "package constructs\n",
		"infra/build/build.go":        "package build\n",
		"infra/digest/digest.go":      "package digest\n",
		"infra/policy/policy.go":      "package policy\n",
		"infra/main_test.go":          "package main\n",
		"infra/testdata/x.go":         "package x\n",
		"infra/testdata/golden.json":  "{}\n",
		"framework/env/env.go":        "package env\n",
		"framework/consumer/main.go":  "package consumer\n",
		"handlers/a/main.go":          "package main\n",
		"infra/constructs/README.md":  "text\n",
		"infra/.cache/x.go":           "package x\n",
		"infra/constructs/_draft.go":  "package x\n",
		"infra/constructs/.#queue.go": "package x\n",
	}
}

func of(t *testing.T, files map[string]string) string {
	t.Helper()
	d, err := Of(tree(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if len(d) != 64 || strings.Trim(d, "0123456789abcdef") != "" {
		t.Fatalf("digest %q is not 64 lower-case hexadecimal digits", d)
	}
	return d
}

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestOfCoversWhatDecidesATemplate(t *testing.T) {
	t.Parallel()

	gomod := base()["go.mod"]
	tests := map[string]struct {
		edit    map[string]string // an empty content removes the file
		changes bool
	}{
		"Nothing":              {nil, false},
		"Main":                 {map[string]string{"infra/main.go": "package main // changed\n"}, true},
		"Construct":            {map[string]string{"infra/constructs/queue.go": "package constructs // changed\n"}, true},
		"NewFile":              {map[string]string{"infra/constructs/topic.go": "package constructs\n"}, true},
		"NewPackage":           {map[string]string{"infra/stacks/a.go": "package stacks\n"}, true},
		"RemovedFile":          {map[string]string{"infra/constructs/queue.go": ""}, true},
		"MovedFile":            {map[string]string{"infra/constructs/queue.go": "", "infra/constructs/queues.go": "package constructs\n"}, true},
		"Env":                  {map[string]string{"framework/env/env.go": "package env // changed\n"}, true},
		"CDKJSON":              {map[string]string{"cdk.json": "{\"app\": \"other\"}\n"}, true},
		"CDKVersion":           {map[string]string{"go.mod": strings.Replace(gomod, "v2.270.0", "v2.271.0", 1)}, true},
		"CDKReplaced":          {map[string]string{"go.mod": gomod + "replace github.com/aws/aws-cdk-go/awscdk/v2 => ../awscdk\n"}, true},
		"SluiceVersion":        {map[string]string{"go.mod": gomod + "require github.com/sluice-go/sluice v1.0.0\n"}, true},
		"TwoFilesMadeOne":      {map[string]string{"infra/constructs/queue.go": "", "infra/main.go": "package main\npackage constructs\n"}, true},
		"CDKIndirect":          {map[string]string{"go.mod": strings.Replace(gomod, "v2.270.0", "v2.270.0 // indirect", 1)}, false},
		"OtherVersion":         {map[string]string{"go.mod": strings.Replace(gomod, "v0.7.0", "v0.8.0", 1)}, false},
		"LineEnds":             {map[string]string{"infra/main.go": "package main\r\n"}, false},
		"Test":                 {map[string]string{"infra/main_test.go": "package main // changed\n"}, false},
		"Testdata":             {map[string]string{"infra/testdata/x.go": "package y\n", "infra/testdata/golden.json": "[]\n"}, false},
		"Build":                {map[string]string{"infra/build/build.go": "package build // changed\n"}, false},
		"Digest":               {map[string]string{"infra/digest/digest.go": "package digest // changed\n"}, false},
		"Policy":               {map[string]string{"infra/policy/policy.go": "package policy // changed\n"}, false},
		"Handler":              {map[string]string{"handlers/a/main.go": "package main // changed\n"}, false},
		"OtherFrameworkSource": {map[string]string{"framework/consumer/main.go": "package consumer // changed\n"}, false},
		"NoGo":                 {map[string]string{"infra/constructs/README.md": "other text\n"}, false},
		"Hidden": {map[string]string{"infra/.cache/x.go": "package y\n", "infra/constructs/.#queue.go": "package y\n",
			"infra/constructs/_draft.go": "package y\n"}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			edited := base()
			maps.Copy(edited, tt.edit)
			maps.DeleteFunc(edited, func(_, content string) bool { return content == "" })
			if got := of(t, edited) != of(t, base()); got != tt.changes {
				t.Errorf("the digest changes: %v, want %v", got, tt.changes)
			}
		})
	}
}

func TestOfWithoutFrameworkSources(t *testing.T) {
	t.Parallel()

	files := base()
	delete(files, "framework/env/env.go")
	delete(files, "framework/consumer/main.go")
	if of(t, files) == of(t, base()) {
		t.Error("the digest does not depend on framework/env")
	}
}

func TestOfRefuses(t *testing.T) {
	t.Parallel()

	without := func(names ...string) map[string]string {
		files := base()
		for _, n := range names {
			delete(files, n)
		}
		return files
	}
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"NoInfra":   {map[string]string{"go.mod": "module m\n", "cdk.json": "{}"}, "infra"},
		"OnlyTests": {map[string]string{"go.mod": "module m\n", "cdk.json": "{}", "infra/main_test.go": "package main\n"}, "give the module's root"},
		"NoCDKJSON": {without("cdk.json"), "cdk.json"},
		"NoGoMod":   {without("go.mod"), "go.mod"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if d, err := Of(tree(t, tt.files)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, %v; want an error that says %q", d, err, tt.want)
			}
		})
	}
}

func TestFromTemplate(t *testing.T) {
	t.Parallel()

	digest := strings.Repeat("0a", 32)
	got, err := FromTemplate([]byte(`{"Metadata": {"Sluice": {"Digest": "` + digest + `"}}, "Resources": {}}`))
	if err != nil || got != digest {
		t.Errorf("got %q, %v; want %q", got, err, digest)
	}
	for name, template := range map[string]string{
		"NotJSON":    `Resources: {}`,
		"NoMetadata": `{"Resources": {}}`,
		"Empty":      `{"Metadata": {"Sluice": {"Digest": ""}}}`,
		"Short":      `{"Metadata": {"Sluice": {"Digest": "0a"}}}`,
		"UpperCase":  `{"Metadata": {"Sluice": {"Digest": "` + strings.ToUpper(digest) + `"}}}`,
		"NotHex":     `{"Metadata": {"Sluice": {"Digest": "` + strings.Repeat("zz", 32) + `"}}}`,
		"WrongType":  `{"Metadata": {"Sluice": {"Digest": 1}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if d, err := FromTemplate([]byte(template)); err == nil {
				t.Errorf("got %q, want an error", d)
			}
		})
	}
}

package classic

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/bench/internal/table"
)

// TestRequestsAreTheBaselines: every declaration of copied.go is the baseline's,
// to the byte.
func TestRequestsAreTheBaselines(t *testing.T) {
	t.Parallel()
	baseline := declarations(t, "../../baseline/cold/idem/main.go")
	ours := declarations(t, "copied.go")
	for _, name := range []string{"put", "upd", "ck", "s", "n", "tbl"} {
		if ours[name] == "" {
			t.Errorf("copied.go does not declare %s", name)
		}
	}
	for name, text := range ours {
		if diff := cmp.Diff(baseline[name], text); diff != "" {
			t.Errorf("%s (-baseline +ours):\n%s", name, diff)
		}
	}
}

func declarations(t *testing.T, path string) map[string]string {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	text := func(n ast.Node) string {
		return string(source[files.Position(n.Pos()).Offset:files.Position(n.End()).Offset])
	}
	found := map[string]string{}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				found[d.Name.Name] = text(d)
			}
		case *ast.GenDecl:
			if d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					found[v.Names[0].Name] = text(v)
				}
			}
		}
	}
	return found
}

func newClient(t *testing.T) *dynamodb.Client {
	t.Helper()
	server, err := table.NewServer(0, Table())
	if err != nil {
		t.Fatal(err)
	}
	client, _ := server.Client()
	return client
}

func seed(t *testing.T, c *dynamodb.Client, item map[string]types.AttributeValue) {
	t.Helper()
	if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(Table()), Item: item}); err != nil {
		t.Fatal(err)
	}
}

func TestDoRunsAKeyOnce(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	ran := map[string]int{}
	work := func(key string) error { ran[key]++; return nil }
	for range 2 {
		if err := Do(t.Context(), c, []string{"a", "b"}, 1, work); err != nil {
			t.Fatal(err)
		}
	}
	seed(t, c, Crashed("c"))
	if err := Do(t.Context(), c, []string{"c"}, 1, work); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "b": 1, "c": 1}, ran); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}

func TestDoLeavesWhatIsHeld(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	held := Crashed("held")
	held["in_progress_expiration"] = n(2)
	seed(t, c, held)
	err := Do(t.Context(), c, []string{"held"}, 1, func(string) error { t.Error("ran beside its holder"); return nil })
	if !errors.Is(err, errHeld) {
		t.Errorf("error = %v", err)
	}
}

func TestDoTellsFailures(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	boom := errors.New("boom")
	if err := Do(t.Context(), c, []string{"a"}, 1, func(string) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("of the work: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err := Do(ended, c, []string{"b", "c"}, 2, func(string) error { t.Error("ran without a claim"); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("of a request: %v", err)
	}
}

package itemstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestOracle runs every case file against DynamoDB Local and compares its
// answers with this package's, field by field. All tables at the endpoint are
// deleted: give it one that nothing else uses.
//
//	java -Djava.library.path=DynamoDBLocal_lib -jar DynamoDBLocal.jar -inMemory -sharedDb -disableTelemetry -port 8000
//	SLUICE_DYNAMODB_LOCAL=http://127.0.0.1:8000 go test -run Oracle ./framework/local/itemstore
func TestOracle(t *testing.T) {
	endpoint := os.Getenv("SLUICE_DYNAMODB_LOCAL")
	if endpoint == "" {
		t.Skip("SLUICE_DYNAMODB_LOCAL is not set: no DynamoDB Local to compare with")
	}
	o := &oracle{t: t, endpoint: endpoint}
	// The endpoint may remember the tokens of an earlier run.
	token := fmt.Sprint("run", time.Now().UnixNano())
	used := make([]bool, len(knownDifferences()))
	for _, f := range loadCases(t) {
		o.deleteTables()
		s := New(&Options{Clock: time.Now, Account: "000000000000", Region: "ddblocal"})
		for _, step := range f.steps {
			step.body = strings.ReplaceAll(step.body, "<token>", token)
			ours, ourErr := s.Call(step.op, []byte(step.body))
			theirs := o.call(step.op, step.body)
			mine := reply{status: http.StatusOK}
			if ourErr != nil {
				ours, mine.status = ourErr.JSON(), ourErr.Status()
			}
			mine.body = decodeReply(t, ours)
			a, b := mine.normal(step.op), theirs.normal(step.op)
			diff := cmp.Diff(b, a)
			if diff == "" {
				continue
			}
			if i := known(step, b, a); i >= 0 {
				used[i] = true
				continue
			}
			t.Errorf("%s: %s %.300s\n-DynamoDB Local +itemstore\n%.1500s", f.path, step.op, step.body, diff)
		}
	}
	for i, d := range knownDifferences() {
		if !used[i] {
			t.Errorf("known difference %d (%s) did not occur; remove it from the list", i, d.reason)
		}
	}
}

type oracle struct {
	t        *testing.T
	endpoint string
}

type reply struct {
	status int
	body   map[string]any
}

func (o *oracle) call(op, body string) reply {
	o.t.Helper()
	req, err := http.NewRequest(http.MethodPost, o.endpoint, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=none")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return reply{status: res.StatusCode, body: decodeReply(o.t, data)}
}

func (o *oracle) deleteTables() {
	o.t.Helper()
	names, _ := o.call("ListTables", "{}").body["TableNames"].([]any)
	for _, name := range names {
		o.call("UpdateTable", fmt.Sprintf(`{"TableName":%q,"DeletionProtectionEnabled":false}`, name))
		if r := o.call("DeleteTable", fmt.Sprintf(`{"TableName":%q}`, name)); r.status != http.StatusOK {
			o.t.Fatalf("table %v was not deleted: %v", name, r.body)
		}
	}
}

func decodeReply(t *testing.T, data []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("answer %.200q: %v", data, err)
	}
	return m
}

// normal is the reply with what means the same made the same: sets and the
// lists without an order sorted, error names without namespaces, one spelling
// of the message, capacity as a plain number, and without what differs from
// one run to the next.
func (r reply) normal(op string) map[string]any {
	out := map[string]any{}
	for k, v := range r.body {
		switch k {
		case "__type":
			name := fmt.Sprint(v)
			out["error"] = name[strings.LastIndex(name, "#")+1:]
		case "Message", "message":
			out["message"] = v
		default:
			n := normalValue(op, v)
			if list, ok := n.([]any); ok && k == "ConsumedCapacity" {
				sortAny(list)
			}
			out[k] = n
		}
	}
	out["status"] = r.status
	return out
}

func normalValue(op string, v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = normalValue(op, e)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			n := normalValue(op, e)
			list, isList := n.([]any)
			switch {
			case isList && (k == "SS" || k == "NS" || k == "BS" || k == "GlobalSecondaryIndexes" || k == "LocalSecondaryIndexes" || k == "AttributeDefinitions"),
				isList && op == "BatchGetItem":
				sortAny(list)
			case slices.Contains([]string{"CreationDateTime", "TableId", "TableArn", "IndexArn", "ProvisionedThroughput", "LastUpdateToPayPerRequestDateTime", "LatestStreamArn", "LatestStreamLabel", "TableSizeBytes", "IndexSizeBytes"}, k):
				continue
			}
			out[k] = n
		}
		return out
	}
	return v
}

func sortAny(list []any) {
	slices.SortFunc(list, func(a, b any) int {
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		return bytes.Compare(x, y)
	})
}

// difference is a way in which DynamoDB Local is known to answer otherwise
// than this package does on purpose. All patterns must match.
type difference struct {
	reason string
	op     string // the operation; empty for any
	body   string // in the request
	theirs string // in DynamoDB Local's normalised answer, as JSON
	ours   string
}

func known(step caseStep, theirs, ours map[string]any) int {
	plain := func(m map[string]any) string {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(m)
		return strings.TrimSpace(b.String())
	}
	x, y := plain(theirs), plain(ours)
	return slices.IndexFunc(knownDifferences(), func(d difference) bool {
		return (d.op == "" || d.op == step.op) &&
			regexp.MustCompile(d.body).MatchString(step.body) &&
			regexp.MustCompile(d.theirs).MatchString(x) &&
			regexp.MustCompile(d.ours).MatchString(y)
	})
}

package traffic_test

import (
	"encoding/json"
	"slices"
	"testing"

	"bench/gen"
	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/bench/internal/traffic"
)

func TestBatchesNeverRepeatAnID(t *testing.T) {
	t.Parallel()
	const n = 20
	var source traffic.Source
	var batches []*traffic.Batch
	for range 2 {
		b, err := source.NewBatch(n)
		if err != nil {
			t.Fatal(err)
		}
		if b.Len() != n {
			t.Errorf("Len = %d", b.Len())
		}
		batches = append(batches, b)
	}
	seen := map[string]bool{}
	for round := range 300 {
		b := batches[round%2]
		var event events.SQSEvent
		if err := json.Unmarshal(b.Next(), &event); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for i, r := range event.Records {
			if seen[r.MessageId] {
				t.Fatalf("id %s repeats", r.MessageId)
			}
			seen[r.MessageId] = true
			ids = append(ids, r.MessageId)
			if r.Body != string(gen.Body(i)) {
				t.Fatalf("the body of record %d was touched", i)
			}
		}
		if diff := cmp.Diff(ids, b.IDs()); diff != "" {
			t.Fatalf("ids (-in payload +told):\n%s", diff)
		}
	}
	if len(seen) != 300*n {
		t.Errorf("%d ids", len(seen))
	}
}

// TestOrderIsTheBaselines: what Sluice decodes must be what the others decode.
func TestOrderIsTheBaselines(t *testing.T) {
	t.Parallel()
	var order traffic.Order
	if err := json.Unmarshal(gen.Body(7), &order); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(gen.NewOrder(7), gen.Order(order)); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if got := len(gen.Body(7)); got != 1024 {
		t.Errorf("a body of %d bytes", got)
	}
}

func TestSpoil(t *testing.T) {
	t.Parallel()
	b, err := new(traffic.Source).NewBatch(3)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Spoil(1); err != nil {
		t.Fatal(err)
	}
	var event events.SQSEvent
	if err := json.Unmarshal(b.Payload(), &event); err != nil {
		t.Fatal(err)
	}
	var valid []bool
	for _, r := range event.Records {
		valid = append(valid, json.Valid([]byte(r.Body)))
	}
	if !slices.Equal(valid, []bool{true, false, true}) {
		t.Errorf("valid bodies: %v", valid)
	}
}

func TestNewBatchRefuses(t *testing.T) {
	t.Parallel()
	if _, err := new(traffic.Source).NewBatch(0); err == nil {
		t.Error("an empty batch was made")
	}
}

func TestContextIsLambdas(t *testing.T) {
	t.Parallel()
	ctx, cancel := traffic.Context(t.Context())
	defer cancel()
	lc, ok := lambdacontext.FromContext(ctx)
	if !ok || lc.AwsRequestID == "" {
		t.Errorf("no Lambda context: %+v", lc)
	}
	if _, ok := ctx.Deadline(); !ok {
		t.Error("no deadline")
	}
	cancel()
	if ctx.Err() == nil {
		t.Error("the end of the context is lost")
	}
}

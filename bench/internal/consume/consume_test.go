package consume_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/bench/internal/consume"
	"github.com/sluice-go/sluice/bench/internal/traffic"
)

// TestVariantsHandleBatches: a variant that skips work is fast. The baseline's
// variants share a sum, so one runs at a time.
func TestVariantsHandleBatches(t *testing.T) {
	for _, v := range consume.Variants() {
		for _, n := range []int{1, 10, 100} {
			t.Run(fmt.Sprintf("%s/%d", v.Name, n), func(t *testing.T) {
				ctx, cancel := traffic.Context(t.Context())
				defer cancel()
				r, err := v.Make()
				if err != nil {
					t.Fatal(err)
				}
				batch, err := new(traffic.Source).NewBatch(n)
				if err != nil {
					t.Fatal(err)
				}
				for range 3 {
					if err := consume.Check(r.Invoke(ctx, batch.Next())); err != nil {
						t.Fatal(err)
					}
				}
				if got := r.Handled(); got != 3*n {
					t.Errorf("%d records were handled, want %d", got, 3*n)
				}
			})
		}
	}
}

// TestVariantsReportFailures: all answer partial failures, and name the record.
func TestVariantsReportFailures(t *testing.T) {
	for _, v := range consume.Variants() {
		t.Run(v.Name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, err := v.Make()
			if err != nil {
				t.Fatal(err)
			}
			batch, err := new(traffic.Source).NewBatch(3)
			if err != nil {
				t.Fatal(err)
			}
			if err := batch.Spoil(1); err != nil {
				t.Fatal(err)
			}
			answer, err := r.Invoke(ctx, batch.Next())
			if err != nil {
				t.Fatal(err)
			}
			if consume.Check(answer, nil) == nil {
				t.Errorf("Check passed %s", answer)
			}
			var got events.SQSEventResponse
			if err := json.Unmarshal(answer, &got); err != nil {
				t.Fatal(err)
			}
			if got := r.Handled(); got != 2 {
				t.Errorf("%d records were handled, want 2", got)
			}
			want := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{{ItemIdentifier: batch.IDs()[1]}}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{"batchItemFailures":[]}`, `{"batchItemFailures":null}`} {
		if err := consume.Check([]byte(answer), nil); err != nil {
			t.Errorf("%s: %v", answer, err)
		}
	}
	boom := errors.New("boom")
	if err := consume.Check(nil, boom); !errors.Is(err, boom) {
		t.Errorf("error = %v", err)
	}
	if consume.Check([]byte("null"), nil) == nil {
		t.Error("null passed")
	}
}

package telemetry_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/telemetry"
)

func telemetryDefaults() telemetry.Options { return telemetry.Options{} }

// split tells lines from documents, and checks both.
func split(t *testing.T, all []string) (logs, documents []map[string]any) {
	t.Helper()
	for _, line := range all {
		m := members(t, line)
		if m["_aws"] == nil {
			logs = append(logs, m)
			continue
		}
		checkDocument(t, line)
		documents = append(documents, m)
	}
	return logs, documents
}

func TestConsumer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, q := &lines{}, &consumertest.Queue{}
		tel := telemetry.New(telemetry.Options{Writer: w, Function: "charge-payment-prod"})
		log := tel.Logger() // FromEnv makes it slog's default
		w.take()
		c, err := consumer.NewSQS("charge-payment", func(ctx context.Context, msg consumer.Message[placed]) error {
			log.InfoContext(ctx, "charging", "order", msg.Event.ID)
			time.Sleep(2 * time.Second)
			switch msg.Event.ID {
			case "bad":
				return errWork
			case "dead":
				return consumer.Permanent(errWork)
			}
			return nil
		}, consumer.WithIdempotency(idempotency.NewMemory()), q.Option(), tel.Option())
		if err != nil {
			t.Fatal(err)
		}
		batch := consumertest.SQS(placed{ID: "good", Card: "4111"}, placed{ID: "bad", Card: "4111"}, placed{ID: "dead", Card: "4111"}, placed{ID: "good", Card: "4111"})
		for i := range batch.Messages {
			batch.Messages[i].SentAt = time.Now().Add(-30 * time.Second)
		}
		ctx := invocationContext(t.Context(), "req-9", traceHeader)
		o := consumertest.DeliverContext(ctx, t, c, batch)
		if !slices.Equal(o.Failed, []int{1}) || len(q.DeadLetters()) != 1 {
			t.Fatalf("outcome %+v", o)
		}
		all := w.take()
		if strings.Contains(strings.Join(all, ""), "4111") {
			t.Error("a body is in the output")
		}
		logs, documents := split(t, all)

		type summary struct{ level, message, order, messageID string }
		var got []summary
		for _, m := range logs {
			if m["requestId"] != "req-9" || m["consumer"] != "charge-payment" || m["event_type"] != "orders.placed.v1" ||
				m["trace_id"] != "5759e988bd862e3fe1be46a994272793" || m["id"] != m["message_id"] {
				t.Errorf("line %v", m)
			}
			if charging := m["message"] == "charging"; charging != (m["generation"] == 1.0) || charging != (m["key_hash"] != nil) {
				t.Errorf("generation %v and key_hash %v of %v", m["generation"], m["key_hash"], m)
			}
			order, _ := m["order"].(string)
			got = append(got, summary{m["level"].(string), m["message"].(string), order, m["message_id"].(string)[35:]})
		}
		slices.SortFunc(got[:3], func(a, b summary) int { return strings.Compare(a.messageID, b.messageID) }) // they ran at once
		want := []summary{
			{"INFO", "charging", "good", "0"}, {"INFO", "charging", "bad", "1"}, {"INFO", "charging", "dead", "2"},
			{"WARN", "message failed and will be retried", "", "1"},
			{"ERROR", "message sent to the dead-letter sink", "", "2"},
			{"INFO", "duplicate: the work was done before", "", "3"},
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(summary{})); diff != "" {
			t.Errorf("lines: -want +got\n%s", diff)
		}

		if len(documents) != 1 {
			t.Fatalf("%d documents", len(documents))
		}
		document := documents[0]
		stamp := document["_aws"].(map[string]any)["Timestamp"]
		if stamp != float64(time.Now().UnixMilli()) {
			t.Errorf("timestamp is %v", stamp)
		}
		delete(document, "_aws")
		if diff := cmp.Diff(map[string]any{
			"consumer": "charge-payment", "source": "sqs", "function": "charge-payment-prod", "requestId": "req-9",
			"Processed": 4.0, "Succeeded": 1.0, "Failed": 1.0, "DeadLettered": 1.0, "Duplicates": 1.0,
			"BatchSize": 4.0, "ColdStart": 1.0, "InvocationDuration": document["InvocationDuration"],
			"HandlerDuration": []any{2000.0, 2000.0, 2000.0}, "MessageAge": []any{30000.0, 30000.0, 30000.0, 30000.0},
		}, document); diff != "" {
			t.Errorf("document: -want +got\n%s", diff)
		}
		if d := document["InvocationDuration"].(float64); d < 2000 || d > 2100 {
			t.Errorf("the invocation took %v ms", d)
		}

		// The redelivery is of the failed message and of one that is done.
		consumertest.DeliverContext(ctx, t, c, batch.Retry(o))
		redelivered := batch.Redeliver()
		redelivered.Messages = redelivered.Messages[:1]
		consumertest.DeliverContext(ctx, t, c, redelivered)
		_, documents = split(t, w.take())
		if len(documents) != 2 {
			t.Fatalf("%d documents", len(documents))
		}
		for i, want := range []map[string]any{
			{"Processed": 1.0, "Failed": 1.0, "Retries": 1.0, "Duplicates": nil, "ColdStart": nil, "Succeeded": nil},
			{"Processed": 1.0, "Failed": 0.0, "Retries": 1.0, "Duplicates": 1.0, "HandlerDuration": nil},
		} {
			for name, v := range want {
				if documents[i][name] != v {
					t.Errorf("document %d: %s = %v, want %v", i, name, documents[i][name], v)
				}
			}
		}
	})
}

func TestConsumerOfAnUnreadablePayload(t *testing.T) {
	t.Parallel()
	w := &lines{}
	c, err := consumer.NewEventBridge("record-sale", func(context.Context, consumer.Message[placed]) error { return nil },
		telemetry.New(telemetry.Options{Writer: w}).Option())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Invoke(t.Context(), []byte("nonsense")); err == nil {
		t.Fatal("no error")
	}
	_, documents := split(t, w.take())
	if len(documents) != 1 {
		t.Fatalf("%d documents", len(documents))
	}
	d := documents[0]
	if d["InvocationErrors"] != 1.0 || d["Processed"] != 0.0 || d["Failed"] != 0.0 || d["BatchSize"] != nil || d["source"] != "eventbridge" {
		t.Errorf("document %v", d)
	}
}

func TestConsumerTakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, memory := &lines{}, idempotency.NewMemory()
		tel := telemetry.New(telemetry.Options{Writer: w})
		c, err := consumer.NewSQS("c", func(ctx context.Context, _ consumer.Message[placed]) error {
			slog.New(tel.Handler()).InfoContext(ctx, "run")
			return nil
		}, consumer.WithIdempotency(memory), tel.Option())
		if err != nil {
			t.Fatal(err)
		}
		for key, lease := range map[string]time.Duration{"busy": time.Hour, "ended": time.Millisecond} {
			now := time.Now()
			if _, err := memory.Claim(t.Context(), []idempotency.ClaimRequest{{
				Key: "c#orders.placed#" + key, Owner: "elsewhere", Now: now, Lease: now.Add(lease), Expires: now.Add(2 * time.Hour),
			}}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second) // in the bubble: the one lease ends
		consumertest.Deliver(t, c, consumertest.SQS(placed{ID: "busy"}, placed{ID: "ended"}))
		logs, documents := split(t, w.take())
		if d := documents[0]; d["InProgress"] != 1.0 || d["TakenOver"] != 1.0 || d["Failed"] != 1.0 || d["Succeeded"] != 1.0 {
			t.Errorf("document %v", d)
		}
		if logs[0]["message"] != "run" || logs[0]["generation"] != 2.0 {
			t.Errorf("line %v", logs[0])
		}
	})
}

func TestConsumerWithoutAStore(t *testing.T) {
	t.Parallel()
	w := &lines{}
	tel := telemetry.New(telemetry.Options{Writer: w})
	c, err := consumer.NewSNS("send-receipt", func(ctx context.Context, _ consumer.Message[placed]) error {
		tel.Logger().InfoContext(ctx, "run")
		return nil
	}, tel.Option())
	if err != nil {
		t.Fatal(err)
	}
	consumertest.Deliver(t, c, consumertest.SNS(placed{ID: "a"}))
	logs, documents := split(t, w.take())
	if _, has := logs[0]["generation"]; has || logs[0]["consumer"] != "send-receipt" {
		t.Errorf("line %v", logs[0])
	}
	if d := documents[0]; d["source"] != "sns" || d["Succeeded"] != 1.0 {
		t.Errorf("document %v", d)
	}
}

package host_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	ordersv2 "github.com/sluice-go/sluice/events/orders/v2"
	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/local"
	"github.com/sluice-go/sluice/framework/local/awsapi"
	"github.com/sluice-go/sluice/framework/local/host"
	"github.com/sluice-go/sluice/framework/publisher"
)

// queueOf finds the queue behind an output of the stack.
func (s *shop) queueOf(output string) *local.Queue {
	s.t.Helper()
	q, ok := s.Engine.Queue(s.Topology.Outputs[output])
	if !ok {
		s.t.Fatalf("no queue for output %s", output)
	}
	return q
}

// redrive runs a move task to its end. destination may be "".
func (s *shop) redrive(source, destination string) sqstypes.ListMessageMoveTasksResultEntry {
	s.t.Helper()
	client := sqs.NewFromConfig(s.cfg)
	in := &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(source)}
	if destination != "" {
		in.DestinationArn = aws.String(destination)
	}
	if _, err := client.StartMessageMoveTask(s.t.Context(), in); err != nil {
		s.t.Fatal(err)
	}
	s.rest()
	out, err := client.ListMessageMoveTasks(s.t.Context(), &sqs.ListMessageMoveTasksInput{SourceArn: aws.String(source)})
	if err != nil || len(out.Results) != 1 {
		s.t.Fatalf("tasks: %+v, %v", out, err)
	}
	return out.Results[0]
}

// record is an idempotency record as the table has it.
type record struct{ Key, Status, Generation string }

// records returns the idempotency records of a consumer.
func (s *shop) records(consumer string) (found []record) {
	s.t.Helper()
	out, err := s.db.Scan(s.t.Context(), &dynamodb.ScanInput{TableName: aws.String(s.Topology.Outputs["IdempotencyTableName"])})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, it := range out.Items {
		key, _ := it["id"].(*types.AttributeValueMemberS)
		status, _ := it["status"].(*types.AttributeValueMemberS)
		generation, _ := it["generation"].(*types.AttributeValueMemberN)
		if key == nil || status == nil || generation == nil {
			s.t.Fatalf("a record lacks an attribute: %v", it)
		}
		if strings.HasPrefix(key.Value, consumer+"#") {
			found = append(found, record{key.Value, status.Value, generation.Value})
		}
	}
	return found
}

// A message that failed until its redrive policy took it is worked after the
// redrive, once, under the record that it had: SQS gives it a new message id,
// and its key does not care.
func TestRedriveOfWhatFailed(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	broken.Store(true)
	s := startShop(t, func(h *host.Host) intercept {
		return func(call *awsapi.Call, next func() awsapi.Response) awsapi.Response {
			p, _, ok := h.Lambda.ProcessByAccessKey(call.AccessKeyID)
			if !broken.Load() || !ok || !strings.Contains(p.Function, "ChargePayment") || call.Operation != "TransactWriteItems" {
				return next()
			}
			return awsapi.Response{
				Status: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
				Body: []byte(`{"__type":"com.amazon.coral.service#AccessDeniedException","message":"not for now"}`),
			}
		}
	})
	err := publisher.SNS(sns.NewFromConfig(s.cfg), s.Topology.Outputs["OrdersTopicArn"]).
		Publish(t.Context(), ordersv2.Placed{OrderID: "o-1", Total: ordersv2.Money{Minor: 5, Currency: "EUR"}})
	if err != nil {
		t.Fatal(err)
	}
	s.rest()

	dead := s.queueOf("ChargeDeadLettersUrl")
	before := dead.Snapshot()
	if len(before) != 1 || before[0].ReceiveCount != 8 || before[0].System["DeadLetterQueueSourceArn"] == "" {
		t.Fatalf("dead letters: %+v", before)
	}
	if runs := s.ledger(); runs["charge-payment charge pay-o-1"] != "" {
		t.Fatalf("the charge happened, though it was refused: %v", runs)
	}
	const key = "charge-payment#orders.placed#o-1"
	if got := s.records("charge-payment"); len(got) != 1 || got[0] != (record{key, "INPROGRESS", "8"}) {
		t.Fatalf("records before the redrive: %v", got)
	}

	broken.Store(false)
	task := s.redrive(dead.ARN(), s.queueOf("ChargeQueueUrl").ARN())
	if aws.ToString(task.Status) != "COMPLETED" || task.ApproximateNumberOfMessagesMoved != 1 {
		t.Errorf("task: %+v", task)
	}
	runs := s.ledger()
	for _, effect := range []string{"charge-payment charge pay-o-1", "record-sale sale pay-o-1", "send-receipt receipt o-1"} {
		if runs[effect] != "1" {
			t.Errorf("%s ran %q times, want once", effect, runs[effect])
		}
	}
	if got := s.records("charge-payment"); len(got) != 1 || got[0] != (record{key, "COMPLETED", "9"}) {
		t.Errorf("records after the redrive: %v, want the one of before, completed", got)
	}
	s.wantQueuesEmpty()
}

// What the framework itself sent to the dead-letter queue carries its id, and
// goes back only where it is told to.
func TestRedriveOfWhatTheSinkTook(t *testing.T) {
	t.Parallel()
	s := startShop(t, nil)
	sent, err := sqs.NewFromConfig(s.cfg).SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: aws.String(s.Topology.Outputs["ChargeQueueUrl"]), MessageBody: aws.String(`{"order_id":7}`),
		MessageAttributes: map[string]sqstypes.MessageAttributeValue{"event-type": {DataType: aws.String("String"), StringValue: aws.String("orders.placed.v2")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.rest()
	dead := s.queueOf("ChargeDeadLettersUrl")
	first := dead.Snapshot()
	if len(first) != 1 || first[0].Attributes[consumer.AttributeID].StringValue != *sent.MessageId || first[0].Attributes[consumer.AttributeReason].StringValue == "" {
		t.Fatalf("dead letters: %+v", first)
	}

	task := s.redrive(dead.ARN(), "")
	if aws.ToString(task.Status) != "FAILED" || aws.ToString(task.FailureReason) != "CouldNotDetermineMessageSource" || task.ApproximateNumberOfMessagesMoved != 0 {
		t.Errorf("task without a destination: %+v", task)
	}
	if now := dead.Snapshot(); len(now) != 1 || now[0].MessageID != first[0].MessageID {
		t.Fatalf("dead letters after it: %+v", now)
	}

	// Nothing mended the message, so it comes back, as another message of the
	// same id.
	task = s.redrive(dead.ARN(), s.queueOf("ChargeQueueUrl").ARN())
	if aws.ToString(task.Status) != "COMPLETED" || task.ApproximateNumberOfMessagesMoved != 1 {
		t.Errorf("task with a destination: %+v", task)
	}
	again := dead.Snapshot()
	if len(again) != 1 || again[0].MessageID == first[0].MessageID || again[0].Attributes[consumer.AttributeID].StringValue != *sent.MessageId {
		t.Errorf("dead letters after it: %+v, want one with id %s", again, *sent.MessageId)
	}
	if again[0].Body != `{"order_id":7}` {
		t.Errorf("body %s", again[0].Body)
	}
	if n := s.queueOf("ChargeQueueUrl").Counts().Total(); n != 0 {
		t.Errorf("%d messages are left in the source queue", n)
	}
}

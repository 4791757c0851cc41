package awsapi_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/local"
)

const arnPrefix = "arn:aws:sqs:us-east-1:000000000000:"

func TestMoveTasksOverTheWire(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	ctx := t.Context()
	dlq := a.createQueue("dlq", nil)
	queue := a.createQueue("q", map[string]string{"VisibilityTimeout": "0", "RedrivePolicy": `{"deadLetterTargetArn":"` + arnPrefix + `dlq","maxReceiveCount":1}`})
	for _, body := range []string{"m1", "m2"} {
		_, err := a.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: &body})
		a.must(err)
	}
	for range 2 {
		_, err := a.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &queue, MaxNumberOfMessages: 10})
		a.must(err)
	}

	// Nothing drives the engine yet, so the task can be seen running.
	started, err := a.sqs.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{
		SourceArn: aws.String(arnPrefix + "dlq"), DestinationArn: aws.String(arnPrefix + "q"), MaxNumberOfMessagesPerSecond: aws.Int32(5)})
	a.must(err)
	list := func(n *int32) []types.ListMessageMoveTasksResultEntry {
		t.Helper()
		out, err := a.sqs.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: aws.String(arnPrefix + "dlq"), MaxResults: n})
		a.must(err)
		return out.Results
	}
	got := list(nil)
	if len(got) != 1 {
		t.Fatalf("%d tasks, want 1", len(got))
	}
	if at := time.UnixMilli(got[0].StartedTimestamp); at.Sub(a.engine.Now()).Abs() > time.Minute {
		t.Errorf("started at %s", at)
	}
	if *got[0].Status != "RUNNING" || aws.ToString(got[0].TaskHandle) != *started.TaskHandle || *got[0].ApproximateNumberOfMessagesToMove != 2 ||
		got[0].ApproximateNumberOfMessagesMoved != 0 || *got[0].MaxNumberOfMessagesPerSecond != 5 ||
		*got[0].SourceArn != arnPrefix+"dlq" || *got[0].DestinationArn != arnPrefix+"q" || got[0].FailureReason != nil {
		t.Errorf("running: %+v", got[0])
	}
	_, err = a.sqs.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(arnPrefix + "dlq")})
	wantCode(t, err, "InvalidParameterValue", "There is already a task running.")
	canceled, err := a.sqs.CancelMessageMoveTask(ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: started.TaskHandle})
	a.must(err)
	if got := list(nil); *got[0].Status != "CANCELLING" || got[0].TaskHandle != nil || canceled.ApproximateNumberOfMessagesMoved != 0 {
		t.Errorf("cancelled: %+v, %+v", canceled, got[0])
	}

	a.run()
	quiet(a)
	if got := list(nil); *got[0].Status != "CANCELLED" {
		t.Errorf("cancelled: %+v", got[0])
	}
	_, err = a.sqs.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(arnPrefix + "dlq")})
	a.must(err)
	quiet(a)
	received, err := a.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &queue, MaxNumberOfMessages: 10, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}})
	a.must(err)
	bodies := []string{}
	for _, m := range received.Messages {
		bodies = append(bodies, *m.Body)
		if m.Attributes["ApproximateReceiveCount"] != "1" || m.Attributes["DeadLetterQueueSourceArn"] != "" {
			t.Errorf("system attributes: %v", m.Attributes)
		}
	}
	if diff := cmp.Diff([]string{"m1", "m2"}, bodies); diff != "" {
		t.Error(diff)
	}

	// Sent to the dead-letter queue, so without a queue to go back to.
	_, err = a.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &dlq, MessageBody: aws.String("sent")})
	a.must(err)
	_, err = a.sqs.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(arnPrefix + "dlq")})
	a.must(err)
	quiet(a)
	var statuses []string
	for _, task := range list(aws.Int32(10)) {
		statuses = append(statuses, *task.Status+" "+aws.ToString(task.FailureReason))
	}
	if diff := cmp.Diff([]string{"FAILED CouldNotDetermineMessageSource", "COMPLETED ", "CANCELLED "}, statuses); diff != "" {
		t.Error(diff)
	}
}

func quiet(a *api) {
	a.t.Helper()
	a.must(a.engine.Quiet(a.t.Context()))
}

// Fields that mean nothing are left out, as in AWS's recorded answers.
func TestMoveTaskShape(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	a.createQueue("dlq", nil)
	a.createQueue("q", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + arnPrefix + `dlq","maxReceiveCount":1}`})
	_, err := a.engine.StartMove(local.MoveInput{SourceARN: arnPrefix + "dlq"})
	a.must(err)
	a.run()
	quiet(a)
	resp := a.post(http.Header{"X-Amz-Target": {"AmazonSQS.ListMessageMoveTasks"}, "Content-Type": {"application/x-amz-json-1.0"}}, `{"SourceArn":"`+arnPrefix+`dlq"}`)
	var got struct{ Results []map[string]any }
	a.must(json.NewDecoder(resp.Body).Decode(&got))
	if len(got.Results) != 1 {
		t.Fatalf("results: %v", got.Results)
	}
	delete(got.Results[0], "StartedTimestamp")
	want := map[string]any{"ApproximateNumberOfMessagesMoved": 0.0, "ApproximateNumberOfMessagesToMove": 0.0, "SourceArn": arnPrefix + "dlq", "Status": "COMPLETED"}
	if diff := cmp.Diff(want, got.Results[0]); diff != "" {
		t.Error(diff)
	}
}

// Codes, texts and statuses as recorded on AWS.
func TestMoveTaskErrorsOverTheWire(t *testing.T) {
	t.Parallel()
	a := serve(t, nil)
	ctx := t.Context()
	a.createQueue("q", nil)
	_, err := a.sqs.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(arnPrefix + "q")})
	wantCode(t, err, "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
	_, err = a.sqs.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(arnPrefix + "none")})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("got %v, want the modelled error ResourceNotFoundException", err)
	}
	if re, ok := errors.AsType[*smithyhttp.ResponseError](err); !ok || re.HTTPStatusCode() != http.StatusNotFound || !strings.Contains(err.Error(), "SourceArn parameter doesn't exist.") {
		t.Errorf("got %v, AWS recorded 404", err)
	}
	_, err = a.sqs.CancelMessageMoveTask(ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: aws.String("foobared")})
	wantCode(t, err, "InvalidParameterValue", "Value for parameter TaskHandle is invalid.")
	_, err = a.sqs.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: aws.String(arnPrefix + "q"), MaxResults: aws.Int32(0)})
	wantCode(t, err, "InvalidParameterValue", "Value 0 for parameter MaxResults is invalid.")
}

package constructs

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	cdkconstructs "github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// DeadLetterRetention is how long dead letters are kept: the longest that SQS
// offers. On a standard queue the time counts from the first sending, so a
// shorter one could delete a message as it arrives.
const DeadLetterRetention = 14 * day

// DefaultRunbooks is where the alarms' descriptions point to.
const DefaultRunbooks = "https://github.com/sluice-go/sluice/blob/main/docs/runbooks"

// DeadLetters is a queue that is empty as long as all goes well, and the alarm
// that says when it is not. Both queue and messages survive the stack.
type DeadLetters struct {
	Queue awssqs.Queue

	// Alarm is on within a minute of the first message, and off when the queue
	// is empty again. It has no action: add one.
	Alarm awscloudwatch.Alarm
}

// deadLetters says what newDeadLetters makes.
type deadLetters struct {
	id      string
	fifo    bool
	meaning string // begins the alarm's description
	runbook string // URL
}

func newDeadLetters(scope cdkconstructs.Construct, d deadLetters) *DeadLetters {
	queue := newQueue(scope, d.id, queueSettings{
		fifo:      d.fifo,
		retention: DeadLetterRetention,
		removal:   awscdk.RemovalPolicy_RETAIN,
	})
	// Visible and not NumberOfMessagesSent, which does not count what a redrive
	// policy moves (SQS developer guide, available CloudWatch metrics).
	visible := queue.MetricApproximateNumberOfMessagesVisible(&awscloudwatch.MetricOptions{
		Period:    awscdk.Duration_Minutes(jsii.Number(1)),
		Statistic: awscloudwatch.Stats_MAXIMUM(),
	})
	alarm := awscloudwatch.NewAlarm(scope, jsii.String(d.id+"Alarm"), &awscloudwatch.AlarmProps{
		Metric:             visible,
		Threshold:          jsii.Number(0),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		EvaluationPeriods:  jsii.Number(1),
		DatapointsToAlarm:  jsii.Number(1),
		// SQS stops reporting on a queue that nobody used for six hours.
		TreatMissingData: awscloudwatch.TreatMissingData_NOT_BREACHING,
		AlarmDescription: jsii.String(fmt.Sprintf("%s Runbook: %s", d.meaning, d.runbook)),
	})
	return &DeadLetters{Queue: queue, Alarm: alarm}
}

// runbook joins the base that a user gave, or the default, and a page.
func runbook(base, page string) string {
	return strings.TrimSuffix(orElse(base, DefaultRunbooks), "/") + "/" + page
}

type queueSettings struct {
	fifo        bool
	visibility  time.Duration // 0: SQS's default, for queues that nothing polls
	retention   time.Duration
	removal     awscdk.RemovalPolicy
	deadLetters *awssqs.DeadLetterQueue // nil: none
}

// newQueue makes a queue that is encrypted with SQS's own keys, which every
// AWS service may use, and that refuses requests without TLS.
//
// It sets no redrive allow policy: one that names its source would make a
// cycle with the source's redrive policy, as both queues have no fixed name.
func newQueue(scope cdkconstructs.Construct, id string, s queueSettings) awssqs.Queue {
	props := &awssqs.QueueProps{
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: duration(s.retention),
		RemovalPolicy:   s.removal,
		DeadLetterQueue: s.deadLetters,
	}
	if s.visibility > 0 {
		props.VisibilityTimeout = duration(s.visibility)
	}
	if s.fifo {
		props.Fifo = jsii.Bool(true)
		// Producers name each message: two equal bodies may be two events.
		props.ContentBasedDeduplication = jsii.Bool(false)
	}
	return awssqs.NewQueue(scope, jsii.String(id), props)
}

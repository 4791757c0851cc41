package constructs

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	cdkconstructs "github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/sluice-go/sluice/framework/env"
)

// Limits of Lambda's asynchronous invocation, which are also its defaults.
const (
	asyncRetries = 2
	asyncMaxAge  = 6 * time.Hour
)

// newDirect makes the function of a consumer that is invoked asynchronously.
// Lambda tries an event three times within six hours; what still failed goes
// to the dead letters, and so does what the handler gives up on by itself.
func newDirect(self cdkconstructs.Construct, source string, function *FunctionProps, idempotency *IdempotencyTable, runbooks string) *Consumer {
	dead := newDeadLetters(self, deadLetters{
		id:      "DeadLetters",
		meaning: function.Handler + " could not process an event: it failed three times, or can never succeed.",
		runbook: runbook(runbooks, "async-dead-letters.md"),
	})
	set := map[string]string{}
	if idempotency != nil {
		set[env.RecordLife] = wholeSeconds(asyncMaxAge + DeadLetterRetention)
	}
	c := newFunction(self, source, function, set, append(idempotency.uses(),
		// Lambda sends to the failure destination with the function's role, so
		// this permission serves both.
		useQueue(env.DeadLetterQueueURL, dead.Queue, env.DeadLetterActions()),
	))
	c.DeadLetters = dead

	// Not the CDK's destination class: it would also grant two actions that
	// Lambda does not perform.
	awslambda.NewCfnEventInvokeConfig(self, jsii.String("AsyncInvocation"), &awslambda.CfnEventInvokeConfigProps{
		FunctionName:             c.Function.FunctionName(),
		Qualifier:                jsii.String("$LATEST"),
		MaximumRetryAttempts:     jsii.Number(asyncRetries),
		MaximumEventAgeInSeconds: jsii.Number(asyncMaxAge.Seconds()),
		DestinationConfig: &awslambda.CfnEventInvokeConfig_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventInvokeConfig_OnFailureProperty{
				Destination: dead.Queue.QueueArn(),
			},
		},
	})
	return c
}

// validateDirect refuses what has no meaning without a queue.
func validateDirect(p *problems, function *FunctionProps, queue QueueProps) {
	function.validate(p)
	if queue != (QueueProps{}) {
		p.add("Queue", "a direct consumer has no queue: leave Queue out, or leave Direct out")
	}
}

package constructs_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"

	"github.com/sluice-go/sluice/infra/constructs"
)

// A consumer of a topic, with a queue in between that a rule feeds as well.
func ExampleNewTopicConsumer() {
	_ = func(stack awscdk.Stack, orders awssns.ITopic, bus awsevents.IEventBus, charges awsdynamodb.ITable) error {
		records, err := constructs.NewIdempotencyTable(stack, "Idempotency", nil)
		if err != nil {
			return err
		}
		charge, err := constructs.NewTopicConsumer(stack, "Charge", &constructs.TopicConsumerProps{
			Topic: orders,
			Function: constructs.FunctionProps{
				Handler: "./handlers/charge-payment",
				Code:    "dist/charge-payment",
				Uses:    []constructs.Use{constructs.UseTable("CHARGES_TABLE", charges, "dynamodb:PutItem")},
			},
			Idempotency: records,
		})
		if err != nil {
			return err
		}
		_, err = charge.Buffer.AddRule("Refunds", constructs.RulePattern{
			Bus:              bus,
			DetailTypePrefix: "payments.refund_requested.",
		})
		return err
	}
}

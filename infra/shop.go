package main

import (
	"path"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	cdkconstructs "github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/sluice-go/sluice/infra/constructs"
)

// Packages of the shop's handlers.
const (
	chargePayment = "./handlers/charge-payment"
	reserveStock  = "./handlers/reserve-stock"
	sendReceipt   = "./handlers/send-receipt"
	recordSale    = "./handlers/record-sale"
)

// handlers are the packages that the shop's stack deploys.
func handlers() []string {
	return []string{chargePayment, reserveStock, sendReceipt, recordSale}
}

// Variables that the shop's handlers read, beyond those of the framework.
const (
	chargesTable = "CHARGES_TABLE"
	ledgerTable  = "LEDGER_TABLE"
	stockTable   = "STOCK_TABLE"
	busName      = "BUS_NAME"
)

// IAM actions of the shop's handlers. A transaction of puts and updates needs
// no more than these.
const (
	putItem    = "dynamodb:PutItem"
	updateItem = "dynamodb:UpdateItem"
)

// shopProps describe the shop's stack.
type shopProps struct {
	stack awscdk.StackProps

	// assets holds one directory per handler, <assets>/<handler>/bootstrap.
	assets string
}

// shop is the stack of the sample shop: four consumers around one topic, one
// bus, one FIFO queue and one idempotency table.
type shop struct {
	awscdk.Stack

	props *shopProps

	orders awssns.Topic
	bus    awsevents.EventBus

	idempotency            *constructs.IdempotencyTable
	ledger, charges, stock awsdynamodb.Table

	chargePayment, sendReceipt *constructs.TopicConsumer
	reserveStock               *constructs.QueueConsumer
	recordSale                 *constructs.RuleConsumer
}

func newShop(scope cdkconstructs.Construct, id string, props *shopProps) (*shop, error) {
	s := &shop{Stack: awscdk.NewStack(scope, jsii.String(id), &props.stack), props: props}

	s.orders = awssns.NewTopic(s.Stack, jsii.String("Orders"), &awssns.TopicProps{EnforceSSL: jsii.Bool(true)})
	s.bus = awsevents.NewEventBus(s.Stack, jsii.String("Bus"), nil)
	s.ledger = s.table("Ledger", "consumer", "effect")
	s.charges = s.table("Charges", "payment_id", "")
	s.stock = s.table("Stock", "sku", "")

	steps := []func() error{
		s.addIdempotency,
		s.addChargePayment,
		s.addReserveStock,
		s.addSendReceipt,
		s.addRecordSale,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	s.addOutputs()
	return s, nil
}

func (s *shop) addIdempotency() (err error) {
	s.idempotency, err = constructs.NewIdempotencyTable(s.Stack, "Idempotency", nil)
	return err
}

// addChargePayment makes the consumer that charges an order and gives refunds:
// orders come from the topic, refunds from the bus, to one queue.
func (s *shop) addChargePayment() (err error) {
	s.chargePayment, err = constructs.NewTopicConsumer(s.Stack, "ChargePayment", &constructs.TopicConsumerProps{
		Topic: s.orders,
		Function: s.function(chargePayment,
			constructs.UseTable(chargesTable, s.charges, putItem, updateItem),
			constructs.UseTable(ledgerTable, s.ledger, putItem, updateItem),
			constructs.UseBus(busName, s.bus),
		),
		Idempotency: s.idempotency,
	})
	if err != nil {
		return err
	}
	_, err = s.chargePayment.Buffer.AddRule("Refunds", constructs.RulePattern{
		Bus:              s.bus,
		DetailTypePrefix: "payments.refund_requested.",
	})
	return err
}

// addReserveStock makes the consumer that checkout sends each order line to,
// grouped by SKU.
func (s *shop) addReserveStock() (err error) {
	s.reserveStock, err = constructs.NewQueueConsumer(s.Stack, "ReserveStock", &constructs.QueueConsumerProps{
		Queue: constructs.QueueProps{FIFO: true},
		Function: s.function(reserveStock,
			constructs.UseTable(stockTable, s.stock, updateItem),
			constructs.UseTable(ledgerTable, s.ledger, updateItem),
		),
		Idempotency: s.idempotency,
	})
	return err
}

func (s *shop) addSendReceipt() (err error) {
	s.sendReceipt, err = constructs.NewTopicConsumer(s.Stack, "SendReceipt", &constructs.TopicConsumerProps{
		Topic:       s.orders,
		Direct:      true,
		Function:    s.function(sendReceipt, constructs.UseTable(ledgerTable, s.ledger, updateItem)),
		Idempotency: s.idempotency,
	})
	return err
}

func (s *shop) addRecordSale() (err error) {
	s.recordSale, err = constructs.NewRuleConsumer(s.Stack, "RecordSale", &constructs.RuleConsumerProps{
		Rule:        constructs.RulePattern{Bus: s.bus, DetailTypePrefix: "payments.captured."},
		Direct:      true,
		Function:    s.function(recordSale, constructs.UseTable(ledgerTable, s.ledger, updateItem)),
		Idempotency: s.idempotency,
	})
	return err
}

// addOutputs exports what tools and producers need. The names are stable.
func (s *shop) addOutputs() {
	outputs := []struct {
		name  string
		value *string
	}{
		{"OrdersTopicArn", s.orders.TopicArn()},
		{"BusName", s.bus.EventBusName()},
		{"ChargeQueueUrl", s.chargePayment.Buffer.Queue.QueueUrl()},
		{"StockQueueUrl", s.reserveStock.Queue.QueueUrl()},
		{"ChargeDeadLettersUrl", s.chargePayment.DeadLetters.Queue.QueueUrl()},
		{"ChargeDeliveryDeadLettersUrl", s.chargePayment.DeliveryDeadLetters.Queue.QueueUrl()},
		{"StockDeadLettersUrl", s.reserveStock.DeadLetters.Queue.QueueUrl()},
		{"ReceiptDeadLettersUrl", s.sendReceipt.DeadLetters.Queue.QueueUrl()},
		{"ReceiptDeliveryDeadLettersUrl", s.sendReceipt.DeliveryDeadLetters.Queue.QueueUrl()},
		{"SaleDeadLettersUrl", s.recordSale.DeadLetters.Queue.QueueUrl()},
		{"SaleDeliveryDeadLettersUrl", s.recordSale.DeliveryDeadLetters.Queue.QueueUrl()},
		{"IdempotencyTableName", s.idempotency.Table.TableName()},
		{"LedgerTableName", s.ledger.TableName()},
		{"ChargesTableName", s.charges.TableName()},
		{"StockTableName", s.stock.TableName()},
	}
	for _, o := range outputs {
		awscdk.NewCfnOutput(s.Stack, jsii.String(o.name), &awscdk.CfnOutputProps{Value: o.value})
	}
}

// function describes the function of a handler, all defaults.
func (s *shop) function(handler string, uses ...constructs.Use) constructs.FunctionProps {
	return constructs.FunctionProps{
		Handler: handler,
		Code:    filepath.Join(s.props.assets, path.Base(handler)),
		Uses:    uses,
	}
}

// table makes a table that survives the stack, keyed by strings. An empty
// sort key means none.
func (s *shop) table(id, partitionKey, sortKey string) awsdynamodb.Table {
	props := &awsdynamodb.TableProps{
		PartitionKey: &awsdynamodb.Attribute{Name: jsii.String(partitionKey), Type: awsdynamodb.AttributeType_STRING},
		BillingMode:  awsdynamodb.BillingMode_PAY_PER_REQUEST,
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: jsii.Bool(true),
		},
		DeletionProtection: jsii.Bool(true),
		RemovalPolicy:      awscdk.RemovalPolicy_RETAIN,
	}
	if sortKey != "" {
		props.SortKey = &awsdynamodb.Attribute{Name: jsii.String(sortKey), Type: awsdynamodb.AttributeType_STRING}
	}
	return awsdynamodb.NewTable(s.Stack, jsii.String(id), props)
}

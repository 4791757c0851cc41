package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	paymentsv1 "github.com/sluice-go/sluice/events/payments/v1"
	"github.com/sluice-go/sluice/framework/publisher"
	"github.com/sluice-go/sluice/handlers/internal/shop"
)

// payments is all that this function needs of the payment system. Both
// operations do nothing the second time.
type payments interface {
	Charge(ctx context.Context, payment paymentsv1.Captured) error
	Refund(ctx context.Context, refund paymentsv1.RefundRequested) error
}

// publish is all that it needs of the event bus.
type publish func(ctx context.Context, events ...publisher.Event) error

type dynamoPayments struct {
	db     *dynamodb.Client
	table  string
	ledger *shop.Ledger
}

func newPayments(db *dynamodb.Client, getenv func(string) string) (*dynamoPayments, error) {
	ledger, err := shop.NewLedger(db, getenv(shop.LedgerTable))
	if err != nil {
		return nil, err
	}
	p := &dynamoPayments{db: db, table: getenv("CHARGES_TABLE"), ledger: ledger}
	if p.table == "" {
		return nil, errors.New("CHARGES_TABLE is not set: it names the table of charges")
	}
	return p, nil
}

func (p *dynamoPayments) Charge(ctx context.Context, c paymentsv1.Captured) error {
	return p.once(ctx, c.PaymentID, c.Minor, c.Currency, "charge")
}

func (p *dynamoPayments) Refund(ctx context.Context, r paymentsv1.RefundRequested) error {
	return p.once(ctx, r.RefundID, -r.Minor, r.Currency, "refund")
}

// once writes the entry and its mark in the ledger, unless the entry exists.
func (p *dynamoPayments) once(ctx context.Context, id string, minor int64, currency, effect string) error {
	_, err := p.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{
			TableName:           aws.String(p.table),
			Item:                map[string]types.AttributeValue{"payment_id": shop.S(id), "minor": shop.N(strconv.FormatInt(minor, 10)), "currency": shop.S(currency)},
			ConditionExpression: aws.String("attribute_not_exists(payment_id)"),
		}},
		p.ledger.Entry("charge-payment", id, effect),
	}})
	var canceled *types.TransactionCanceledException
	if errors.As(err, &canceled) && aws.ToString(canceled.CancellationReasons[0].Code) == "ConditionalCheckFailed" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", effect, id, err)
	}
	return nil
}

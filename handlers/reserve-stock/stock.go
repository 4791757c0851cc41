package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	stockv1 "github.com/sluice-go/sluice/events/stock/v1"
	"github.com/sluice-go/sluice/framework/awsio"
	"github.com/sluice-go/sluice/handlers/internal/shop"
)

type dynamoStock struct {
	aws    *awsio.AWS
	table  string
	ledger *shop.Ledger
}

func newStock(aws *awsio.AWS, getenv func(string) string) (*dynamoStock, error) {
	ledger, err := shop.NewLedger(aws.DynamoDB, getenv(shop.LedgerTable))
	if err != nil {
		return nil, err
	}
	s := &dynamoStock{aws: aws, table: getenv("STOCK_TABLE"), ledger: ledger}
	if s.table == "" {
		return nil, errors.New("STOCK_TABLE is not set: it names the table of stock")
	}
	return s, nil
}

func (s *dynamoStock) Reserve(ctx context.Context, line stockv1.Requested) error {
	err := s.aws.InTx(ctx,
		types.TransactWriteItem{Update: &types.Update{
			TableName:                 sdk.String(s.table),
			Key:                       map[string]types.AttributeValue{"sku": shop.S(line.SKU)},
			UpdateExpression:          sdk.String("SET available = available - :q ADD reserved :q"),
			ConditionExpression:       sdk.String("available >= :q"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":q": shop.N(strconv.FormatInt(line.Quantity, 10))},
		}},
		s.ledger.Entry("reserve-stock", line.LineID(), "reserve"),
	)
	var canceled *types.TransactionCanceledException
	if errors.As(err, &canceled) && sdk.ToString(canceled.CancellationReasons[0].Code) == "ConditionalCheckFailed" {
		return fmt.Errorf("sku %s: fewer than %d in stock", line.SKU, line.Quantity)
	}
	return err
}

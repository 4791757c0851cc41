// Package shop is what the sample shop's functions share: the ledger in which
// every effect leaves a mark each time it happens.
//
// The ledger counts, and never overwrites: an effect that happened twice reads
// as two runs. That makes it the judge of the framework, not its witness.
package shop

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Ledger appends to the ledger table: "consumer" and "effect" are its keys,
// "runs" counts. It is safe for concurrent use.
type Ledger struct {
	client *dynamodb.Client
	table  string
}

// NewLedger returns the ledger in the named table.
func NewLedger(client *dynamodb.Client, table string) (*Ledger, error) {
	if table == "" {
		return nil, fmt.Errorf("%s is not set: it names the ledger table", LedgerTable)
	}
	return &Ledger{client, table}, nil
}

// LedgerTable is the variable that names the ledger's table.
const LedgerTable = "LEDGER_TABLE"

// Append counts one run of an effect: what a consumer did for a key.
func (l *Ledger) Append(ctx context.Context, consumer, key, effect string) error {
	u := l.Entry(consumer, key, effect).Update
	_, err := l.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: u.TableName, Key: u.Key, UpdateExpression: u.UpdateExpression, ExpressionAttributeValues: u.ExpressionAttributeValues,
	})
	return err
}

// Entry is Append as part of a transaction.
func (l *Ledger) Entry(consumer, key, effect string) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName:                 aws.String(l.table),
		Key:                       map[string]types.AttributeValue{"consumer": S(consumer), "effect": S(effect + " " + key)},
		UpdateExpression:          aws.String("ADD runs :one"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":one": N("1")},
	}}
}

// S is a string attribute.
func S(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }

// N is a number attribute.
func N(v string) types.AttributeValue { return &types.AttributeValueMemberN{Value: v} }

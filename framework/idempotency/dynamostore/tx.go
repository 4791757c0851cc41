package dynamostore

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// InTx writes items and completes the claim of ctx in one transaction
// (TransactWriteItems): either both are done or neither, however late the
// lease, whatever crashes. The effect on DynamoDB happens exactly once.
//
// It must be a handler's last act: once it succeeded, the message is done, and
// what the handler does afterwards is lost if it crashes there. An error that
// the handler returns after a successful InTx is logged and not retried. At
// most 99 items, which may not touch the idempotency record.
//
// Errors: idempotency.ErrNoClaim without a claim in ctx; idempotency.ErrLost if
// another attempt owns the key (return it: the message is retried and found
// done); idempotency.ErrCommitted at a second InTx; otherwise DynamoDB's, as
// *types.TransactionCanceledException with one reason per item for a failed
// condition. After an error the handler may try again with other items.
//
// The role needs dynamodb:UpdateItem on the idempotency table.
func (s *Store) InTx(ctx context.Context, items ...types.TransactWriteItem) error {
	claim, ok := idempotency.FromContext(ctx)
	if !ok {
		return idempotency.ErrNoClaim
	}
	return claim.Commit(func(set idempotency.Settlement) error {
		_, err := s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			TransactItems: append(items[:len(items):len(items)], s.completion(set)),
		})
		var canceled *types.TransactionCanceledException
		if errors.As(err, &canceled) && len(canceled.CancellationReasons) == len(items)+1 {
			if r := canceled.CancellationReasons[len(items)]; aws.ToString(r.Code) == "ConditionalCheckFailed" {
				return fmt.Errorf("dynamostore: transaction for key %q: %w", set.Key, idempotency.ErrLost)
			}
		}
		return err
	})
}

func (s *Store) completion(set idempotency.Settlement) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName:           aws.String(s.table),
		Key:                 map[string]types.AttributeValue{"id": str(set.Key)},
		UpdateExpression:    aws.String("SET #status = :completed, #expiration = :expires REMOVE #lease"),
		ConditionExpression: aws.String("#owner = :owner AND #status = :open"),
		ExpressionAttributeNames: map[string]string{
			"#status": "status", "#expiration": "expiration", "#lease": "in_progress_expiration", "#owner": "owner",
		},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":completed": str(string(idempotency.StatusCompleted)),
			":open":      str(string(idempotency.StatusInProgress)),
			":expires":   seconds(set.Expires),
			":owner":     str(set.Owner),
		},
	}}
}

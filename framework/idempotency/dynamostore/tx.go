package dynamostore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

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
	return s.InTxPublish(ctx, nil, items...)
}

// InTxPublish is InTx for a handler whose work also says something to others:
// the transaction keeps the outgoing events in the record, and the consumer
// publishes them once the handler returned (see consumer.WithOutbox) and then
// completes the record. If it crashes in between, the message comes again, and
// its events are published without running the handler. So the work is done
// exactly once, and its events are published at least once.
//
// Record and events share an item, and so DynamoDB's limit of 400 KB.
func (s *Store) InTxPublish(ctx context.Context, outgoing []idempotency.Outgoing, items ...types.TransactWriteItem) error {
	claim, ok := idempotency.FromContext(ctx)
	if !ok {
		return idempotency.ErrNoClaim
	}
	outbox := ""
	if len(outgoing) > 0 {
		text, err := json.Marshal(outgoing)
		if err != nil {
			return fmt.Errorf("dynamostore: outgoing events: %w", err)
		}
		if len(text) > maxOutbox {
			return fmt.Errorf("dynamostore: outgoing events have %d bytes, and a record takes %d: send less, or a reference", len(text), maxOutbox)
		}
		outbox = string(text)
	}
	return claim.CommitWith(outgoing, func(set idempotency.Settlement) error {
		_, err := s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			TransactItems: append(slices.Clip(items), s.completion(set, outbox)),
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

// maxOutbox leaves room in an item of 400 KB for the record itself.
const maxOutbox = 390 << 10

// completion is the record's part of the transaction: it completes the claim,
// or, with an outbox, keeps that in the claim.
func (s *Store) completion(set idempotency.Settlement, outbox string) types.TransactWriteItem {
	u := &types.Update{
		TableName: aws.String(s.table),
		Key:       map[string]types.AttributeValue{"id": str(set.Key)},
		// A record with an outbox is committed, though its commit's answer may
		// have been lost: a second commit would do the work again.
		ConditionExpression: aws.String("#owner = :owner AND #status = :open AND attribute_not_exists(#outbox)"),
		ExpressionAttributeNames: map[string]string{
			"#status": "status", "#owner": "owner", "#outbox": "outbox",
		},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":open": str(string(idempotency.StatusInProgress)), ":owner": str(set.Owner),
		},
	}
	if outbox != "" {
		u.UpdateExpression = aws.String("SET #outbox = :outbox")
		u.ExpressionAttributeValues[":outbox"] = str(outbox)
		return types.TransactWriteItem{Update: u}
	}
	u.UpdateExpression = aws.String("SET #status = :completed, #expiration = :expires REMOVE #lease")
	u.ExpressionAttributeNames["#expiration"] = "expiration"
	u.ExpressionAttributeNames["#lease"] = "in_progress_expiration"
	u.ExpressionAttributeValues[":completed"] = str(string(idempotency.StatusCompleted))
	u.ExpressionAttributeValues[":expires"] = seconds(set.Expires)
	return types.TransactWriteItem{Update: u}
}

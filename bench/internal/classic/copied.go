package classic

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// The declarations below are those of baseline/cold/idem/main.go, which is a
// program and cannot be imported; a test compares their text.

func s(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
func n(v int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(v, 10)}
}

var tbl = aws.String("idem")

func put(ctx context.Context, c *dynamodb.Client, k string) {
	_, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: tbl,
		Item:                                map[string]types.AttributeValue{"id": s(k), "status": s("INPROGRESS"), "expiration": n(1), "in_progress_expiration": n(2)},
		ConditionExpression:                 aws.String("attribute_not_exists(#id) OR #expiry < :now OR (#status = :inprogress AND attribute_exists(#ip) AND #ip < :nowms)"),
		ExpressionAttributeNames:            map[string]string{"#id": "id", "#expiry": "expiration", "#status": "status", "#ip": "in_progress_expiration"},
		ExpressionAttributeValues:           map[string]types.AttributeValue{":now": n(1), ":nowms": n(2), ":inprogress": s("INPROGRESS")},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld})
	ck(err)
}
func upd(ctx context.Context, c *dynamodb.Client, k string) {
	_, err := c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: tbl, Key: map[string]types.AttributeValue{"id": s(k)},
		UpdateExpression:          aws.String("SET #expiry = :expiry, #status = :status, #data = :data"),
		ExpressionAttributeNames:  map[string]string{"#expiry": "expiration", "#status": "status", "#data": "data"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":expiry": n(1), ":status": s("COMPLETED"), ":data": &types.AttributeValueMemberNULL{Value: true}}})
	ck(err)
}

func ck(err error) {
	if err != nil {
		panic(err)
	}
}

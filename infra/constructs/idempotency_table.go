package constructs

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	cdkconstructs "github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/sluice-go/sluice/framework/env"
)

// IdempotencyTableProps describe an IdempotencyTable. Nil means a new table.
type IdempotencyTableProps struct {
	// Existing is a table to use instead of a new one. Its partition key must
	// be the string env.HashKey, without a sort key, and its time-to-live
	// attribute env.TTL; neither can be checked here.
	Existing awsdynamodb.ITable
}

// IdempotencyTable remembers which messages were worked, for any number of
// consumers: their names are part of every key. One per stack is enough.
//
// It bills per request, forgets by time to live, can be restored to any second
// of the last 35 days, is protected from deletion and survives the stack: a
// lost table makes every old message new again.
type IdempotencyTable struct {
	cdkconstructs.Construct
	Table awsdynamodb.ITable
}

// NewIdempotencyTable makes an idempotency table, or wraps an existing one.
func NewIdempotencyTable(scope cdkconstructs.Construct, id string, props *IdempotencyTableProps) (*IdempotencyTable, error) {
	t := &IdempotencyTable{}
	err := Guard("IdempotencyTable", id, func() error {
		if props != nil && props.Existing != nil {
			if why := unsupportedTable(props.Existing); why != "" {
				p := &problems{kind: "IdempotencyTable", id: id}
				p.add("Existing", "%s", why)
				return p.err()
			}
			t.Construct = cdkconstructs.NewConstruct(scope, jsii.String(id))
			t.Table = props.Existing
			return nil
		}
		t.Construct = cdkconstructs.NewConstruct(scope, jsii.String(id))
		t.Table = awsdynamodb.NewTable(t.Construct, jsii.String("Table"), &awsdynamodb.TableProps{
			PartitionKey: &awsdynamodb.Attribute{
				Name: jsii.String(env.HashKey),
				Type: awsdynamodb.AttributeType_STRING,
			},
			TimeToLiveAttribute: jsii.String(env.TTL),
			BillingMode:         awsdynamodb.BillingMode_PAY_PER_REQUEST,
			PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
				PointInTimeRecoveryEnabled: jsii.Bool(true),
			},
			DeletionProtection: jsii.Bool(true),
			RemovalPolicy:      awscdk.RemovalPolicy_RETAIN,
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// uses is empty for a nil table: the consumer then has no store.
func (t *IdempotencyTable) uses() []Use {
	if t == nil {
		return nil
	}
	return []Use{UseTable(env.IdempotencyTable, t.Table, env.IdempotencyActions()...)}
}

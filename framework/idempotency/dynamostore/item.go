package dynamostore

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// item is a record as DynamoDB has it. It may have been written by something
// else, so what is missing or of another type reads as its zero value; a
// takeover compares the attributes themselves.
type item map[string]types.AttributeValue

func (it item) str(name string) string {
	if v, ok := it[name].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

func (it item) num(name string) int64 {
	if v, ok := it[name].(*types.AttributeValueMemberN); ok {
		if n, err := strconv.ParseInt(v.Value, 10, 64); err == nil {
			return n
		}
	}
	return 0
}

func (it item) record() idempotency.Record {
	rec := idempotency.Record{
		Key:        it.str("id"),
		Status:     idempotency.Status(it.str("status")),
		Owner:      it.str("owner"),
		Generation: it.num("generation"),
		Expires:    time.Unix(it.num("expiration"), 0),

		Fingerprint: it.str("validation"),
	}
	if text := it.str("outbox"); text != "" {
		// What is no outbox of ours reads as none, and is left alone.
		if err := json.Unmarshal([]byte(text), &rec.Pending); err != nil {
			rec.Pending = nil
		}
	}
	switch ms := it.num("in_progress_expiration"); {
	case ms > 0:
		rec.Lease = time.UnixMilli(ms)
	case rec.Status == idempotency.StatusInProgress && it["in_progress_expiration"] == nil:
		// Powertools writes no lease when it does not know the deadline: such
		// a record stays locked until it expires.
		rec.Lease = rec.Expires
	}
	return rec
}

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func num(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func millis(t time.Time) types.AttributeValue { return num(t.UnixMilli()) }

func seconds(t time.Time) types.AttributeValue { return num(idempotency.CeilSecond(t).Unix()) }

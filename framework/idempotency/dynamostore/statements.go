package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// insertStatement claims a key that has no record. INSERT fails with
// DuplicateItem where one exists; it takes no condition.
func (s *Store) insertStatement(req idempotency.ClaimRequest) types.BatchStatementRequest {
	text := `INSERT INTO "` + s.table + `" VALUE {'id':?,'status':?,'owner':?,'generation':?,'in_progress_expiration':?,'expiration':?`
	params := []types.AttributeValue{
		str(req.Key), str(string(idempotency.StatusInProgress)), str(req.Owner), num(1), millis(req.Lease), seconds(req.Expires),
	}
	if req.Fingerprint != "" {
		text += `,'validation':?`
		params = append(params, str(req.Fingerprint))
	}
	return statement(text+`}`, params...)
}

// takeOverStatement claims a key whose claim is over, if its record is still
// exactly what was seen: completing, releasing and taking over all change it.
func (s *Store) takeOverStatement(req idempotency.ClaimRequest, seen item) types.BatchStatementRequest {
	var b strings.Builder
	b.WriteString(`UPDATE "` + s.table + `" SET "status"=? SET "owner"=? SET "generation"=? SET "in_progress_expiration"=? SET "expiration"=?`)
	params := []types.AttributeValue{
		str(string(idempotency.StatusInProgress)), str(req.Owner), num(seen.record().Generation + 1), millis(req.Lease), seconds(req.Expires),
	}
	if req.Fingerprint != "" {
		b.WriteString(` SET "validation"=?`)
		params = append(params, str(req.Fingerprint))
	} else if seen["validation"] != nil {
		b.WriteString(` REMOVE "validation"`) // of another message, perhaps
	}
	if rec := seen.record(); len(rec.Pending) > 0 && pending(rec, req) == nil {
		b.WriteString(` REMOVE "outbox"`)
	}
	b.WriteString(` WHERE "id"=?`)
	params = append(params, str(req.Key))
	for _, name := range []string{"status", "owner", "generation", "in_progress_expiration", "expiration"} {
		if v, ok := seen[name]; ok {
			b.WriteString(` AND "` + name + `"=?`)
			params = append(params, v)
		} else {
			// Records that Powertools wrote have no owner and no generation.
			b.WriteString(` AND "` + name + `" IS MISSING`)
		}
	}
	// What a lost InTx may have committed since it was seen.
	if v, ok := seen["outbox"]; ok {
		b.WriteString(` AND "outbox"=?`)
		params = append(params, v)
	} else {
		b.WriteString(` AND "outbox" IS MISSING`)
	}
	return statement(b.String(), params...)
}

func (s *Store) settleStatement(set idempotency.Settlement) types.BatchStatementRequest {
	if set.Action == idempotency.Complete {
		// The owner alone is the condition, so that completing again after a
		// lost response succeeds.
		return statement(
			`UPDATE "`+s.table+`" SET "status"=? SET "expiration"=? REMOVE "in_progress_expiration" REMOVE "outbox" WHERE "id"=? AND "owner"=?`,
			str(string(idempotency.StatusCompleted)), seconds(set.Expires), str(set.Key), str(set.Owner),
		)
	}
	return statement(
		`UPDATE "`+s.table+`" SET "in_progress_expiration"=? WHERE "id"=? AND "owner"=? AND "status"=?`,
		num(0), str(set.Key), str(set.Owner), str(string(idempotency.StatusInProgress)),
	)
}

func statement(text string, params ...types.AttributeValue) types.BatchStatementRequest {
	return types.BatchStatementRequest{Statement: aws.String(text), Parameters: params}
}

// statementError is one statement's failure within a request that succeeded.
type statementError struct {
	code    types.BatchStatementErrorCodeEnum
	message string
}

func (e *statementError) Error() string {
	return fmt.Sprintf("dynamostore: statement failed: %s: %s", e.code, e.message)
}

func isCode(err error, code types.BatchStatementErrorCodeEnum) bool {
	var e *statementError
	return errors.As(err, &e) && e.code == code
}

// transient reports whether a statement may succeed if it is sent again.
func transient(err error) bool {
	var e *statementError
	if !errors.As(err, &e) {
		return false
	}
	switch e.code {
	case types.BatchStatementErrorCodeEnumProvisionedThroughputExceeded,
		types.BatchStatementErrorCodeEnumThrottlingError,
		types.BatchStatementErrorCodeEnumRequestLimitExceeded,
		types.BatchStatementErrorCodeEnumInternalServerError,
		types.BatchStatementErrorCodeEnumTransactionConflict:
		return true
	default:
		return false
	}
}

// execute runs n statements, 25 a request, one request at a time, and returns
// each statement's error. Statements that DynamoDB throttled are sent again,
// those alone, until ctx ends or the attempts run out. What concerns a whole
// request (a timeout, no permission) is every statement's error in it; the
// SDK has retried it by then.
func (s *Store) execute(ctx context.Context, n int, statement func(int) types.BatchStatementRequest) []error {
	errs := make([]error, n)
	todo := make([]int, n)
	for i := range todo {
		todo[i] = i
	}
	for try := 0; len(todo) > 0; try++ {
		if try > 0 && !s.pause(ctx, try) {
			break // each keeps the error that asked for another try
		}
		var again []int
		for chunk := range slices.Chunk(todo, maxStatements) {
			s.request(ctx, chunk, statement, errs)
			for _, i := range chunk {
				if transient(errs[i]) && try+1 < s.attempts {
					again = append(again, i)
				}
			}
		}
		todo = again
	}
	return errs
}

func (s *Store) request(ctx context.Context, chunk []int, statement func(int) types.BatchStatementRequest, errs []error) {
	in := &dynamodb.BatchExecuteStatementInput{Statements: make([]types.BatchStatementRequest, len(chunk))}
	for n, i := range chunk {
		in.Statements[n] = statement(i)
	}
	out, err := s.client.BatchExecuteStatement(ctx, in)
	if err == nil && len(out.Responses) != len(chunk) {
		err = fmt.Errorf("answered %d of %d statements", len(out.Responses), len(chunk))
	}
	for n, i := range chunk {
		switch {
		case err != nil:
			errs[i] = fmt.Errorf("dynamostore: table %q: %w", s.table, err)
		case out.Responses[n].Error != nil:
			e := out.Responses[n].Error
			errs[i] = &statementError{code: e.Code, message: aws.ToString(e.Message)}
		default:
			errs[i] = nil
		}
	}
}

// read gets the items of at most 100 keys, consistently.
func (s *Store) read(ctx context.Context, keys []string) (map[string]item, error) {
	want := make([]map[string]types.AttributeValue, len(keys))
	for i, k := range keys {
		want[i] = map[string]types.AttributeValue{"id": str(k)}
	}
	found := make(map[string]item, len(keys))
	for try := 0; len(want) > 0; try++ {
		if try > 0 && (try == s.attempts || !s.pause(ctx, try)) {
			return nil, fmt.Errorf("dynamostore: table %q: %d keys stay unprocessed: the table is throttled", s.table, len(want))
		}
		out, err := s.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{s.table: {Keys: want, ConsistentRead: aws.Bool(true)}},
		})
		if err != nil {
			return nil, fmt.Errorf("dynamostore: table %q: %w", s.table, err)
		}
		for _, it := range out.Responses[s.table] {
			found[item(it).str("id")] = it
		}
		want = out.UnprocessedKeys[s.table].Keys
	}
	return found, nil
}

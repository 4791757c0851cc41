package itemstore

import (
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// Options configure a Store. The zero value is valid.
type Options struct {
	// Clock is asked for the time of table creation, TTL decisions and the
	// life of client request tokens. It is called with the store's lock held
	// and must not call the store. Default: a clock that stands at the Unix
	// epoch, so that nothing expires.
	Clock func() time.Time
	// Region and Account are the parts of ARNs. Defaults: us-east-1 and
	// 000000000000.
	Region, Account string
}

// Store holds tables and their items. All methods are safe for concurrent use:
// one lock makes every call atomic, and what goes in or comes out is a copy.
type Store struct {
	clock           func() time.Time
	region, account string

	mu     sync.Mutex
	tables map[string]*table
	tokens map[string]usedToken
}

// New returns an empty store. Nil options are the defaults.
func New(opts *Options) *Store {
	if opts == nil {
		opts = &Options{}
	}
	s := &Store{
		clock: opts.Clock, region: opts.Region, account: opts.Account,
		tables: map[string]*table{}, tokens: map[string]usedToken{},
	}
	if s.clock == nil {
		s.clock = func() time.Time { return time.Unix(0, 0).UTC() }
	}
	if s.region == "" {
		s.region = "us-east-1"
	}
	if s.account == "" {
		s.account = "000000000000"
	}
	return s
}

// Call performs one operation, named as in X-Amz-Target after the dot
// ("PutItem"), on a JSON request body, and returns the JSON response body. The
// error is nil, or exactly what AWS would answer; in that case nothing was
// changed. What the store does not emulate is refused by name.
func (s *Store) Call(op string, body []byte) (response []byte, err *Error) {
	handle := operation(op)
	if handle == nil {
		return nil, &Error{
			Type:    nsCoral + "UnknownOperationException",
			Message: "the operation " + op + " is not emulated by the local runtime",
		}
	}
	raw, err := decodeJSON(body)
	if err != nil {
		return nil, err
	}
	members, ok := raw.(map[string]any)
	if !ok {
		return nil, serialization("Unexpected value type in payload")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := handle(s, members)
	if err != nil {
		return nil, err
	}
	// Encoded under the lock: the answer may refer to stored values.
	response, encodeErr := json.Marshal(out)
	if encodeErr != nil {
		return nil, internalError(encodeErr)
	}
	return response, nil
}

type (
	answer  map[string]any
	handler func(*Store, map[string]any) (answer, *Error)
)

func operation(op string) handler {
	switch op {
	case "CreateTable":
		return (*Store).createTable
	case "DeleteTable":
		return (*Store).deleteTable
	case "DescribeTable":
		return (*Store).describeTable
	case "ListTables":
		return (*Store).listTables
	case "UpdateTimeToLive":
		return (*Store).updateTTL
	case "DescribeTimeToLive":
		return (*Store).describeTTL
	case "PutItem":
		return (*Store).putItem
	case "GetItem":
		return (*Store).getItem
	case "UpdateItem":
		return (*Store).updateItem
	case "DeleteItem":
		return (*Store).deleteItem
	case "Query":
		return (*Store).query
	case "Scan":
		return (*Store).scan
	case "BatchGetItem":
		return (*Store).batchGet
	case "BatchWriteItem":
		return (*Store).batchWrite
	case "TransactWriteItems":
		return (*Store).transactWrite
	case "TransactGetItems":
		return (*Store).transactGet
	case "ExecuteStatement":
		return (*Store).executeStatement
	case "BatchExecuteStatement":
		return (*Store).batchExecute
	}
	return nil
}

// Tables returns the names of all tables, sorted.
func (s *Store) Tables() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortedKeys(s.tables)
}

// Items returns a deep copy of all items of a table, in the order of a Scan.
// Items that have expired but were not swept are among them, as on AWS.
func (s *Store) Items(name string) ([]map[string]Value, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(name)
	if err != nil {
		return nil, err
	}
	items := []map[string]Value{}
	for _, row := range t.rows() {
		items = append(items, cloneItem(row.item))
	}
	return items, nil
}

func (s *Store) tableARN(name string) string {
	return "arn:aws:dynamodb:" + s.region + ":" + s.account + ":table/" + name
}

const errTableName = "Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'"

func validTableName(name string) bool {
	if len(name) < 3 || len(name) > 255 {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r > 127 || !isIdent(byte(r)) && r != '-' && r != '.'
	})
}

// find returns a table by its name or its ARN.
func (s *Store) find(name string) (*table, *Error) {
	name = strings.TrimPrefix(name, s.tableARN(""))
	if !validTableName(name) {
		return nil, invalid("%s", errTableName)
	}
	t, ok := s.tables[name]
	if !ok {
		return nil, dynamoError("ResourceNotFoundException", "%s", errNoTable)
	}
	return t, nil
}

// table reads the member TableName and finds the table. It comes after the
// members of the request were checked, because AWS checks them first.
func (s *Store) table(r *request) (*table, *Error) {
	if !r.has("TableName") {
		return nil, missing("TableName")
	}
	return s.find(r.text("TableName"))
}

// control is table for the operations on tables, whose error names it.
func (s *Store) control(r *request) (*table, *Error) {
	t, err := s.table(r)
	if err != nil && err.Name() == "ResourceNotFoundException" {
		err = dynamoError("ResourceNotFoundException", "%s: Table: %s not found", errNoTable, r.text("TableName"))
	}
	return t, err
}

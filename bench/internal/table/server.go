// Package table is the DynamoDB that the comparisons talk to: a server that
// holds items and decides conditions as AWS does, and that answers after a
// fixed latency.
//
// It runs in a process of its own ([Start]), so that its work is not in the
// client's CPU time, or in the caller's ([Server.Client]), where tests count
// requests exactly.
package table

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/sluice-go/sluice/framework/local/itemstore"
)

// Usage is what was asked of a server.
type Usage struct {
	Requests   int            // in all
	Operations map[string]int // requests by operation
	// Capacity units as AWS would charge them. A write whose condition fails
	// costs what the write would have cost.
	WriteUnits, ReadUnits float64
}

// Sub returns what was asked since an earlier usage.
func (u Usage) Sub(earlier Usage) Usage {
	out := Usage{
		Requests:   u.Requests - earlier.Requests,
		Operations: map[string]int{},
		WriteUnits: u.WriteUnits - earlier.WriteUnits,
		ReadUnits:  u.ReadUnits - earlier.ReadUnits,
	}
	for op, n := range u.Operations {
		if d := n - earlier.Operations[op]; d != 0 {
			out.Operations[op] = d
		}
	}
	return out
}

// A Server holds tables with the string partition key "id". It is safe for
// concurrent use.
type Server struct {
	store   *itemstore.Store
	latency time.Duration

	mu    sync.Mutex
	usage Usage
}

// NewServer returns a server with empty tables of the given names, which
// answers each request after latency.
func NewServer(latency time.Duration, tables ...string) (*Server, error) {
	s := &Server{store: itemstore.New(&itemstore.Options{Clock: time.Now}), latency: latency, usage: Usage{Operations: map[string]int{}}}
	for _, name := range tables {
		def := itemstore.Table{Name: name, HashKey: "id", Types: map[string]itemstore.Type{"id": itemstore.TypeS}, TTL: "expiration"}
		if err := s.store.CreateTable(def); err != nil {
			return nil, fmt.Errorf("table %q: %w", name, err)
		}
	}
	return s, nil
}

// Usage returns what was asked so far.
func (s *Server) Usage() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usage.Sub(Usage{}) // a copy
}

// Call applies one operation and returns the status and body of the answer. It
// does not wait.
func (s *Server) Call(operation string, body []byte) (status int, answer []byte) {
	answer, u, err := s.apply(operation, body)
	s.mu.Lock()
	s.usage.Requests++
	s.usage.Operations[operation]++
	s.usage.WriteUnits += u.WriteUnits
	s.usage.ReadUnits += u.ReadUnits
	s.mu.Unlock()
	if err != nil {
		return err.Status(), err.JSON()
	}
	return http.StatusOK, answer
}

// apply asks the store for what the request consumes, and takes it out of the
// answer again unless the client had asked.
func (s *Server) apply(operation string, body []byte) ([]byte, Usage, *itemstore.Error) {
	const ask, told = "ReturnConsumedCapacity", "ConsumedCapacity"
	var request map[string]json.RawMessage
	if json.Unmarshal(body, &request) != nil || request == nil || request[ask] != nil {
		// Not for us to judge, and none of the measured clients asks.
		answer, err := s.store.Call(operation, body)
		return answer, Usage{}, err
	}
	request[ask] = json.RawMessage(`"TOTAL"`)
	body, err := json.Marshal(request)
	if err != nil {
		return nil, Usage{}, internal(err)
	}
	data, failed := s.store.Call(operation, body)
	if failed != nil {
		var u Usage
		if failed.Name() == "ConditionalCheckFailedException" {
			u.WriteUnits = 1 // items of these protocols stay below 1 KB
		}
		return nil, u, failed
	}
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, Usage{}, internal(err)
	}
	u, err := units(operation, answer[told])
	if err != nil {
		return nil, Usage{}, internal(err)
	}
	delete(answer, told)
	data, err = json.Marshal(answer)
	if err != nil {
		return nil, Usage{}, internal(err)
	}
	return data, u, nil
}

// units reads ConsumedCapacity, which is an object or a list of them.
func units(operation string, consumed json.RawMessage) (Usage, error) {
	type capacity struct{ CapacityUnits float64 }
	var list []capacity
	switch {
	case len(consumed) == 0:
		return Usage{}, nil
	case consumed[0] == '[':
		if err := json.Unmarshal(consumed, &list); err != nil {
			return Usage{}, fmt.Errorf("consumed capacity of %s: %w", operation, err)
		}
	default:
		var one capacity
		if err := json.Unmarshal(consumed, &one); err != nil {
			return Usage{}, fmt.Errorf("consumed capacity of %s: %w", operation, err)
		}
		list = append(list, one)
	}
	var sum float64
	for _, c := range list {
		sum += c.CapacityUnits
	}
	switch operation {
	case "GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan":
		return Usage{ReadUnits: sum}, nil
	default:
		return Usage{WriteUnits: sum}, nil
	}
}

func internal(err error) *itemstore.Error {
	return &itemstore.Error{Type: "com.amazon.coral.service#InternalFailure", Message: err.Error()}
}

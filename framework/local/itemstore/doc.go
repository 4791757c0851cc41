// Package itemstore is DynamoDB in memory, for the local runtime and for tests:
// the JSON protocol's operations on tables and items, exactly as AWS answers
// them, or not at all.
//
// # Semantics
//
// Every call is atomic, and calls are linearizable: one lock guards the store.
// Reads are always strongly consistent, those of global indexes too, and
// nothing is ever throttled. Numbers are exact decimals of 38 digits and never
// pass through floating point. Time is the clock of Options and nothing else:
// expired items stay readable until Sweep is called.
//
// What AWS would do and this package does not is refused by name with a
// ValidationException or an UnknownOperationException; no member of a request
// is ever ignored in silence. NOT_EMULATED.md lists the refusals, each with the
// test that shows it.
//
// # Errors
//
// An *Error carries what AWS would answer: type, message, and members such as
// the old item of a failed condition. Texts follow AWS where they are known
// from its documentation or from conformance suites that were run against it,
// otherwise DynamoDB Local. TestOracle compares both, field by field, and lists
// every difference with its reason.
//
// # Use
//
//	s := itemstore.New(&itemstore.Options{Clock: engine.Now})
//	err := s.CreateTable(itemstore.Table{
//		Name: "records", HashKey: "id", TTL: "expiration",
//		Types: map[string]itemstore.Type{"id": itemstore.TypeS},
//	})
//	body, failure := s.Call("GetItem", request)
//
// Serving HTTP around Call is the caller's part: the operation is what follows
// the dot in X-Amz-Target, an Error's Status and JSON are the answer.
package itemstore

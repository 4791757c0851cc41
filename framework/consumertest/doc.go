// Package consumertest delivers typed events to a consumer through the same
// path as Lambda does: as the JSON that SQS, SNS or EventBridge would send, to
// the consumer's Invoke, and back from its answer. Nothing is mocked; what a
// test sees is what a queue would do.
//
//	batch := consumertest.SQS(ordersv2.Placed{OrderID: "o-1"}, ordersv2.Placed{OrderID: "o-2"})
//	first := consumertest.Deliver(t, c, batch)
//	second := consumertest.Deliver(t, c, batch.Retry(first))
package consumertest

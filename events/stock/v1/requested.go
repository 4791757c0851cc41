// Package stockv1 holds the first version of the events about stock.
package stockv1

import (
	"errors"
	"strconv"
	"time"
)

// Requested asks for stock to be set aside for one line of an order. Requests
// for one SKU are worked in order.
type Requested struct {
	OrderID     string    `json:"order_id"`
	Line        int       `json:"line"` // from 1
	SKU         string    `json:"sku"`
	Quantity    int64     `json:"quantity"`
	RequestedAt time.Time `json:"requested_at"`
}

// EventType is "stock.requested.v1".
func (Requested) EventType() string { return "stock.requested.v1" }

// IdempotencyKey is the order line.
func (r Requested) IdempotencyKey() string { return r.LineID() }

// LineID names the order line: "<order>/<line>".
func (r Requested) LineID() string {
	if r.OrderID == "" {
		return ""
	}
	return r.OrderID + "/" + strconv.Itoa(r.Line)
}

// Validate refuses a request for nothing.
func (r Requested) Validate() error {
	if r.OrderID == "" || r.SKU == "" {
		return errors.New("order_id or sku is empty")
	}
	if r.Line < 1 || r.Quantity < 1 {
		return errors.New("line and quantity start at 1")
	}
	return nil
}

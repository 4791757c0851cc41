// Package ordersv1 holds the first version of the events about orders. It is
// released: its shapes and fixtures do not change.
package ordersv1

import (
	"errors"
	"time"
)

// Placed says that a customer placed an order. It is published once per order.
// Amounts are in US cents: the shop had one currency then.
type Placed struct {
	OrderID    string    `json:"order_id"`
	Email      string    `json:"email"`
	TotalCents int64     `json:"total_cents"`
	PlacedAt   time.Time `json:"placed_at"`
}

// EventType is "orders.placed.v1".
func (Placed) EventType() string { return "orders.placed.v1" }

// IdempotencyKey is the order's id.
func (p Placed) IdempotencyKey() string { return p.OrderID }

// Validate refuses an order that cannot be charged.
func (p Placed) Validate() error {
	if p.OrderID == "" {
		return errors.New("order_id is empty")
	}
	if p.TotalCents < 0 {
		return errors.New("total_cents is negative")
	}
	return nil
}

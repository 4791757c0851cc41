// Package ordersv2 holds the second version of the events about orders: amounts
// have a currency, and an order has lines.
package ordersv2

import (
	"errors"
	"fmt"
	"time"

	ordersv1 "github.com/sluice-go/sluice/events/orders/v1"
)

// Placed says that a customer placed an order. It is published once per order.
type Placed struct {
	OrderID  string    `json:"order_id"`
	Email    string    `json:"email"`
	Total    Money     `json:"total"`
	Lines    []Line    `json:"lines"` // empty if the order is from before v2
	PlacedAt time.Time `json:"placed_at"`
}

// Money is an amount in the minor unit of its currency: cents of USD.
type Money struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"` // ISO 4217
}

// Line is a number of one article.
type Line struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// EventType is "orders.placed.v2".
func (Placed) EventType() string { return "orders.placed.v2" }

// IdempotencyKey is the order's id.
func (p Placed) IdempotencyKey() string { return p.OrderID }

// Validate refuses an order that cannot be charged.
func (p Placed) Validate() error {
	if p.OrderID == "" {
		return errors.New("order_id is empty")
	}
	if p.Total.Minor < 0 {
		return errors.New("total.minor is negative")
	}
	if len(p.Total.Currency) != 3 {
		return fmt.Errorf("total.currency %q is no ISO 4217 code", p.Total.Currency)
	}
	return nil
}

// FromV1 lifts the first version to this one.
func FromV1(old ordersv1.Placed) (Placed, error) {
	return Placed{
		OrderID:  old.OrderID,
		Email:    old.Email,
		Total:    Money{Minor: old.TotalCents, Currency: "USD"},
		PlacedAt: old.PlacedAt,
	}, nil
}

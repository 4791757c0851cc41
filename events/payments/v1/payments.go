// Package paymentsv1 holds the first version of the events about payments.
package paymentsv1

import (
	"errors"
	"time"
)

// Captured says that an order was paid. It is published once per payment.
type Captured struct {
	PaymentID  string    `json:"payment_id"`
	OrderID    string    `json:"order_id"`
	Minor      int64     `json:"minor"` // in the minor unit of Currency
	Currency   string    `json:"currency"`
	CapturedAt time.Time `json:"captured_at"`
}

// EventType is "payments.captured.v1".
func (Captured) EventType() string { return "payments.captured.v1" }

// IdempotencyKey is the payment's id.
func (c Captured) IdempotencyKey() string { return c.PaymentID }

// Validate refuses a payment without its order.
func (c Captured) Validate() error {
	if c.PaymentID == "" || c.OrderID == "" {
		return errors.New("payment_id or order_id is empty")
	}
	return nil
}

// RefundRequested asks for a payment to be given back.
type RefundRequested struct {
	RefundID    string    `json:"refund_id"`
	PaymentID   string    `json:"payment_id"`
	Minor       int64     `json:"minor"`
	Currency    string    `json:"currency"`
	Reason      string    `json:"reason,omitempty"`
	RequestedAt time.Time `json:"requested_at"`
}

// EventType is "payments.refund_requested.v1".
func (RefundRequested) EventType() string { return "payments.refund_requested.v1" }

// IdempotencyKey is the refund's id.
func (r RefundRequested) IdempotencyKey() string { return r.RefundID }

// Validate refuses a refund of nothing.
func (r RefundRequested) Validate() error {
	if r.RefundID == "" || r.PaymentID == "" {
		return errors.New("refund_id or payment_id is empty")
	}
	if r.Minor <= 0 {
		return errors.New("minor is not positive")
	}
	return nil
}

// Package events_test holds every released event to its fixture.
package events_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	ordersv1 "github.com/sluice-go/sluice/events/orders/v1"
	ordersv2 "github.com/sluice-go/sluice/events/orders/v2"
	paymentsv1 "github.com/sluice-go/sluice/events/payments/v1"
	stockv1 "github.com/sluice-go/sluice/events/stock/v1"
)

type event interface {
	EventType() string
	IdempotencyKey() string
	Validate() error
}

func decode[E event](t *testing.T, fixture []byte) event {
	t.Helper()
	var e E
	d := json.NewDecoder(bytes.NewReader(fixture))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		t.Fatalf("the released fixture no longer decodes: %v", err)
	}
	return e
}

// A fixture is what producers send: it must decode without leaving anything
// out, and encode to the same bytes again. A changed shape is a new version.
func TestFixtures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		fixture, eventType, key string
		decode                  func(*testing.T, []byte) event
	}{
		{"orders/v1/testdata/placed.json", "orders.placed.v1", "o-1001", decode[ordersv1.Placed]},
		{"orders/v2/testdata/placed.json", "orders.placed.v2", "o-1002", decode[ordersv2.Placed]},
		{"payments/v1/testdata/captured.json", "payments.captured.v1", "pay-o-1002", decode[paymentsv1.Captured]},
		{"payments/v1/testdata/refund_requested.json", "payments.refund_requested.v1", "r-1", decode[paymentsv1.RefundRequested]},
		{"stock/v1/testdata/requested.json", "stock.requested.v1", "o-1002/1", decode[stockv1.Requested]},
	}
	tested := map[string]bool{}
	for _, tt := range tests {
		tested[tt.fixture] = true
		t.Run(tt.eventType, func(t *testing.T) {
			t.Parallel()
			fixture, err := os.ReadFile(tt.fixture)
			if err != nil {
				t.Fatal(err)
			}
			e := tt.decode(t, fixture)
			again, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if want := bytes.TrimSpace(fixture); !bytes.Equal(again, want) {
				t.Errorf("encodes to\n%s\nwant\n%s", again, want)
			}
			if e.EventType() != tt.eventType || e.IdempotencyKey() != tt.key {
				t.Errorf("type %q, key %q; want %q, %q: both are stable for ever", e.EventType(), e.IdempotencyKey(), tt.eventType, tt.key)
			}
			if err := e.Validate(); err != nil {
				t.Errorf("the released fixture is refused: %v", err)
			}
		})
	}
	files, err := filepath.Glob("*/v*/testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !tested[filepath.ToSlash(f)] {
			t.Errorf("fixture %s is not tested", f)
		}
	}
}

func TestFromV1KeepsTheKey(t *testing.T) {
	t.Parallel()
	old := ordersv1.Placed{OrderID: "o-7", TotalCents: 5}
	lifted, err := ordersv2.FromV1(old)
	if err != nil {
		t.Fatal(err)
	}
	if lifted.IdempotencyKey() != old.IdempotencyKey() {
		t.Errorf("key %q became %q: the upgrade would make an old message new", old.IdempotencyKey(), lifted.IdempotencyKey())
	}
	if lifted.Total != (ordersv2.Money{Minor: 5, Currency: "USD"}) {
		t.Errorf("total = %+v", lifted.Total)
	}
}

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]event{
		"order without id":       ordersv1.Placed{},
		"negative order":         ordersv1.Placed{OrderID: "o", TotalCents: -1},
		"v2 without id":          ordersv2.Placed{},
		"v2 negative":            ordersv2.Placed{OrderID: "o", Total: ordersv2.Money{Minor: -1, Currency: "EUR"}},
		"v2 without currency":    ordersv2.Placed{OrderID: "o"},
		"payment without order":  paymentsv1.Captured{PaymentID: "p"},
		"refund without payment": paymentsv1.RefundRequested{RefundID: "r", Minor: 1},
		"refund of nothing":      paymentsv1.RefundRequested{RefundID: "r", PaymentID: "p"},
		"stock without sku":      stockv1.Requested{OrderID: "o", Line: 1, Quantity: 1},
		"stock of line 0":        stockv1.Requested{OrderID: "o", SKU: "s", Quantity: 1},
	} {
		if e.Validate() == nil {
			t.Errorf("%s: Validate accepts it", name)
		}
	}
}

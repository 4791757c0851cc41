package consumer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

// moody is an event whose own methods do what its body says.
type moody struct {
	ID   string `json:"id"`
	Mood string `json:"mood"`
}

func (moody) EventType() string { return "tests.moody.v1" }

func (m moody) IdempotencyKey() string {
	if m.Mood == "key panics" {
		panic("no key today")
	}
	return m.ID
}

func (m moody) Validate() error {
	switch m.Mood {
	case "check panics":
		panic("no check today")
	case "invalid":
		return errWork
	}
	return nil
}

func (m *moody) UnmarshalJSON(b []byte) error {
	type plain moody
	if err := json.Unmarshal(b, (*plain)(m)); err != nil {
		return err
	}
	if m.Mood == "decoding panics" {
		panic("no decoding today")
	}
	return nil
}

type moodyV0 struct{ ID, Mood string }

func (moodyV0) EventType() string { return "tests.moody.v0" }

// TestEventsOwnCode: what an event's methods do concerns that message. A panic
// is retried, as a handler's; and its neighbours do not notice.
func TestEventsOwnCode(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		event            consumer.Event
		reported, letter bool
	}{
		"decoding panics": {moody{"x", "decoding panics"}, true, false},
		"check panics":    {moody{"x", "check panics"}, true, false},
		"key panics":      {moody{"x", "key panics"}, true, false},
		"invalid":         {moody{"x", "invalid"}, false, true},
		"empty key":       {moody{"", "fine"}, false, true},
		"upgrade panics":  {moodyV0{"x", "panics"}, true, false},
		"upgrade fails":   {moodyV0{"x", "fails"}, false, true},
		"upgrade to bad":  {moodyV0{"x", "invalid"}, false, true},
		"upgrade":         {moodyV0{"x", "fine"}, false, false},
	} {
		queue := &consumertest.Queue{}
		ran := map[string]int{}
		c, err := consumer.NewSQSMux("c", []consumer.Route{consumer.On(nothing[moody], consumer.Upgrade(func(old moodyV0) (moody, error) {
			switch old.Mood {
			case "panics":
				panic("no upgrade today")
			case "fails":
				return moody{}, errWork
			}
			return moody(old), nil
		}))}, quiet(), queue.Option(), consumer.WithIdempotency(idempotency.NewMemory()), consumer.WithMiddleware(countRuns(ran)))
		if err != nil {
			t.Fatal(err)
		}
		o := consumertest.Deliver(t, c, consumertest.SQS(moody{"before", ""}, test.event, moody{"after", ""}))
		if reported := slices.Equal(o.Failed, []int{1}); o.Err != nil || reported != test.reported || !reported && !o.Settled() || (len(queue.DeadLetters()) == 1) != test.letter {
			t.Errorf("%s: outcome %+v, dead letters %v", name, o, queue.DeadLetters())
		}
		if ran["before"] != 1 || ran["after"] != 1 || (ran["x"] == 1) != (!test.reported && !test.letter) {
			t.Errorf("%s: ran %v", name, ran)
		}
	}
}

// TestUpgradeKeepsTheKey: a message and its older form are copies.
func TestUpgradeKeepsTheKey(t *testing.T) {
	t.Parallel()
	ran := map[string]int{}
	c, err := consumer.NewSQSMux("c", []consumer.Route{consumer.On(nothing[moody], consumer.Upgrade(func(old moodyV0) (moody, error) { return moody(old), nil }))},
		quiet(), consumer.WithIdempotency(idempotency.NewMemory()), consumer.WithMiddleware(countRuns(ran)))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []consumer.Event{moodyV0{"x", ""}, moody{"x", ""}} {
		if o := consumertest.Deliver(t, c, consumertest.SQS(e)); !o.Settled() {
			t.Errorf("%s: %+v", e.EventType(), o)
		}
	}
	if ran["x"] != 1 {
		t.Errorf("ran %v", ran)
	}
}

// TestUnreadableKeys: keys of raw bytes stay different keys in a store that
// keeps text.
func TestUnreadableKeys(t *testing.T) {
	t.Parallel()
	ran := 0
	keyed := consumer.On(func(context.Context, consumer.Message[placedV1]) error { ran++; return nil },
		consumer.Key(func(e placedV1) string { return "\xff" + string([]byte{0xfe - e.ID[0]}) }))
	c, err := consumer.NewSQSMux("c", []consumer.Route{keyed}, quiet(), consumer.WithConcurrency(1), consumer.WithIdempotency(textStore{idempotency.NewMemory()}))
	if err != nil {
		t.Fatal(err)
	}
	consumertest.Deliver(t, c, consumertest.SQS(placedV1{"a"}))
	consumertest.Deliver(t, c, consumertest.SQS(placedV1{"b"}))
	if ran != 2 {
		t.Errorf("%d of 2 messages ran", ran)
	}
}

// textStore keeps keys as JSON carries them.
type textStore struct{ *idempotency.Memory }

func (s textStore) Claim(ctx context.Context, requests []idempotency.ClaimRequest) ([]idempotency.ClaimResult, error) {
	requests = slices.Clone(requests)
	for i := range requests {
		requests[i].Key = strings.ToValidUTF8(requests[i].Key, "\uFFFD")
	}
	return s.Memory.Claim(ctx, requests)
}

// oddStore is a store with a bug of its own.
type oddStore struct {
	*idempotency.Memory
	claim  func([]idempotency.ClaimResult) []idempotency.ClaimResult
	settle func([]error) []error
}

func (s oddStore) Claim(ctx context.Context, r []idempotency.ClaimRequest) ([]idempotency.ClaimResult, error) {
	results, err := s.Memory.Claim(ctx, r)
	if s.claim != nil {
		results = s.claim(results)
	}
	return results, err
}

func (s oddStore) Settle(ctx context.Context, sets []idempotency.Settlement) []error {
	errs := s.Memory.Settle(ctx, sets)
	if s.settle != nil {
		errs = s.settle(errs)
	}
	return errs
}

// TestOddStores: a store's bug costs a retry, or a line in the log; not the
// process, and not a message.
func TestOddStores(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		store oddStore
		runs  bool
	}{
		"claim panics":         {oddStore{claim: func([]idempotency.ClaimResult) []idempotency.ClaimResult { panic("claim") }}, false},
		"claim says nothing":   {oddStore{claim: func([]idempotency.ClaimResult) []idempotency.ClaimResult { return nil }}, false},
		"claim says too much":  {oddStore{claim: func(r []idempotency.ClaimResult) []idempotency.ClaimResult { return append(r, r...) }}, false},
		"claim without result": {oddStore{claim: func(r []idempotency.ClaimResult) []idempotency.ClaimResult { clear(r); return r }}, false},
		"settle panics":        {oddStore{settle: func([]error) []error { panic("settle") }}, true},
		"settle says nothing":  {oddStore{settle: func([]error) []error { return nil }}, true},
		"settle says too much": {oddStore{settle: func(e []error) []error { return append(e, errors.New("one"), errors.New("two")) }}, true},
	} {
		test.store.Memory = idempotency.NewMemory()
		ran := map[string]int{}
		c, err := consumer.NewSQS("c", nothing[placed], quiet(), consumer.WithIdempotency(test.store), consumer.WithMiddleware(countRuns(ran)))
		if err != nil {
			t.Fatal(err)
		}
		o := consumertest.Deliver(t, c, consumertest.SQS(placed{ID: "o-1"}, placed{ID: "o-2"}))
		if o.Err != nil || o.Settled() != test.runs || (len(ran) == 2) != test.runs || !test.runs && len(ran) > 0 {
			t.Errorf("%s: outcome %+v, ran %v", name, o, ran)
		}
	}
}

// TestPanickingQueue: neither do the queue's actions end the invocation.
func TestPanickingQueue(t *testing.T) {
	t.Parallel()
	queue := &consumertest.Queue{
		SendErr:       func(consumer.DeadLetter) error { panic("send") },
		VisibilityErr: func([]consumer.VisibilityChange) error { panic("hide") },
	}
	c, err := consumer.NewSQS("c", func(_ context.Context, msg consumer.Message[placed]) error {
		if msg.Event.ID == "bad" {
			return consumer.Permanent(errWork)
		}
		return nil
	}, quiet(), queue.Option())
	if err != nil {
		t.Fatal(err)
	}
	o := consumertest.Deliver(t, c, consumertest.SQS(placed{ID: "bad"}, placed{ID: "o-1"}))
	if fmt.Sprint(o.Failed) != "[0]" || o.Err != nil {
		t.Errorf("outcome %+v", o)
	}
}

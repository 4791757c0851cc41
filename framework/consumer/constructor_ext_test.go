package consumer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/idempotency"
)

func nothing[E consumer.Event](context.Context, consumer.Message[E]) error { return nil }

// Event types that a constructor must refuse, or take.
type (
	typed          struct{ kind string }
	pointerKey     struct{}
	pointerCheck   struct{}
	panicking      struct{ kind *string }
	placedV1       struct{ ID string }
	placedV2       struct{ ID string }
	placedV3       struct{ ID string }
	cancelledV1    struct{ ID string }
	hashName       struct{}
	noVersion      struct{}
	emptyType      struct{}
	onlyVersion    struct{}
	versionOfWords struct{}
	longName       struct{}
)

func (e typed) EventType() string          { return "a.v1" + e.kind }
func (pointerKey) EventType() string       { return "a.v1" }
func (*pointerKey) IdempotencyKey() string { return "k" }
func (pointerCheck) EventType() string     { return "a.v1" }
func (*pointerCheck) Validate() error      { return nil }
func (e panicking) EventType() string      { return *e.kind }
func (placedV1) EventType() string         { return "shop.placed.v1" }
func (placedV2) EventType() string         { return "shop.placed.v2" }
func (placedV3) EventType() string         { return "shop.placed.v3" }
func (cancelledV1) EventType() string      { return "shop.cancelled.v1" }
func (hashName) EventType() string         { return "shop#placed.v1" }
func (noVersion) EventType() string        { return "shop.placed" }
func (emptyType) EventType() string        { return "" }
func (onlyVersion) EventType() string      { return ".v1" }
func (versionOfWords) EventType() string   { return "shop.placed.vnext" }
func (longName) EventType() string         { return strings.Repeat("n", 1000) + ".v1" }
func (*onPointer) EventType() string       { return "a.v1" }
func lift[A, B any](A) (b B, err error)    { return b, nil }
func build(o ...consumer.SQSOption) error {
	return second(consumer.NewSQS("c", nothing[placedV1], o...))
}
func second[T any](_ T, err error) error         { return err }
func mux(name string, r ...consumer.Route) error { return second(consumer.NewSQSMux(name, r)) }
func route[E consumer.Event](o ...consumer.RouteOption[E]) consumer.Route {
	return consumer.On(nothing[E], o...)
}

type onPointer struct{}

func TestConstructorErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want string // what the message must tell
	}{
		"pointer event":            {second(consumer.NewSQS("c", nothing[*onPointer])), "is a pointer"},
		"pointer to a value event": {second(consumer.NewSQS("c", nothing[*placedV1])), "is a pointer"},
		"interface event":          {second(consumer.NewSQS("c", nothing[consumer.Event])), "is an interface"},
		"key on the pointer":       {second(consumer.NewSQS("c", nothing[pointerKey])), "IdempotencyKey on its pointer"},
		"check on the pointer":     {second(consumer.NewSQS("c", nothing[pointerCheck])), "Validate on its pointer"},
		"type panics on zero":      {second(consumer.NewSQS("c", nothing[panicking])), "panics on the zero value"},
		"type with a separator":    {second(consumer.NewSQS("c", nothing[hashName])), `contains "#"`},
		"type without a version":   {second(consumer.NewSQS("c", nothing[noVersion])), "<name>.v<N>"},
		"empty type":               {second(consumer.NewSQS("c", nothing[emptyType])), "<name>.v<N>"},
		"type without a name":      {second(consumer.NewSQS("c", nothing[onlyVersion])), "<name>.v<N>"},
		"version that is no digit": {second(consumer.NewSQS("c", nothing[versionOfWords])), "<name>.v<N>"},
		"nil handler":              {second(consumer.NewSQS[placedV1]("c", nil)), "handler for shop.placed.v1 is nil"},
		"empty name":               {mux("", route[placedV1]()), "name is empty"},
		"name with a separator":    {mux("a#b", route[placedV1]()), `"a#b" contains "#"`},
		"names too long for a key": {mux(strings.Repeat("c", 40), route[longName]()), "idempotency keys leave them"},
		"no routes":                {mux("c"), "no routes"},
		"empty route":              {mux("c", consumer.Route{}), "make routes with On"},
		"two versions, two routes": {mux("c", route[placedV1](), route[placedV2]()), "give one route an Upgrade"},
		"one type twice":           {mux("c", route[placedV1](), route[placedV1]()), "versions of one event"},
		"upgrade across names":     {mux("c", route[placedV2](consumer.Upgrade(lift[cancelledV1, placedV2]))), "crosses event names"},
		"upgrade from itself":      {mux("c", route[placedV2](consumer.Upgrade(lift[placedV2, placedV2]))), "decoded twice"},
		"upgrade twice":            {mux("c", route[placedV2](consumer.Upgrade(lift[placedV1, placedV2]), consumer.Upgrade(lift[placedV1, placedV2]))), "decoded twice"},
		"nil upgrade":              {mux("c", route[placedV2](consumer.Upgrade[placedV1, placedV2](nil))), "upgrade from shop.placed.v1 is nil"},
		"upgrade of a pointer":     {mux("c", route[placedV2](consumer.Upgrade(lift[*placedV1, placedV2]))), "is a pointer"},
		"nil key":                  {mux("c", route[placedV2](consumer.Key[placedV2](nil))), "key function is nil"},
		"nil route option":         {mux("c", route[placedV2](nil)), "nil option"},
		"nil option":               {build(nil), "option 0 is nil"},
		"nil composed option":      {build(consumer.WithOptions(nil)), "nil option"},
		"nil store":                {build(consumer.WithIdempotency(nil)), "nil store"},
		"nil sink":                 {build(consumer.WithDeadLetters(nil)), "nil sink"},
		"nil visibility":           {build(consumer.WithVisibility(nil)), "WithVisibility was given a nil"},
		"nil queue actions":        {build(consumer.WithQueueActions(nil)), "WithQueueActions was given a nil"},
		"nil middleware":           {build(consumer.WithMiddleware(nil)), "nil middleware"},
		"middleware to nil":        {build(consumer.WithMiddleware(func(consumer.Next) consumer.Next { return nil })), "returned nil"},
		"no concurrency":           {build(consumer.WithConcurrency(0)), "at least one handler"},
		"short record life":        {build(consumer.WithRecordLife(time.Second)), "at least a minute"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("%s: error is %v, want it to say %q", name, test.err, test.want)
		}
	}
}

// TestConstructorTellsAll: fixing one problem must not uncover the next.
func TestConstructorTellsAll(t *testing.T) {
	t.Parallel()
	_, err := consumer.NewSQSMux("", []consumer.Route{{}, route[hashName](), consumer.On[placedV1](nil), route[placedV2]()},
		nil, consumer.WithIdempotency(nil), consumer.WithMiddleware(nil), consumer.WithConcurrency(-1), consumer.WithRecordLife(0), consumer.WithDeadLetters(nil))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"name is empty", "route is empty", `contains "#"`, "handler for shop.placed.v1", "option 0 is nil", "nil store", "nil middleware", "at least one handler", "at least a minute", "nil sink"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}

func TestConstructorTakes(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"a value":         second(consumer.NewSQS("c", nothing[typed])),
		"two versions":    mux("c", route[placedV3](consumer.Upgrade(lift[placedV1, placedV3]), consumer.Upgrade(lift[placedV2, placedV3]))),
		"two names":       mux("c", route[placedV1](), route[cancelledV1]()),
		"the longest key": mux(strings.Repeat("c", 22), route[longName]()),
		"all options": build(consumer.WithIdempotency(idempotency.NewMemory()), consumer.WithRecordLife(time.Minute), consumer.WithConcurrency(1),
			consumer.WithMiddleware(), consumer.WithLogger(nil), consumer.WithClockOffset(nil), consumer.IgnoreUnknownTypes()),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, err := consumer.NewSNS("named", nothing[placedV1])
	if err != nil || c.Name() != "named" || c.Source() != consumer.SNS {
		t.Errorf("NewSNS: %v, %v", c, err)
	}
	c, err = consumer.NewEventBridgeMux("named", []consumer.Route{route[placedV1]()})
	if err != nil || c.Source() != consumer.EventBridge {
		t.Errorf("NewEventBridgeMux: %v, %v", c, err)
	}
}

func TestErrorsSayNil(t *testing.T) {
	t.Parallel()
	if err := consumer.Permanent(nil); err != nil {
		t.Errorf("Permanent(nil) = %v", err)
	}
	if err := consumer.RetryAfter(time.Second, nil); err != nil {
		t.Errorf("RetryAfter(d, nil) = %v", err)
	}
	base := errors.New("base")
	for _, err := range []error{consumer.Permanent(base), consumer.RetryAfter(time.Second, base), &consumer.DecodeError{Err: base}} {
		if !errors.Is(err, base) {
			t.Errorf("%v does not wrap its cause", err)
		}
	}
	for err, want := range map[error]bool{
		base: false, consumer.Permanent(base): true, consumer.RetryAfter(0, base): false, consumer.RetryAfter(0, consumer.Permanent(base)): true,
		errors.Join(base, consumer.Permanent(base)): false, &consumer.DecodeError{Err: base}: true, &consumer.UnknownTypeError{}: true, consumer.Skip(""): false,
	} {
		if got := consumer.IsPermanent(err); got != want {
			t.Errorf("IsPermanent(%v) = %t", err, got)
		}
	}
}

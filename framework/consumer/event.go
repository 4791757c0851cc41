package consumer

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// An Event is one kind of thing that happened, in one version of its shape.
// Implement it, and the optional methods, on a plain struct value, not on a
// pointer. Event packages need not import this one.
//
// Two further methods are recognised:
//
//   - IdempotencyKey() string makes the event's identity part of its body, so
//     that a producer's second send is a duplicate. Without it the identity is
//     the id that SQS, SNS or EventBridge gave the message. An empty key is a
//     permanent failure of that message.
//   - Validate() error refuses an event that decodes but makes no sense, as a
//     permanent failure.
type Event interface {
	// EventType names the kind and version as "<name>.v<N>", for example
	// "orders.placed.v2". It is stable for ever: it is EventBridge's
	// detail-type and the "event-type" attribute on SQS and SNS, and its name
	// without the version is part of idempotency keys.
	EventType() string
}

// AttributeEventType is the message attribute, on SQS and SNS, that names the
// type of the event in the body.
const AttributeEventType = "event-type"

type keyed interface{ IdempotencyKey() string }

type validated interface{ Validate() error }

// eventTypeOf checks E's shape and returns its event type.
func eventTypeOf[E Event]() (eventType string, err error) {
	t := reflect.TypeFor[E]()
	switch t.Kind() {
	case reflect.Pointer:
		return "", fmt.Errorf("event type %s is a pointer: declare EventType on %s itself and use that as the event", t, t.Elem())
	case reflect.Interface:
		return "", fmt.Errorf("event type %s is an interface: use the concrete struct that arrives", t)
	default:
	}
	// Go finds a pointer's methods on a value only where it is addressable; a
	// key declared on the pointer would be ignored without a word.
	for _, m := range []struct {
		name  string
		iface reflect.Type
	}{
		{"IdempotencyKey", reflect.TypeFor[keyed]()},
		{"Validate", reflect.TypeFor[validated]()},
	} {
		if !t.Implements(m.iface) && reflect.PointerTo(t).Implements(m.iface) {
			return "", fmt.Errorf("event type %s declares %s on its pointer, where it would be ignored: declare it on the value, as func (e %s) %s", t, m.name, t.Name(), m.name)
		}
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("event type %s: EventType panics on the zero value (%v): return a constant", t, p)
		}
	}()
	var zero E
	eventType = zero.EventType()
	if _, _, err := splitType(eventType); err != nil {
		return "", fmt.Errorf("event type %s: %w", t, err)
	}
	return eventType, nil
}

// splitType divides "orders.placed.v2" into "orders.placed" and "v2".
func splitType(eventType string) (name, version string, err error) {
	i := strings.LastIndex(eventType, ".v")
	if i <= 0 || !digits(eventType[i+2:]) {
		return "", "", fmt.Errorf("EventType %q is not of the form <name>.v<N>, as orders.placed.v2", eventType)
	}
	name, version = eventType[:i], eventType[i+1:]
	if strings.Contains(name, keySeparator) {
		return "", "", fmt.Errorf("EventType %q contains %q, which separates the parts of idempotency keys: use dots", eventType, keySeparator)
	}
	return name, version, nil
}

func digits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}

// checkName refuses consumer names that cannot be part of a key.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("consumer name is empty: it is part of every idempotency key, so choose one and keep it")
	case strings.Contains(name, keySeparator):
		return fmt.Errorf("consumer name %q contains %q, which separates the parts of idempotency keys", name, keySeparator)
	default:
		return nil
	}
}

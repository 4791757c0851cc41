package consumer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// A Route ties one event type to its handler: see On.
type Route struct {
	err   error
	route *route
}

// route is a Route with its type erased: one pipeline serves all types.
type route struct {
	eventType string // the newest, which the handler sees
	name      string // without the version
	decode    map[string]func(body []byte) (any, error)
	keyed     bool
	// fingerprint is of a body of an event type; nil if none is wanted.
	fingerprint func(eventType string, body []byte) string
	key         func(event any) string // if keyed
	handle      Next
}

// On routes events of type E, and of older versions that an Upgrade lifts to E,
// to h.
func On[E Event](h Handler[E], opts ...RouteOption[E]) Route {
	eventType, err := eventTypeOf[E]()
	if err != nil {
		return Route{err: err}
	}
	if h == nil {
		return Route{err: fmt.Errorf("handler for %s is nil", eventType)}
	}
	name, _, _ := splitType(eventType)
	cfg := routeConfig[E]{eventType: eventType, name: name, decode: map[string]func([]byte) (any, error){}}
	cfg.decode[eventType] = func(body []byte) (any, error) {
		e, err := decodeEvent[E](body)
		return e, err
	}
	for _, o := range opts {
		if o == nil {
			return Route{err: fmt.Errorf("route for %s was given a nil option", eventType)}
		}
		if err := o(&cfg); err != nil {
			return Route{err: fmt.Errorf("route for %s: %w", eventType, err)}
		}
	}
	key := cfg.keyFunc()
	return Route{route: &route{
		eventType: eventType,
		name:      name,
		decode:    cfg.decode,
		keyed:     key != nil,
		key:       key,

		fingerprint: cfg.fingerprint,
		handle: func(ctx context.Context, d *Delivery) error {
			e, ok := d.Event.(E)
			if !ok {
				return Permanent(fmt.Errorf("middleware replaced the event of %s by a %T", eventType, d.Event))
			}
			return h(ctx, Message[E]{Event: e, Meta: d.Meta})
		},
	}}
}

// A RouteOption concerns one event type; one for another type does not compile.
type RouteOption[E Event] func(*routeConfig[E]) error

type routeConfig[E Event] struct {
	eventType, name string
	decode          map[string]func([]byte) (any, error)
	key             func(E) string
	fingerprint     func(eventType string, body []byte) string
}

// keyFunc returns how a key is taken from an event, or nil if it has none.
func (c *routeConfig[E]) keyFunc() func(any) string {
	if c.key != nil {
		key := c.key
		return func(event any) string { return key(event.(E)) } //nolint:forcetypeassert // decode made it
	}
	if !reflect.TypeFor[E]().Implements(reflect.TypeFor[keyed]()) {
		return nil
	}
	return func(event any) string { return event.(keyed).IdempotencyKey() } //nolint:forcetypeassert // checked above
}

// Upgrade accepts events of an older version, Old, and lifts each to the one
// that the handler sees. An error is a permanent failure of that message. Both
// must be versions of one event name, so that an upgraded message keeps its
// idempotency key; the key is taken after the upgrade.
func Upgrade[Old, E Event](lift func(Old) (E, error)) RouteOption[E] {
	return func(c *routeConfig[E]) error {
		old, err := eventTypeOf[Old]()
		if err != nil {
			return err
		}
		name, _, _ := splitType(old)
		switch {
		case lift == nil:
			return fmt.Errorf("the upgrade from %s is nil", old)
		case name != c.name:
			return fmt.Errorf("an upgrade from %s crosses event names: only versions of %s can become one another", old, c.name)
		case c.decode[old] != nil:
			return fmt.Errorf("%s is decoded twice: one upgrade per version, from another version than the handler's own", old)
		}
		c.decode[old] = func(body []byte) (any, error) {
			o, err := decodeEvent[Old](body)
			if err != nil {
				return nil, err
			}
			e, err := lift(o)
			if err != nil {
				return nil, &DecodeError{Type: old, Err: fmt.Errorf("upgrade to %s: %w", c.eventType, err)}
			}
			return e, validate(old, e)
		}
		return nil
	}
}

// Key sets how the idempotency key is taken from an event, instead of the
// event's own IdempotencyKey method.
func Key[E Event](key func(E) string) RouteOption[E] {
	return func(c *routeConfig[E]) error {
		if key == nil {
			return errors.New("the key function is nil")
		}
		c.key = key
		return nil
	}
}

func decodeEvent[E Event](body []byte) (E, error) {
	var e E
	if bytes.Equal(bytes.TrimSpace(body), []byte("null")) {
		// encoding/json leaves the zero value, which is no event.
		return e, &DecodeError{Type: e.EventType(), Err: errors.New("the body is null")}
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return e, &DecodeError{Type: e.EventType(), Err: err}
	}
	return e, validate(e.EventType(), e)
}

func validate(eventType string, e any) error {
	if v, ok := e.(validated); ok {
		if err := v.Validate(); err != nil {
			return &DecodeError{Type: eventType, Err: err}
		}
	}
	return nil
}

// mux finds a message's route.
type mux struct {
	routes map[string]*route // by every event type that is decoded
	only   *route            // set if there is one route
	known  []string
}

func newMux(consumer string, routes []Route) (mux, error) {
	m := mux{routes: map[string]*route{}}
	var errs []error
	names := map[string]string{}
	for _, r := range routes {
		if r.err != nil {
			errs = append(errs, r.err)
			continue
		}
		if r.route == nil {
			errs = append(errs, errors.New("a route is empty: make routes with On"))
			continue
		}
		// Two routes of one name would share keys, and one would hide the
		// other's work as a duplicate.
		if other, taken := names[r.route.name]; taken {
			errs = append(errs, fmt.Errorf("%s and %s are versions of one event: give one route an Upgrade instead of two routes", other, r.route.eventType))
			continue
		}
		names[r.route.name] = r.route.eventType
		if scope := len(consumer) + len(r.route.name); scope > maxScope {
			errs = append(errs, fmt.Errorf("the consumer's name and event name %s have %d bytes together: idempotency keys leave them %d", r.route.name, scope, maxScope))
			continue
		}
		for t := range r.route.decode {
			m.routes[t] = r.route
			m.known = append(m.known, t)
		}
		m.only = r.route
	}
	if len(routes) == 0 {
		errs = append(errs, errors.New("no routes: give at least one, made with On"))
	}
	if len(routes) > 1 {
		m.only = nil
	}
	slices.Sort(m.known)
	return m, errors.Join(errs...)
}

// find returns the route of an event type and how its body decodes. A message
// that names no type is of the only type there is.
func (m *mux) find(eventType string) (*route, func([]byte) (any, error), error) {
	if eventType == "" && m.only != nil {
		return m.only, m.only.decode[m.only.eventType], nil
	}
	r := m.routes[eventType]
	if r == nil {
		return nil, nil, &UnknownTypeError{Type: eventType, Known: m.known}
	}
	return r, r.decode[eventType], nil
}

package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-go/sluice/framework/local"
	"github.com/sluice-go/sluice/framework/local/host"
	"github.com/sluice-go/sluice/framework/local/stack"
)

// journal keeps what the engine did.
type journal struct {
	mu      sync.Mutex
	entries []local.Entry
}

func (j *journal) add(e local.Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
}

func (j *journal) all() []local.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

// pair is a message and one consumer that subscribed to it.
type pair struct {
	Message    string   `json:"message"`
	Consumer   string   `json:"consumer"`
	Deliveries []string `json:"deliveries"` // what each delivery came to
	Place      string   `json:"place"`      // where the message is at the end
	Queue      string   `json:"queue,omitempty"`

	id     string // the innermost envelope's
	effect string // in the ledger
	expect string // the place that the story has for it; empty if anything goes
}

// The places in which a message can end.
const (
	settledPlace = "settled"
	deadPlace    = "dead-lettered"
	lostPlace    = "lost"
)

type totals struct {
	Published     int `json:"published"` // pairs of message and subscribed consumer
	Settled       int `json:"settled"`
	DeadLettered  int `json:"dead_lettered"`
	Lost          int `json:"lost"`
	DoubleEffects int `json:"double_effects"` // runs in the ledger beyond the first of each effect
}

// double is an effect that happened more than once.
type double struct {
	Consumer string `json:"consumer"`
	Effect   string `json:"effect"`
	Runs     string `json:"runs"`
}

// outcome is what a demo came to.
type outcome struct {
	Totals   totals   `json:"totals"`
	Messages []*pair  `json:"messages"`
	Doubles  []double `json:"doubles"`

	// Repeated holds, under chaos, the effects outside the idempotency table
	// that ran again because a fault fell between them and their completion.
	Repeated []double       `json:"repeated_in_window,omitempty"`
	Faults   map[string]int `json:"faults,omitempty"` // that were made, by kind

	Problems []string `json:"problems"` // what does not add up

	// deviations are from the story: problems, unless chaos was to play too.
	deviations []string
}

func (o *outcome) good() bool {
	return o.Totals.Lost == 0 && o.Totals.DoubleEffects == 0 && len(o.Problems) == 0 &&
		o.Totals.Published == o.Totals.Settled+o.Totals.DeadLettered
}

// count takes the measure from the ledger and the queues. The journal only
// says which messages there were, and what happened to them on the way.
func count(h *host.Host, s *story, entries []local.Entry) (*outcome, error) {
	c := &counter{h: h, o: &outcome{Doubles: []double{}, Problems: []string{}}, entries: entries, runs: map[string]string{}}
	if err := c.readLedger(s.outputs["LedgerTableName"]); err != nil {
		return nil, err
	}
	c.findPairs(s)
	dead := c.readDeadLetters()
	waiting := c.waiting()
	for _, p := range c.o.Messages {
		p.Deliveries = c.deliveries(p)
		key := p.Consumer + " " + p.id
		switch {
		case dead[key] != "":
			p.Place, p.Queue = deadPlace, dead[key]
			c.o.Totals.DeadLettered++
		case waiting[key] != "":
			p.Place, p.Queue = lostPlace, waiting[key] // nothing will deliver it any more
			c.o.Totals.Lost++
		case p.effect != "" && c.runs[p.Consumer+" "+p.effect] != "":
			p.Place = settledPlace
			c.o.Totals.Settled++
		default:
			p.Place = lostPlace
			c.o.Totals.Lost++
		}
	}
	c.unpublished()
	for _, p := range c.o.Messages {
		if p.Place != p.expect {
			c.deviates("%s at %s is %s, and the story has it %s", p.Message, p.Consumer, p.Place, p.expect)
		}
	}
	c.o.Totals.Published += len(c.o.Messages)
	c.explain()
	return c.o, nil
}

// explain says of the last delivery what settled the message.
func (c *counter) explain() {
	ran := map[string]bool{}
	for _, p := range c.o.Messages {
		if len(p.Deliveries) == 0 || p.Deliveries[len(p.Deliveries)-1] != deliveredOK {
			continue
		}
		last := &p.Deliveries[len(p.Deliveries)-1]
		effect := p.Consumer + " " + p.effect
		switch {
		case p.Place == deadPlace:
			*last = "refused for good"
		case ran[effect] && c.runs[effect] == "1":
			*last = "duplicate, not run"
		default:
			*last = "done"
			ran[effect] = true
		}
	}
}

type counter struct {
	h       *host.Host
	o       *outcome
	entries []local.Entry
	runs    map[string]string // "<consumer> <effect>" to its count in the ledger

	captured map[string]bool // payments that came to the bus
}

func (c *counter) problem(format string, args ...any) {
	c.o.Problems = append(c.o.Problems, fmt.Sprintf(format, args...))
}

func (c *counter) deviates(format string, args ...any) {
	c.o.deviations = append(c.o.deviations, fmt.Sprintf(format, args...))
}

func (c *counter) readLedger(table string) error {
	items, err := c.h.Items.Items(table)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	for _, it := range items {
		consumer, effect, runs := it["consumer"].Str, it["effect"].Str, it["runs"].Str
		c.runs[consumer+" "+effect] = runs
		if runs != "1" {
			c.o.Doubles = append(c.o.Doubles, double{consumer, effect, runs})
			n := 0
			if _, err := fmt.Sscan(runs, &n); err != nil {
				c.problem("ledger: %s %s has %q runs", consumer, effect, runs)
			}
			c.o.Totals.DoubleEffects += n - 1
		}
	}
	slices.SortFunc(c.o.Doubles, func(a, b double) int { return strings.Compare(a.Consumer+a.Effect, b.Consumer+b.Effect) })
	return nil
}

// findPairs lists each message that was published with each of its consumers.
func (c *counter) findPairs(s *story) {
	stockQueue := ""
	for _, q := range c.h.Topology.Queues {
		if q.URL == s.outputs["StockQueueUrl"] {
			stockQueue = q.Name
		}
	}
	topic, stock, bus := s.toTopic, s.toStock, s.toBus
	take := func(from *[]scene, what string) scene {
		if len(*from) == 0 {
			c.problem("the runtime accepted %s that checkout did not publish", what)
			return scene{label: what}
		}
		sc := (*from)[0]
		*from = (*from)[1:]
		return sc
	}
	captured := map[string]bool{}
	for _, e := range c.entries {
		switch {
		case e.Kind == local.TopicPublished:
			sc := take(&topic, "a message to "+e.Topic)
			for _, consumer := range c.subscribers(e.Topic) {
				c.add(sc, consumer, e.MessageID)
			}
		case e.Kind == local.MessageSent && e.Queue == stockQueue && e.OriginID == "":
			c.add(take(&stock, "a message to "+e.Queue), "reserve-stock", e.MessageID)
		case e.Kind == local.EventAccepted && strings.HasPrefix(e.Detail, "payments.refund_requested."):
			c.add(take(&bus, "an event on "+e.Bus), "charge-payment", e.EventID)
		case e.Kind == local.EventAccepted:
			payment := paymentOf(e.Body)
			captured[payment] = true
			sc := scene{label: "captured " + payment, effects: map[string]string{"record-sale": "sale " + payment}}
			if payment == failingSale {
				sc.effects = nil
			}
			c.add(sc, "record-sale", e.EventID)
		}
	}
	for _, payment := range s.payments() {
		if !captured[payment] {
			c.deviates("payment %s was never captured", payment)
		}
	}
	for _, missing := range slices.Concat(topic, stock, bus) {
		c.problem("%s was published and never accepted", missing.label)
		c.o.Totals.Lost++
		c.o.Totals.Published++
	}
	c.captured = captured
}

// unpublished finds payments that were charged and never published, unless the
// order is a dead letter: then a redrive will publish.
func (c *counter) unpublished() {
	for _, p := range c.o.Messages {
		payment, ok := strings.CutPrefix(p.effect, "charge ")
		if ok && c.runs["charge-payment "+p.effect] != "" && !c.captured[payment] && p.Place != deadPlace {
			c.problem("payment %s was charged and never published", payment)
			c.o.Totals.Lost++
		}
	}
}

func (c *counter) add(sc scene, consumer, id string) {
	p := &pair{Message: sc.label, Consumer: consumer, id: id, effect: sc.effects[consumer], expect: deadPlace}
	if p.effect != "" {
		p.expect = settledPlace
	}
	c.o.Messages = append(c.o.Messages, p)
}

func paymentOf(event string) string {
	var e struct {
		Detail struct {
			PaymentID string `json:"payment_id"`
		} `json:"detail"`
	}
	if json.Unmarshal([]byte(event), &e) != nil {
		return "?"
	}
	return e.Detail.PaymentID
}

// subscribers are the consumers that a topic's subscriptions lead to.
func (c *counter) subscribers(topic string) []string {
	var names []string
	for _, s := range c.h.Topology.Subscriptions {
		if strings.HasSuffix(s.TopicARN, ":"+topic) {
			names = append(names, c.consumer(s.Endpoint))
		}
	}
	return names
}

// consumer is the handler behind a queue's or a function's ARN.
func (c *counter) consumer(arn string) string {
	if f, _, ok := c.h.Topology.FunctionByARN(arn); ok {
		return handlerName(f)
	}
	for _, m := range c.h.Topology.Mappings {
		if m.QueueARN == arn {
			for i := range c.h.Topology.Functions {
				if f := &c.h.Topology.Functions[i]; f.LogicalID == m.FunctionID {
					return handlerName(f)
				}
			}
		}
	}
	return arn
}

func handlerName(f *stack.Function) string { return f.Handler[strings.LastIndex(f.Handler, "/")+1:] }

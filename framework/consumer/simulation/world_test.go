package simulation_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/idempotency/dynamostore"
)

type sourceKind int

const (
	standard sourceKind = iota
	fifo
	direct
)

// config is what kind of world a seed makes.
type config struct {
	source      sourceKind
	dynamo      bool // else idempotency.Memory
	tx          bool // the effect is InTx's; else it is foreign
	outbox      bool // InTx leaves an event that the consumer publishes
	sink        bool // permanent failures have somewhere to go
	cached      bool // each sandbox remembers completions
	atEnd       bool // CompleteAtEnd
	strict      bool // StrictFIFO
	halt        bool // HaltOnDeadLetter
	fingerprint bool
	keys        int
	batch       int // messages per invocation
	concurrency int
	maxReceives int // of the queue's redrive policy
	sandboxes   int
	faults      int // permille, of each request
	trouble     int // permille, of each handler run
	timeout     time.Duration
	visibility  time.Duration
	life        time.Duration // of records
	calm        time.Duration // when faults stop
}

// world is one schedule: everything below mu is guarded by it.
type world struct {
	seed  uint64
	cfg   config
	lab   *lab
	store idempotency.Store
	inTx  func(context.Context, *run) error
	peek  func(*keyState) (idempotency.Record, bool)
	ttl   func(*keyState) // deletes the record, if that is due
	wake  chan struct{}   // tells the director that something changed
	wg    sync.WaitGroup

	mu        sync.Mutex
	start     time.Time
	calmAt    time.Time
	fixed     bool // poison no longer is
	redriveAt time.Time
	source    source
	keys      []*keyState
	byKey     map[string]*keyState
	messages  []*message
	letters   []*letter
	sandboxes []*sandbox
	invoked   int
	redrives  int
	seen      tally
	broken    []string // violations
	tracing   bool
	trace     []string
}

// lab is what the worlds of one worker share, one after another.
type lab struct {
	statements map[string]*statement
}

// keyState is the truth about one key, beside what the store says of it.
type keyState struct {
	no           int
	store        string // as stores see it
	poison       bool   // its handler fails permanently until fixed
	skips        bool   // its handler skips
	done         int    // runs whose work is known to be done, its events published
	published    int    // events of committed transactions
	skipped      int
	runs         []*run
	acts         []*run // foreign effects, by the run that made them
	effects      int    // of InTx, within this epoch
	total        int    // of InTx, ever
	epoch        int    // grows when the record is forgotten
	generation   int64  // the last one handed to a handler, within this epoch
	completedGen int64  // durably completed, within this epoch; else 0
}

// message is one message of the source: a redrive makes a new one.
type message struct {
	no        int
	id        string
	kept      string // the id before a dead-letter sink, as attribute
	key       *keyState
	group     int
	state     messageState
	visibleAt time.Time
	receives  int
	receipt   int
	sunk      bool // in the dead-letter queue by the consumer's sink
	redriven  bool
}

type messageState int

const (
	queued messageState = iota
	gone
)

// letter is a dead letter.
type letter struct {
	msg  *message
	kept string      // attribute sluice-id, if the sink sent it
	ev   *asyncEvent // of an exhausted asynchronous event
}

// run is one call of the handler.
type run struct {
	key       *keyState
	inv       *invocation
	msg       *message
	gen       int64
	owner     string
	epoch     int
	returned  bool
	at        time.Time // of the return
	err       error     // returned, or the panic
	permanent bool
	acted     bool
	completed bool // durably
	excused   bool // a settlement of it was lost, failed or came too late
}

func (r *run) active() bool { return !r.returned && !r.inv.sb.dead }

func newWorld(l *lab, seed uint64) *world {
	w := &world{seed: seed, lab: l, wake: make(chan struct{}, 1), byKey: map[string]*keyState{}}
	d := w.dice(siteWorld, 0, 0, 0)
	c := &w.cfg
	c.source = sourceKind(d.pick(45, 27, 28))
	c.dynamo = d.chance(700)
	c.tx = d.chance(500)
	c.sink = d.chance(800)
	c.keys = 1 + d.pick(45, 30, 15, 10)
	c.batch = 1 + d.n(4)
	c.concurrency = []int{1, 2, 10}[d.n(3)]
	c.maxReceives = 3 + d.n(6)
	c.sandboxes = 1 + d.n(3)
	c.faults = []int{0, 40, 120, 250}[d.pick(10, 30, 40, 20)]
	c.trouble = []int{0, 150, 350, 600}[d.pick(15, 30, 40, 15)]
	c.timeout = d.dur(6*time.Second, 60*time.Second)
	c.visibility = c.timeout * time.Duration([]int{1, 2, 6}[d.n(3)])
	c.life = 28 * 24 * time.Hour
	if d.chance(200) {
		if c.life = time.Minute; d.chance(500) {
			c.life = d.dur(time.Minute, 10*time.Minute)
		}
	}
	c.calm = d.dur(time.Minute, 20*time.Minute)
	c.outbox = c.tx && d.chance(400)
	c.cached = d.chance(250)
	c.atEnd = d.chance(250)
	c.strict = d.chance(300)
	c.halt = d.chance(250)
	c.fingerprint = d.chance(250)

	w.start = time.Now()
	w.calmAt = w.start.Add(c.calm)
	w.redriveAt = w.start.Add(d.dur(0, 2*c.calm))
	for i := range c.keys {
		k := &keyState{no: i, store: "sim#sim.job#" + keyNames[i:i+1], poison: d.chance(120), skips: d.chance(60)}
		w.keys = append(w.keys, k)
		w.byKey[k.store] = k
	}
	if c.dynamo {
		t := newTable(w)
		store, err := dynamostore.New(t, claimsTable)
		if err != nil {
			w.violate("set-up: %v", err)
		}
		w.store, w.peek, w.ttl = store, t.peek, t.ttl
		w.inTx = func(ctx context.Context, r *run) error { return t.inTx(ctx, store, r) }
	} else {
		m := &memory{w: w, inner: idempotency.NewMemory()}
		w.store, w.peek, w.inTx = m, m.peek, m.inTx
		w.ttl = func(*keyState) {} // Memory has none
	}
	w.send(&d)
	return w
}

const keyNames = "abcdefgh"

// send puts the world's messages into its source: at first, and spread out.
func (w *world) send(d *dice) {
	groups := 1 + d.n(2)
	spread := []time.Duration{time.Second, time.Minute, 5 * time.Minute}[d.n(3)]
	for _, k := range w.keys {
		for range 1 + d.pick(40, 40, 20) {
			m := w.newMessage(k, d.n(groups))
			m.visibleAt = w.start.Add(d.dur(0, spread))
		}
	}
	// Keys interleave, within a group too.
	for i := len(w.messages) - 1; i > 0; i-- {
		j := d.n(i + 1)
		w.messages[i], w.messages[j] = w.messages[j], w.messages[i]
	}
	if w.cfg.source == direct {
		w.source = newAsync(w, d)
		return
	}
	q := &queue{w: w, messages: slices.Clone(w.messages)}
	if w.cfg.source == fifo {
		// A queue is a sequence: what is sent later is visible later.
		last := w.start
		for _, m := range q.messages {
			if m.visibleAt.Before(last) {
				m.visibleAt = last
			}
			last = m.visibleAt
		}
	}
	w.source = q
}

func (w *world) newMessage(k *keyState, group int) *message {
	m := &message{no: len(w.messages), key: k, group: group}
	m.id = fmt.Sprintf("m%d", m.no)
	w.messages = append(w.messages, m)
	return m
}

// calm reports whether faults have stopped.
func (w *world) calm() bool { return !time.Now().Before(w.calmAt) }

// violate records that an invariant does not hold.
func (w *world) violate(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	if len(w.broken) < 8 {
		w.broken = append(w.broken, s)
	}
	w.note("VIOLATION %s", s)
}

// note adds a line to the trace, when there is one.
func (w *world) note(format string, args ...any) {
	if w.tracing {
		w.trace = append(w.trace, fmt.Sprintf("%12.6fs  ", time.Since(w.start).Seconds())+fmt.Sprintf(format, args...))
	}
}

func (w *world) report() string {
	return fmt.Sprintf("seed %d: %s\n  world: %+v\n", w.seed, strings.Join(w.broken, "\n  "), w.cfg)
}

func (w *world) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

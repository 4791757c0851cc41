package local

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// MappingConfig is an event source mapping from a queue to a function.
type MappingConfig struct {
	// UUID names the mapping; empty means a new one.
	UUID string
	// QueueARN is the event source, Function the function's name or ARN. Both must exist.
	QueueARN, Function string
	// BatchSize, 1 to 10, and to 10,000 on a standard queue with a Window; 0 means 10.
	BatchSize int
	// Window is MaximumBatchingWindowInSeconds, 0 s to 5 min in whole seconds; not for FIFO queues.
	Window time.Duration
	// MaximumConcurrency bounds the batches worked on at once, 2 to 1,000; 0 means not set, which gives the 5 that Lambda starts with.
	MaximumConcurrency int
	// ReportBatchItemFailures turns on partial batch responses.
	ReportBatchItemFailures bool
	// Disabled makes a mapping that receives nothing until [Mapping.SetEnabled].
	Disabled bool
	// FilterPatterns and ProvisionedPollers are refused: the engine does not emulate them.
	FilterPatterns     []string
	ProvisionedPollers bool
}

// Mapping receives from a queue and invokes a function with what it got.
type Mapping struct {
	engine   *Engine
	uuid     string
	queue    *Queue
	function *function
	config   MappingConfig

	open   *batch   // collecting within its window
	active []*batch // invoked, or waiting after a throttle
}

// batch is a set of messages that one invocation works on.
type batch struct {
	mapping  *Mapping
	id       string // the request id
	messages []*message
	handles  []string
	closes   time.Time // end of the batching window
	until    time.Time // when its first message becomes visible
	payload  []byte
	size     int
	trace    string
	attempts int
	due      time.Time // when to try again after a throttle; zero while in flight
}

const (
	// initialConcurrency is how many batches Lambda works on at first (services-sqs-scaling).
	initialConcurrency = 5
	// payloadLimit is Lambda's limit for a synchronous invocation.
	payloadLimit = 6 << 20
)

// CreateMapping connects a queue to a function. It checks what Lambda checks: limits, the function's timeout against the queue's visibility timeout, and
// that there is no other mapping between the two.
func (e *Engine) CreateMapping(c MappingConfig) (*Mapping, error) {
	c.BatchSize = cmp.Or(c.BatchSize, 10)
	if len(c.FilterPatterns) > 0 {
		return nil, NotEmulated("FilterCriteria of an event source mapping", "remove it and filter in the rule or subscription before the queue")
	}
	if c.ProvisionedPollers {
		return nil, NotEmulated("ProvisionedPollerConfig of an event source mapping", "use ScalingConfig.MaximumConcurrency")
	}
	e.mu.Lock()
	defer e.unlock()
	q := e.queueByARN(c.QueueARN)
	if q == nil {
		return nil, errLambda("Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.")
	}
	f := e.function(c.Function)
	if f == nil {
		return nil, errFunctionMissing(c.Function)
	}
	if err := c.check(q, f); err != nil {
		return nil, err
	}
	for _, m := range e.mappings {
		if m.queue == q && m.function == f {
			return nil, &Error{Code: "ResourceConflictException", Status: 409, Message: fmt.Sprintf(
				`An event source mapping with SQS arn (" %s ") and function (" %s ") already exists. Please update or delete the existing mapping with UUID %s`, q.arn, f.name, m.uuid)}
		}
	}
	if c.UUID == "" {
		c.UUID = e.newID()
	}
	m := &Mapping{engine: e, uuid: c.UUID, queue: q, function: f, config: c}
	e.mappings = append(e.mappings, m)
	e.bump()
	return m, nil
}

func (c MappingConfig) check(q *Queue, f *function) error {
	switch {
	case c.BatchSize < 1 || c.BatchSize > 10000:
		return errLambda("Batch size must be between 1 and 10000, not %d", c.BatchSize)
	case q.config.FIFO && c.BatchSize > 10:
		return errLambda("Maximum batch size for FIFO queues is 10, not %d", c.BatchSize)
	case q.config.FIFO && c.Window > 0:
		return errLambda("Batching window is not supported for FIFO queues")
	case c.Window < 0 || c.Window > 5*time.Minute || c.Window%time.Second != 0:
		return errLambda("Maximum batch window must be between 0 and 300 whole seconds, not %v", c.Window)
	case c.BatchSize > 10 && c.Window == 0:
		return errLambda("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")
	case c.MaximumConcurrency != 0 && (c.MaximumConcurrency < 2 || c.MaximumConcurrency > 1000):
		return errLambda("Maximum concurrency must be between 2 and 1000, not %d", c.MaximumConcurrency)
	case *q.config.VisibilityTimeout < f.timeout:
		return errLambda("Queue visibility timeout: %d seconds is less than Function timeout: %d seconds", *q.config.VisibilityTimeout/time.Second, f.timeout/time.Second)
	}
	return nil
}

// Mappings returns the mappings in the order of their creation.
func (e *Engine) Mappings() []*Mapping {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.mappings)
}

// UUID names the mapping.
func (m *Mapping) UUID() string { return m.uuid }

// Config returns the configuration, with the defaults filled in.
func (m *Mapping) Config() MappingConfig {
	m.engine.mu.Lock()
	defer m.engine.mu.Unlock()
	return m.config
}

// SetEnabled lets the mapping receive, or stops it. Batches that were received are worked on to the end.
func (m *Mapping) SetEnabled(enabled bool) {
	m.engine.mu.Lock()
	defer m.engine.unlock()
	m.config.Disabled = !enabled
	m.engine.bump()
}

func (m *Mapping) concurrency() int { return cmp.Or(m.config.MaximumConcurrency, initialConcurrency) }

// visibility is how long a received message is hidden: the queue's timeout, or window + timeout + 30 s where that window would not leave the
// function its time (Lambda developer guide, "Batching behavior").
func (m *Mapping) visibility() time.Duration {
	v := *m.queue.config.VisibilityTimeout
	if m.config.Window > 0 && m.config.Window+m.function.timeout > v {
		return m.config.Window + m.function.timeout + 30*time.Second
	}
	return v
}

// ready reports whether dispatch would do something now.
func (m *Mapping) ready(now time.Time) bool {
	for _, b := range m.active {
		if !b.due.IsZero() && !b.due.After(now) {
			return true
		}
	}
	if m.open != nil && (!m.open.closes.After(now) || m.config.Disabled) {
		return true
	}
	return !m.config.Disabled && !m.queue.deleted && len(m.active) < m.concurrency() && m.queue.receivable(now, m.queue.busy)
}

// times reports when dispatch will have something to do.
func (m *Mapping) times(now time.Time, consider func(time.Time)) {
	for _, b := range m.active {
		if !b.due.IsZero() {
			consider(b.due)
		}
	}
	if m.open != nil {
		consider(m.open.closes)
	}
	if !m.config.Disabled {
		m.queue.times(now, consider)
	}
}

// dispatch receives what can be worked on and returns the invocations to start. The caller holds mu.
func (m *Mapping) dispatch(now time.Time) (starts []func()) {
	for _, b := range slices.Clone(m.active) {
		switch {
		case b.due.IsZero() || b.due.After(now):
		case !b.until.After(now):
			m.release(b)
			m.engine.record(Entry{Kind: Warning, Queue: m.queue.name, Function: m.function.name, Mapping: m.uuid, RequestID: b.id, MessageIDs: ids(b.messages),
				Detail: "the function was throttled until the visibility timeout ended: the batch was dropped and its messages were received in vain"})
			m.engine.bump()
		default:
			starts = append(starts, m.start(b))
		}
	}
	for {
		if m.open != nil && (len(m.open.messages) >= m.config.BatchSize || !m.open.closes.After(now) || m.config.Disabled) {
			starts = append(starts, m.close(m.open))
			m.open = nil
			continue
		}
		if m.config.Disabled || m.queue.deleted || len(m.active) >= m.concurrency() || !m.queue.receivable(now, m.queue.busy) {
			return starts
		}
		b := m.open
		if b == nil {
			b = &batch{mapping: m, id: m.engine.newID(), closes: now.Add(m.config.Window), size: len(`{"Records":[]}`)}
		}
		full := m.fill(b, now)
		switch {
		case len(b.messages) == 0: // all that was there went to the dead-letter queue
		case m.config.Window == 0 || full:
			m.open = nil
			starts = append(starts, m.close(b))
		default:
			m.open = b
		}
	}
}

// fill receives into a batch and reports whether the next message would exceed the payload limit.
func (m *Mapping) fill(b *batch, now time.Time) (full bool) {
	visibility := m.visibility()
	got := m.queue.take(now, takeOptions{
		max: m.config.BatchSize - len(b.messages), visibility: visibility, skipBusy: true, batch: b,
		fits: func(msg *message) bool {
			size := m.recordSize(msg)
			if b.size+size > payloadLimit && b.size > len(`{"Records":[]}`) {
				full = true
				return false
			}
			b.size += size
			return true
		},
	})
	for _, msg := range got {
		b.messages = append(b.messages, msg)
		b.handles = append(b.handles, msg.handle)
	}
	if b.until.IsZero() {
		b.until = now.Add(visibility)
	}
	return full
}

// close ends the collecting of a batch and starts its invocation.
func (m *Mapping) close(b *batch) func() {
	b.payload = m.event(b.messages, b.handles)
	b.trace = m.engine.newTrace(m.engine.now())
	m.active = append(m.active, b)
	if m.queue.config.FIFO {
		for _, msg := range b.messages {
			m.queue.busy[msg.group]++
		}
	}
	return m.start(b)
}

func (m *Mapping) start(b *batch) func() {
	b.attempts++
	b.due = time.Time{}
	entry := Entry{Mapping: m.uuid, Queue: m.queue.name, MessageIDs: ids(b.messages), Attempt: b.attempts, Cause: "mapping"}
	return m.engine.begin(m.function, b.id, b.payload, b.trace, entry, func(r Result, ended Entry) { m.finish(b, r, ended) })
}

// release takes a batch off the mapping's hands.
func (m *Mapping) release(b *batch) {
	m.active = slices.DeleteFunc(m.active, func(o *batch) bool { return o == b })
	if m.queue.config.FIFO {
		for _, msg := range b.messages {
			if m.queue.busy[msg.group]--; m.queue.busy[msg.group] == 0 {
				delete(m.queue.busy, msg.group)
			}
		}
	}
}

func ids(messages []*message) []string {
	out := make([]string, len(messages))
	for i, m := range messages {
		out[i] = m.id
	}
	return out
}

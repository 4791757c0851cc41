package local

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Queue is an SQS queue. Make one with [Engine.CreateQueue].
type Queue struct {
	engine   *Engine
	name     string
	arn      string
	config   QueueConfig
	created  time.Time
	modified time.Time
	deleted  bool

	messages []*message // by arrival
	purged   time.Time
	dedup    map[string]dedupEntry
	groups   map[string]uint64 // turn of a FIFO group: the lowest is served first
	turn     uint64
	busy     map[string]int // FIFO groups that an invocation works on
	moves    []*moveTask    // out of this queue, the latest last; only that one can be active
}

// message is one message in a queue. A message is hidden until visibleAt: delayed while it was never received, in flight afterwards.
type message struct {
	id       string
	order    uint64
	body     string
	md5Body  string
	attrs    map[string]AttributeValue
	md5Attrs string
	group    string
	dedup    string
	sequence string
	trace    string
	sender   string
	source   string // ARN of the queue it was dead-lettered from

	sent          time.Time
	firstReceived time.Time
	received      time.Time // last time
	receives      int
	visibleAt     time.Time
	inFlight      bool
	handle        string
	originARN     string
	originID      string
	gone          bool
}

// CreateQueue makes a queue. A queue of that name with the same configuration is returned as it is; with another one the error is
// AWS's QueueAlreadyExists. The dead-letter queue of a redrive policy must exist.
func (e *Engine) CreateQueue(config QueueConfig) (*Queue, error) {
	c, err := config.normalize()
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.unlock()
	if q := e.queueByName(c.Name); q != nil {
		if name := differs(q.config, c); name != "" {
			return nil, &Error{Code: "QueueAlreadyExists", Shape: "QueueNameExists",
				Message: "A queue already exists with the same name and a different value for attribute " + name}
		}
		return q, nil
	}
	if err := e.checkRedrive(c); err != nil {
		return nil, err
	}
	now := e.now()
	q := &Queue{
		engine: e, name: c.Name, arn: e.arn("sqs", c.Name), config: c, created: now, modified: now,
		dedup: map[string]dedupEntry{}, groups: map[string]uint64{}, busy: map[string]int{},
	}
	e.queues = append(e.queues, q)
	e.bump()
	return q, nil
}

// differs names the first attribute in which two configurations differ, or "".
func differs(a, b QueueConfig) string {
	for _, d := range []struct {
		name string
		same bool
	}{
		{"VisibilityTimeout", *a.VisibilityTimeout == *b.VisibilityTimeout},
		{"DelaySeconds", a.Delay == b.Delay},
		{"ReceiveMessageWaitTimeSeconds", a.ReceiveWait == b.ReceiveWait},
		{"MessageRetentionPeriod", a.Retention == b.Retention},
		{"MaximumMessageSize", a.MaximumMessageSize == b.MaximumMessageSize},
		{"RedrivePolicy", reflect.DeepEqual(a.Redrive, b.Redrive)},
		{"RedriveAllowPolicy", reflect.DeepEqual(a.RedriveAllow, b.RedriveAllow)},
		{"ContentBasedDeduplication", a.ContentBasedDeduplication == b.ContentBasedDeduplication},
		{"DeduplicationScope", a.DeduplicationScope == b.DeduplicationScope},
		{"FifoThroughputLimit", a.FifoThroughputLimit == b.FifoThroughputLimit},
	} {
		if !d.same {
			return d.name
		}
	}
	for _, name := range storedAttributes {
		if a.Stored[name] != b.Stored[name] {
			return name
		}
	}
	return ""
}

// Queue finds a queue by name, ARN or URL (its last path element).
func (e *Engine) Queue(ref string) (*Queue, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q := e.queueByName(lastName(ref))
	return q, q != nil
}

// Queues returns the queues in the order of their creation.
func (e *Engine) Queues() []*Queue {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.queues)
}

func (e *Engine) queueByName(name string) *Queue {
	for _, q := range e.queues {
		if q.name == name {
			return q
		}
	}
	return nil
}

func (e *Engine) queueByARN(arn string) *Queue {
	for _, q := range e.queues {
		if q.arn == arn {
			return q
		}
	}
	return nil
}

// Name is the queue's name.
func (q *Queue) Name() string { return q.name }

// ARN is the queue's ARN.
func (q *Queue) ARN() string { return q.arn }

// Created and Modified are what the CreatedTimestamp and LastModifiedTimestamp attributes say.
func (q *Queue) Created() time.Time { return q.created }

// Modified is when the configuration last changed.
func (q *Queue) Modified() time.Time {
	q.engine.mu.Lock()
	defer q.engine.mu.Unlock()
	return q.modified
}

// Config returns a copy of the configuration, with the defaults filled in.
func (q *Queue) Config() QueueConfig {
	q.engine.mu.Lock()
	defer q.engine.mu.Unlock()
	c := q.config
	c.Stored, c.Tags = maps.Clone(c.Stored), maps.Clone(c.Tags)
	c.VisibilityTimeout = new(*c.VisibilityTimeout)
	if c.Redrive != nil {
		c.Redrive = new(*c.Redrive)
	}
	return c
}

// Update changes the configuration: change gets a copy of it. The name and whether it is a FIFO queue cannot change.
// A new visibility timeout or retention applies to what is received from now on and to what is in the queue.
func (q *Queue) Update(change func(*QueueConfig)) error {
	c := q.Config()
	change(&c)
	c, err := c.normalize()
	if err != nil {
		return err
	}
	q.engine.mu.Lock()
	defer q.engine.unlock()
	if c.Name != q.name || c.FIFO != q.config.FIFO {
		return &Error{Code: "InvalidAttributeValue", Message: "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."}
	}
	if q.deleted {
		return errQueueMissing()
	}
	if err := q.engine.checkRedrive(c); err != nil {
		return err
	}
	q.config, q.modified = c, q.engine.now()
	q.engine.bump()
	return nil
}

// DeleteQueue removes a queue and its messages at once; ref is as for [Engine.Queue]. (AWS takes up to 60 s and then refuses the name for as long.)
func (e *Engine) DeleteQueue(ref string) error {
	e.mu.Lock()
	defer e.unlock()
	q := e.queueByName(lastName(ref))
	if q == nil {
		return errQueueMissing()
	}
	q.settle(e.now())
	for _, m := range q.messages {
		m.gone = true
		q.recordDeleted(m, "queue deleted", nil)
	}
	if task := q.activeMove(); task != nil {
		q.endMove(task, MoveFailed, reasonNoQueue)
	}
	q.deleted, q.messages = true, nil
	e.queues = slices.DeleteFunc(e.queues, func(o *Queue) bool { return o == q })
	e.bump()
	return nil
}

// Purge deletes every message, in flight or not. AWS allows one purge in 60 s, and so does this.
func (q *Queue) Purge() error {
	e := q.engine
	e.mu.Lock()
	defer e.unlock()
	if q.deleted {
		return errQueueMissing()
	}
	now := e.now()
	if !q.purged.IsZero() && now.Sub(q.purged) < time.Minute {
		return &Error{Code: "AWS.SimpleQueueService.PurgeQueueInProgress", Shape: "PurgeQueueInProgress", Status: 403,
			Message: fmt.Sprintf("Only one PurgeQueue operation on %s is allowed every 60 seconds.", q.name)}
	}
	q.settle(now)
	for _, m := range q.messages {
		m.gone = true
		q.recordDeleted(m, "purge", nil)
	}
	q.messages, q.purged = nil, now
	e.bump()
	return nil
}

// Sources returns the queues whose redrive policy names this one, in creation order.
func (q *Queue) Sources() []*Queue {
	q.engine.mu.Lock()
	defer q.engine.mu.Unlock()
	return q.sources()
}

func (q *Queue) sources() (sources []*Queue) {
	for _, s := range q.engine.queues {
		if s.config.Redrive != nil && s.config.Redrive.DeadLetterTargetARN == q.arn {
			sources = append(sources, s)
		}
	}
	return sources
}

// settle applies what time did: retention ended, visibility timeouts ran out. The caller holds mu.
func (q *Queue) settle(now time.Time) {
	expired := false
	for _, m := range q.messages {
		switch {
		case now.Sub(m.sent) > q.config.Retention:
			m.gone, expired = true, true
			q.engine.record(Entry{Kind: MessageExpired, Queue: q.name, MessageID: m.id, GroupID: m.group, ReceiveCount: m.receives,
				Detail: "retention period " + q.config.Retention.String() + " ended"})
		case m.inFlight && !m.visibleAt.After(now):
			q.returned(m, "visibility timeout")
		}
	}
	if expired {
		q.compact()
		q.engine.bump()
	}
	for key, d := range q.dedup {
		if !d.until.After(now) {
			delete(q.dedup, key)
		}
	}
}

func (q *Queue) returned(m *message, cause string) {
	m.inFlight = false
	q.engine.record(Entry{Kind: MessageReturned, Queue: q.name, MessageID: m.id, GroupID: m.group, ReceiveCount: m.receives, Cause: cause})
}

// compact drops messages marked gone, and the turns of groups that have none left.
func (q *Queue) compact() {
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return m.gone })
	if !q.config.FIFO {
		return
	}
	left := map[string]bool{}
	for _, m := range q.messages {
		left[m.group] = true
	}
	maps.DeleteFunc(q.groups, func(g string, _ uint64) bool { return !left[g] })
}

// remove takes one message out. The caller records why.
func (q *Queue) remove(m *message) {
	m.gone = true
	i, found := slices.BinarySearchFunc(q.messages, m.order, func(o *message, order uint64) int {
		switch {
		case o.order < order:
			return -1
		case o.order > order:
			return 1
		}
		return 0
	})
	if found {
		q.messages = slices.Delete(q.messages, i, i+1)
	}
	if q.config.FIFO && !slices.ContainsFunc(q.messages, func(o *message) bool { return o.group == m.group }) {
		delete(q.groups, m.group)
	}
}

func (q *Queue) recordDeleted(m *message, cause string, b *batch) {
	entry := Entry{Kind: MessageDeleted, Queue: q.name, MessageID: m.id, GroupID: m.group, ReceiveCount: m.receives, Cause: cause}
	if b != nil {
		entry.RequestID, entry.Function, entry.Mapping = b.id, b.mapping.function.name, b.mapping.uuid
	}
	q.engine.record(entry)
}

// times reports the times at which a hidden message becomes visible.
func (q *Queue) times(now time.Time, consider func(time.Time)) {
	for _, m := range q.messages {
		if m.visibleAt.After(now) {
			consider(m.visibleAt)
		}
	}
}

// put appends a message to the queue.
func (q *Queue) put(m *message) {
	e := q.engine
	e.order++
	m.order = e.order
	if q.config.FIFO {
		e.sequence++
		m.sequence = fmt.Sprintf("188494964604%08d", e.sequence)
		if _, ok := q.groups[m.group]; !ok {
			q.turn++
			q.groups[m.group] = q.turn
		}
	}
	q.messages = append(q.messages, m)
	e.bump()
}

func isFIFO(arn string) bool { return strings.HasSuffix(arn, ".fifo") }

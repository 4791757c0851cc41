package local

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// QueueConfig describes a queue. The zero value of every field but Name is AWS's default.
type QueueConfig struct {
	// Name, at most 80 of [A-Za-z0-9_-], with the suffix .fifo exactly when FIFO is set.
	Name string
	FIFO bool
	// VisibilityTimeout, 0 s to 12 h; nil means 30 s.
	VisibilityTimeout *time.Duration
	// Delay hides a message after it is sent, 0 s to 15 min. On a FIFO queue it is the only delay there is.
	Delay time.Duration
	// ReceiveWait is the long poll of a receive that names none, 0 s to 20 s.
	ReceiveWait time.Duration
	// Retention, 60 s to 14 days; 0 means 4 days. It is applied when the queue is looked at.
	Retention time.Duration
	// MaximumMessageSize in bytes, 1,024 to 1,048,576; 0 means 1,048,576.
	MaximumMessageSize int
	// Redrive is the redrive policy; nil means none.
	Redrive *RedrivePolicy
	// RedriveAllow says which queues may use this one as dead-letter queue; nil means all.
	RedriveAllow *RedriveAllowPolicy
	// ContentBasedDeduplication makes the SHA-256 of the body the deduplication id of a send that gives none. FIFO only.
	ContentBasedDeduplication bool
	// DeduplicationScope is "queue" (default) or "messageGroup"; FifoThroughputLimit is "perQueue" (default) or "perMessageGroupId",
	// which needs the scope messageGroup and changes nothing else here. FIFO only.
	DeduplicationScope, FifoThroughputLimit string
	// Stored keeps attributes that are returned as they were set and have no effect: Policy, KmsMasterKeyId,
	// KmsDataKeyReusePeriodSeconds, SqsManagedSseEnabled.
	Stored map[string]string
	Tags   map[string]string
}

// RedrivePolicy moves a message to a dead-letter queue when it is received once more than MaxReceiveCount times.
type RedrivePolicy struct {
	DeadLetterTargetARN string
	MaxReceiveCount     int // 1 to 1,000
}

// RedriveAllowPolicy is a dead-letter queue's list of its sources.
type RedriveAllowPolicy struct {
	Permission string   // allowAll, denyAll or byQueue
	SourceARNs []string // with byQueue, at most 10
}

const (
	defaultVisibility = 30 * time.Second
	maximumVisibility = 12 * time.Hour
	maximumSize       = 1 << 20
)

var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// storedAttributes are accepted and returned, and have no effect.
var storedAttributes = []string{"Policy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"}

// normalize fills in defaults and checks limits (SQS API reference, CreateQueue and SetQueueAttributes).
func (c QueueConfig) normalize() (QueueConfig, error) {
	base := strings.TrimSuffix(c.Name, ".fifo")
	if !queueName.MatchString(base) || len(c.Name) > 80 {
		return c, errInvalidValue("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	switch suffix := base != c.Name; {
	case c.FIFO && !suffix:
		return c, errInvalidValue("The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.")
	case !c.FIFO && suffix:
		return c, errInvalidValue("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	case !c.FIFO && c.ContentBasedDeduplication:
		return c, errAttributeName("Unknown Attribute ContentBasedDeduplication.")
	case !c.FIFO && c.DeduplicationScope != "":
		return c, errAttributeName("You can specify the DeduplicationScope only when FifoQueue is set to true.")
	case !c.FIFO && c.FifoThroughputLimit != "":
		return c, errAttributeName("You can specify the FifoThroughputLimit only when FifoQueue is set to true.")
	}
	if c.VisibilityTimeout == nil {
		c.VisibilityTimeout = new(defaultVisibility)
	}
	c.Retention = cmp.Or(c.Retention, 4*24*time.Hour)
	c.MaximumMessageSize = cmp.Or(c.MaximumMessageSize, maximumSize)
	if c.FIFO {
		c.DeduplicationScope = cmp.Or(c.DeduplicationScope, "queue")
		c.FifoThroughputLimit = cmp.Or(c.FifoThroughputLimit, "perQueue")
	}
	for _, limit := range []struct {
		name          string
		value, lo, hi time.Duration
	}{
		{name: "VisibilityTimeout", value: *c.VisibilityTimeout, hi: maximumVisibility},
		{name: "DelaySeconds", value: c.Delay, hi: 15 * time.Minute},
		{name: "ReceiveMessageWaitTimeSeconds", value: c.ReceiveWait, hi: 20 * time.Second},
		{name: "MessageRetentionPeriod", value: c.Retention, lo: time.Minute, hi: 14 * 24 * time.Hour},
	} {
		if limit.value < limit.lo || limit.value > limit.hi || limit.value%time.Second != 0 {
			return c, errAttributeValue(limit.name)
		}
	}
	if c.MaximumMessageSize < 1024 || c.MaximumMessageSize > maximumSize {
		return c, errAttributeValue("MaximumMessageSize")
	}
	if c.FIFO && (!slices.Contains([]string{"queue", "messageGroup"}, c.DeduplicationScope)) {
		return c, errAttributeValue("DeduplicationScope")
	}
	if c.FIFO && (!slices.Contains([]string{"perQueue", "perMessageGroupId"}, c.FifoThroughputLimit) ||
		c.FifoThroughputLimit == "perMessageGroupId" && c.DeduplicationScope == "queue") {
		return c, errAttributeValue("FifoThroughputLimit")
	}
	for name := range c.Stored {
		if !slices.Contains(storedAttributes, name) {
			return c, errAttributeName("Unknown Attribute %s.", name)
		}
	}
	return c, nil
}

// text is the policy as SQS writes it.
func (p RedrivePolicy) text() string {
	return fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, p.DeadLetterTargetARN, p.MaxReceiveCount)
}

// checkRedrive validates a redrive policy against the queues there are. AWS refuses a policy whose target does not exist, so a
// dead-letter queue is made before its source.
func (e *Engine) checkRedrive(c QueueConfig) error {
	if c.Redrive == nil {
		return nil
	}
	invalid := func(reason string) error {
		return errInvalidValue("Value %s for parameter RedrivePolicy is invalid. Reason: %s", c.Redrive.text(), reason)
	}
	if service, _, ok := parseARN(c.Redrive.DeadLetterTargetARN); !ok || service != "sqs" {
		return invalid("Invalid value for deadLetterTargetArn.")
	}
	if c.Redrive.MaxReceiveCount < 1 || c.Redrive.MaxReceiveCount > 1000 {
		return invalid("Invalid value for maxReceiveCount: " + strconv.Itoa(c.Redrive.MaxReceiveCount) + ", valid values are from 1 to 1000 both inclusive.")
	}
	dlq := e.queueByARN(c.Redrive.DeadLetterTargetARN)
	if dlq == nil {
		return invalid("Dead letter target does not exist.")
	}
	if dlq.config.FIFO != c.FIFO {
		return invalid("Dead-letter queue must be same type of queue as the source.")
	}
	arn := e.arn("sqs", c.Name)
	if allow := dlq.config.RedriveAllow; allow != nil &&
		(allow.Permission == "denyAll" || allow.Permission == "byQueue" && !slices.Contains(allow.SourceARNs, arn)) {
		return invalid("Queue " + arn + " does not have permission to use " + dlq.arn + " as a dead-letter queue.")
	}
	return nil
}

// ParseRedrivePolicy reads a RedrivePolicy attribute. The empty string and {} mean none. maxReceiveCount may be a number or a string, as on AWS.
func ParseRedrivePolicy(text string) (*RedrivePolicy, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var p struct {
		Target string          `json:"deadLetterTargetArn"`
		Count  json.RawMessage `json:"maxReceiveCount"`
	}
	bad := errInvalidValue("Value %s for parameter RedrivePolicy is invalid. Reason: Redrive policy is not a valid JSON map.", text)
	if json.Unmarshal([]byte(text), &p) != nil {
		return nil, bad
	}
	if p.Target == "" && p.Count == nil {
		return nil, nil
	}
	if p.Target == "" || p.Count == nil {
		return nil, errInvalidValue("Value %s for parameter RedrivePolicy is invalid. Reason: Redrive policy does not contain mandatory attribute: %s.",
			text, map[bool]string{true: "deadLetterTargetArn", false: "maxReceiveCount"}[p.Target == ""])
	}
	var n int
	if _, err := fmt.Sscanf(strings.Trim(string(p.Count), `"`), "%d", &n); err != nil {
		return nil, bad
	}
	return &RedrivePolicy{DeadLetterTargetARN: p.Target, MaxReceiveCount: n}, nil
}

// ParseRedriveAllowPolicy reads a RedriveAllowPolicy attribute. The empty string and {} mean none.
func ParseRedriveAllowPolicy(text string) (*RedriveAllowPolicy, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var p struct {
		Permission string   `json:"redrivePermission"`
		Sources    []string `json:"sourceQueueArns"`
	}
	if json.Unmarshal([]byte(text), &p) != nil {
		return nil, errInvalidValue("Value %s for parameter RedriveAllowPolicy is invalid. Reason: Redrive allow policy is not a valid JSON map.", text)
	}
	switch {
	case p.Permission == "" && p.Sources == nil:
		return nil, nil
	case !slices.Contains([]string{"allowAll", "denyAll", "byQueue"}, p.Permission),
		(p.Permission == "byQueue") != (len(p.Sources) > 0), len(p.Sources) > 10:
		return nil, errInvalidValue("Value %s for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS can't create the redrive allow policy, as it's in an unsupported format.", text)
	}
	return &RedriveAllowPolicy{Permission: p.Permission, SourceARNs: p.Sources}, nil
}

package stack

import (
	"encoding/json"
	"strings"
	"time"
)

// Topology is what a template describes. It is plain data: changing it changes
// nothing else. Each list is sorted by logical id.
type Topology struct {
	StackName     string
	Queues        []Queue
	Topics        []Topic
	Subscriptions []Subscription
	Buses         []Bus // declared ones; every account also has the bus "default"
	Rules         []Rule
	Functions     []Function
	Mappings      []Mapping
	Tables        []Table

	// Outputs holds the outputs whose values could be resolved; the others are
	// findings.
	Outputs map[string]string

	// Digest is Metadata.Sluice.Digest of the template: what it was made from.
	// Empty if the template has none.
	Digest string

	// Findings is what the template says and the local run does not do.
	Findings []Finding `json:",omitempty"`

	// Harmless is what the template says and a local run need not do.
	Harmless []Finding `json:"-"`
}

// Resource is what all resources have.
type Resource struct {
	LogicalID string
	CDKPath   string `json:",omitempty"` // aws:cdk:path, as "Shop/ChargePayment/Queue/Resource"
	Name      string // physical
	ARN       string
}

// Queue is an AWS::SQS::Queue, with AWS's defaults filled in.
type Queue struct {
	Resource
	URL                       string // what Ref gives
	Visibility                time.Duration
	Delay                     time.Duration
	Retention                 time.Duration
	ReceiveWait               time.Duration
	MaximumMessageSize        int // bytes
	FIFO                      bool
	ContentBasedDeduplication bool
	DeduplicationScope        string        `json:",omitempty"`
	FIFOThroughputLimit       string        `json:",omitempty"`
	Redrive                   *Redrive      `json:",omitempty"`
	RedriveAllow              *RedriveAllow `json:",omitempty"`
}

// Redrive says where a message goes that was received too often.
type Redrive struct {
	DeadLetterARN   string
	MaxReceiveCount int
}

// RedriveAllow says which queues may use a queue as their dead-letter queue.
type RedriveAllow struct {
	Permission string   // allowAll, denyAll, byQueue
	SourceARNs []string `json:",omitempty"`
}

// Topic is an AWS::SNS::Topic.
type Topic struct {
	Resource
	DisplayName               string `json:",omitempty"`
	FIFO                      bool
	ContentBasedDeduplication bool
}

// Subscription is an AWS::SNS::Subscription or an entry of a topic's
// Subscription list.
type Subscription struct {
	Resource
	TopicARN          string
	Protocol          string
	Endpoint          string // an ARN for sqs and lambda
	Raw               bool
	FilterPolicy      json.RawMessage `json:",omitempty"`
	FilterPolicyScope string          // MessageAttributes, MessageBody
	DeadLetterARN     string          `json:",omitempty"`
}

// Bus is an AWS::Events::EventBus.
type Bus struct{ Resource }

// Rule is an AWS::Events::Rule.
type Rule struct {
	Resource
	Bus          string // a name, also where the template gives an ARN
	EventPattern json.RawMessage
	Enabled      bool
	Targets      []Target
}

// Target is where a rule sends an event.
type Target struct {
	ID             string
	ARN            string
	DeadLetterARN  string            `json:",omitempty"`
	MaxRetries     int               // default 185
	MaxEventAge    time.Duration     // default 24 h
	MessageGroupID string            `json:",omitempty"` // SqsParameters, taken literally
	Input          string            `json:",omitempty"`
	InputPath      string            `json:",omitempty"`
	InputPaths     map[string]string `json:",omitempty"` // InputTransformer.InputPathsMap
	InputTemplate  string            `json:",omitempty"`
}

// Function is an AWS::Lambda::Function. Handler is empty if the template does
// not say which program it is; such a function can not be run.
type Function struct {
	Resource
	Handler     string // Metadata.Sluice.Handler, a package path as "./handlers/charge-payment"
	Source      string // Metadata.Sluice.Source: sqs, sns, eventbridge
	Timeout     time.Duration
	MemoryMB    int
	Env         map[string]string `json:",omitempty"`
	LogFormat   string            // Text, JSON
	LogLevel    string            `json:",omitempty"`
	Reserved    *int              `json:",omitempty"` // reserved concurrency
	DeadLetter  string            `json:",omitempty"` // ARN of DeadLetterConfig
	Versions    map[string]string `json:",omitempty"` // version number to logical id
	Aliases     map[string]string `json:",omitempty"` // alias to version
	AsyncConfig map[string]Async  `json:",omitempty"` // by qualifier, "$LATEST" without one
}

// Async is an AWS::Lambda::EventInvokeConfig.
type Async struct {
	Retries      int           // default 2
	MaxEventAge  time.Duration // default 6 h
	OnFailureARN string        `json:",omitempty"`
}

// Mapping is an AWS::Lambda::EventSourceMapping of an SQS queue.
type Mapping struct {
	Resource                  // Name is its UUID
	QueueARN                  string
	FunctionID                string // logical id of the function, through alias and version
	Qualifier                 string `json:",omitempty"` // alias or version it names
	BatchSize                 int
	Window                    time.Duration
	MaximumConcurrency        int // 0: not limited
	ReportBatchItemFailures   bool
	Enabled                   bool
	FilterPatterns            []string `json:",omitempty"`
	ProvisionedPollersDefined bool     `json:",omitempty"`
}

// Table is an AWS::DynamoDB::Table or GlobalTable.
type Table struct {
	Resource
	HashKey       Key
	RangeKey      *Key    `json:",omitempty"`
	TTLAttribute  string  `json:",omitempty"`
	GlobalIndexes []Index `json:",omitempty"`
	LocalIndexes  []Index `json:",omitempty"`
}

// Key is one attribute of a key.
type Key struct {
	Name string
	Type string // S, N, B
}

// Index is a secondary index.
type Index struct {
	Name       string
	HashKey    Key
	RangeKey   *Key     `json:",omitempty"`
	Projection string   // ALL, KEYS_ONLY, INCLUDE
	Included   []string `json:",omitempty"`
}

// Severity says what a finding means for a local run.
type Severity string

// The severities.
const (
	// Unsupported: the local run behaves differently from the deployed stack.
	Unsupported Severity = "unsupported"
	// Ignored: the run lacks something that does not change what messages do.
	Ignored Severity = "ignored"
	// Harmless: only in Topology.Harmless.
	Harmless Severity = "harmless"
)

// Finding is one thing that the local run does not do.
type Finding struct {
	Severity  Severity
	LogicalID string `json:",omitempty"`
	Type      string `json:",omitempty"`
	Property  string `json:",omitempty"` // path below the resource, as "Targets[0].EcsParameters"
	Message   string
}

// String is one line for people.
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(string(f.Severity) + ": ")
	if f.LogicalID != "" {
		b.WriteString(f.LogicalID)
		if f.Type != "" {
			b.WriteString(" (" + f.Type + ")")
		}
		if f.Property != "" {
			b.WriteString(" " + f.Property)
		}
		b.WriteString(": ")
	} else if f.Property != "" {
		b.WriteString(f.Property + ": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// FunctionByARN finds what an ARN of a function, version or alias means. The
// qualifier is empty for an unqualified ARN.
func (t *Topology) FunctionByARN(arn string) (f *Function, qualifier string, ok bool) {
	for i := range t.Functions {
		f := &t.Functions[i]
		rest, found := strings.CutPrefix(arn, f.ARN)
		if !found {
			continue
		}
		if rest == "" {
			return f, "", true
		}
		qualifier, found := strings.CutPrefix(rest, ":")
		if !found {
			continue // another function, whose name begins with this one's
		}
		if _, isAlias := f.Aliases[qualifier]; isAlias || qualifier == latest || f.Versions[qualifier] != "" {
			return f, qualifier, true
		}
		return nil, "", false
	}
	return nil, "", false
}

// Async is the asynchronous configuration that holds for a qualifier. As on AWS
// it is that qualifier's alone: an alias does not inherit the function's.
func (f *Function) Async(qualifier string) Async {
	if qualifier == "" {
		qualifier = latest
	}
	if a, ok := f.AsyncConfig[qualifier]; ok {
		return a
	}
	return defaultAsync()
}

func defaultAsync() Async { return Async{Retries: 2, MaxEventAge: 6 * time.Hour} }

// latest is the qualifier of a function's unpublished version.
const latest = "$LATEST"

package constructs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	cdkconstructs "github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Resources for tests that are refused before the CDK is asked.
type (
	untouchedTopic struct{ awssns.ITopic }
	untouchedBus   struct{ awsevents.IEventBus }
)

// TestInvalidQueueConsumer needs no Node: what is wrong is found before the
// CDK is asked.
func TestInvalidQueueConsumer(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		edit func(*QueueConsumerProps)
		want []string
	}{
		"Handler":              {func(p *QueueConsumerProps) { p.Function.Handler = "charge-payment" }, []string{"Function.Handler", `"charge-payment"`, "./handlers/charge-payment"}},
		"HandlerEmpty":         {func(p *QueueConsumerProps) { p.Function.Handler = "" }, []string{"Function.Handler"}},
		"HandlerOutside":       {func(p *QueueConsumerProps) { p.Function.Handler = "./../x" }, []string{"Function.Handler"}},
		"CodeEmpty":            {func(p *QueueConsumerProps) { p.Function.Code = "" }, []string{"Function.Code", "it is empty"}},
		"CodeMissing":          {func(p *QueueConsumerProps) { p.Function.Code = "/nonexistent" }, []string{"Function.Code", "build it first"}},
		"MemoryLow":            {func(p *QueueConsumerProps) { p.Function.Memory = 64 }, []string{"Function.Memory", "128 to 10240"}},
		"MemoryHigh":           {func(p *QueueConsumerProps) { p.Function.Memory = 10241 }, []string{"Function.Memory"}},
		"TimeoutHigh":          {func(p *QueueConsumerProps) { p.Function.Timeout = 16 * time.Minute }, []string{"Function.Timeout", "1s to 15m0s"}},
		"TimeoutNegative":      {func(p *QueueConsumerProps) { p.Function.Timeout = -time.Second }, []string{"Function.Timeout"}},
		"TimeoutFraction":      {func(p *QueueConsumerProps) { p.Function.Timeout = 1500 * time.Millisecond }, []string{"Function.Timeout", "whole number of seconds"}},
		"LogRetention":         {func(p *QueueConsumerProps) { p.Function.LogRetention = 2 * day }, []string{"Function.LogRetention", "48h0m0s"}},
		"EnvironmentFramework": {func(p *QueueConsumerProps) { p.Function.Environment = map[string]string{"SLUICE_LOCAL": "1"} }, []string{"Function.Environment", "SLUICE_LOCAL"}},
		"EnvironmentLambda":    {func(p *QueueConsumerProps) { p.Function.Environment = map[string]string{"AWS_REGION": "x"} }, []string{"Function.Environment", "AWS_REGION"}},
		"EnvironmentName":      {func(p *QueueConsumerProps) { p.Function.Environment = map[string]string{"MY-NAME": "x"} }, []string{"Function.Environment", "MY-NAME"}},
		"UseZero":              {func(p *QueueConsumerProps) { p.Function.Uses = []Use{{}} }, []string{"Function.Uses[0]"}},
		"UseNilTable":          {func(p *QueueConsumerProps) { p.Function.Uses = []Use{UseTable("T", nil, "dynamodb:GetItem")} }, []string{"Function.Uses[0]", "T has no table"}},
		"UseNilBus":            {func(p *QueueConsumerProps) { p.Function.Uses = []Use{UseBus("BUS", nil)} }, []string{"Function.Uses[0]", "BUS has no bus"}},
		"UseNothing":           {func(p *QueueConsumerProps) { p.Function.Uses = []Use{UseTable("TABLE", nil)} }, []string{"Function.Uses[0]", "TABLE allows nothing"}},
		"UseWildcard":          {func(p *QueueConsumerProps) { p.Function.Uses = []Use{UseTable("TABLE", nil, "dynamodb:*")} }, []string{"Function.Uses[0]", `"dynamodb:*"`}},
		"UseEverything":        {func(p *QueueConsumerProps) { p.Function.Uses = []Use{UseTable("TABLE", nil, "*")} }, []string{"Function.Uses[0]", `"*"`}},
		"UseTwice": {func(p *QueueConsumerProps) {
			p.Function.Uses = []Use{UseBus("BUS", untouchedBus{}), UseBus("BUS", untouchedBus{})}
		}, []string{"Function.Uses[1]", "BUS is set twice"}},
		"UseAndEnvironment": {func(p *QueueConsumerProps) {
			p.Function.Environment = map[string]string{"BUS": "x"}
			p.Function.Uses = []Use{UseBus("BUS", untouchedBus{})}
		}, []string{"Function.Uses[0]", "BUS is set twice"}},
		"BatchSizeNegative":    {func(p *QueueConsumerProps) { p.Queue.BatchSize = -1 }, []string{"Queue.BatchSize", "1 to 10000"}},
		"BatchSizeHigh":        {func(p *QueueConsumerProps) { p.Queue.BatchSize = 10001; p.Queue.BatchWindow = time.Second }, []string{"Queue.BatchSize"}},
		"BatchSizeWithoutWait": {func(p *QueueConsumerProps) { p.Queue.BatchSize = 11 }, []string{"Queue.BatchWindow", "1s or more"}},
		"BatchWindowHigh":      {func(p *QueueConsumerProps) { p.Queue.BatchWindow = 301 * time.Second }, []string{"Queue.BatchWindow", "5m0s"}},
		"BatchWindowFraction":  {func(p *QueueConsumerProps) { p.Queue.BatchWindow = time.Millisecond }, []string{"Queue.BatchWindow", "whole number"}},
		"FIFOBatchSize":        {func(p *QueueConsumerProps) { p.Queue = QueueProps{FIFO: true, BatchSize: 11} }, []string{"Queue.BatchSize", "FIFO"}},
		"FIFOBatchWindow":      {func(p *QueueConsumerProps) { p.Queue = QueueProps{FIFO: true, BatchWindow: time.Second} }, []string{"Queue.BatchWindow", "FIFO"}},
		"MaxConcurrencyOne":    {func(p *QueueConsumerProps) { p.Queue.MaxConcurrency = 1 }, []string{"Queue.MaxConcurrency", "2 to 1000"}},
		"MaxConcurrencyHigh":   {func(p *QueueConsumerProps) { p.Queue.MaxConcurrency = 1001 }, []string{"Queue.MaxConcurrency"}},
		"MaxReceivesLow":       {func(p *QueueConsumerProps) { p.Queue.MaxReceives = 4 }, []string{"Queue.MaxReceives", "5 to 1000"}},
		"MaxReceivesHigh":      {func(p *QueueConsumerProps) { p.Queue.MaxReceives = 1001 }, []string{"Queue.MaxReceives"}},
		"RetentionLow":         {func(p *QueueConsumerProps) { p.Queue.Retention = 30 * time.Second }, []string{"Queue.Retention", "1m0s"}},
		"RetentionHigh":        {func(p *QueueConsumerProps) { p.Queue.Retention = 15 * day }, []string{"Queue.Retention"}},
		"RetentionBeforeRetry": {func(p *QueueConsumerProps) { p.Queue.Retention = 20 * time.Minute }, []string{"Queue.Retention", "last of 8 deliveries", "24m0s"}},
		"EverythingAtOnce":     {func(p *QueueConsumerProps) { p.Function.Memory = 1; p.Queue.MaxConcurrency = 1 }, []string{"Function.Memory", "Queue.MaxConcurrency"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			props := &QueueConsumerProps{Function: FunctionProps{Handler: "./handlers/a", Code: code(t)}}
			tt.edit(props)
			_, err := NewQueueConsumer(nil, "Charge", props)
			refused(t, err, append(tt.want, `QueueConsumer "Charge"`)...)
		})
	}
}

func TestInvalidCode(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		files map[string]os.FileMode
		want  string
	}{
		"Empty":         {nil, "must hold one file, bootstrap"},
		"OtherName":     {map[string]os.FileMode{"main": 0o755}, "must hold one file, bootstrap"},
		"More":          {map[string]os.FileMode{"bootstrap": 0o755, "main.go": 0o644}, "nothing else"},
		"NotExecutable": {map[string]os.FileMode{"bootstrap": 0o644}, "not an executable file"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := t.TempDir()
			for file, mode := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte("x"), mode); err != nil {
					t.Fatal(err)
				}
			}
			_, err := NewQueueConsumer(nil, "Charge", &QueueConsumerProps{Function: FunctionProps{Handler: "./handlers/a", Code: dir}})
			refused(t, err, "Function.Code", tt.want)
		})
	}
}

func TestInvalidConsumers(t *testing.T) {
	t.Parallel()

	function := FunctionProps{Handler: "./handlers/a", Code: code(t)}
	rule := func(r RulePattern) error {
		_, err := NewRuleConsumer(nil, "Sale", &RuleConsumerProps{Function: function, Rule: r})
		return err
	}
	tests := map[string]struct {
		make func() error
		want []string
	}{
		"QueueNil": {func() error { _, err := NewQueueConsumer(nil, "Charge", nil); return err }, []string{`QueueConsumer "Charge"`, "props"}},
		"TopicNil": {func() error { _, err := NewTopicConsumer(nil, "Mail", nil); return err }, []string{`TopicConsumer "Mail"`, "props"}},
		"RuleNil":  {func() error { _, err := NewRuleConsumer(nil, "Sale", nil); return err }, []string{`RuleConsumer "Sale"`, "props"}},
		"TopicMissing": {func() error {
			_, err := NewTopicConsumer(nil, "Mail", &TopicConsumerProps{Function: function})
			return err
		}, []string{`TopicConsumer "Mail"`, "Topic: it is nil"}},
		"TopicFunction": {func() error {
			_, err := NewTopicConsumer(nil, "Mail", &TopicConsumerProps{Topic: untouchedTopic{}})
			return err
		}, []string{`TopicConsumer "Mail"`, "Function.Handler", "Function.Code"}},
		"BusMissing": {func() error { return rule(RulePattern{DetailTypePrefix: "a."}) }, []string{`RuleConsumer "Sale"`, "Rule.Bus"}},
		"NoPattern":  {func() error { return rule(RulePattern{Bus: untouchedBus{}}) }, []string{"Rule.DetailTypes", "every event"}},
		"OnlySource": {func() error { return rule(RulePattern{Bus: untouchedBus{}, Sources: []string{"shop"}}) }, []string{"Rule.DetailTypes"}},
		"EmptyType":  {func() error { return rule(RulePattern{Bus: untouchedBus{}, DetailTypes: []string{""}}) }, []string{"Rule.DetailTypes", "one of them is empty"}},
		"EmptySource": {func() error {
			return rule(RulePattern{Bus: untouchedBus{}, DetailTypePrefix: "a.", Sources: []string{""}})
		}, []string{"Rule.Sources"}},
		"TypeAndPrefix": {func() error {
			return rule(RulePattern{Bus: untouchedBus{}, DetailTypes: []string{"a"}, DetailTypePrefix: "a"})
		}, []string{"Rule.DetailTypePrefix", "keep one"}},
		"RuleFIFO": {func() error {
			_, err := NewRuleConsumer(nil, "Sale", &RuleConsumerProps{
				Function: function, Rule: RulePattern{Bus: untouchedBus{}, DetailTypePrefix: "a."}, Queue: QueueProps{FIFO: true},
			})
			return err
		}, []string{`RuleConsumer "Sale"`, "Queue.FIFO", "one message group"}},
		"DirectRuleWithQueue": {func() error {
			_, err := NewRuleConsumer(nil, "Sale", &RuleConsumerProps{
				Function: function, Rule: RulePattern{Bus: untouchedBus{}, DetailTypePrefix: "a."}, Direct: true, Queue: QueueProps{BatchSize: 1},
			})
			return err
		}, []string{`RuleConsumer "Sale"`, "Queue: a direct consumer has no queue"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, tt.make(), tt.want...)
		})
	}
}

// TestRefusedWithTheCDK holds the cases in which the CDK has to be asked, and
// those in which it panics.
func TestRefusedWithTheCDK(t *testing.T) {
	requireNode(t)

	_, stack := newStack(t)
	function := FunctionProps{Handler: "./handlers/a", Code: code(t)}
	props := func() *QueueConsumerProps { return &QueueConsumerProps{Function: function} }
	topic := awssns.NewTopic(stack, jsii.String("Topic"), nil)
	fifoTopic := awssns.NewTopic(stack, jsii.String("FIFOTopic"), &awssns.TopicProps{Fifo: jsii.Bool(true)})
	bus := awsevents.NewEventBus(stack, jsii.String("Bus"), nil)
	encrypted := awsdynamodb.NewTable(stack, jsii.String("Encrypted"), &awsdynamodb.TableProps{
		PartitionKey:  &awsdynamodb.Attribute{Name: jsii.String("id"), Type: awsdynamodb.AttributeType_STRING},
		EncryptionKey: awskms.NewKey(stack, jsii.String("Key"), nil),
	})
	taken, err := NewQueueConsumer(stack, "Taken", props())
	if err != nil {
		t.Fatal(err)
	}
	fifo, err := NewQueueConsumer(stack, "Ordered", &QueueConsumerProps{Function: function, Queue: QueueProps{FIFO: true}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := taken.Subscribe("Again", topic); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		make func() error
		want []string
	}{
		"NilScope":  {func() error { _, err := NewQueueConsumer(nil, "A", props()); return err }, []string{`QueueConsumer "A"`, "CDK refuses", "scope"}},
		"NilScope2": {func() error { _, err := NewIdempotencyTable(nil, "B", nil); return err }, []string{`IdempotencyTable "B"`, "scope"}},
		"IDTaken":   {func() error { _, err := NewQueueConsumer(stack, "Taken", props()); return err }, []string{`QueueConsumer "Taken"`, "already a Construct with name 'Taken'"}},
		"EmptyID":   {func() error { _, err := NewQueueConsumer(stack, "", props()); return err }, []string{`QueueConsumer ""`, "CDK refuses"}},
		"SourceIDTaken": {func() error { _, err := taken.Subscribe("Again", fifoTopic); return err },
			[]string{`Subscription "Again"`, "already a Construct with name 'Again'"}},
		"RuleIDTaken": {func() error {
			_, err := taken.AddRule("Queue", RulePattern{Bus: bus, DetailTypePrefix: "a."})
			return err
		}, []string{`Rule "Queue"`, "already a Construct with name 'Queue'"}},
		"NilTopic":         {func() error { _, err := taken.Subscribe("Nil", nil); return err }, []string{`Subscription "Nil"`, "Topic"}},
		"StandardIntoFIFO": {func() error { _, err := fifo.Subscribe("Standard", topic); return err }, []string{`Subscription "Standard"`, "Topic", "standard topic"}},
		"RuleIntoFIFO": {func() error {
			_, err := fifo.AddRule("Rule", RulePattern{Bus: bus, DetailTypePrefix: "a."})
			return err
		}, []string{`Rule "Rule"`, "Queue.FIFO", "one message group"}},
		"TopicIntoFIFO": {func() error {
			_, err := NewTopicConsumer(stack, "C", &TopicConsumerProps{Function: function, Topic: topic, Queue: QueueProps{FIFO: true}})
			return err
		}, []string{`TopicConsumer "C"`, "Topic", "standard topic"}},
		"DirectFIFOTopic": {func() error {
			_, err := NewTopicConsumer(stack, "D", &TopicConsumerProps{Function: function, Topic: fifoTopic, Direct: true})
			return err
		}, []string{`TopicConsumer "D"`, "Topic", "FIFO topic"}},
		"DirectWithQueue": {func() error {
			_, err := NewTopicConsumer(stack, "E", &TopicConsumerProps{Function: function, Topic: topic, Direct: true, Queue: QueueProps{MaxReceives: 9}})
			return err
		}, []string{`TopicConsumer "E"`, "Queue: a direct consumer has no queue"}},
		"DirectIDTaken": {func() error {
			_, err := NewRuleConsumer(stack, "Taken", &RuleConsumerProps{Function: function, Rule: RulePattern{Bus: bus, DetailTypePrefix: "a."}, Direct: true})
			return err
		}, []string{`RuleConsumer "Taken"`, "already a Construct"}},
		"EncryptedTable": {func() error {
			p := props()
			p.Function.Uses = []Use{UseTable("TABLE", encrypted, "dynamodb:GetItem")}
			_, err := NewQueueConsumer(stack, "F", p)
			return err
		}, []string{`QueueConsumer "F"`, "Function.Uses[0]", "customer managed key"}},
		"EncryptedRecords": {func() error {
			_, err := NewIdempotencyTable(stack, "G", &IdempotencyTableProps{Existing: encrypted})
			return err
		}, []string{`IdempotencyTable "G"`, "Existing", "customer managed key"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { refused(t, tt.make(), tt.want...) })
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()

	var none cdkconstructs.Construct
	tests := map[string]struct {
		build func() error
		want  []string
		not   string
	}{
		"String":  {func() error { panic("bad thing\n    at Object.<anonymous> (/tmp/x.js:1:2)") }, []string{`Thing "T"`, "CDK refuses it: bad thing"}, "x.js"},
		"Lines":   {func() error { panic("Error: first\n  second\n    at x (y.js)") }, []string{"Error: first second"}, "y.js"},
		"Runtime": {func() error { none.ToString(); return nil }, []string{`Thing "T"`, "internal error", "nil pointer"}, "CDK"},
		"Error":   {func() error { return os.ErrExist }, []string{"file already exists"}, "CDK"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			err := Guard("Thing", "T", tt.build)
			refused(t, err, tt.want...)
			if strings.Contains(err.Error(), tt.not) {
				t.Errorf("error %q says %q", err, tt.not)
			}
		})
	}
	if err := Guard("Thing", "T", func() error { return nil }); err != nil {
		t.Errorf("error = %v, want none", err)
	}
}

func refused(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

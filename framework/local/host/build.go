package host

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-go/sluice/framework/local"
	"github.com/sluice-go/sluice/framework/local/itemstore"
	"github.com/sluice-go/sluice/framework/local/lambdaapi"
	"github.com/sluice-go/sluice/framework/local/stack"
)

// build makes the topology's resources. Every error is told, not the first.
func (h *Host) build() error {
	return errors.Join(
		h.buildQueues(),
		h.buildTables(),
		h.buildFunctions(),
		h.buildTopics(),
		h.buildRules(),
		h.buildMappings(),
	)
}

// buildQueues makes dead-letter queues before the queues that name them, which
// the engine demands as AWS does.
func (h *Host) buildQueues() error {
	var errs []error
	made := map[string]bool{}
	todo := h.Topology.Queues
	for len(todo) > 0 {
		var later []stack.Queue
		for _, q := range todo {
			if q.Redrive != nil && !made[q.Redrive.DeadLetterARN] && h.declares(q.Redrive.DeadLetterARN) {
				later = append(later, q)
				continue
			}
			made[q.ARN] = true
			if _, err := h.Engine.CreateQueue(queueConfig(q)); err != nil {
				errs = append(errs, fmt.Errorf("queue %s: %w", q.LogicalID, err))
			}
		}
		if len(later) == len(todo) {
			errs = append(errs, fmt.Errorf("queue %s: its dead-letter queue leads back to it: break the circle of redrive policies", todo[0].LogicalID))
			break
		}
		todo = later
	}
	return errors.Join(errs...)
}

func (h *Host) declares(queueARN string) bool {
	for _, q := range h.Topology.Queues {
		if q.ARN == queueARN {
			return true
		}
	}
	return false
}

func queueConfig(q stack.Queue) local.QueueConfig {
	c := local.QueueConfig{
		Name: q.Name, FIFO: q.FIFO, VisibilityTimeout: &q.Visibility, Delay: q.Delay, ReceiveWait: q.ReceiveWait, Retention: q.Retention,
		MaximumMessageSize: q.MaximumMessageSize, ContentBasedDeduplication: q.ContentBasedDeduplication,
	}
	if q.Redrive != nil {
		c.Redrive = &local.RedrivePolicy{DeadLetterTargetARN: q.Redrive.DeadLetterARN, MaxReceiveCount: q.Redrive.MaxReceiveCount}
	}
	if q.RedriveAllow != nil {
		c.RedriveAllow = &local.RedriveAllowPolicy{Permission: q.RedriveAllow.Permission, SourceARNs: q.RedriveAllow.SourceARNs}
	}
	return c
}

func (h *Host) buildTables() error {
	var errs []error
	for _, t := range h.Topology.Tables {
		def := itemstore.Table{Name: t.Name, HashKey: t.HashKey.Name, TTL: t.TTLAttribute, Types: map[string]itemstore.Type{}}
		key := func(k stack.Key) string {
			def.Types[k.Name] = itemstore.Type(k.Type)
			return k.Name
		}
		key(t.HashKey)
		if t.RangeKey != nil {
			def.RangeKey = key(*t.RangeKey)
		}
		indexes := func(from []stack.Index) (to []itemstore.Index) {
			for _, i := range from {
				index := itemstore.Index{Name: i.Name, HashKey: key(i.HashKey), Projection: i.Projection, Include: i.Included}
				if i.RangeKey != nil {
					index.RangeKey = key(*i.RangeKey)
				}
				to = append(to, index)
			}
			return to
		}
		def.Global, def.Local = indexes(t.GlobalIndexes), indexes(t.LocalIndexes)
		if err := h.Items.CreateTable(def); err != nil {
			errs = append(errs, fmt.Errorf("table %s: %w", t.LogicalID, err))
		}
	}
	return errors.Join(errs...)
}

func (h *Host) buildFunctions() error {
	var errs []error
	for _, f := range h.Topology.Functions {
		if f.Handler == "" {
			h.notice(fmt.Sprintf("function %s is not run: its metadata names no handler ({\"Sluice\": {\"Handler\": \"./handlers/...\"}})", f.LogicalID))
			continue
		}
		if h.opts.Binary == nil {
			errs = append(errs, fmt.Errorf("function %s: no binaries were given", f.LogicalID))
			continue
		}
		binary, err := h.opts.Binary(f.Handler)
		if err != nil {
			errs = append(errs, fmt.Errorf("function %s: %w", f.LogicalID, err))
			continue
		}
		fn, err := h.Lambda.Function(lambdaapi.Config{
			Name: f.Name, ARN: f.ARN, Binary: binary, Env: f.Env, Timeout: f.Timeout, MemoryMB: f.MemoryMB,
			MaxConcurrency: h.processes(f), LogFormat: f.LogFormat, LogLevel: f.LogLevel, LogOutput: h.opts.Log,
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("function %s: %w", f.LogicalID, err))
			continue
		}
		h.functions[f.Name] = fn
		async := f.Async(h.qualifier(f))
		retries := async.Retries
		if err := h.Engine.RegisterFunction(local.FunctionConfig{
			Name: f.Name, ARN: f.ARN, Function: adapter{fn}, Timeout: f.Timeout,
			Async: local.AsyncConfig{MaximumRetryAttempts: &retries, MaximumEventAge: async.MaxEventAge, OnFailure: async.OnFailureARN, DeadLetter: f.DeadLetter},
		}); err != nil {
			errs = append(errs, fmt.Errorf("function %s: %w", f.LogicalID, err))
		}
	}
	return errors.Join(errs...)
}

// processes is how many processes a function may have: what the machine should
// bear, and not more than the function's own limit.
func (h *Host) processes(f stack.Function) int {
	n := h.opts.MaxProcesses
	if f.Reserved != nil {
		n = min(n, max(*f.Reserved, 1))
	}
	return n
}

// qualifier is the alias or version by which asynchronous sources invoke a
// function: its configuration for them hangs on that.
func (h *Host) qualifier(f stack.Function) string {
	for _, s := range h.Topology.Subscriptions {
		if q, ok := qualifierOf(s.Endpoint, f); ok {
			return q
		}
	}
	for _, r := range h.Topology.Rules {
		for _, t := range r.Targets {
			if q, ok := qualifierOf(t.ARN, f); ok {
				return q
			}
		}
	}
	return ""
}

func qualifierOf(arn string, f stack.Function) (string, bool) {
	rest, ok := strings.CutPrefix(arn, f.ARN)
	if !ok || rest != "" && rest[0] != ':' {
		return "", false
	}
	return strings.TrimPrefix(rest, ":"), true
}

func (h *Host) buildTopics() error {
	var errs []error
	for _, t := range h.Topology.Topics {
		if _, err := h.Engine.CreateTopic(local.TopicConfig{Name: t.Name, FIFO: t.FIFO, DisplayName: t.DisplayName}); err != nil {
			errs = append(errs, fmt.Errorf("topic %s: %w", t.LogicalID, err))
		}
	}
	for _, s := range h.Topology.Subscriptions {
		c := local.SubscriptionConfig{
			TopicARN: s.TopicARN, Protocol: s.Protocol, Endpoint: s.Endpoint, RawMessageDelivery: s.Raw,
			FilterPolicy: string(s.FilterPolicy), DeadLetter: s.DeadLetterARN,
		}
		if len(s.FilterPolicy) > 0 {
			c.FilterPolicyScope = s.FilterPolicyScope
		}
		if _, err := h.Engine.Subscribe(c); err != nil {
			errs = append(errs, fmt.Errorf("subscription %s: %w", s.LogicalID, err))
		}
	}
	return errors.Join(errs...)
}

func (h *Host) buildRules() error {
	var errs []error
	for _, b := range h.Topology.Buses {
		if _, err := h.Engine.CreateBus(b.Name); err != nil {
			errs = append(errs, fmt.Errorf("event bus %s: %w", b.LogicalID, err))
		}
	}
	for _, r := range h.Topology.Rules {
		c := local.RuleConfig{Bus: r.Bus, Name: r.Name, Pattern: string(r.EventPattern), Disabled: !r.Enabled}
		for _, t := range r.Targets {
			c.Targets = append(c.Targets, local.TargetConfig{
				ID: t.ID, ARN: t.ARN, MessageGroupID: t.MessageGroupID, DeadLetter: t.DeadLetterARN,
				Input: t.Input, InputPath: t.InputPath, InputTransformer: t.InputTemplate,
			})
		}
		if _, err := h.Engine.PutRule(c); err != nil {
			errs = append(errs, fmt.Errorf("rule %s: %w", r.LogicalID, err))
		}
	}
	return errors.Join(errs...)
}

func (h *Host) buildMappings() error {
	var errs []error
	for _, m := range h.Topology.Mappings {
		f := h.function(m.FunctionID)
		if f == nil || h.functions[f.Name] == nil {
			h.notice(fmt.Sprintf("mapping %s does not run: its function %s does not", m.LogicalID, m.FunctionID))
			continue
		}
		if _, err := h.Engine.CreateMapping(local.MappingConfig{
			UUID: m.Name, QueueARN: m.QueueARN, Function: f.Name, BatchSize: m.BatchSize, Window: m.Window,
			MaximumConcurrency: m.MaximumConcurrency, ReportBatchItemFailures: m.ReportBatchItemFailures,
			Disabled: !m.Enabled, FilterPatterns: m.FilterPatterns, ProvisionedPollers: m.ProvisionedPollersDefined,
		}); err != nil {
			errs = append(errs, fmt.Errorf("mapping %s: %w", m.LogicalID, err))
		}
	}
	return errors.Join(errs...)
}

func (h *Host) function(logicalID string) *stack.Function {
	for i := range h.Topology.Functions {
		if h.Topology.Functions[i].LogicalID == logicalID {
			return &h.Topology.Functions[i]
		}
	}
	return nil
}

// adapter lets the engine, which knows no processes, start them.
type adapter struct{ f *lambdaapi.Function }

func (a adapter) Start(inv local.Invocation, done func(local.Result)) {
	a.f.Start(lambdaapi.Invocation{
		RequestID: inv.RequestID, FunctionARN: inv.FunctionARN, Payload: inv.Payload,
		TraceHeader: inv.TraceHeader, ClockOffset: inv.ClockOffset,
	}, func(r lambdaapi.Result) {
		done(local.Result{Payload: r.Payload, FunctionError: r.FunctionError, Throttled: r.Throttled})
	})
}

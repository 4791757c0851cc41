package local

import (
	"regexp"
	"slices"
	"strings"
)

const defaultBus = "default"

// Bus is a classic EventBridge event bus.
type Bus struct {
	engine    *Engine
	name, arn string
	rules     []*Rule
}

// Rule sends the events of a bus that match its pattern to its targets.
type Rule struct {
	bus     *Bus
	arn     string
	config  RuleConfig
	pattern *pattern
}

// RuleConfig describes a rule.
type RuleConfig struct {
	// Bus is a name or an ARN; empty means the default bus.
	Bus string
	// Name, 1 to 64 of [A-Za-z0-9._-].
	Name string
	// Pattern is the event pattern's JSON. All documented operators are matched; anything else is refused.
	Pattern string
	// ScheduleExpression is refused: the engine does not emulate schedules.
	ScheduleExpression string
	Disabled           bool
	Description        string
	Targets            []TargetConfig
}

// TargetConfig is where a rule sends events.
type TargetConfig struct {
	// ID, 1 to 64 of [A-Za-z0-9._-], unique within the rule.
	ID string
	// ARN of a queue or a function; other targets are refused by name. It need not exist yet.
	ARN string
	// MessageGroupID is the group for a FIFO queue. It is a constant, also when it looks like a JSON path: so it is on AWS.
	MessageGroupID string
	// DeadLetter is the ARN of a standard queue that gets events that cannot be delivered.
	DeadLetter string
	// Input, InputPath and InputTransformer are refused by name.
	Input, InputPath, InputTransformer string
}

var (
	eventsName = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)
	busName    = regexp.MustCompile(`^[/.\-_A-Za-z0-9]{1,256}$`)
)

func errEventsMissing(format string) *Error {
	return &Error{Code: "ResourceNotFoundException", Message: format}
}

// CreateBus makes a custom event bus.
func (e *Engine) CreateBus(name string) (*Bus, error) {
	if !busName.MatchString(name) || strings.Contains(name, "/") {
		return nil, errValidation("event bus name %q is not 1 to 256 letters, digits, dots, hyphens or underscores", name)
	}
	e.mu.Lock()
	defer e.unlock()
	if e.bus(name) != nil {
		return nil, &Error{Code: "ResourceAlreadyExistsException", Message: "Event bus " + name + " already exists."}
	}
	b := &Bus{engine: e, name: name, arn: e.arn("events", "event-bus/"+name)}
	e.buses = append(e.buses, b)
	e.bump()
	return b, nil
}

// Bus finds a bus by name or ARN; "" is the default bus.
func (e *Engine) Bus(ref string) (*Bus, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	b := e.bus(ref)
	return b, b != nil
}

func (e *Engine) bus(ref string) *Bus {
	if ref == "" {
		ref = defaultBus
	}
	for _, b := range e.buses {
		if ref == b.name || ref == b.arn {
			return b
		}
	}
	return nil
}

// Buses returns the buses in the order of their creation, the default bus first.
func (e *Engine) Buses() []*Bus {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.buses)
}

// Name is the bus's name.
func (b *Bus) Name() string { return b.name }

// ARN is the bus's ARN.
func (b *Bus) ARN() string { return b.arn }

// Rules returns the bus's rules in the order of their creation.
func (b *Bus) Rules() []*Rule {
	b.engine.mu.Lock()
	defer b.engine.mu.Unlock()
	return slices.Clone(b.rules)
}

// ARN is the rule's ARN.
func (r *Rule) ARN() string { return r.arn }

// Config returns a copy of the rule's configuration.
func (r *Rule) Config() RuleConfig {
	r.bus.engine.mu.Lock()
	defer r.bus.engine.mu.Unlock()
	c := r.config
	c.Targets = slices.Clone(c.Targets)
	return c
}

// PutRule makes a rule or replaces its pattern and state. Targets are added to those the rule has, replacing the ones of the same id, as PutTargets does.
func (e *Engine) PutRule(c RuleConfig) (*Rule, error) {
	if !eventsName.MatchString(c.Name) {
		return nil, errValidation("rule name %q is not 1 to 64 letters, digits, dots, hyphens or underscores", c.Name)
	}
	if c.ScheduleExpression != "" {
		return nil, NotEmulated("ScheduleExpression of an EventBridge rule", "put the event by hand when its time has come")
	}
	if c.Pattern == "" {
		return nil, errValidation("Parameter(s) EventPattern or ScheduleExpression must be specified.")
	}
	p, err := parsePattern(c.Pattern)
	if err != nil {
		return nil, err
	}
	for _, t := range c.Targets {
		if err := t.check(); err != nil {
			return nil, err
		}
	}
	e.mu.Lock()
	defer e.unlock()
	b := e.bus(c.Bus)
	if b == nil {
		return nil, errEventsMissing("Event bus " + c.Bus + " does not exist.")
	}
	c.Bus = b.name
	targets := c.Targets
	c.Targets = nil
	r := b.rule(c.Name)
	if r == nil {
		path := "rule/" + c.Name
		if b.name != defaultBus {
			path = "rule/" + b.name + "/" + c.Name
		}
		r = &Rule{bus: b, arn: e.arn("events", path)}
		b.rules = append(b.rules, r)
	} else {
		c.Targets = r.config.Targets
	}
	r.config, r.pattern = c, p
	r.put(targets)
	e.bump()
	return r, nil
}

func (b *Bus) rule(name string) *Rule {
	for _, r := range b.rules {
		if r.config.Name == name {
			return r
		}
	}
	return nil
}

func (r *Rule) put(targets []TargetConfig) {
	r.config.Targets = slices.Clone(r.config.Targets)
	for _, t := range targets {
		if i := slices.IndexFunc(r.config.Targets, func(o TargetConfig) bool { return o.ID == t.ID }); i >= 0 {
			r.config.Targets[i] = t
		} else {
			r.config.Targets = append(r.config.Targets, t)
		}
	}
}

func (t TargetConfig) check() error {
	service, _, ok := parseARN(t.ARN)
	switch {
	case !eventsName.MatchString(t.ID):
		return errValidation("target id %q is not 1 to 64 letters, digits, dots, hyphens or underscores", t.ID)
	case !ok:
		return errValidation("Parameter %s is not valid. Reason: Provided Arn is not in correct format.", t.ARN)
	case service != "sqs" && service != "lambda":
		return NotEmulated("an EventBridge target of service "+service, "use a queue or a function")
	case t.Input != "":
		return NotEmulated("Input of an EventBridge target", "")
	case t.InputPath != "":
		return NotEmulated("InputPath of an EventBridge target", "")
	case t.InputTransformer != "":
		return NotEmulated("InputTransformer of an EventBridge target", "")
	case isFIFO(t.ARN) && t.MessageGroupID == "":
		return errValidation("Parameter(s) MessageGroupId must be specified for target: %s.", t.ID)
	case !isFIFO(t.ARN) && t.MessageGroupID != "" && service != "sqs":
		return errValidation("Parameter(s) SqsParameters are not valid for target: %s.", t.ID)
	}
	if t.DeadLetter != "" {
		if service, _, ok := parseARN(t.DeadLetter); !ok || service != "sqs" || isFIFO(t.DeadLetter) {
			return errValidation("Parameter DeadLetterConfig.Arn is not valid. Reason: %s is not the ARN of a standard queue.", t.DeadLetter)
		}
	}
	return nil
}

// PutTargets adds targets to a rule, or replaces those of the same id.
func (e *Engine) PutTargets(bus, rule string, targets []TargetConfig) error {
	for _, t := range targets {
		if err := t.check(); err != nil {
			return err
		}
	}
	return e.withRule(bus, rule, func(r *Rule) { r.put(targets) })
}

// RemoveTargets removes targets by id; unknown ids are ignored.
func (e *Engine) RemoveTargets(bus, rule string, ids []string) error {
	return e.withRule(bus, rule, func(r *Rule) {
		r.config.Targets = slices.DeleteFunc(slices.Clone(r.config.Targets), func(t TargetConfig) bool { return slices.Contains(ids, t.ID) })
	})
}

// DeleteRule removes a rule that has no targets left. One that does not exist is no error, as on AWS.
func (e *Engine) DeleteRule(bus, rule string) error {
	e.mu.Lock()
	defer e.unlock()
	b := e.bus(bus)
	if b == nil {
		return errEventsMissing("Event bus " + bus + " does not exist.")
	}
	r := b.rule(rule)
	if r == nil {
		return nil
	}
	if len(r.config.Targets) > 0 {
		return errValidation("Rule can't be deleted since it has targets.")
	}
	b.rules = slices.DeleteFunc(b.rules, func(o *Rule) bool { return o == r })
	e.bump()
	return nil
}

func (e *Engine) withRule(bus, rule string, apply func(*Rule)) error {
	e.mu.Lock()
	defer e.unlock()
	b := e.bus(bus)
	if b == nil {
		return errEventsMissing("Event bus " + bus + " does not exist.")
	}
	r := b.rule(rule)
	if r == nil {
		return errEventsMissing("Rule " + rule + " does not exist on EventBus " + b.name + ".")
	}
	apply(r)
	e.bump()
	return nil
}

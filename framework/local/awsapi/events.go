package awsapi

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/sluice-go/sluice/framework/local"
)

var eventsOperations = map[string]func(*server, *request) (any, error){
	"PutEvents":         putEvents,
	"CreateEventBus":    createEventBus,
	"DescribeEventBus":  describeEventBus,
	"ListEventBuses":    listEventBuses,
	"PutRule":           putRule,
	"DescribeRule":      describeRule,
	"DeleteRule":        deleteRule,
	"ListRules":         listRules,
	"PutTargets":        putTargets,
	"RemoveTargets":     removeTargets,
	"ListTargetsByRule": listTargetsByRule,
}

type tag struct{ Key, Value string }

func putEvents(s *server, req *request) (any, error) {
	in, err := decode[struct {
		Entries []struct {
			Time                                                  *float64
			Source, DetailType, Detail, EventBusName, TraceHeader string
			Resources                                             []string
		}
	}](req)
	if err != nil {
		return nil, err
	}
	entries := make([]local.EventInput, len(in.Entries))
	for i, e := range in.Entries {
		entries[i] = local.EventInput{Source: e.Source, DetailType: e.DetailType, Detail: e.Detail, Bus: e.EventBusName, Resources: e.Resources, TraceHeader: e.TraceHeader}
		if e.TraceHeader == "" {
			entries[i].TraceHeader = req.traceHeader()
		}
		if e.Time != nil {
			whole, fraction := math.Modf(*e.Time)
			entries[i].Time = time.Unix(int64(whole), int64(fraction*1e9))
		}
	}
	results, err := s.engine.PutEvents(entries)
	if err != nil {
		return nil, err
	}
	failed, out := 0, make([]map[string]string, len(results))
	for i, r := range results {
		if r.Err != nil {
			failed++
			out[i] = map[string]string{"ErrorCode": r.Err.Code, "ErrorMessage": r.Err.Message}
			continue
		}
		out[i] = map[string]string{"EventId": r.EventID}
	}
	return map[string]any{"FailedEntryCount": failed, "Entries": out}, nil
}

func createEventBus(s *server, req *request) (any, error) {
	in, err := decode[struct {
		Name, Description string
		Tags              []tag
	}](req)
	if err != nil {
		return nil, err
	}
	b, err := s.engine.CreateBus(in.Name)
	if err != nil {
		return nil, err
	}
	return map[string]string{"EventBusArn": b.ARN()}, nil
}

func (s *server) bus(ref string) (*local.Bus, error) {
	b, ok := s.engine.Bus(ref)
	if !ok {
		return nil, &local.Error{Code: "ResourceNotFoundException", Message: "Event bus " + ref + " does not exist."}
	}
	return b, nil
}

func describeEventBus(s *server, req *request) (any, error) {
	in, err := decode[struct{ Name string }](req)
	if err != nil {
		return nil, err
	}
	b, err := s.bus(in.Name)
	if err != nil {
		return nil, err
	}
	return map[string]string{"Name": b.Name(), "Arn": b.ARN()}, nil
}

func listEventBuses(s *server, req *request) (any, error) {
	in, err := decode[struct{ NamePrefix string }](req)
	if err != nil {
		return nil, err
	}
	out := []map[string]string{}
	for _, b := range s.engine.Buses() {
		if strings.HasPrefix(b.Name(), in.NamePrefix) {
			out = append(out, map[string]string{"Name": b.Name(), "Arn": b.ARN()})
		}
	}
	return map[string]any{"EventBuses": out}, nil
}

func putRule(s *server, req *request) (any, error) {
	in, err := decode[struct {
		Name, EventBusName, EventPattern, ScheduleExpression, State, Description, RoleArn string
		Tags                                                                              []tag
	}](req)
	if err != nil {
		return nil, err
	}
	if in.State != "" && in.State != "ENABLED" && in.State != "DISABLED" {
		return nil, local.NotEmulated("the state "+in.State+" of an EventBridge rule", "use ENABLED or DISABLED")
	}
	r, err := s.engine.PutRule(local.RuleConfig{Bus: in.EventBusName, Name: in.Name, Pattern: in.EventPattern, ScheduleExpression: in.ScheduleExpression,
		Disabled: in.State == "DISABLED", Description: in.Description})
	if err != nil {
		return nil, err
	}
	return map[string]string{"RuleArn": r.ARN()}, nil
}

func ruleOut(r *local.Rule) map[string]string {
	c := r.Config()
	out := map[string]string{"Name": c.Name, "Arn": r.ARN(), "EventPattern": c.Pattern, "State": "ENABLED", "EventBusName": c.Bus}
	if c.Disabled {
		out["State"] = "DISABLED"
	}
	if c.Description != "" {
		out["Description"] = c.Description
	}
	return out
}

func (s *server) rule(bus, name string) (*local.Rule, error) {
	b, err := s.bus(bus)
	if err != nil {
		return nil, err
	}
	for _, r := range b.Rules() {
		if r.Config().Name == name {
			return r, nil
		}
	}
	return nil, &local.Error{Code: "ResourceNotFoundException", Message: "Rule " + name + " does not exist on EventBus " + b.Name() + "."}
}

func describeRule(s *server, req *request) (any, error) {
	in, err := decode[struct{ Name, EventBusName string }](req)
	if err != nil {
		return nil, err
	}
	r, err := s.rule(in.EventBusName, in.Name)
	if err != nil {
		return nil, err
	}
	return ruleOut(r), nil
}

func deleteRule(s *server, req *request) (any, error) {
	in, err := decode[struct {
		Name, EventBusName string
		Force              bool
	}](req)
	if err != nil {
		return nil, err
	}
	return nil, s.engine.DeleteRule(in.EventBusName, in.Name)
}

func listRules(s *server, req *request) (any, error) {
	in, err := decode[struct{ EventBusName, NamePrefix string }](req)
	if err != nil {
		return nil, err
	}
	b, err := s.bus(in.EventBusName)
	if err != nil {
		return nil, err
	}
	out := []map[string]string{}
	for _, r := range b.Rules() {
		if strings.HasPrefix(r.Config().Name, in.NamePrefix) {
			out = append(out, ruleOut(r))
		}
	}
	return map[string]any{"Rules": out}, nil
}

type target struct {
	Id, Arn          string
	RoleArn          string          `json:",omitempty"`
	Input            string          `json:",omitempty"`
	InputPath        string          `json:",omitempty"`
	InputTransformer json.RawMessage `json:",omitempty"`
	SqsParameters    *sqsParameters  `json:",omitempty"`
	DeadLetterConfig *deadLetter     `json:",omitempty"`
	// RetryPolicy has nothing to act on: a target here takes an event, or never will.
	RetryPolicy json.RawMessage `json:",omitempty"`
}

type sqsParameters struct {
	MessageGroupId string `json:",omitempty"`
}

type deadLetter struct{ Arn string }

func putTargets(s *server, req *request) (any, error) {
	in, err := decode[struct {
		Rule, EventBusName string
		Targets            []target
	}](req)
	if err != nil {
		return nil, err
	}
	var targets []local.TargetConfig
	for _, t := range in.Targets {
		c := local.TargetConfig{ID: t.Id, ARN: t.Arn, Input: t.Input, InputPath: t.InputPath, InputTransformer: string(t.InputTransformer)}
		if t.SqsParameters != nil {
			c.MessageGroupID = t.SqsParameters.MessageGroupId
		}
		if t.DeadLetterConfig != nil {
			c.DeadLetter = t.DeadLetterConfig.Arn
		}
		targets = append(targets, c)
	}
	if err := s.engine.PutTargets(in.EventBusName, in.Rule, targets); err != nil {
		return nil, err
	}
	return map[string]any{"FailedEntryCount": 0, "FailedEntries": []any{}}, nil
}

func removeTargets(s *server, req *request) (any, error) {
	in, err := decode[struct {
		Rule, EventBusName string
		Ids                []string
		Force              bool
	}](req)
	if err != nil {
		return nil, err
	}
	if err := s.engine.RemoveTargets(in.EventBusName, in.Rule, in.Ids); err != nil {
		return nil, err
	}
	return map[string]any{"FailedEntryCount": 0, "FailedEntries": []any{}}, nil
}

func listTargetsByRule(s *server, req *request) (any, error) {
	in, err := decode[struct{ Rule, EventBusName string }](req)
	if err != nil {
		return nil, err
	}
	r, err := s.rule(in.EventBusName, in.Rule)
	if err != nil {
		return nil, err
	}
	out := []target{}
	for _, c := range r.Config().Targets {
		t := target{Id: c.ID, Arn: c.ARN}
		if c.MessageGroupID != "" {
			t.SqsParameters = &sqsParameters{c.MessageGroupID}
		}
		if c.DeadLetter != "" {
			t.DeadLetterConfig = &deadLetter{c.DeadLetter}
		}
		out = append(out, t)
	}
	return map[string]any{"Targets": out}, nil
}

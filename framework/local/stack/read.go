package stack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Options say where the template is read for. Nil is all defaults.
type Options struct {
	StackName string // default "local"; the first part of generated names
	Region    string // default "us-east-1"
	Account   string // default "000000000000"
	Partition string // default "aws"

	// EndpointURL is what queue URLs begin with, without a slash at its end.
	// Default "https://sqs.<region>.amazonaws.com".
	EndpointURL string

	// Parameters are values of the template's parameters; one without a value
	// has its Default. Naming a parameter that the template does not have is an
	// error.
	Parameters map[string]string

	// Imports are the exports of other stacks, for Fn::ImportValue.
	Imports map[string]string

	// Values are the values of what can not be resolved here: of a Ref by its
	// logical id, of a Fn::GetAtt by "LogicalID.Attribute", of a dynamic
	// reference by its whole text, "{{resolve:ssm:/shop/key}}". They win over
	// what would be resolved.
	Values map[string]string
}

func (o *Options) complete() Options {
	var c Options
	if o != nil {
		c = *o
	}
	for _, d := range []struct {
		field *string
		value string
	}{
		{&c.StackName, "local"}, {&c.Region, "us-east-1"}, {&c.Account, "000000000000"}, {&c.Partition, "aws"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if c.EndpointURL == "" {
		c.EndpointURL = "https://sqs." + c.Region + ".amazonaws.com"
	}
	c.EndpointURL = strings.TrimSuffix(c.EndpointURL, "/")
	return c
}

// Read reads a template. The error joins everything that is wrong with it; with
// one there is no topology. Read keeps nothing and is safe for concurrent use.
func Read(template []byte, opts *Options) (*Topology, error) {
	doc, err := decode(template)
	if err != nil {
		return nil, err
	}
	r := &reader{opts: opts.complete(), doc: doc, topology: &Topology{Outputs: make(map[string]string)}}
	r.topology.StackName = r.opts.StackName
	r.sections()
	r.parameters()
	for _, name := range slices.Sorted(maps.Keys(r.object("Conditions"))) {
		r.condition(name, "Conditions."+name)
	}
	r.collect()
	if len(r.errs) == 0 {
		r.checkCycles()
	}
	if len(r.errs) > 0 { // what follows would stumble over the same again
		return nil, errors.Join(r.errs...)
	}
	r.nameResources()
	r.resources()
	r.attach()
	r.outputs()
	r.checkNames()
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	r.sortFindings()
	return r.topology, nil
}

// reader is the state of one Read.
type reader struct {
	opts     Options
	doc      map[string]any
	topology *Topology
	errs     []error

	ids       []string // of the resources that exist, sorted
	res       map[string]*resource
	absent    map[string]string // resources whose condition is false, to the condition
	params    map[string]any    // string or []any
	conds     map[string]condState
	mappings  []pendingMapping
	qualified []pendingQualified
}

// resource is an entry of Resources.
type resource struct {
	id, typ  string
	body     map[string]any // all of it
	props    map[string]any // its Properties
	metadata map[string]any
	name     string // physical, once nameResources ran
	explicit bool   // the template gives the name
}

func (r *reader) fail(path, format string, args ...any) {
	err := fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...))
	for _, e := range r.errs { // a name is resolved wherever it is referred to
		if e.Error() == err.Error() {
			return
		}
	}
	r.errs = append(r.errs, err)
}

func (r *reader) find(f Finding) {
	if f.Severity == Harmless {
		r.topology.Harmless = append(r.topology.Harmless, f)
		return
	}
	r.topology.Findings = append(r.topology.Findings, f)
}

func decode(template []byte) (map[string]any, error) {
	trimmed := bytes.TrimSpace(template)
	if len(trimmed) == 0 {
		return nil, errors.New("template is empty: give the JSON that `cdk synth` writes to cdk.out/<stack>.template.json")
	}
	if trimmed[0] != '{' {
		return nil, errors.New("template is not JSON, it looks like YAML: give the JSON that `cdk synth` writes to cdk.out/<stack>.template.json, or convert it first (for example with `cfn-flip -j`)")
	}
	d := json.NewDecoder(bytes.NewReader(trimmed))
	d.UseNumber() // an event pattern's 300.0 is not its 300
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("template is not valid JSON: %w: synthesize it again", err)
	}
	if d.More() {
		return nil, errors.New("template has something after its closing brace: give one JSON object")
	}
	return doc, nil
}

// sections checks the top level of the template.
func (r *reader) sections() {
	for _, name := range slices.Sorted(maps.Keys(r.doc)) {
		switch name {
		case "Resources", "Parameters", "Mappings", "Conditions", "Outputs", "Metadata":
			if _, ok := r.doc[name].(map[string]any); !ok {
				r.fail(name, "is not an object: synthesize the template again")
			}
		case "AWSTemplateFormatVersion", "Description":
		case "Rules":
			r.find(Finding{Severity: Harmless, Property: name, Message: "rules only check parameters when a stack is deployed"})
		case "Transform":
			r.fail("Transform", "%v rewrites the template when it is deployed, so what is here is not what runs: for AWS::Serverless-2016-10-31 (SAM) read the processed template (`aws cloudformation get-template --template-stage Processed`), or describe the stack with the constructs of infra", r.doc[name])
		default:
			r.fail(name, "is no section of a template that this reader knows: remove it, or synthesize the template again")
		}
	}
	if len(r.object("Resources")) == 0 && len(r.errs) == 0 {
		r.fail("Resources", "is missing or empty: give the template of a stack, not an asset manifest or a cdk.json")
	}
	if sluice, ok := r.object("Metadata")["Sluice"].(map[string]any); ok {
		r.topology.Digest, _ = sluice["Digest"].(string)
	}
}

// object is a top-level section, or nil.
func (r *reader) object(name string) map[string]any {
	m, _ := r.doc[name].(map[string]any)
	return m
}

// collect finds the resources that exist: all but those whose condition is
// false.
func (r *reader) collect() {
	r.res = make(map[string]*resource)
	r.absent = make(map[string]string)
	all := r.object("Resources")
	for _, id := range slices.Sorted(maps.Keys(all)) {
		path := "Resources." + id
		body, ok := all[id].(map[string]any)
		if !ok {
			r.fail(path, "is not an object: synthesize the template again")
			continue
		}
		typ, ok := body["Type"].(string)
		if !ok {
			r.fail(path, "has no Type: synthesize the template again")
			continue
		}
		if strings.HasPrefix(typ, "AWS::Serverless::") {
			r.fail(path, "%s is a SAM resource, which a deployment rewrites: read the processed template, or describe the stack with the constructs of infra", typ)
			continue
		}
		if cond, ok := body["Condition"]; ok {
			name, isName := cond.(string)
			if !isName {
				r.fail(path+".Condition", "is not the name of a condition: synthesize the template again")
				continue
			}
			if !r.condition(name, path+".Condition") {
				r.absent[id] = name
				continue
			}
		}
		res := &resource{id: id, typ: typ, body: body}
		if p, ok := body["Properties"]; ok {
			if res.props, ok = p.(map[string]any); !ok {
				r.fail(path+".Properties", "is not an object: synthesize the template again")
				continue
			}
		}
		res.metadata, _ = body["Metadata"].(map[string]any)
		r.res[id] = res
		r.ids = append(r.ids, id)
	}
}

// outputs resolves what can be resolved. An output that can not is no error: it
// usually names a resource that a local run does not have.
func (r *reader) outputs() {
	all := r.object("Outputs")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		path := "Outputs." + name
		body, ok := all[name].(map[string]any)
		if !ok {
			r.fail(path, "is not an object: synthesize the template again")
			continue
		}
		if cond, ok := body["Condition"].(string); ok && !r.condition(cond, path+".Condition") {
			continue
		}
		before := len(r.errs)
		value, ok := r.scalar(body["Value"], path+".Value")
		if len(r.errs) > before {
			for _, err := range r.errs[before:] {
				r.find(Finding{Severity: Ignored, Property: path, Message: "left out: " + err.Error()})
			}
			r.errs = r.errs[:before]
			continue
		}
		if ok {
			r.topology.Outputs[name] = value
		}
	}
}

func (r *reader) sortFindings() {
	for _, list := range [][]Finding{r.topology.Findings, r.topology.Harmless} {
		slices.SortStableFunc(list, func(a, b Finding) int {
			if c := strings.Compare(a.LogicalID, b.LogicalID); c != 0 {
				return c
			}
			return strings.Compare(a.Property, b.Property)
		})
	}
}

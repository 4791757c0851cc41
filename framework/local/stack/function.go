package stack

import (
	"strings"
	"time"
)

const defaultEventAge = 24 * time.Hour

// pendingQualified is an alias, version or asynchronous configuration, which is
// put into its function when all functions are read.
type pendingQualified struct {
	fn    string // logical id
	apply func(*Function)
}

// pendingMapping waits for the queues and functions.
type pendingMapping struct {
	mapping Mapping
	fn      string
	path    string
}

// readFunction follows the template reference of AWS::Lambda::Function.
func (r *reader) readFunction(res *resource, o *object) {
	f := Function{
		Resource:  r.base(res),
		Timeout:   o.seconds("Timeout", 3, 1, 900),
		MemoryMB:  o.num("MemorySize", 128, 128, 32768),
		LogFormat: "Text",
	}
	o.str("FunctionName", "")
	sluice, _ := res.metadata["Sluice"].(map[string]any)
	f.Handler, _ = sluice["Handler"].(string)
	f.Source, _ = sluice["Source"].(string)
	if f.Handler == "" {
		r.find(Finding{Severity: Unsupported, LogicalID: res.id, Type: res.typ, Property: "(metadata) Sluice.Handler",
			Message: `the template does not say which program it is, so it can not be run: give the resource the metadata {"Sluice": {"Handler": "./handlers/<name>", "Source": "sqs"}}`})
	}
	if p := o.object("Environment"); p != nil {
		f.Env = p.table("Variables")
		p.done()
	}
	if p := o.object("LoggingConfig"); p != nil {
		f.LogFormat = p.oneOf("LogFormat", "Text", "Text", "JSON")
		f.LogLevel = p.str("ApplicationLogLevel", "")
		p.harmless("logs go to the terminal and the console", "LogGroup", "SystemLogLevel")
		p.done()
	}
	if p := o.object("DeadLetterConfig"); p != nil {
		f.DeadLetter = p.str("TargetArn", "")
		p.done()
	}
	if _, ok := o.get("ReservedConcurrentExecutions"); ok {
		n := o.num("ReservedConcurrentExecutions", 0, 0, 1<<31-1)
		f.Reserved = &n
	}
	if runtime := o.str("Runtime", ""); runtime != "" && !strings.HasPrefix(runtime, "provided") {
		o.unsupported("only provided.al2 and provided.al2023 run here: the handler is built from Go", "Runtime")
	}
	if o.str("PackageType", "Zip") != "Zip" {
		o.unsupported("container images do not run here: the handler is built from Go", "PackageType")
	}
	o.harmless("the handler is built from its source", "Code", "Handler")
	o.harmless("the handler is built for this machine", "Architectures")
	o.harmless("permissions are not checked locally", "Role", "CodeSigningConfigArn")
	o.harmless("traces are local", "TracingConfig")
	o.harmless("descriptive only", "Description", "Tags")
	o.harmless("nothing is encrypted locally", "KmsKeyArn")
	o.harmless("the temporary directory is this machine's", "EphemeralStorage")
	o.harmless("runtimes are updated on AWS only", "RuntimeManagementConfig")
	o.ignored("the function has this machine's network", "VpcConfig")
	o.ignored("loops between functions and queues are not stopped", "RecursiveLoop")
	o.ignored("there is no snapshot: every cold start is a full one", "SnapStart")
	o.unsupported("layers are not loaded", "Layers")
	o.unsupported("file systems are not mounted", "FileSystemConfigs")
	o.unsupported("a process runs one invocation at a time", "CapacityProviderConfig", "TenancyConfig")
	o.unsupported("durable executions are not emulated", "DurableConfig")
	r.topology.Functions = append(r.topology.Functions, f)
}

// readVersion follows the template reference of AWS::Lambda::Version.
func (r *reader) readVersion(res *resource, o *object) {
	o.seen["FunctionName"] = true
	fn, ok := r.functionOf(res)
	o.harmless("descriptive only", "Description")
	o.harmless("the handler is built from its source", "CodeSha256")
	o.harmless("runtimes are updated on AWS only", "RuntimePolicy")
	o.ignored("no process is started ahead of its first invocation", "ProvisionedConcurrencyConfig")
	if !ok {
		return
	}
	number := r.version(res)
	r.qualified = append(r.qualified, pendingQualified{fn.id, func(f *Function) {
		if f.Versions == nil {
			f.Versions = make(map[string]string)
		}
		f.Versions[number] = res.id
	}})
}

// readAlias follows the template reference of AWS::Lambda::Alias.
func (r *reader) readAlias(res *resource, o *object) {
	name, version := o.required("Name"), o.required("FunctionVersion")
	o.seen["FunctionName"] = true
	fn, ok := r.functionOf(res)
	o.harmless("descriptive only", "Description")
	o.ignored("no process is started ahead of its first invocation", "ProvisionedConcurrencyConfig")
	o.unsupported("all traffic goes to one version: locally there is only one build", "RoutingConfig")
	if !ok {
		return
	}
	r.qualified = append(r.qualified, pendingQualified{fn.id, func(f *Function) {
		if f.Aliases == nil {
			f.Aliases = make(map[string]string)
		}
		f.Aliases[name] = version
	}})
}

// readInvokeConfig follows the template reference of
// AWS::Lambda::EventInvokeConfig.
func (r *reader) readInvokeConfig(res *resource, o *object) {
	qualifier := o.required("Qualifier")
	o.seen["FunctionName"] = true
	fn, ok := r.functionOf(res)
	a := Async{
		Retries:     o.num("MaximumRetryAttempts", 2, 0, 2),
		MaxEventAge: o.seconds("MaximumEventAgeInSeconds", 21600, 60, 21600),
	}
	if p := o.object("DestinationConfig"); p != nil {
		if d := p.object("OnFailure"); d != nil {
			a.OnFailureARN = d.required("Destination")
			d.done()
		}
		p.unsupported("nothing is sent after a success", "OnSuccess")
		p.done()
	}
	if !ok {
		return
	}
	r.qualified = append(r.qualified, pendingQualified{fn.id, func(f *Function) {
		if f.AsyncConfig == nil {
			f.AsyncConfig = make(map[string]Async)
		}
		if _, twice := f.AsyncConfig[qualifier]; twice {
			r.fail("Resources."+res.id, "function %s has a second configuration for %s: keep one", fn.id, qualifier)
		}
		f.AsyncConfig[qualifier] = a
	}})
}

// readMapping follows the template reference of AWS::Lambda::EventSourceMapping.
func (r *reader) readMapping(res *resource, o *object) {
	m := Mapping{Resource: r.base(res), QueueARN: o.required("EventSourceArn")}
	m.Name = uuid(res.id)
	if m.QueueARN != "" && !strings.Contains(m.QueueARN, ":sqs:") {
		o.unsupported("only SQS queues are event sources here: nothing comes from this one", "EventSourceArn")
		for name := range o.raw { // one finding says it all
			o.seen[name] = true
		}
		return
	}
	name := o.required("FunctionName")
	m.BatchSize = o.num("BatchSize", 10, 1, 10000)
	m.Window = o.seconds("MaximumBatchingWindowInSeconds", 0, 0, 300)
	m.Enabled = o.boolean("Enabled", true)
	for _, t := range o.texts("FunctionResponseTypes") {
		if t != "ReportBatchItemFailures" {
			r.fail(o.at("FunctionResponseTypes"), "%q is not known: use ReportBatchItemFailures", t)
		}
		m.ReportBatchItemFailures = true
	}
	if p := o.object("ScalingConfig"); p != nil {
		m.MaximumConcurrency = p.num("MaximumConcurrency", 0, 2, 1000)
		p.done()
	}
	if p := o.object("FilterCriteria"); p != nil {
		for _, f := range p.objects("Filters") {
			m.FilterPatterns = append(m.FilterPatterns, f.required("Pattern"))
			f.done()
		}
		p.done()
	}
	if _, ok := o.get("ProvisionedPollerConfig"); ok {
		m.ProvisionedPollersDefined = true
	}
	o.ignored("pollers are not counted: the mapping receives as fast as it can", "ProvisionedPollerConfig")
	o.harmless("nothing is encrypted locally", "KmsKeyArn")
	o.harmless("metrics and logs of Lambda itself", "MetricsConfig", "LoggingConfig")
	o.harmless("labels only", "Tags")
	if fn, qualifier, ok := r.parseFunction(name, o.at("FunctionName")); name != "" && ok {
		m.Qualifier = qualifier
		r.mappings = append(r.mappings, pendingMapping{m, fn.id, o.at("FunctionName")})
	}
}

// attach puts aliases, versions and configurations into their functions, and
// then resolves mappings through them.
func (r *reader) attach() {
	functions := make(map[string]*Function)
	for i := range r.topology.Functions {
		functions[r.topology.Functions[i].LogicalID] = &r.topology.Functions[i]
	}
	for _, q := range r.qualified {
		q.apply(functions[q.fn])
	}
	for _, p := range r.mappings {
		f, m := functions[p.fn], p.mapping
		if q := m.Qualifier; q != "" && q != latest && f.Versions[q] == "" && f.Aliases[q] == "" {
			r.fail(p.path, "function %s has no alias or version %q in this template: declare it", p.fn, q)
		}
		m.FunctionID = p.fn
		r.topology.Mappings = append(r.topology.Mappings, m)
	}
	for _, f := range r.topology.Functions {
		for qualifier := range f.AsyncConfig {
			if qualifier != latest && f.Versions[qualifier] == "" && f.Aliases[qualifier] == "" {
				r.fail("Resources."+f.LogicalID, "an EventInvokeConfig names its alias or version %q, which is not in this template: declare it", qualifier)
			}
		}
	}
}

package local_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/local"
)

// Each row is from EventBridge's user guide ("Comparison operators for use in event patterns") or AWS's own test event patterns.
func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, detail string
		want            bool
	}{
		{`{"detail":{"k":["a","b"]}}`, `{"k":"b"}`, true},
		{`{"detail":{"k":["a"]}}`, `{"k":"A"}`, false},
		{`{"detail":{"k":[null]}}`, `{"k":null}`, true},
		{`{"detail":{"k":[null]}}`, `{}`, false},
		{`{"detail":{"k":[""]}}`, `{"k":""}`, true},
		{`{"detail":{"k":[true]}}`, `{"k":true}`, true},
		{`{"detail":{"k":[true]}}`, `{"k":"true"}`, false},
		{`{"detail":{"k":[300]}}`, `{"k":300}`, true},
		{`{"detail":{"k":[300]}}`, `{"k":300.0}`, false},
		{`{"detail":{"k":[{"prefix":"or"}]}}`, `{"k":"orders"}`, true},
		{`{"detail":{"k":[{"prefix":{"equals-ignore-case":"OR"}}]}}`, `{"k":"orders"}`, true},
		{`{"detail":{"k":[{"prefix":"or"}]}}`, `{"k":1}`, false},
		{`{"detail":{"k":[{"suffix":".png"}]}}`, `{"k":"a.png"}`, true},
		{`{"detail":{"k":[{"suffix":{"equals-ignore-case":".PNG"}}]}}`, `{"k":"a.png"}`, true},
		{`{"detail":{"k":[{"equals-ignore-case":"Alice"}]}}`, `{"k":"aLICE"}`, true},
		{`{"detail":{"k":[{"exists":true}]}}`, `{"k":null}`, true},
		{`{"detail":{"k":[{"exists":true}]}}`, `{"k":{"leaf":1}}`, false},
		{`{"detail":{"k":[{"exists":false}]}}`, `{}`, true},
		{`{"detail":{"k":{"l":[{"exists":false}]}}}`, `{}`, true},
		{`{"detail":{"k":[{"exists":false}]}}`, `{"k":1}`, false},
		{`{"detail":{"k":[{"anything-but":"a"}]}}`, `{"k":"b"}`, true},
		{`{"detail":{"k":[{"anything-but":"a"}]}}`, `{"k":"a"}`, false},
		{`{"detail":{"k":[{"anything-but":"a"}]}}`, `{}`, false},
		{`{"detail":{"k":[{"anything-but":["a","b"]}]}}`, `{"k":null}`, true},
		{`{"detail":{"k":[{"anything-but":[1,2]}]}}`, `{"k":2}`, false},
		{`{"detail":{"k":[{"anything-but":{"prefix":"in"}}]}}`, `{"k":"init"}`, false},
		{`{"detail":{"k":[{"anything-but":{"suffix":["a","b"]}}]}}`, `{"k":"xc"}`, true},
		{`{"detail":{"k":[{"anything-but":{"wildcard":"*/lib/*"}}]}}`, `{"k":"a/lib/b"}`, false},
		{`{"detail":{"k":[{"anything-but":{"equals-ignore-case":"x"}}]}}`, `{"k":"X"}`, false},
		{`{"detail":{"k":[{"numeric":["<",10]}]}}`, `{"k":9.99}`, true},
		{`{"detail":{"k":[{"numeric":[">",0,"<=",5]}]}}`, `{"k":0}`, false},
		{`{"detail":{"k":[{"numeric":["=",300]}]}}`, `{"k":3.0e2}`, true},
		{`{"detail":{"k":[{"numeric":["=",3]}]}}`, `{"k":"3"}`, false},
		{`{"detail":{"k":[{"wildcard":"dir/*.png"}]}}`, `{"k":"dir/a.png"}`, true},
		{`{"detail":{"k":[{"wildcard":"dir/*.png"}]}}`, `{"k":"dir/a.png.txt"}`, false},
		{`{"detail":{"k":[{"wildcard":"a\\**"}]}}`, `{"k":"a*b"}`, true},
		{`{"detail":{"k":[{"wildcard":"a*a"}]}}`, `{"k":"a"}`, false},
		{`{"detail":{"k":[{"cidr":"10.0.0.0/24"}]}}`, `{"k":"10.0.0.255"}`, true},
		{`{"detail":{"k":[{"cidr":"10.0.0.0/24"}]}}`, `{"k":"10.0.1.0"}`, false},
		{`{"detail":{"k":["a"]}}`, `{"k":["x","a"]}`, true},
		{`{"detail":{"k":["a"]}}`, `{"k":[]}`, false},
		{`{"detail":{"list":{"k":["a"],"l":["b"]}}}`, `{"list":[{"k":"a","l":"x"},{"k":"x","l":"b"}]}`, false},
		{`{"detail":{"list":{"k":["a"],"l":["b"]}}}`, `{"list":[{"k":"x"},{"k":"a","l":"b"}]}`, true},
		{`{"detail":{"$or":[{"k":["a"]},{"l":[{"numeric":[">",5]}]}]}}`, `{"l":6}`, true},
		{`{"detail":{"$or":[{"k":["a"]},{"l":["b"]}],"m":["c"]}}`, `{"k":"a","m":"x"}`, false},
		{`{"source":["shop"],"detail-type":["d"]}`, `{}`, true},
		{`{"source":["other"]}`, `{}`, false},
		{`{"account":["000000000000"],"region":["us-east-1"],"version":["0"]}`, `{}`, true},
	} {
		t.Run(c.pattern+c.detail, func(t *testing.T) {
			w := newWorld(t, local.Options{})
			q := w.queue(local.QueueConfig{Name: "q"})
			_, err := w.PutRule(local.RuleConfig{Name: "r", Pattern: c.pattern, Targets: []local.TargetConfig{{ID: "1", ARN: q.ARN()}}})
			w.must(err)
			_, err = w.PutEvents([]local.EventInput{{Source: "shop", DetailType: "d", Detail: c.detail}})
			w.must(err)
			if got := q.Counts().Total() == 1; got != c.want {
				t.Errorf("matched: %v, want %v", got, c.want)
			}
		})
	}
}

func TestPatternsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	for pattern, text := range map[string]string{
		`{`:                            "invalid JSON",
		`{}`:                           "at least one field",
		`[]`:                           "Filter is not an object",
		`{"source":"shop"}`:            `"source" must be an object or an array`,
		`{"source":[]}`:                "Empty arrays are not allowed",
		`{"detail":{}}`:                "Empty objects are not allowed",
		`{"source":[{"regex":"a.*"}]}`: "Unrecognized match type regex",
		`{"source":[{"prefix":1}]}`:    "prefix match pattern must be a string",
		`{"source":[{"prefix":"a","suffix":"b"}]}`:    "Only one key allowed",
		`{"source":[{"exists":"yes"}]}`:               "exists match pattern must be either true or false",
		`{"source":[{"anything-but":null}]}`:          "Inside anything but list",
		`{"source":[{"anything-but":{"numeric":1}}]}`: "numeric match pattern must be a string",
		`{"source":[{"numeric":["!",1]}]}`:            "Unrecognized numeric range operator",
		`{"source":[{"wildcard":"a**"}]}`:             "Consecutive wildcard characters",
		`{"source":[{"wildcard":"a\\b"}]}`:            "Invalid escape character",
		`{"source":[{"cidr":"10.0.0.0/99"}]}`:         "Malformed CIDR",
		`{"source":[["a"]]}`:                          "Lists in lists",
	} {
		_, err := w.PutRule(local.RuleConfig{Name: "r", Pattern: pattern})
		wantError(t, err, "InvalidEventPatternException", "Event pattern is not valid. Reason: ")
		wantError(t, err, "InvalidEventPatternException", text)
	}
}

func TestRulesAndTargetsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	arn := "arn:aws:sqs:us-east-1:000000000000:q"
	for _, c := range []struct {
		target     local.TargetConfig
		code, text string
	}{
		{local.TargetConfig{ID: "1", ARN: "arn:aws:states:us-east-1:000000000000:stateMachine:m"}, "NotImplemented", "an EventBridge target of service states is not emulated"},
		{local.TargetConfig{ID: "1", ARN: arn, Input: "{}"}, "NotImplemented", "Input of an EventBridge target is not emulated"},
		{local.TargetConfig{ID: "1", ARN: arn, InputPath: "$.detail"}, "NotImplemented", "InputPath of an EventBridge target is not emulated"},
		{local.TargetConfig{ID: "1", ARN: arn, InputTransformer: "{}"}, "NotImplemented", "InputTransformer of an EventBridge target is not emulated"},
		{local.TargetConfig{ID: "1", ARN: arn + ".fifo"}, "ValidationException", "MessageGroupId must be specified"},
		{local.TargetConfig{ID: "a b", ARN: arn}, "ValidationException", "target id"},
		{local.TargetConfig{ID: "1", ARN: "q"}, "ValidationException", "not in correct format"},
		{local.TargetConfig{ID: "1", ARN: arn, DeadLetter: arn + ".fifo"}, "ValidationException", "DeadLetterConfig.Arn"},
	} {
		_, err := w.PutRule(local.RuleConfig{Name: "r", Pattern: `{"source":["a"]}`, Targets: []local.TargetConfig{c.target}})
		wantError(t, err, c.code, c.text)
	}
	_, err := w.PutRule(local.RuleConfig{Name: "r", ScheduleExpression: "rate(1 minute)"})
	wantError(t, err, "NotImplemented", "ScheduleExpression of an EventBridge rule is not emulated")
	_, err = w.PutRule(local.RuleConfig{Name: "r", Pattern: `{"source":["a"]}`, Bus: "none"})
	wantError(t, err, "ResourceNotFoundException", "Event bus none does not exist.")
}

func TestPutEventsResults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	got, err := w.PutEvents([]local.EventInput{
		{Source: "s", DetailType: "d", Detail: "{}"},
		{DetailType: "d", Detail: "{}"},
		{Source: "s", Detail: "{}"},
		{Source: "s", DetailType: "d"},
		{Source: "s", DetailType: "d", Detail: "[]"},
		{Source: "aws.s3", DetailType: "d", Detail: "{}"},
		{Source: "s", DetailType: "d", Detail: "{}", Bus: "none"},
	})
	w.must(err)
	var codes []string
	for _, r := range got {
		code := ""
		if r.Err != nil {
			code = r.Err.Code + ": " + r.Err.Message
		}
		if (r.EventID == "") != (r.Err != nil) {
			t.Errorf("result %+v", r)
		}
		codes = append(codes, code)
	}
	want := []string{"", "InvalidArgument: Parameter Source is not valid. Reason: Source is a required argument.",
		"InvalidArgument: Parameter DetailType is not valid. Reason: DetailType is a required argument.",
		"InvalidArgument: Parameter Detail is not valid. Reason: Detail is a required argument.",
		"MalformedDetail: Detail is malformed.", "NotAuthorizedForSourceException: Not authorized for the source.", ""}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Error(diff)
	}
	if e := w.journal(local.Warning); len(e) != 1 || !strings.Contains(e[0].Detail, "event bus none does not exist") {
		t.Errorf("an event for a bus that is not there: %+v", e)
	}
	_, err = w.PutEvents(make([]local.EventInput, 11))
	wantError(t, err, "ValidationException", "less than or equal to 10")
	_, err = w.PutEvents([]local.EventInput{{Source: "s", DetailType: "d", Detail: `"` + strings.Repeat("a", 1<<20) + `"`}})
	wantError(t, err, "ValidationException", "Total size of the entries in the request is over the limit.")
}

func TestTargets(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, w *world) {
		fifo := w.queue(local.QueueConfig{Name: "q.fifo", ContentBasedDeduplication: true})
		dlq := w.queue(local.QueueConfig{Name: "dlq"})
		strict := w.queue(local.QueueConfig{Name: "strict.fifo"})
		f := w.function("f", nil, nil)
		bus, err := w.CreateBus("shop")
		w.must(err)
		missing := "arn:aws:sqs:us-east-1:000000000000:missing"
		rule, err := w.PutRule(local.RuleConfig{Bus: bus.ARN(), Name: "r", Pattern: `{"source":["s"]}`, Targets: []local.TargetConfig{
			{ID: "fifo", ARN: fifo.ARN(), MessageGroupID: "$.detail.sku"},
			{ID: "function", ARN: w.Functions()[0].ARN},
			{ID: "missing", ARN: missing, DeadLetter: dlq.ARN()},
			{ID: "no deduplication id"[:2], ARN: strict.ARN(), MessageGroupID: "g", DeadLetter: dlq.ARN()},
			{ID: "lost", ARN: missing},
		}})
		w.must(err)
		results, err := w.PutEvents([]local.EventInput{{Source: "s", DetailType: "d", Detail: `{"sku":"1"}`, Bus: "shop", TraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793"}})
		w.must(err)
		w.quiet()

		if got := fifo.Snapshot(); len(got) != 1 || got[0].GroupID != "$.detail.sku" {
			t.Errorf("a message group id is a constant, also one that looks like a path: %+v", got)
		}
		if got := f.invocations(); len(got) != 1 || !strings.Contains(string(got[0].Payload), results[0].EventID) || got[0].TraceHeader != "Root=1-5759e988-bd862e3fe1be46a994272793" {
			t.Errorf("function: %+v", got)
		}
		dead := dlq.Snapshot()
		if len(dead) != 2 {
			t.Fatalf("%d dead letters, want 2", len(dead))
		}
		text := func(v string) local.AttributeValue { return local.AttributeValue{DataType: "String", StringValue: v} }
		want := map[string]local.AttributeValue{"RULE_ARN": text(rule.ARN()), "TARGET_ARN": text(missing), "ERROR_CODE": text("NO_RESOURCE"),
			"ERROR_MESSAGE": text("The specified queue does not exist."), "RETRY_ATTEMPTS": {DataType: "Number", StringValue: "0"}}
		if diff := cmp.Diff(want, dead[0].Attributes); diff != "" {
			t.Error(diff)
		}
		if got := dead[1].Attributes["ERROR_CODE"].StringValue; got != "INVALID_PARAMETER" {
			t.Errorf("error code of a refused message: %s", got)
		}
		if e := w.journal(local.Warning); len(e) != 1 || !strings.Contains(e[0].Detail, "an event is lost") {
			t.Errorf("warnings: %+v", e)
		}
	})
}

func TestRuleLifeCycle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	q := w.queue(local.QueueConfig{Name: "q"})
	put := func() {
		_, err := w.PutEvents([]local.EventInput{{Source: "s", DetailType: "d", Detail: "{}"}})
		w.must(err)
	}
	c := local.RuleConfig{Name: "r", Pattern: `{"source":["s"]}`, Disabled: true}
	_, err := w.PutRule(c)
	w.must(err)
	w.must(w.PutTargets("", "r", []local.TargetConfig{{ID: "1", ARN: q.ARN()}}))
	put()
	if q.Counts().Total() != 0 {
		t.Error("a disabled rule delivered")
	}
	c.Disabled = false
	_, err = w.PutRule(c)
	w.must(err)
	put()
	if q.Counts().Total() != 1 {
		t.Error("putting a rule again lost its targets or did not enable it")
	}
	wantError(t, w.DeleteRule("", "r"), "ValidationException", "Rule can't be deleted since it has targets.")
	w.must(w.RemoveTargets("default", "r", []string{"1", "2"}))
	w.must(w.DeleteRule("", "r"))
	w.must(w.DeleteRule("", "r"))
	wantError(t, w.PutTargets("", "r", nil), "ResourceNotFoundException", "Rule r does not exist on EventBus default.")
	_, err = w.CreateBus("default")
	wantError(t, err, "ResourceAlreadyExistsException", "Event bus default already exists.")
}

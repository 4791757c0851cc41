package awsapi

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sluice-go/sluice/framework/local"
)

// queryProtocol is AWS Query: form in, XML out.
type queryProtocol struct {
	name       string
	namespace  string // of the XML
	operations map[string]func(*server, *request) ([]element, error)
	parameters map[string][]string // what each operation takes, up to the first dot
}

// queryServices are the services by the Version that their requests carry. SQS's own (2012-11-05) is missing on purpose: SDKs of today speak JSON.
var queryServices = map[string]queryProtocol{
	"2010-03-31": {name: "sns", namespace: "http://sns.amazonaws.com/doc/2010-03-31/", operations: snsOperations, parameters: snsParameters},
	"2011-06-15": {name: "sts", namespace: "https://sts.amazonaws.com/doc/2011-06-15/", operations: stsOperations, parameters: map[string][]string{"GetCallerIdentity": nil}},
	"2012-11-05": {name: "sqs (query protocol)", namespace: "http://queue.amazonaws.com/doc/2012-11-05/"},
}

// element is an XML element that holds text or elements.
type element struct {
	name     string
	text     string
	children []element
}

func leaf(name, text string) element { return element{name: name, text: text} }

func node(name string, children ...element) element {
	return element{name: name, children: children}
}

func (e element) write(b *bytes.Buffer, attribute string) {
	b.WriteString("<" + e.name + attribute + ">")
	_ = xml.EscapeText(b, []byte(e.text)) // a bytes.Buffer does not fail
	for _, child := range e.children {
		child.write(b, "")
	}
	b.WriteString("</" + e.name + ">")
}

func (p queryProtocol) apply(s *server, req *request) (Response, error) {
	operation, ok := p.operations[req.call.Operation]
	if !ok {
		return Response{}, notEmulated(req)
	}
	if err := req.form.only(req.call.Operation, p.parameters[req.call.Operation]); err != nil {
		return Response{}, err
	}
	result, err := operation(s, req)
	if err != nil {
		return Response{}, err
	}
	name := req.call.Operation
	return p.respond(req, http.StatusOK, node(name+"Response", node(name+"Result", result...), node("ResponseMetadata", leaf("RequestId", req.id)))), nil
}

func (p queryProtocol) respond(req *request, status int, root element) Response {
	var b bytes.Buffer
	attribute := ""
	if p.namespace != "" {
		attribute = ` xmlns="` + p.namespace + `"`
	}
	root.write(&b, attribute)
	h := http.Header{}
	h.Set("Content-Type", "text/xml")
	h.Set("X-Amzn-Requestid", req.id)
	return Response{Status: status, Header: h, Body: b.Bytes()}
}

func (p queryProtocol) fail(_ *server, req *request, e *local.Error) Response {
	fault := "Sender"
	if e.HTTPStatus() >= 500 {
		fault = "Receiver"
	}
	return p.respond(req, e.HTTPStatus(), node("ErrorResponse",
		node("Error", leaf("Type", fault), leaf("Code", e.Code), leaf("Message", e.Message)), leaf("RequestId", req.id)))
}

// form is the parameters of a query request.
type form struct{ values url.Values }

func parseForm(r *http.Request, body []byte) (form, bool) {
	text := r.URL.RawQuery
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		text = string(body)
	}
	values, err := url.ParseQuery(text)
	if err != nil || values.Get("Action") == "" {
		return form{}, false
	}
	return form{values}, true
}

func (f form) get(name string) string { return f.values.Get(name) }

// only refuses parameters that the operation does not emulate.
func (f form) only(operation string, names []string) error {
	for key := range f.values {
		base, _, _ := strings.Cut(key, ".")
		known := base == "Action" || base == "Version"
		for _, name := range names {
			known = known || base == name
		}
		if !known {
			return local.NotEmulated("the parameter "+base+" of "+operation, "leave it out")
		}
	}
	return nil
}

// each calls do with the prefix of every element of a list: name.member.1, or name.entry.1 for a map, and so on.
func (f form) each(name, kind string, do func(prefix string) error) error {
	for i := 1; ; i++ {
		prefix := name + "." + kind + "." + strconv.Itoa(i)
		found := false
		for key := range f.values {
			if key == prefix || strings.HasPrefix(key, prefix+".") {
				found = true
				break
			}
		}
		if !found {
			return nil
		}
		if err := do(prefix); err != nil {
			return err
		}
	}
}

// stringMap reads name.entry.N.key and .value.
func (f form) stringMap(name string) map[string]string {
	out := map[string]string{}
	_ = f.each(name, "entry", func(p string) error {
		out[f.get(p+".key")] = f.get(p + ".value")
		return nil
	})
	return out
}

// messageAttributes reads name.entry.N.Name and .Value.DataType, .StringValue, .BinaryValue.
func (f form) messageAttributes(name string) (map[string]local.AttributeValue, error) {
	var out map[string]local.AttributeValue
	err := f.each(name, "entry", func(p string) error {
		a := local.AttributeValue{DataType: f.get(p + ".Value.DataType"), StringValue: f.get(p + ".Value.StringValue")}
		if text := f.get(p + ".Value.BinaryValue"); text != "" {
			binary, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return &local.Error{Code: "InvalidParameter", Message: "Invalid parameter: the BinaryValue of message attribute " + f.get(p+".Name") + " is not base64"}
			}
			a.BinaryValue = binary
		}
		if out == nil {
			out = map[string]local.AttributeValue{}
		}
		out[f.get(p+".Name")] = a
		return nil
	})
	return out, err
}

var stsOperations = map[string]func(*server, *request) ([]element, error){
	"GetCallerIdentity": func(s *server, req *request) ([]element, error) {
		return []element{leaf("Arn", "arn:aws:iam::"+s.engine.Account()+":user/local"), leaf("UserId", local.DefaultSender), leaf("Account", s.engine.Account())}, nil
	},
}

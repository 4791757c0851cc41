// Package awsapi serves the engine of package local over AWS's wire protocols, so that unmodified AWS SDKs, boto3 and the aws command line
// work against it: SQS and EventBridge as AWS JSON, SNS and STS as AWS Query, all on one address. DynamoDB requests are passed on.
//
// # Semantics
//
// A request is applied completely or not at all, and the answer has the shape, the error code and, where it is known, the error text of AWS. An operation, a
// parameter or a protocol that is not emulated is answered with the error NotImplemented (501), which names it, and with a warning in the engine's journal;
// nothing is ignored in silence.
//
// Signatures are not checked: any credentials do, and the access key id only serves to tell callers apart (see [Call]). Serve it on a loopback
// address only.
//
// While a request is served it holds the engine's clock, except while it is parked in a long poll.
package awsapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/sluice-go/sluice/framework/local"
)

// Options configure the handler. The zero value is usable.
type Options struct {
	// DynamoDB answers DynamoDB operations: operation is as in X-Amz-Target ("PutItem"), request the JSON body. It returns the status and the JSON
	// body, of an error too. It is called concurrently. nil refuses them.
	DynamoDB func(operation string, request []byte) (status int, body []byte)
	// Intercept is called for every request that names an operation, also one that is not emulated, and decides what is answered. next applies the request
	// and returns the answer; it may be called at most once. Not calling it leaves the request unapplied; a [Response] with Drop closes the connection
	// without an answer. It is called concurrently, while the request holds the engine.
	Intercept func(call *Call, next func() Response) Response
}

// Call is a request, before it is applied.
type Call struct {
	// Service is sqs, sns, events, dynamodb, sts, or the service's own spelling when it is not known.
	Service string
	// Operation is the operation's name, such as SendMessage.
	Operation string
	// Body is the request's body. It must not be changed.
	Body []byte
	// AccessKeyID is from the Authorization header, "" without one. A runtime that gives each process its own can tell who calls.
	AccessKeyID string
}

// Response is an answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	// Drop closes the connection without answering, as a lost response or a dead server does. The other fields are ignored.
	Drop bool
}

const maximumBody = 16 << 20

// bodyDeadline is how long a request's body may take.
const bodyDeadline = 30 * time.Second

// New makes the handler.
func New(engine *local.Engine, opts *Options) http.Handler {
	s := &server{engine: engine}
	if opts != nil {
		s.opts = *opts
	}
	return s
}

type server struct {
	engine *local.Engine
	opts   Options
}

var credential = regexp.MustCompile(`Credential=([^/, ]+)/`)

// ServeHTTP implements [http.Handler].
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A client that stalls must not hold the clock, nor the connection for ever.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyDeadline)) //nolint:forbidigo // of a socket; not every ResponseWriter has one
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maximumBody))
	if err != nil {
		http.Error(w, "the request's body cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	release := s.engine.Hold()
	defer release()
	req, protocol := s.route(r, body)
	if match := credential.FindStringSubmatch(r.Header.Get("Authorization")); match != nil {
		req.call.AccessKeyID = match[1]
	}
	next := func() Response {
		response, err := protocol.apply(s, req)
		if err != nil {
			aws := awsError(err)
			if aws.Code == "NotImplemented" {
				s.engine.Warn("an API request was refused: " + req.call.Service + " " + req.call.Operation + ": " + aws.Message)
			}
			return protocol.fail(s, req, aws)
		}
		return response
	}
	var response Response
	if s.opts.Intercept != nil && req.call.Operation != "" {
		response = s.opts.Intercept(&req.call, next)
	} else {
		response = next()
	}
	if response.Drop {
		drop(w)
		return
	}
	maps.Copy(w.Header(), response.Header)
	w.WriteHeader(response.Status)
	_, _ = w.Write(response.Body) // a client that is gone needs no answer
}

// drop closes the connection without an answer.
func drop(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
		return
	}
	panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's own way to say the same where the connection cannot be taken
}

// request is one API request on its way through a protocol.
type request struct {
	http *http.Request
	call Call
	id   string
	form form // query protocol only
}

// traceHeader is the request's X-Ray header.
func (r *request) traceHeader() string { return r.http.Header.Get("X-Amzn-Trace-Id") }

// protocol turns requests into calls of the engine, and results and errors into answers.
type protocol interface {
	apply(*server, *request) (Response, error)
	fail(*server, *request, *local.Error) Response
}

// route finds out what a request asks for, and in which protocol.
func (s *server) route(r *http.Request, body []byte) (*request, protocol) {
	req := &request{http: r, id: s.engine.NewID(), call: Call{Body: body}}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		service, operation, _ := strings.Cut(target, ".")
		req.call.Operation = operation
		known, ok := jsonServices[service]
		if !ok {
			req.call.Service = service
			return req, jsonProtocol{version: "1.1"}
		}
		req.call.Service = known.name
		return req, known
	}
	if f, ok := parseForm(r, body); ok {
		req.form = f
		req.call.Operation = f.get("Action")
		service, ok := queryServices[f.get("Version")]
		if !ok {
			req.call.Service = "version " + f.get("Version")
			return req, queryProtocol{}
		}
		req.call.Service = service.name
		return req, service
	}
	req.call.Service = r.Method + " " + r.URL.Path
	return req, jsonProtocol{version: "1.1"}
}

func awsError(err error) *local.Error {
	if aws, ok := errors.AsType[*local.Error](err); ok {
		return aws
	}
	return &local.Error{Code: "InternalFailure", Message: err.Error(), Status: http.StatusInternalServerError}
}

// notEmulated is the answer to an operation that this package does not have.
func notEmulated(req *request) error {
	what := req.call.Service + " " + req.call.Operation
	if req.call.Operation == "" {
		what = "the request " + req.http.Method + " " + req.http.URL.Path
	}
	return local.NotEmulated(what, "see NOT_EMULATED.md for what is")
}

// decode reads a JSON request strictly: a parameter that is not in the struct is not emulated, and refused by name.
func decode[T any](req *request) (T, error) {
	var in T
	body := req.call.Body
	if len(bytes.TrimSpace(body)) == 0 {
		return in, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			return in, local.NotEmulated("the parameter "+strings.Trim(field, `"`)+" of "+req.call.Operation, "leave it out")
		}
		return in, &local.Error{Code: "SerializationException", Message: "the request is not what " + req.call.Operation + " expects: " + err.Error()}
	}
	return in, nil
}

package lambdaapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Header and trailer names of the Runtime API.
const (
	headerRequestID     = "Lambda-Runtime-Aws-Request-Id"
	headerDeadline      = "Lambda-Runtime-Deadline-Ms"
	headerFunctionARN   = "Lambda-Runtime-Invoked-Function-Arn"
	headerTraceID       = "Lambda-Runtime-Trace-Id"
	headerClientContext = "Lambda-Runtime-Client-Context"
	headerErrorType     = "Lambda-Runtime-Function-Error-Type" // also a trailer
	trailerErrorBody    = "Lambda-Runtime-Function-Error-Body"
)

const (
	runtimePath   = "2018-06-01/runtime/"
	extensionPath = "2020-01-01/extension/"
)

// drainBytes is how much of a body that is too large is read and dropped, so
// that the sender gets to read the refusal.
const drainBytes = 64 << 20

// Handler serves the Runtime and Extensions APIs for all processes. Mount it
// under Options.Prefix, with the prefix in the path or stripped of it. It is
// safe for concurrent use; requests without a process's token get 403.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	path = strings.TrimPrefix(path, s.opts.Prefix+"/")
	token, call, _ := strings.Cut(path, "/")

	s.mu.Lock()
	p := s.byToken[token]
	s.mu.Unlock()
	if p == nil {
		refuse(w, http.StatusForbidden, "InvalidProcess", "no process of this runtime has that address: it has ended, or was never started")
		return
	}
	<-p.launched
	if api, ok := strings.CutPrefix(call, runtimePath); ok && s.serveRuntime(w, r, p, api) {
		return
	}
	if api, ok := strings.CutPrefix(call, extensionPath); ok && s.serveExtension(w, r, p, api) {
		return
	}
	s.logf("function %q: the process asked for %s /%s, which the local runtime does not serve", p.fn.cfg.Name, r.Method, call)
	refuse(w, http.StatusNotFound, "NotEmulated", "the local runtime does not serve "+r.Method+" /"+call)
}

// serveRuntime reports whether there is such a call.
func (s *Server) serveRuntime(w http.ResponseWriter, r *http.Request, p *process, call string) bool {
	switch {
	case r.Method == http.MethodGet && call == "invocation/next":
		s.serveNext(w, r, p)
		return true
	case r.Method == http.MethodPost && call == "init/error":
		s.serveInitError(w, r, p)
		return true
	}
	rest, ok := strings.CutPrefix(call, "invocation/")
	if !ok || r.Method != http.MethodPost {
		return false
	}
	requestID, what, _ := strings.Cut(rest, "/")
	switch what {
	case "response", "error":
		s.serveAnswer(w, r, p, requestID, what == "error")
		return true
	}
	return false
}

func (s *Server) serveNext(w http.ResponseWriter, r *http.Request, p *process) {
	s.mu.Lock()
	work, err := s.askForWork(p)
	s.mu.Unlock()
	if err != nil {
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "State transition to Ready failed for runtime. Error: "+err.Error())
		return
	}
	select {
	case inv := <-work:
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(inv.Payload)))
		h.Set(headerRequestID, inv.RequestID)
		h.Set(headerDeadline, strconv.FormatInt(inv.deadline.UnixMilli(), 10))
		h.Set(headerFunctionARN, inv.FunctionARN)
		h.Set(headerTraceID, inv.TraceHeader)
		h.Set(headerClientContext, inv.clientContext)
		_, _ = w.Write(inv.Payload) // a process that is gone is seen by its exit
	case <-p.gone:
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "State transition to Ready failed for runtime. Error: the process was ended")
	case <-r.Context().Done():
		s.mu.Lock()
		if p.next == work {
			p.next = nil
		}
		s.mu.Unlock()
	}
}

// serveAnswer takes the response or the error of an invocation.
func (s *Server) serveAnswer(w http.ResponseWriter, r *http.Request, p *process, requestID string, isError bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxResponseBytes+1))
	if err != nil {
		refuse(w, http.StatusBadRequest, "TruncatedHTTPRequest", "HTTP request detected as truncated")
		return
	}
	tooLarge := len(body) > maxResponseBytes
	if tooLarge {
		_, _ = io.CopyN(io.Discard, r.Body, drainBytes)
	}
	result := Result{Payload: body}
	switch {
	case tooLarge:
		result = failure(ErrorTypeResponseSize, fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponseBytes))
	case isError:
		result = reported(body, r.Header.Get(headerErrorType))
	case r.Trailer.Get(headerErrorType) != "":
		// A handler whose response failed while it was streamed.
		doc, err := base64.StdEncoding.DecodeString(r.Trailer.Get(trailerErrorBody))
		if err != nil {
			doc = nil
		}
		result = reported(doc, r.Trailer.Get(headerErrorType))
	}

	s.mu.Lock()
	ok := !p.dead && p.current != nil && !p.answered && p.current.RequestID == requestID
	if ok {
		s.answer(p, result)
	}
	s.mu.Unlock()
	switch {
	case !ok:
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
	case tooLarge:
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", maxResponseBytes))
	default:
		accepted(w)
	}
}

// serveInitError takes the reason why a process can not start. The process is
// expected to end; what counts is that it does.
func (s *Server) serveInitError(w http.ResponseWriter, r *http.Request, p *process) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxResponseBytes))
	if err != nil {
		refuse(w, http.StatusBadRequest, "TruncatedHTTPRequest", "HTTP request detected as truncated")
		return
	}
	result := reported(body, r.Header.Get(headerErrorType))
	s.mu.Lock()
	ok := p.starting && !p.dead
	if ok {
		p.initError = &result
	}
	s.mu.Unlock()
	if !ok {
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "State transition to InitError failed for runtime. Error: it has asked for an invocation already")
		return
	}
	accepted(w)
}

func accepted(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`+"\n")
}

func refuse(w http.ResponseWriter, status int, errorType, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"errorType": errorType, "errorMessage": message})
}

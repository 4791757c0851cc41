package lambdaapi

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// Headers of the Extensions API.
const (
	headerExtensionName = "Lambda-Extension-Name"
	headerExtensionID   = "Lambda-Extension-Identifier"
)

// maxExtensions is Lambda's limit for one function.
const maxExtensions = 10

// serveExtension reports whether there is such a call. An extension here is
// always internal: part of the handler's own process, as
// lambda.WithEnableSIGTERM registers one. Being registered has one effect, that
// SIGTERM comes before SIGKILL.
func (s *Server) serveExtension(w http.ResponseWriter, r *http.Request, p *process, call string) bool {
	switch {
	case r.Method == http.MethodPost && call == "register":
		s.register(w, r, p)
	case r.Method == http.MethodGet && call == "event/next":
		s.mu.Lock()
		name := p.extensions[r.Header.Get(headerExtensionID)]
		s.mu.Unlock()
		if name == "" {
			refuse(w, http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "Unknown extension "+headerExtensionID)
			break
		}
		// No event was registered for, so none ever comes; an answer, even to
		// a process that is being ended, would surprise it.
		<-r.Context().Done()
	default:
		return false
	}
	return true
}

func (s *Server) register(w http.ResponseWriter, r *http.Request, p *process) {
	name := r.Header.Get(headerExtensionName)
	if name == "" {
		refuse(w, http.StatusForbidden, "Extension.InvalidExtensionName", "Empty extension name")
		return
	}
	var request struct {
		Events []string `json:"events"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&request); err != nil {
		refuse(w, http.StatusForbidden, "InvalidRequestFormat", err.Error())
		return
	}
	if len(request.Events) > 0 {
		events := strings.Join(request.Events, ", ")
		s.logf("function %q: extension %q asks for events (%s), which the local runtime does not deliver: it registers without them only", p.fn.cfg.Name, name, events)
		refuse(w, http.StatusForbidden, "Extension.InvalidEventType", events+": the local runtime delivers no events to extensions")
		return
	}
	id := newRequestID()
	s.mu.Lock()
	problem, message := "", ""
	switch {
	case !p.starting || p.dead:
		problem, message = "Extension.RegistrationClosed", "Extension registration closed already"
	case len(p.extensions) == maxExtensions:
		problem, message = "Extension.TooManyExtensions", "Extension limit (10) reached"
	}
	for _, other := range p.extensions {
		if other == name {
			problem, message = "Extension.InvalidExtensionState", "Extension with this name already registered"
		}
	}
	if problem == "" {
		p.extensions[id] = name
	}
	s.mu.Unlock()
	if problem != "" {
		refuse(w, http.StatusForbidden, problem, message)
		return
	}
	w.Header().Set(headerExtensionID, id)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{
		"functionName":    p.fn.cfg.Name,
		"functionVersion": p.fn.cfg.Version,
		"handler":         "bootstrap",
	})
}

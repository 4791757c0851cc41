package lambdaapi

import "time"

// EventKind says what an [Event] tells.
type EventKind string

// The kinds of events, in the order of a process's life.
const (
	ProcessStarted    EventKind = "process-started"
	ProcessReady      EventKind = "process-ready" // first asked for work; Duration is the cold start
	InvocationStarted EventKind = "invocation-started"
	InvocationEnded   EventKind = "invocation-ended" // Duration and Result are set
	ProcessExited     EventKind = "process-exited"   // Duration is its life, Reason how it ended
)

// Event is one thing that happened, for a console or a test.
type Event struct {
	Kind     EventKind
	Time     time.Time
	Function string

	// Token and PID name the process; both are zero for an invocation that
	// ended without one.
	Token string
	PID   int

	// RequestID is set for invocations, and for the exit of a process that
	// was running one.
	RequestID string

	Duration time.Duration

	// Reason is how a process ended: "exit status 1", "signal: killed", or
	// empty for exit status 0.
	Reason string

	// Result is set for InvocationEnded.
	Result *Result
}

// later queues a call to the outside: Observe, Logf, a done function. They run
// one after another, in order, on a goroutine of their own and with no lock
// held, so that a caller which holds a lock of its own may call Start, and a
// callback may call back into the Server. s.mu is held.
func (s *Server) later(call func()) {
	s.calls = append(s.calls, call)
	if !s.delivering {
		s.delivering = true
		go s.deliver()
	}
}

func (s *Server) deliver() {
	for {
		s.mu.Lock()
		calls := s.calls
		s.calls = nil
		if len(calls) == 0 {
			s.delivering = false
			s.delivered.Broadcast()
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		for _, call := range calls {
			call()
		}
	}
}

// observe reports an event. s.mu is held.
func (s *Server) observe(e Event) {
	if s.opts.Observe == nil {
		return
	}
	e.Time = time.Now()
	s.later(func() { s.opts.Observe(e) })
}

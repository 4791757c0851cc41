package lambdaapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// process is one execution environment. Everything but the constants in the
// first group is guarded by server.mu.
type process struct {
	fn         *Function
	token      string
	accessKey  string
	generation int
	round      int
	launched   chan struct{} // closed when pid is known, or the start failed
	gone       chan struct{} // closed when it is dead to the Runtime API

	pid      int // 0 until it is started
	born     time.Time
	starting bool             // has not asked for work yet
	next     chan *invocation // it waits for work here, or nil
	current  *invocation      // handed over; stays until it asks for more
	answered bool             // current has its result
	linger   bool             // answered longer than lingerGrace ago
	expired  bool             // current's deadline passed before its answer
	retired  bool             // told to end: gets no more work
	dead     bool             // killed or exited: nothing it sends counts
	finished bool             // exited

	initTimer *time.Timer
	deadline  *time.Timer // current's; runs until it asks for more
	lingering *time.Timer
	initError *Result // what it posted to init/error
	initLate  bool    // killed because it did not ask for work in time
	served    int

	extensions map[string]string // identifier to name
	tail       tail              // what it wrote since the hand-over of current
}

// State is what a process is doing.
type State string

// The states of a process.
const (
	StateStarting  State = "starting"  // has not asked for work yet
	StateIdle      State = "idle"      // waits for work
	StateBusy      State = "busy"      // runs an invocation
	StateFinishing State = "finishing" // has answered, has not asked for more
	StateEnding    State = "ending"    // told to end, or killed, and not yet gone
)

// ProcessState describes a process at one moment.
type ProcessState struct {
	Token     string
	PID       int // also the process group; 0 until it is started
	Function  string
	State     State
	AccessKey string // its AWS_ACCESS_KEY_ID, and no other process's
	RequestID string // of the invocation it runs and has not answered
	Started   time.Time
	Served    int // invocations handed to it
}

func (p *process) state() ProcessState {
	st := ProcessState{
		Token: p.token, PID: p.pid, Function: p.fn.cfg.Name, AccessKey: p.accessKey,
		Started: p.born, Served: p.served, State: StateFinishing,
	}
	if p.current != nil && !p.answered {
		st.RequestID = p.current.RequestID
	}
	switch {
	case p.dead, p.retired:
		st.State = StateEnding
	case p.starting:
		st.State = StateStarting
	case p.next != nil:
		st.State = StateIdle
	case st.RequestID != "":
		st.State = StateBusy
	}
	return st
}

// available says whether the process takes work now or very soon.
func (p *process) available() bool {
	if p.dead || p.retired || p.generation != p.fn.generation {
		return false
	}
	return p.starting || p.next != nil || p.answered && !p.linger
}

// dispatch hands an invocation to a process that waits for one. mu is held.
func (s *Server) dispatch(p *process, inv *invocation) {
	now := time.Now()
	timeout := p.fn.cfg.Timeout
	inv.started, inv.deadline = now, now.Add(timeout)
	p.current, p.answered, p.linger, p.expired = inv, false, false, false
	p.served++
	p.tail.reset()
	p.deadline = time.AfterFunc(timeout+killGrace, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if p.current != inv || p.dead {
			return
		}
		if p.answered {
			pid := p.pid
			s.later(func() {
				s.logf("function %q: process %d answered %s but did not ask for its next invocation before the deadline: killed", p.fn.cfg.Name, pid, inv.RequestID)
			})
			s.kill(p)
			return
		}
		s.expire(p)
	})
	s.observe(Event{Kind: InvocationStarted, Function: p.fn.cfg.Name, Token: p.token, PID: p.pid, RequestID: inv.RequestID})
	p.next <- inv
	p.next = nil
}

// expire ends a process whose invocation ran out of time. A process with an
// extension gets SIGTERM first, as on Lambda; nothing it sends counts in either
// case. mu is held.
func (s *Server) expire(p *process) {
	p.expired = true
	line := timeoutLogLine(time.Now(), p.current.RequestID, p.fn.cfg.Timeout)
	p.tail.line(line)
	s.later(func() { s.writeLog(p, line) })
	if len(p.extensions) == 0 {
		s.kill(p)
		return
	}
	s.disown(p)
	s.terminate(p)
}

// answer gives the running invocation its result. mu is held.
func (s *Server) answer(p *process, r Result) {
	p.answered = true
	p.fn.end(p.current, p, r)
	p.lingering = time.AfterFunc(lingerGrace, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if p.answered {
			p.linger = true
			p.fn.pump()
		}
	})
	p.fn.pump()
}

// askForWork is a process's GET .../next. It returns where the work will come.
// mu is held.
func (s *Server) askForWork(p *process) (chan *invocation, error) {
	switch {
	case p.dead:
		return nil, errors.New("the process was ended")
	case p.next != nil:
		return nil, errors.New("it already waits for an invocation: one process runs one at a time")
	case p.current != nil && !p.answered:
		return nil, fmt.Errorf("it has not answered %s", p.current.RequestID)
	}
	if p.starting {
		p.starting = false
		p.initTimer.Stop()
		if p.round == p.fn.round {
			p.fn.failures = 0
		}
		s.observe(Event{Kind: ProcessReady, Function: p.fn.cfg.Name, Token: p.token, PID: p.pid, Duration: time.Since(p.born)})
	}
	p.rest()
	work := make(chan *invocation, 1)
	p.next = work
	if p.retired || p.generation != p.fn.generation {
		p.next = nil
		s.terminate(p)
	}
	p.fn.pump()
	return work, nil
}

// rest forgets the invocation that the process is done with. mu is held.
func (p *process) rest() {
	if p.deadline != nil {
		p.deadline.Stop()
	}
	if p.lingering != nil {
		p.lingering.Stop()
	}
	p.current, p.answered, p.linger = nil, false, false
}

// disown makes the process dead to the Runtime API. mu is held.
func (s *Server) disown(p *process) {
	if !p.dead {
		p.dead = true
		p.next = nil
		close(p.gone)
	}
}

// kill ends a process and its children without a chance to react. mu is held.
func (s *Server) kill(p *process) {
	s.disown(p)
	if p.pid != 0 && !p.finished {
		killGroup(p.pid)
	}
}

// terminate ends a process: SIGTERM, and SIGKILL after a grace. Until it is
// gone its answer still counts. mu is held.
func (s *Server) terminate(p *process) {
	if p.retired || p.finished {
		return
	}
	p.retired = true
	p.next = nil
	if p.pid == 0 {
		s.disown(p) // the spawner drops it
		return
	}
	terminateGroup(p.pid)
	time.AfterFunc(shutdownGrace, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !p.finished {
			s.kill(p)
		}
	})
}

// exited settles everything after the end of a process, or after a start that
// failed, when reason is the start's error. The process and its group are gone.
func (s *Server) exited(p *process, reason string, startErr error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := p.fn
	p.finished = true
	s.disown(p)
	if p.initTimer != nil {
		p.initTimer.Stop()
	}
	delete(s.byToken, p.token)
	delete(s.byKey, p.accessKey)
	f.processes = slices.DeleteFunc(f.processes, func(q *process) bool { return q == p })

	e := Event{Kind: ProcessExited, Function: f.cfg.Name, Token: p.token, PID: p.pid, Duration: time.Since(p.born), Reason: reason}
	if inv := p.current; inv != nil && !p.answered {
		e.RequestID = inv.RequestID
		if p.expired {
			f.end(inv, p, failure(ErrorTypeTimeout, timeoutMessage(inv.RequestID, f.cfg.Timeout)))
		} else {
			f.end(inv, p, failure(ErrorTypeExit, exitMessage(inv.RequestID, reason)))
		}
	}
	p.rest()
	s.observe(e)
	// A process that was told to end before it was ready says nothing about
	// the binary.
	if p.starting && !p.retired && !s.closed && p.round == f.round {
		s.startFailed(p, reason, startErr)
	}
	f.pump()
}

// startFailed counts a process that ended before it asked for work, and fails
// the waiting invocations when there were enough of them. mu is held.
func (s *Server) startFailed(p *process, reason string, startErr error) {
	f := p.fn
	f.failures++
	tries := f.failures
	s.later(func() {
		s.logf("function %q: %s ended before it asked for its first invocation (%s), try %d of %d", f.cfg.Name, f.cfg.Binary, orNone(reason), tries, initTries)
	})
	if tries < initTries {
		return
	}
	f.failures = 0
	f.round++
	note := fmt.Sprintf(" (%s ended before it asked for its first invocation, %d times", f.cfg.Binary, tries)
	if out := strings.TrimSpace(string(p.tail.take())); out != "" {
		note += "; it last wrote: " + out
	}
	note += ")"
	f.failQueued(func(inv *invocation) Result {
		switch {
		case p.initError != nil:
			return *p.initError
		case startErr != nil:
			return failure(ErrorTypeEntrypoint, fmt.Sprintf("RequestId: %s Error: %v (tried %d times)", inv.RequestID, startErr, tries))
		case p.initLate:
			return failure(ErrorTypeTimeout, fmt.Sprintf("RequestId: %s Error: Init phase timed out after %.2f seconds", inv.RequestID, s.opts.InitTimeout.Seconds())+note)
		}
		return failure(ErrorTypeExit, exitMessage(inv.RequestID, reason)+note)
	})
}

func orNone(reason string) string {
	if reason == "" {
		return "exit status 0"
	}
	return reason
}

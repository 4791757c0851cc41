package lambdaapi

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options configure a [Server].
type Options struct {
	// Addr gives host:port of the listener that serves Handler, as the
	// processes reach it. It is called at each start of a process, so the
	// listener may be opened after the Server was made. Required.
	Addr func() string

	// Prefix is the path under which the host mounts Handler, without slashes
	// at its ends. Default "lambda-runtime". Processes are told
	// AWS_LAMBDA_RUNTIME_API=host:port/prefix/token.
	Prefix string

	// Region and Account are those of functions' ARNs and environments.
	// Defaults "us-east-1" and "000000000000".
	Region, Account string

	// Env is added to every process's environment: AWS_ENDPOINT_URL and the
	// like. It may set what a function's own variables may not.
	Env map[string]string

	// Throttle answers an invocation for which no process is free or may be
	// started with Result.Throttled, as Lambda does. Default: it waits.
	Throttle bool

	// InitTimeout is how long a process may take until it first asks for
	// work. Default 10 s, Lambda's limit of the init phase.
	InitTimeout time.Duration

	// Observe is told of every event, and Logf of what a developer should
	// read. Both may be nil. Observe and the done functions of Start are
	// called one at a time and in order. No callback is called with a lock
	// held: they may call back, but what they take delays others.
	Observe func(Event)
	Logf    func(format string, args ...any)
}

// Times that are this package's own choice.
const (
	// killGrace is how long after its deadline a process is killed: enough for
	// an answer sent at the deadline to arrive over the loopback.
	killGrace = 20 * time.Millisecond

	// shutdownGrace is the time between SIGTERM and SIGKILL. Lambda's shutdown
	// phase is 500 ms for a function with an internal extension.
	shutdownGrace = 500 * time.Millisecond

	// lingerGrace is how long a process that has answered counts as about to
	// be free. Without it, calls one after another would start a second process,
	// because the next call races with the process's request for work.
	lingerGrace = 100 * time.Millisecond
)

// Server runs functions. It is safe for concurrent use. Make it with NewServer.
type Server struct {
	opts Options

	mu         sync.Mutex
	closed     bool
	functions  map[string]*Function
	byToken    map[string]*process
	byKey      map[string]*process
	spawns     []*process // waiting to be started
	spawnReady *sync.Cond // on mu: spawns grew, or closed
	spawning   bool       // the spawner runs
	tmp        string     // holds one directory a process; made at the first start
	calls      []func()
	delivering bool
	delivered  *sync.Cond // on mu: no call is queued or running

	processes sync.WaitGroup // started and not yet gone
	spawners  sync.WaitGroup // the one spawner, if it runs
	logMu     sync.Mutex     // serialises writes to log outputs
}

// NewServer returns a server with no functions. It starts nothing. Nil options
// are the defaults, but without Addr no function can be made.
func NewServer(opts *Options) *Server {
	s := &Server{
		functions: make(map[string]*Function),
		byToken:   make(map[string]*process),
		byKey:     make(map[string]*process),
	}
	if opts != nil {
		s.opts = *opts
		s.opts.Env = maps.Clone(opts.Env)
	}
	s.opts.Prefix = strings.Trim(s.opts.Prefix, "/")
	if s.opts.Prefix == "" {
		s.opts.Prefix = "lambda-runtime"
	}
	if s.opts.Region == "" {
		s.opts.Region = "us-east-1"
	}
	if s.opts.Account == "" {
		s.opts.Account = "000000000000"
	}
	if s.opts.InitTimeout <= 0 {
		s.opts.InitTimeout = 10 * time.Second
	}
	s.spawnReady = sync.NewCond(&s.mu)
	s.delivered = sync.NewCond(&s.mu)
	return s
}

// Close ends every process (SIGTERM to its group, SIGKILL 500 ms later), waits
// until all are gone and every done function has returned, and removes their
// temporary directories. Invocations that wait fail; one that is running keeps
// its answer if it still gives one. It must not be called from Observe or a done
// function. Closing twice is harmless.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, f := range s.functions {
		f.failQueued(func(inv *invocation) Result {
			return failure(ErrorTypeClosed, fmt.Sprintf("RequestId: %s Error: the local runtime was closed before the function ran", inv.RequestID))
		})
		for _, p := range f.processes {
			s.terminate(p)
		}
	}
	s.spawnReady.Broadcast()
	s.mu.Unlock()

	s.processes.Wait()
	s.spawners.Wait()

	s.mu.Lock()
	for s.delivering {
		s.delivered.Wait()
	}
	tmp := s.tmp
	s.tmp = ""
	s.mu.Unlock()
	if tmp == "" {
		return nil
	}
	if err := os.RemoveAll(tmp); err != nil {
		return fmt.Errorf("lambda runtime: remove the processes' temporary directory %s: %w", tmp, err)
	}
	return nil
}

// Kill sends SIGKILL to a process and its children at once. Whatever it still
// sends to the Runtime API is refused; its invocation fails with "signal:
// killed" when it is gone. It reports whether there was such a process.
func (s *Server) Kill(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byToken[token]
	if p == nil {
		return false
	}
	s.kill(p)
	return true
}

// Expire makes the deadline of a running invocation pass now: its process is
// ended and the result is a time-out, as if the function's timeout had been
// waited for. It reports whether the process was running an invocation that it
// had not answered.
func (s *Server) Expire(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byToken[token]
	if p == nil || p.current == nil || p.answered || p.dead {
		return false
	}
	s.expire(p)
	return true
}

// ProcessByAccessKey finds the process that signs with an access key id, and
// the request id of the invocation it is running: empty if it runs none or has
// answered it. It finds processes until they are gone.
func (s *Server) ProcessByAccessKey(key string) (state ProcessState, requestID string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byKey[key]
	if p == nil {
		return ProcessState{}, "", false
	}
	state = p.state()
	return state, state.RequestID, true
}

// Processes lists the processes of all functions, by function name and start.
func (s *Server) Processes() []ProcessState {
	s.mu.Lock()
	defer s.mu.Unlock()
	var states []ProcessState
	for _, name := range slices.Sorted(maps.Keys(s.functions)) {
		for _, p := range s.functions[name].processes {
			states = append(states, p.state())
		}
	}
	return states
}

func (s *Server) logf(format string, args ...any) {
	if s.opts.Logf != nil {
		s.opts.Logf(format, args...)
	}
}

// tempDir makes a process's own temporary directory.
func (s *Server) tempDir(token string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tmp == "" {
		dir, err := os.MkdirTemp("", "sluice-lambda-")
		if err != nil {
			return "", err
		}
		s.tmp = dir
	}
	dir := s.tmp + string(os.PathSeparator) + token
	return dir, os.Mkdir(dir, 0o700)
}

// newToken returns 26 letters and digits that no one can guess: whoever knows a
// process's token can answer for it.
func newToken() string {
	return rand.Text()
}

// newAccessKey returns an id in the form of an AWS access key (20 upper-case
// letters and digits) that is no valid one: AWS's begin with AKIA or ASIA.
func newAccessKey() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails
	return "LOCL" + base32.StdEncoding.EncodeToString(b[:])
}

// newRequestID returns a random UUID.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newTraceHeader returns a fresh, sampled X-Ray trace header.
func newTraceHeader(now time.Time) string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=1", uint32(now.Unix()), b[:12], b[12:])
}

var errNoAddr = errors.New("lambda runtime: Options.Addr is not set: give the host:port of the listener that serves Handler")

package lambdaapi

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// spawn arranges for a new process of a function. mu is held, and the Server is
// not closed.
func (s *Server) spawn(f *Function) {
	p := &process{
		fn: f, token: newToken(), accessKey: newAccessKey(),
		generation: f.generation, round: f.round,
		launched: make(chan struct{}), gone: make(chan struct{}), born: time.Now(), starting: true,
		extensions: make(map[string]string),
	}
	f.processes = append(f.processes, p)
	s.byToken[p.token] = p
	s.byKey[p.accessKey] = p
	s.spawns = append(s.spawns, p)
	s.processes.Add(1)
	if !s.spawning {
		s.spawning = true
		s.spawners.Add(1)
		go s.spawner()
	}
	s.spawnReady.Signal()
}

// spawner starts all processes, from one thread that lives until they are all
// gone: Linux sends a child its parent-death signal when the *thread* that
// started it ends, and Go ends threads.
func (s *Server) spawner() {
	defer s.spawners.Done()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		s.mu.Lock()
		for len(s.spawns) == 0 && !s.closed {
			s.spawnReady.Wait()
		}
		if len(s.spawns) == 0 {
			s.mu.Unlock()
			s.processes.Wait()
			return
		}
		p := s.spawns[0]
		s.spawns = s.spawns[1:]
		s.mu.Unlock()
		s.start(p)
	}
}

// start starts a process and leaves a goroutine that waits for its end.
func (s *Server) start(p *process) {
	defer close(p.launched)
	s.mu.Lock()
	dropped := p.dead
	s.mu.Unlock()
	if dropped {
		s.exited(p, "ended before it was started", nil)
		s.processes.Done()
		return
	}
	cmd, output, tmp, err := s.launch(p)
	if err != nil {
		if tmp != "" {
			_ = os.RemoveAll(tmp)
		}
		err = fmt.Errorf("start %s: %w", p.fn.cfg.Binary, err)
		s.exited(p, err.Error(), err)
		s.processes.Done()
		return
	}
	s.mu.Lock()
	p.pid = cmd.Process.Pid
	if p.dead { // killed while it was being started
		killGroup(p.pid)
	}
	// Requests of the process wait for launched, so it is still starting.
	p.initTimer = time.AfterFunc(s.opts.InitTimeout, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if p.starting && !p.dead {
			p.initLate = true
			s.kill(p)
		}
	})
	s.observe(Event{Kind: ProcessStarted, Function: p.fn.cfg.Name, Token: p.token, PID: p.pid})
	s.mu.Unlock()

	go s.wait(p, cmd, output, tmp)
}

// launch makes the environment and executes the binary. The reader yields
// stdout and stderr.
func (s *Server) launch(p *process) (cmd *exec.Cmd, output *os.File, tmp string, err error) {
	addr := s.opts.Addr()
	if addr == "" {
		return nil, nil, "", errors.New("Options.Addr gave no address: open the listener that serves Handler first")
	}
	if tmp, err = s.tempDir(p.token); err != nil {
		return nil, nil, "", err
	}
	output, w, err := os.Pipe()
	if err != nil {
		return nil, nil, tmp, err
	}
	cmd = exec.Command(p.fn.cfg.Binary) //nolint:noctx // a process outlives the call that starts it; Close ends it
	cmd.Dir = p.fn.cfg.Dir
	cmd.Env = s.childEnv(p, addr, tmp)
	// A file, not a Writer: Wait then returns when the process ends, even if a
	// child of its own keeps the pipe open.
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = childAttr()
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		_ = output.Close()
		return nil, nil, tmp, err
	}
	return cmd, output, tmp, nil
}

// wait sees a process to its end.
func (s *Server) wait(p *process, cmd *exec.Cmd, output *os.File, tmp string) {
	defer s.processes.Done()
	read := make(chan struct{})
	go func() {
		defer close(read)
		s.copyLines(p, output)
	}()
	err := cmd.Wait()
	killGroup(cmd.Process.Pid) // what it started and left behind
	select {
	case <-read:
	case <-time.After(shutdownGrace): // a child that left the group holds the pipe
	}
	_ = output.Close()
	<-read
	if err := os.RemoveAll(tmp); err != nil {
		s.logf("function %q: remove %s of an ended process: %v", p.fn.cfg.Name, filepath.Base(tmp), err)
	}
	s.exited(p, exitReason(err), nil)
}

// exitReason is Lambda's wording, which is Go's: "exit status 1", "signal:
// killed". Empty for exit status 0.
func exitReason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// copyLines reads a process's output to its end, line by line.
func (s *Server) copyLines(p *process, r io.Reader) {
	var lines lineSplitter
	buf := make([]byte, 32<<10)
	emit := func(line []byte) {
		text := string(line)
		s.mu.Lock()
		p.tail.line(text)
		s.mu.Unlock()
		s.writeLog(p, text)
	}
	for {
		n, err := r.Read(buf)
		lines.write(buf[:n], emit)
		if err != nil {
			lines.flush(emit)
			return
		}
	}
}

package lambdaapi

import (
	"bytes"
	"io"
)

// maxLine is CloudWatch Logs' limit of one event.
const maxLine = 256 << 10

// tailBytes is how much of the log the Invoke API returns with LogType Tail.
const tailBytes = 4 << 10

// lineSplitter turns writes into lines.
type lineSplitter struct{ rest []byte }

// write calls emit for each line that ends in p, without its line break, and for
// each maxLine bytes without one. emit must not keep its argument.
func (l *lineSplitter) write(p []byte, emit func([]byte)) {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		room := maxLine - len(l.rest)
		switch {
		case i >= 0 && i <= room:
			l.rest = append(l.rest, p[:i]...)
			p = p[i+1:]
		case len(p) < room:
			l.rest = append(l.rest, p...)
			return
		default:
			l.rest = append(l.rest, p[:room]...)
			p = p[room:]
		}
		emit(bytes.TrimSuffix(l.rest, []byte("\r")))
		l.rest = l.rest[:0]
	}
}

// flush emits a last line that was not ended.
func (l *lineSplitter) flush(emit func([]byte)) {
	if len(l.rest) > 0 {
		emit(l.rest)
		l.rest = nil
	}
}

// tail keeps the last tailBytes of what was written to it.
type tail struct{ b []byte }

func (t *tail) line(line string) {
	t.b = append(append(t.b, line...), '\n')
	// Cut rarely: keep up to twice as much before moving bytes.
	if len(t.b) > 2*tailBytes {
		t.b = append(t.b[:0], t.b[len(t.b)-tailBytes:]...)
	}
}

func (t *tail) reset() { t.b = t.b[:0] }

// take returns a copy.
func (t *tail) take() []byte {
	if len(t.b) == 0 {
		return nil
	}
	return bytes.Clone(t.b[max(0, len(t.b)-tailBytes):])
}

// writeLog writes one line of a process to the function's output. mu is not
// held: the output may be slow, or call back.
func (s *Server) writeLog(p *process, line string) {
	if p.fn.cfg.LogOutput == nil {
		return
	}
	s.logMu.Lock()
	defer s.logMu.Unlock()
	// A log that can not be written must not fail a function.
	_, _ = io.WriteString(p.fn.cfg.LogOutput, p.fn.cfg.Name+" | "+line+"\n")
}

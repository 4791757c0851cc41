package telemetry

import (
	"fmt"
	"io"
	"sync"
)

// output is where lines go, one Write for each.
type output struct {
	mu sync.Mutex
	w  io.Writer
}

func (o *output) write(line []byte) (err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("writer of log lines panicked: %v", p)
		}
	}()
	_, err = o.w.Write(line)
	return err
}

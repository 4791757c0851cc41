package constructs

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// problems collects what is wrong with the properties of one construct, so
// that a user corrects them all at once.
type problems struct {
	kind, id string
	errs     []error
}

func (p *problems) add(field, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s %q: %s: %s", p.kind, p.id, field, fmt.Sprintf(format, args...)))
}

func (p *problems) err() error { return errors.Join(p.errs...) }

// seconds adds a problem unless d is a whole number of seconds from low to
// high: AWS's APIs take whole seconds, and the CDK would panic.
func (p *problems) seconds(field string, d, low, high time.Duration) {
	switch {
	case d%time.Second != 0:
		p.add(field, "%v is not a whole number of seconds", d)
	case d < low || d > high:
		p.add(field, "%v is out of range: give %v to %v", d, low, high)
	}
}

func (p *problems) between(field string, n, low, high int) {
	if n < low || n > high {
		p.add(field, "%d is out of range: give %d to %d", n, low, high)
	}
}

// Guard runs build and turns a panic into an error that names the construct, as
// in `Stack "Shop": the CDK refuses it: ...`. The CDK's bindings report every
// failure by panicking, with an error or with a string; put code that uses them
// directly into a Guard. An error that build returns is returned as it is.
func Guard(kind, id string, build func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case runtime.Error:
			err = fmt.Errorf("%s %q: internal error, please report it: %w", kind, id, r)
		default:
			err = fmt.Errorf("%s %q: the CDK refuses it: %s", kind, id, reason(fmt.Sprint(r)))
		}
	}()
	return build()
}

// reason cuts the kernel's JavaScript stack off a message. What is left may
// have several lines, each of which says something.
func reason(message string) string {
	var kept []string
	for line := range strings.Lines(message) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "at ") || strings.HasPrefix(line, "Relates to construct:") {
			break
		}
		if line != "" {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		return strings.TrimSpace(message)
	}
	return strings.Join(kept, " ")
}

package telemetry

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Sizes in bytes.
const (
	// maxLine is CloudWatch Logs' classic limit of one event, 256 KiB, less
	// the 26 bytes that it adds to each:
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
	maxLine = 256<<10 - 26
	// maxPreset is the most that attributes given by With may take of a line.
	maxPreset = maxLine / 2
	// fieldsRoom is kept for what the context adds and for the line's end.
	fieldsRoom = 8 << 10
	// attributesRoom is kept for a record's attributes by a long message.
	attributesRoom = 16 << 10
	// maxPooled is the largest buffer that is kept for the next line.
	maxPooled = 64 << 10
)

// Handler is a slog.Handler that writes a line for each record, with what the
// context knows of the invocation and of the message: see the package
// documentation. It is safe for concurrent use, does not call what it is given
// while holding a lock except for Write, and allocates nothing for records
// whose attributes are not of kind Any.
type Handler struct {
	*core

	preset []byte   // attributes given by With, encoded
	groups []string // given by WithGroup
	open   int      // how many of the groups are open at the end of preset
	seen   field    // fields of the line whose place preset takes
	cut    bool     // something was cut from preset
}

var _ slog.Handler = (*Handler)(nil)

// core is what a Handler and those derived from it share.
type core struct {
	out    *output
	format Format
	level  slog.Leveler
	redact func(groups []string, a slog.Attr) slog.Attr
	lines  sync.Pool // of *line
}

func newHandler(out *output, opts Options) *Handler {
	c := &core{out: out, format: opts.Format, level: opts.Level, redact: opts.Redact}
	c.lines.New = func() any { return &line{core: c, buf: make([]byte, 0, 1024)} }
	return &Handler{core: c}
}

func (c *core) get() *line {
	return c.lines.Get().(*line) //nolint:forcetypeassert // New makes no other
}

func (c *core) put(l *line) {
	if cap(l.buf) > maxPooled || cap(l.scratch) > maxPooled {
		return
	}
	clear(l.groups[:cap(l.groups)])
	*l = line{core: c, buf: l.buf[:0], groups: l.groups[:0], scratch: l.scratch[:0]}
	c.lines.Put(l)
}

// Enabled reports whether lines of the level are written.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// Handle writes a line. Its error is the writer's; slog's Logger ignores it.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if ctx == nil {
		ctx = context.Background()
	}
	l := h.get()
	defer h.put(l)
	l.limit = maxLine - fieldsRoom
	l.cut = h.cut
	var requestID string
	if lc, ok := lambdacontext.FromContext(ctx); ok && lc != nil {
		requestID = lc.AwsRequestID
	}

	most := l.limit - len(h.preset) - h.open
	if r.NumAttrs() > 0 {
		most -= attributesRoom
	}
	if h.format == Text {
		l.beginText(r.Level, requestID, r.Message, most)
	} else {
		l.beginJSON(r.Time, r.Level, r.Message, most)
	}

	l.buf = append(l.buf, h.preset...)
	l.groups = append(l.groups, h.groups...)
	l.open, l.seen = h.open, h.seen
	r.Attrs(func(a slog.Attr) bool {
		l.attr(a)
		return true
	})
	l.closeGroups()

	if h.format == JSON {
		l.field(fieldRequestID, requestID)
	}
	l.contextFields(ctx)
	l.end()
	return h.out.write(l.buf)
}

// WithAttrs returns a handler whose lines have the attributes too. Their values
// are encoded now, and once.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	l := h.get()
	defer h.put(l)
	l.limit = maxPreset
	l.buf = append(l.buf, h.preset...)
	l.groups = append(l.groups, h.groups...)
	l.open, l.seen, l.cut = h.open, h.seen, h.cut
	for _, a := range attrs {
		l.attr(a)
	}
	return &Handler{
		core: h.core, preset: slices.Clone(l.buf), groups: h.groups,
		open: l.open, seen: l.seen, cut: l.cut,
	}
}

// WithGroup returns a handler that puts all later attributes into a group. What
// the context knows stays outside of it.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	derived := *h
	derived.groups = append(slices.Clip(h.groups), name)
	return &derived
}

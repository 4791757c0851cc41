package local

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// timestamps as SNS and Lambda's failure records write them.
const millis = "2006-01-02T15:04:05.000Z"

func (e *Engine) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + e.region + ":" + e.account + ":" + resource
}

// newID makes a version 4 UUID from the seeded generator. The caller holds mu.
func (e *Engine) newID() string {
	b := e.randomBytes(16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (e *Engine) randomBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(e.rand.Uint32())
	}
	return b
}

// newTrace makes the X-Ray header of an invocation that came with none.
func (e *Engine) newTrace(now time.Time) string {
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=1", uint32(now.Unix()), e.randomBytes(12), e.randomBytes(8))
}

// parseARN splits an ARN into service and resource. ok is false when it is none.
func parseARN(arn string) (service, resource string, ok bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] == "" || parts[5] == "" {
		return "", "", false
	}
	return parts[2], parts[5], true
}

// lastName is the name in a resource reference: after the last slash of a URL, after the last colon of an ARN, or the whole.
func lastName(ref string) string {
	if i := strings.LastIndexByte(ref, '/'); i >= 0 {
		ref = ref[i+1:]
	}
	if i := strings.LastIndexByte(ref, ':'); i >= 0 {
		ref = ref[i+1:]
	}
	return ref
}

// NewID returns a fresh UUID from the engine's seeded generator, for request ids.
func (e *Engine) NewID() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.newID()
}

// Warn writes a [Warning] to the journal: something that the runtime around the engine was asked for and cannot do.
func (e *Engine) Warn(detail string) {
	e.mu.Lock()
	e.record(Entry{Kind: Warning, Detail: detail})
	e.unlock()
}

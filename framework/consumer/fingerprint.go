package consumer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// Fingerprint makes a second message under a completed or running key prove
// that it is a copy: if its content differs, it is a permanent failure that
// names the field, and not taken for done. Off by default: a producer that
// sends again with another timestamp would be refused. Ignored names members
// of the event that may differ.
//
// Content is compared only between messages of the same version.
func Fingerprint[E Event](ignored ...string) RouteOption[E] {
	return func(c *routeConfig[E]) error {
		if slices.Contains(ignored, "") {
			return errors.New("Fingerprint ignores a member without a name")
		}
		c.fingerprint = func(eventType string, body []byte) string { return fingerprint(eventType, body, ignored) }
		return nil
	}
}

// maxFields bounds a fingerprint's list of members: a record is charged by the
// kilobyte.
const maxFields = 40

// fingerprint is "<type>:<sha256>:<member>=<short hash>,...": the sum decides,
// the members name the difference. Canonical JSON is encoding/json's with
// sorted members and numbers as they came.
func fingerprint(eventType string, body []byte, ignored []string) string {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var members map[string]any
	if d.Decode(&members) != nil {
		return "" // it was decoded as an event, so this is one that is no object
	}
	for _, name := range ignored {
		delete(members, name)
	}
	canonical, err := json.Marshal(members)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(canonical)
	var b strings.Builder
	b.WriteString(eventType + ":" + hex.EncodeToString(sum[:]) + ":")
	for i, name := range slices.Sorted(maps.Keys(members)) {
		value, err := json.Marshal(members[name])
		if i == maxFields || err != nil || strings.ContainsAny(name, ",=") {
			continue
		}
		short := sha256.Sum256(value)
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(name + "=" + hex.EncodeToString(short[:4]))
	}
	return b.String()
}

// MismatchError says that a message has the key of another message, and other
// content. It is permanent.
type MismatchError struct {
	Key    string
	Fields []string // members that differ, if known
}

func (e *MismatchError) Error() string {
	which := "its content differs"
	if len(e.Fields) > 0 {
		which = "it differs in " + strings.Join(e.Fields, ", ")
	}
	// Without the key itself: this is logged, and keys may be personal data.
	return "message has the idempotency key of another message, but " + which + ": give different work different keys"
}

// mismatch compares the fingerprints of two messages under one key. Those of
// different versions, or of something else than ours, say nothing.
func mismatch(key, was, is string) error {
	wasType, wasRest, ok := strings.Cut(was, ":")
	isType, isRest, ok2 := strings.Cut(is, ":")
	if !ok || !ok2 || wasType != isType {
		return nil
	}
	wasSum, wasFields, _ := strings.Cut(wasRest, ":")
	isSum, isFields, _ := strings.Cut(isRest, ":")
	if wasSum == isSum {
		return nil
	}
	before, after := fields(wasFields), fields(isFields)
	e := &MismatchError{Key: key}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if before[name] != after[name] {
			e.Fields = append(e.Fields, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, ok := after[name]; !ok {
			e.Fields = append(e.Fields, name)
		}
	}
	return e
}

func fields(list string) map[string]string {
	m := map[string]string{}
	for f := range strings.SplitSeq(list, ",") {
		if name, hash, ok := strings.Cut(f, "="); ok {
			m[name] = hash
		}
	}
	return m
}

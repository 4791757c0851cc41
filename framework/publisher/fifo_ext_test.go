package publisher_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sluice-go/sluice/framework/publisher"
)

// withdrawn has the keys of note: a queue that drops copies must not take one
// for the other.
type withdrawn struct{ key string }

func (withdrawn) EventType() string        { return "tests.withdrawn.v3" }
func (w withdrawn) IdempotencyKey() string { return w.key }

func TestDeduplicationIDsOfDifferentTypesDiffer(t *testing.T) {
	t.Parallel()
	s := &service{}
	long := strings.Repeat("k", 500)
	err := publisher.SQS(s, "q.fifo").PublishEntries(t.Context(),
		publisher.Entry{Event: note{"t", "o-1"}, Group: "g"},
		publisher.Entry{Event: withdrawn{"o-1"}, Group: "g"},
		publisher.Entry{Event: note{"t", long}, Group: "g"},
		publisher.Entry{Event: note{"t", "a key with spaces"}, Group: "g"},
		publisher.Entry{Event: note{"t", "ключ"}, Group: "g"},
	)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, e := range s.sqs {
		id := aws.ToString(e.MessageDeduplicationId)
		if seen[id] {
			t.Errorf("entry %d has the deduplication id %q of another event: the queue would drop it", i, id)
		}
		seen[id] = true
		if id == "" || len(id) > 128 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("entry %d has the deduplication id %q, which SQS refuses", i, id)
		}
	}
	out, err := publisher.Outgoing("bus", publisher.Entry{Event: withdrawn{"o-1"}})
	if err != nil || out.DeduplicationID != "tests.withdrawn#o-1" {
		t.Errorf("outgoing = %+v, %v", out, err)
	}
}

func TestIDsThatTheServiceRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 129)
	for name, tt := range map[string]struct {
		entry publisher.Entry
		want  string
	}{
		"a long group":            {publisher.Entry{Event: note{"t", "k"}, Group: long}, "Entry.Group"},
		"a group with a space":    {publisher.Entry{Event: note{"t", "k"}, Group: "a b"}, "Entry.Group"},
		"a long id":               {publisher.Entry{Event: note{"t", "k"}, Group: "g", DeduplicationID: long}, "Entry.DeduplicationID"},
		"neither an id nor a key": {publisher.Entry{Event: note{"t", ""}, Group: "g"}, "Entry.DeduplicationID"},
		"no group":                {publisher.Entry{Event: note{"t", "k"}}, "Entry.Group"},
	} {
		s := &service{}
		for _, p := range []*publisher.Publisher{publisher.SQS(s, "q.fifo"), publisher.SNS(s, "t.fifo")} {
			err := p.PublishEntries(t.Context(), publisher.Entry{Event: note{"t", "ok"}, Group: "g"}, tt.entry)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "event 1") {
				t.Errorf("%s: error = %v, want one that names event 1 and %s", name, err, tt.want)
			}
			if len(s.sqs)+len(s.sns) != 0 {
				t.Errorf("%s: something was sent", name)
			}
		}
	}
}

package lambdaapi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLineSplitter(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxLine)
	for name, tt := range map[string]struct {
		writes []string
		want   []string
	}{
		"lines":            {[]string{"a\nb\n"}, []string{"a", "b"}},
		"across writes":    {[]string{"a", "b\nc", "\n"}, []string{"ab", "c"}},
		"empty line":       {[]string{"\n\n"}, []string{"", ""}},
		"carriage return":  {[]string{"a\r\n"}, []string{"a"}},
		"not ended":        {[]string{"a\nb"}, []string{"a", "b"}},
		"longest":          {[]string{long + "\n"}, []string{long}},
		"too long":         {[]string{long + "yz\n"}, []string{long, "yz"}},
		"too long, pieces": {[]string{long[:maxLine-1], "yz", "\n"}, []string{long[:maxLine-1] + "y", "z"}},
	} {
		var l lineSplitter
		var got []string
		emit := func(line []byte) { got = append(got, string(line)) }
		for _, w := range tt.writes {
			l.write([]byte(w), emit)
		}
		l.flush(emit)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%.300s", name, diff)
		}
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	var tl tail
	for range 1000 {
		tl.line("0123456789")
	}
	tl.line("end")
	got := string(tl.take())
	if len(got) != tailBytes || !strings.HasSuffix(got, "0123456789\nend\n") {
		t.Errorf("%d bytes, ending in %q", len(got), got[max(0, len(got)-20):])
	}
	tl.reset()
	if tl.take() != nil {
		t.Error("a reset tail is not empty")
	}
}

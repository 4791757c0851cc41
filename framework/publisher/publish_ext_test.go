package publisher_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/publisher"
)

func sizes(requests [][]string) []int {
	out := []int{}
	for _, r := range requests {
		out = append(out, len(r))
	}
	return out
}

func failed(t *testing.T, err error) []int {
	t.Helper()
	var e *publisher.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, not an *Error", err)
	}
	var out []int
	for _, f := range e.Failures {
		out = append(out, f.Index)
	}
	return out
}

func TestBatchesByCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int][]int{0: {}, 1: {1}, 10: {10}, 11: {10, 1}, 25: {10, 10, 5}} {
		for name := range publishers(nil) {
			s := &service{}
			if err := publishers(s)[name].Publish(t.Context(), notes(n)...); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if diff := cmp.Diff(want, sizes(s.requests)); diff != "" {
				t.Errorf("%s, %d events: requests (-want +got):\n%s", name, n, diff)
			}
			var all []string
			for _, r := range s.requests {
				all = append(all, r...)
			}
			for i, body := range all {
				if want := fmt.Sprintf(`{"Text":%q}`, strings.Repeat("x", i)); body != want {
					t.Errorf("%s: event %d is %s", name, i, body)
				}
			}
		}
	}
}

func TestBatchesBySize(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]int{"sqs": 1 << 20, "sns": 256 << 10, "eventbridge": 1 << 20} {
		s := &service{}
		half := note{Text: strings.Repeat("x", limit/2)}
		third := note{Text: strings.Repeat("x", limit/3-200)}
		if err := publishers(s)[name].Publish(t.Context(), half, half, third, third, third, note{}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		// Two halves do not fit together, a half and a third do.
		if diff := cmp.Diff([]int{1, 2, 3}, sizes(s.requests)); diff != "" {
			t.Errorf("%s: requests (-want +got):\n%s", name, diff)
		}
		if !sizesFit(s.requests, limit) {
			t.Errorf("%s: a request is over %d bytes", name, limit)
		}
		s.requests = nil
		err := publishers(s)[name].Publish(t.Context(), note{}, note{Text: strings.Repeat("x", limit)})
		if err == nil || !strings.Contains(err.Error(), "event 1 (tests.noted.v1) has") || len(s.requests) > 0 {
			t.Errorf("%s, oversized: %v, %d requests", name, err, len(s.requests))
		}
	}
}

func sizesFit(requests [][]string, limit int) bool {
	for _, r := range requests {
		size := 0
		for _, body := range r {
			size += len(body) + len("tests.noted.v1")
		}
		if size > limit {
			return false
		}
	}
	return true
}

// TestSizeCountsEnvelope: EventBridge counts the source with every entry.
func TestSizeCountsEnvelope(t *testing.T) {
	t.Parallel()
	s := &service{}
	source := strings.Repeat("s", 200)
	const each = 104700 // ten of them fit without their sources
	var events []publisher.Event
	for range 10 {
		events = append(events, note{Text: strings.Repeat("x", each)})
	}
	if err := publisher.EventBridge(s, "bus", source).Publish(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	for i, r := range s.requests {
		size := 0
		for _, body := range r {
			size += len(body) + len("tests.noted.v1") + len(source)
		}
		if size > 1<<20 {
			t.Errorf("request %d has %d bytes", i, size)
		}
	}
	s.requests = nil
	if err := publisher.EventBridge(s, "bus", source).Publish(t.Context(), note{Text: strings.Repeat("x", 1<<20-100)}); err == nil || len(s.requests) > 0 {
		t.Errorf("oversized by its source: %v, %d requests", err, len(s.requests))
	}
}

// TestThrottledEntriesAlone are sent again; entries at fault are not.
func TestThrottledEntriesAlone(t *testing.T) {
	t.Parallel()
	for name := range publishers(nil) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				code := map[string]string{"sqs": "RequestThrottled", "sns": "ThrottledException", "eventbridge": "ThrottlingException"}[name]
				s := &service{refuse: func(request int, body string) refusal {
					switch {
					case request < 2 && strings.Contains(body, `"xx`): // events 2, 3, 4
						return refusal{code: code}
					case body == `{"Text":"x"}`:
						return refusal{code: "InvalidMessageContents", sender: true}
					}
					return refusal{}
				}}
				err := publishers(s)[name].Publish(t.Context(), notes(5)...)
				if got := failed(t, err); !slices.Equal(got, []int{1}) {
					t.Errorf("failed %v: %v", got, err)
				}
				if diff := cmp.Diff([]int{5, 3, 3}, sizes(s.requests)); diff != "" {
					t.Errorf("requests (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestThrottledForEver(t *testing.T) {
	t.Parallel()
	for name := range publishers(nil) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{refuse: func(_ int, body string) refusal {
					switch body {
					case `{"Text":""}`:
						return refusal{code: "ThrottlingException"}
					case `{"Text":"xx"}`:
						return refusal{code: "MalformedDetail", sender: true}
					}
					return refusal{}
				}}
				err := publishers(s)[name].Publish(t.Context(), notes(12)...)
				// In the order of the events, though the second is known first.
				if got := failed(t, err); !slices.Equal(got, []int{0, 2}) {
					t.Errorf("failed %v", got)
				}
				if !strings.Contains(err.Error(), "2 of 12 events not accepted; the first, event 0: ThrottlingException") {
					t.Errorf("error = %v", err)
				}
				if diff := cmp.Diff([]int{10, 1, 1, 1, 2}, sizes(s.requests)); diff != "" {
					t.Errorf("requests (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestEventBridgeCodes: two are the service's, and are tried again.
func TestEventBridgeCodes(t *testing.T) {
	t.Parallel()
	for code, requests := range map[string]int{
		"ThrottlingException": 4, "InternalFailure": 4, "NotAuthorizedForSourceException": 1, "MalformedDetail": 1, "InvalidArgument": 1, "AccessDeniedException": 1,
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{refuse: func(int, string) refusal { return refusal{code: code} }}
				err := publisher.EventBridge(s, "bus", "shop").Publish(t.Context(), note{})
				if len(s.requests) != requests || err == nil || !strings.Contains(err.Error(), code) {
					t.Errorf("%d requests, want %d; error %v", len(s.requests), requests, err)
				}
			})
		})
	}
}

// TestFIFOKeepsItsOrder: nothing is sent after a failure, nor again.
func TestFIFOKeepsItsOrder(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]func(*service) *publisher.Publisher{
		"sqs": func(s *service) *publisher.Publisher { return publisher.SQS(s, "https://q.fifo") },
		"sns": func(s *service) *publisher.Publisher { return publisher.SNS(s, "arn:topic.fifo") },
	} {
		entries := func(n int) (out []publisher.Entry) {
			for _, e := range notes(n) {
				out = append(out, publisher.Entry{Event: e, Group: "g", DeduplicationID: "d"})
			}
			return out
		}
		s := &service{refuse: func(_ int, body string) refusal {
			if body == `{"Text":"xxx"}` {
				return refusal{code: "RequestThrottled"}
			}
			return refusal{}
		}}
		err := p(s).PublishEntries(t.Context(), entries(12)...)
		if got := failed(t, err); !slices.Equal(got, []int{3, 10, 11}) || len(s.requests) != 1 {
			t.Errorf("%s: failed %v after %d requests", name, got, len(s.requests))
		}
		s = &service{fail: func(context.Context, int) error { return errors.New("down") }}
		if got := failed(t, p(s).PublishEntries(t.Context(), entries(12)...)); len(got) != 12 || len(s.requests) != 1 {
			t.Errorf("%s: failed %v after %d requests", name, got, len(s.requests))
		}
	}
}

// TestRequestFails: where order does not matter, the other requests go on.
func TestRequestFails(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for name := range publishers(nil) {
		s := &service{fail: func(_ context.Context, n int) error {
			if n == 0 {
				return down
			}
			return nil
		}}
		err := publishers(s)[name].Publish(t.Context(), notes(12)...)
		if got := failed(t, err); !slices.Equal(got, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) || !errors.Is(err, down) || len(s.requests) != 2 {
			t.Errorf("%s: failed %v after %d requests", name, got, len(s.requests))
		}
	}
}

// TestSilence: an entry that the answer leaves out was not accepted.
func TestSilence(t *testing.T) {
	t.Parallel()
	for name := range publishers(nil) {
		s := &service{refuse: func(_ int, body string) refusal { return refusal{silent: body == `{"Text":"xx"}`} }}
		if got := failed(t, publishers(s)[name].Publish(t.Context(), notes(3)...)); !slices.Equal(got, []int{2}) || len(s.requests) != 1 {
			t.Errorf("%s: failed %v after %d requests", name, got, len(s.requests))
		}
	}
}

// TestCancel ends the tries, and the requests, and names what was not sent.
func TestCancel(t *testing.T) {
	t.Parallel()
	for name := range publishers(nil) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				s := &service{
					refuse: func(_ int, body string) refusal {
						cancel()
						if body == `{"Text":"x"}` {
							return refusal{code: "ThrottlingException"}
						}
						return refusal{}
					},
					fail: func(ctx context.Context, _ int) error { return ctx.Err() },
				}
				err := publishers(s)[name].Publish(ctx, notes(12)...)
				if got := failed(t, err); !slices.Equal(got, []int{1, 10, 11}) || len(s.requests) > 2 {
					t.Errorf("failed %v after %d requests", got, len(s.requests))
				}
			})
		})
	}
}

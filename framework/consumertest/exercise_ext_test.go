package consumertest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/consumertest"
	"github.com/sluice-go/sluice/framework/idempotency"
)

type made struct {
	ID string `json:"id"`
}

func (made) EventType() string        { return "things.made.v1" }
func (m made) IdempotencyKey() string { return m.ID }

// keyless has no key of its own: copies are different messages.
type keyless struct {
	ID string `json:"id"`
}

func (keyless) EventType() string { return "things.made.v1" }

func good(context.Context, consumer.Message[made]) error { return nil }

func TestExerciseOfAllSources(t *testing.T) {
	t.Parallel()
	for name, build := range map[string]func(opts consumer.Option) (*consumer.Consumer, error){
		"sqs":         func(o consumer.Option) (*consumer.Consumer, error) { return consumer.NewSQS("c", good, o) },
		"sns":         func(o consumer.Option) (*consumer.Consumer, error) { return consumer.NewSNS("c", good, o) },
		"eventbridge": func(o consumer.Option) (*consumer.Consumer, error) { return consumer.NewEventBridge("c", good, o) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			consumertest.Exercise(t, func(_ *idempotency.Memory, opts ...consumer.Option) (*consumer.Consumer, error) {
				return build(consumer.WithOptions(opts...))
			}, made{"a"}, made{"b"})
		})
	}
}

// broken are consumers that Exercise must not let pass, by the subtest that
// must fail.
func broken() map[string]func(t *testing.T) {
	newConsumer := func(h consumer.Handler[made], drop bool) func(*idempotency.Memory, ...consumer.Option) (*consumer.Consumer, error) {
		return func(_ *idempotency.Memory, opts ...consumer.Option) (*consumer.Consumer, error) {
			if drop {
				return consumer.NewSQS("c", h) // forgets to pass the options on
			}
			return consumer.NewSQS("c", h, consumer.WithOptions(opts...))
		}
	}
	return map[string]func(t *testing.T){
		"TestBroken/options_dropped/DoubleDelivery": func(t *testing.T) {
			consumertest.Exercise(t, newConsumer(good, true), made{"a"})
		},
		"TestBroken/never_settles/DoubleDelivery": func(t *testing.T) {
			consumertest.Exercise(t, newConsumer(func(context.Context, consumer.Message[made]) error { return errors.New("no") }, false), made{"a"})
		},
		"TestBroken/copies_without_a_key/CopiesInOneBatch": func(t *testing.T) {
			consumertest.Exercise(t, func(_ *idempotency.Memory, opts ...consumer.Option) (*consumer.Consumer, error) {
				runs := 0
				return consumer.NewSQS("c", func(context.Context, consumer.Message[keyless]) error {
					if runs++; runs > 2 {
						return errors.New("the effect is there already")
					}
					return nil
				}, consumer.WithOptions(opts...), consumer.WithConcurrency(1))
			}, keyless{"a"}, keyless{"b"})
		},
		"TestBroken/wrong_events/DoubleDelivery": func(t *testing.T) {
			consumertest.Exercise(t, newConsumer(good, false), unrouted{})
		},
	}
}

type unrouted struct{}

func (unrouted) EventType() string { return "things.broken.v1" }

// TestBroken runs in a process of its own, because it fails.
func TestBroken(t *testing.T) {
	if os.Getenv("SLUICE_TEST_BROKEN") == "" {
		t.Skip("run by TestExerciseFails in a process of its own")
	}
	for name, run := range broken() {
		t.Run(strings.Split(name, "/")[1], run)
	}
}

func TestExerciseFails(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$", "-test.v")
	cmd.Env = append(os.Environ(), "SLUICE_TEST_BROKEN=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Errorf("Exercise passes consumers that are broken")
	}
	for name := range broken() {
		if !strings.Contains(string(out), "--- FAIL: "+name) {
			t.Errorf("%s did not fail:\n%s", name, out)
		}
	}
}

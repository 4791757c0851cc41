package consumer

import (
	"math/rand/v2"
	"time"
)

// The back-off of a retried message: 30 s doubled with every receive, at most
// 15 min, half of it fixed and half random. Full jitter could empty a budget of
// five receives within seconds.
const (
	backoffBase = 30 * time.Second

	// MaxBackoff is the longest back-off. What a retry soon cannot help is
	// hidden for it: an unreachable store, an open breaker, a full bulkhead.
	MaxBackoff = 15 * time.Minute

	// maxVisibility is SQS's limit, counted from the receive; what has passed
	// since then is at most Lambda's 15 minutes.
	maxVisibility = 12*time.Hour - 15*time.Minute
)

func backoff(receives int) time.Duration {
	d := MaxBackoff
	if n := max(receives, 1) - 1; n < 5 {
		d = min(backoffBase<<n, MaxBackoff)
	}
	return d/2 + rand.N(d/2+1) //nolint:gosec // jitter needs no secrecy
}

// wholeSeconds rounds up, because SQS takes seconds and earlier is too early.
func wholeSeconds(d time.Duration) time.Duration {
	d = min(max(d, 0), maxVisibility)
	return (d + time.Second - 1).Truncate(time.Second)
}

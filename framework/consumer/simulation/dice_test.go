package simulation_test

import "time"

// dice is a splitmix64 generator: a value, so that a draw allocates nothing.
type dice uint64

func (d *dice) next() uint64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// n returns a number in [0, k).
func (d *dice) n(k int) int { return int(d.next() % uint64(k)) }

// chance is true permille times out of a thousand.
func (d *dice) chance(permille int) bool { return d.n(1000) < permille }

// dur returns a duration in [lo, hi), to the nanosecond: events that draw their
// time do not share an instant.
func (d *dice) dur(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(d.next()%uint64(hi-lo))
}

// pick returns the index of one of the weights.
func (d *dice) pick(weights ...int) int {
	total := 0
	for _, w := range weights {
		total += w
	}
	at := d.n(total)
	for i, w := range weights {
		if at < w {
			return i
		}
		at -= w
	}
	return len(weights) - 1
}

// site is what a draw is for.
type site int

const (
	siteWorld site = iota
	siteMessage
	sitePoll
	siteSandbox
	siteInvocation
	siteCall
	siteStatement
	siteHandler
	siteSink
	siteVisibility
	siteTTL
	siteRedrive
	siteOutbox
)

// dice returns the generator for one thing of the world.
func (w *world) dice(s site, a, b, c int) dice {
	d := dice(w.seed)
	for _, v := range [...]int{int(s), a, b, c} {
		d = dice(d.next() ^ uint64(v)*0xd6e8feb86659fd93)
	}
	return d
}

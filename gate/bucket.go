// SPDX-License-Identifier: MIT

package gate

import "time"

// A bucket is a token bucket that may go into debt: take always succeeds and
// returns how long the caller should pause so that the long-term rate holds.
// Its zero value is full at the first use. It takes the time as an argument
// and is guarded by its owner.
type bucket struct {
	level float64 // tokens left; negative is debt
	at    time.Time
}

// take removes n tokens from a bucket of that rate per second and burst. A
// rate of zero or less means no limit.
func (b *bucket) take(now time.Time, n, rate, burst float64) (pause time.Duration) {
	if rate <= 0 {
		return 0
	}
	if b.at.IsZero() {
		b.level = burst
	} else {
		b.level = min(burst, b.level+now.Sub(b.at).Seconds()*rate)
	}
	b.at = now
	b.level -= n
	if b.level >= 0 {
		return 0
	}
	return time.Duration(-b.level / rate * float64(time.Second))
}

// allow is take for those who would rather be refused: it takes nothing when
// there is less than n.
func (b *bucket) allow(now time.Time, n, rate, burst float64) bool {
	if b.take(now, n, rate, burst) == 0 {
		return true
	}
	b.level += n
	return false
}

// full reports whether an idle bucket can be forgotten without consequence.
func (b *bucket) full(now time.Time, rate, burst float64) bool {
	return b.level+now.Sub(b.at).Seconds()*rate >= burst
}

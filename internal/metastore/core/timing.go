// SPDX-License-Identifier: MIT

package core

// Timing holds the constants of the lease protocol. All durations are
// nanoseconds; only differences of one node's clock are ever used, never two
// nodes' clocks together.
//
// Why an expiry is never early: the grantor starts its timer when a renewal
// applies, which is after the holder read t0. It expires after T(1+ρ) on its
// own clock, hence at least T after t0 in real time, if no clock is wrong by
// more than ρ. The holder stops at t0 + T(1-ρ) - m, hence before.
type Timing struct {
	// DriftPPM is ρ, the largest error of a clock's rate, in parts per
	// million. Defaults to 10000 (1 %).
	DriftPPM int64
	// Margin is m, what the holder gives away for the work between its check
	// and its effect. Defaults to 100 ms.
	Margin int64
	// NoopEvery is how long a leader waits without a commit before it proposes
	// a no-op. Defaults to 1 s.
	NoopEvery int64
	// StallAfter is how long a leader may go without a commit before it hands
	// leadership over. Defaults to 2 s.
	StallAfter int64
	// EscalateAfter is how long each remedy of a stalled leader is given:
	// handing over, then cutting itself off; after that the node is declared
	// broken. Defaults to 1 s.
	EscalateAfter int64
	// RetryAfter is when an expiry that had no effect yet is proposed again.
	// Defaults to 500 ms.
	RetryAfter int64
}

// WithDefaults fills the zero fields.
func (t Timing) WithDefaults() Timing {
	def := func(p *int64, v int64) {
		if *p == 0 {
			*p = v
		}
	}
	def(&t.DriftPPM, 10_000)
	def(&t.Margin, 100e6)
	def(&t.NoopEvery, 1e9)
	def(&t.StallAfter, 2e9)
	def(&t.EscalateAfter, 1e9)
	def(&t.RetryAfter, 500e6)
	return t
}

// holderTTL is how long after t0 the holder may act.
func (t Timing) holderTTL(ttl int64) int64 { return ttl - ttl/1e6*t.DriftPPM - t.Margin }

// grantorTTL is how long after a renewal applied the grantor waits.
func (t Timing) grantorTTL(ttl int64) int64 { return ttl + ttl/1e6*t.DriftPPM }

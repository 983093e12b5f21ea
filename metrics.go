// SPDX-License-Identifier: MIT

package troupe

// Counter names a count that only grows.
type Counter uint8

// The counters, each per kind.
const (
	// CountTurns: messages handled, including those that panicked.
	CountTurns Counter = iota
	// CountPanics: turns that panicked.
	CountPanics
	// CountRestarts: restarts by the supervisor.
	CountRestarts
	// CountActivations and CountDeactivations: OnActivate ran, the actor ended
	// or was passivated.
	CountActivations
	CountDeactivations
	// CountActivationErrors: OnActivate failed.
	CountActivationErrors
	// The drops, by reason; each is also a dead letter.
	CountDropFull
	CountDropOldest
	CountDropStopped
	CountDropExpired
	CountDropPoison
	CountDropActivation
	CountDropUnreachable
	CountDropStale
	// CountTimers: timer firings delivered to a turn.
	CountTimers
	numCounters
)

var counterNames = [numCounters]string{
	"turns", "panics", "restarts", "activations", "deactivations", "activation_errors",
	"drop_full", "drop_oldest", "drop_stopped", "drop_expired", "drop_poison",
	"drop_activation", "drop_unreachable", "drop_stale", "timers",
}

// String returns the snake-case name, for metric systems.
func (c Counter) String() string { return counterNames[c] }

// Counters lists all counters, for adapters.
func Counters() []Counter {
	all := make([]Counter, numCounters)
	for i := range all {
		all[i] = Counter(i)
	}
	return all
}

// Sample names a distribution.
type Sample uint8

// The samples, each per kind. They are taken once in sampleEvery runs, because
// reading a clock costs more than a turn.
const (
	// SampleTurnSeconds: time spent in one turn, averaged over a run.
	SampleTurnSeconds Sample = iota
	// SampleMailboxDepth: messages waiting when a run begins.
	SampleMailboxDepth
	// SampleMailboxAgeSeconds: from the message that made an idle mailbox
	// non-empty to the start of the run that takes it.
	SampleMailboxAgeSeconds
	numSamples
)

var sampleNames = [numSamples]string{"turn_seconds", "mailbox_depth", "mailbox_age_seconds"}

// String returns the snake-case name, for metric systems.
func (s Sample) String() string { return sampleNames[s] }

// Samples lists all samples, for adapters.
func Samples() []Sample {
	all := make([]Sample, numSamples)
	for i := range all {
		all[i] = Sample(i)
	}
	return all
}

// Metrics receives measurements. Methods are called from any goroutine, on hot
// paths: they must be quick and must not block. observe/prom adapts it to
// Prometheus. Embed NoMetrics to stay compatible with later additions.
type Metrics interface {
	// Add adds n to a counter.
	Add(c Counter, kind string, n int64)
	// Observe records one value of a sample.
	Observe(s Sample, kind string, value float64)
}

// NoMetrics is a Metrics that does nothing.
type NoMetrics struct{}

// Add does nothing.
func (NoMetrics) Add(Counter, string, int64) {}

// Observe does nothing.
func (NoMetrics) Observe(Sample, string, float64) {}

// noMetrics is the default; the run loop skips all clocks when it is set.
type noMetrics struct{ NoMetrics }

// DeadLetter describes a message that no handler took.
type DeadLetter struct {
	To     Ref
	Method string
	// From is the sender when it is an actor and the message carried it: calls
	// and messages between nodes do, plain local sends do not.
	From Ref
	// Reason is one of the sentinel errors: ErrActorStopped, ErrMailboxFull,
	// ErrTimeout, ErrPoison, ErrActivation, ErrUnreachable, ErrFenced, ErrStopped.
	Reason error
}

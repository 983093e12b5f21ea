// SPDX-License-Identifier: MIT

package orm

// Counter names a count that only grows.
type Counter uint8

// The counters of a DB.
const (
	// CountFlushes: transactions that the database confirmed.
	CountFlushes Counter = iota
	// CountDocuments and CountBytes: what they wrote.
	CountDocuments
	CountBytes
	// CountRetries: transactions that failed and were tried again.
	CountRetries
	// CountFenced: groups refused because of a newer owner.
	CountFenced
	// CountRefused: groups that cannot be saved as they are.
	CountRefused
	// CountLoads: documents loaded.
	CountLoads
	numCounters
)

var counterNames = [numCounters]string{"flushes", "documents", "bytes", "retries", "fenced", "refused", "loads"}

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

// The samples of a DB, each in seconds.
const (
	// SampleFlushSeconds: how long a confirmed transaction took.
	SampleFlushSeconds Sample = iota
	// SampleQueueSeconds: how old the oldest change of a confirmed group was
	// when it was confirmed; one value per group.
	SampleQueueSeconds
	// SampleLoadSeconds: how long the database took to load a document.
	SampleLoadSeconds
	numSamples
)

var sampleNames = [numSamples]string{"flush_seconds", "queue_seconds", "load_seconds"}

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

// Metrics receives measurements. Methods are called from any goroutine, once
// per transaction, group or load: they must be quick and must not block. What
// goes up and down, above all the age of the oldest unsaved change, is in
// DB.Stats. observe/prom adapts both to Prometheus. Embed NoMetrics to stay
// compatible with later additions.
type Metrics interface {
	// Add adds n to a counter.
	Add(c Counter, n int64)
	// Observe records one value of a sample.
	Observe(s Sample, value float64)
}

// NoMetrics is a Metrics that does nothing.
type NoMetrics struct{}

// Add does nothing.
func (NoMetrics) Add(Counter, int64) {}

// Observe does nothing.
func (NoMetrics) Observe(Sample, float64) {}

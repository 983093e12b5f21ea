// SPDX-License-Identifier: MIT

package orm

import (
	"fmt"
	"log/slog"
	"time"
)

// Config configures a DB. A zero field has the documented default.
type Config struct {
	// Types are the document types of the program; see Document. Their tables
	// are created by Open.
	Types []*Type

	// FlushEvery bounds how much a crash may cost: a change reaches the
	// database this long after the turn that made it, if the database keeps up.
	// Defaults to 1 s.
	FlushEvery time.Duration

	// MaxDocBytes bounds an encoded document. A larger one is refused and stays
	// dirty. Defaults to 1 MiB.
	MaxDocBytes int

	// MaxBatchDocs and MaxBatchBytes bound one transaction. A single owner's
	// group is never split. Default to 500 documents and 4 MiB.
	MaxBatchDocs  int
	MaxBatchBytes int

	// MaxPendingBytes bounds encoded documents that wait for the database.
	// Beyond it changes stay in their actors, found later. Actors that look for
	// changes at the same moment may pass it together. Defaults to 64 MiB.
	MaxPendingBytes int

	// MaxUnsavedAge is the age of the oldest unsaved change beyond which Load
	// fails with ErrBacklog. Defaults to 30 s; -1 means never.
	MaxUnsavedAge time.Duration

	// SaveTimeout bounds one transaction. After it the outcome is unknown and
	// the same transaction is tried again. Defaults to 15 s.
	SaveTimeout time.Duration

	// RetryMin and RetryMax bound the pause before a failed transaction is
	// tried again; it doubles in between. Default to 50 ms and 5 s.
	RetryMin, RetryMax time.Duration

	// Writers is how many transactions run at a time. Defaults to what the
	// store can use.
	Writers int

	// Logger receives what went wrong. Defaults to discarding it.
	Logger *slog.Logger

	// Metrics receives measurements. Defaults to none.
	Metrics Metrics
}

// withDefaults returns c completed, or an error that names the bad field.
func (c Config) withDefaults(can Capabilities) (Config, error) {
	durations := []struct {
		name string
		at   *time.Duration
		def  time.Duration
	}{
		{"FlushEvery", &c.FlushEvery, time.Second},
		{"SaveTimeout", &c.SaveTimeout, 15 * time.Second},
		{"RetryMin", &c.RetryMin, 50 * time.Millisecond},
		{"RetryMax", &c.RetryMax, 5 * time.Second},
	}
	for _, d := range durations {
		if *d.at < 0 {
			return c, fmt.Errorf("%w: Config.%s is negative", ErrConfig, d.name)
		}
		if *d.at == 0 {
			*d.at = d.def
		}
	}
	numbers := []struct {
		name string
		at   *int
		def  int
	}{
		{"MaxDocBytes", &c.MaxDocBytes, 1 << 20},
		{"MaxBatchDocs", &c.MaxBatchDocs, 500},
		{"MaxBatchBytes", &c.MaxBatchBytes, 4 << 20},
		{"MaxPendingBytes", &c.MaxPendingBytes, 64 << 20},
		{"Writers", &c.Writers, max(1, can.Writers)},
	}
	for _, n := range numbers {
		if *n.at < 0 {
			return c, fmt.Errorf("%w: Config.%s is negative", ErrConfig, n.name)
		}
		if *n.at == 0 {
			*n.at = n.def
		}
	}
	if can.MaxBatchBytes > 0 {
		c.MaxBatchBytes = min(c.MaxBatchBytes, can.MaxBatchBytes)
	}
	if c.MaxUnsavedAge == 0 {
		c.MaxUnsavedAge = 30 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = NoMetrics{}
	}
	return c, nil
}

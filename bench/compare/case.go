// SPDX-License-Identifier: MIT

// Package compare measures contenders that do the same work.
//
// Every sample is taken in a process of its own: a contender that hangs, leaks
// or crashes costs its own line in the result and nothing else, and no
// contender inherits another's heap. The contenders of a case take turns, round
// by round, so that a change in the machine's load hits all of them alike; what
// is reported is the median over the rounds.
package compare

import (
	"context"
	"fmt"
	"path"
	"time"
)

// Case is one question that all its contenders answer by the same work.
type Case struct {
	// Name is "group/variant", the name in the results. Groups are chosen by
	// their first part.
	Name string
	// About says what is measured, and what makes the contenders comparable.
	About string
	// N is the number of operations of one run.
	N int
	// Runs is how often a process repeats the run; its sample is the median.
	// Defaults to as many as fit into 200 ms, at least 3.
	Runs int
	// SmokeN is the number of operations of a smoke run. Defaults to a
	// hundredth of N.
	SmokeN int
	// Long cases run only when they are named, and in smoke runs if they have a
	// SmokeN.
	Long bool
	// MaxRounds caps the rounds of a case whose runs are long. Zero: no cap.
	MaxRounds int
	// Timeout ends a process that does not finish. Defaults to 30 s.
	Timeout time.Duration
	// Contenders in the order in which they are shown.
	Contenders []Contender
}

// Contender is one way to do the work of a case.
type Contender struct {
	// Name is the contender's name in the results.
	Name string
	// Variant tells apart several configurations of one contender. Only the
	// fastest of them is reported under the name.
	Variant string
	// Program is the package under peers/ that has the contender's code, for
	// libraries that cannot be linked into one program. Empty: this program.
	Program string
	// Scale divides the case's N for contenders that are much slower. Zero: 1.
	Scale int
	// New prepares an instance and returns the work: a function that performs n
	// operations and returns when all of them are done. Preparation is not
	// measured. The first call of the work is a warm-up. Nil in this program
	// if another one has the code.
	New func(b *B) (work func(n int))
}

// key names a contender and its variant within a case.
func (c Contender) key() string {
	if c.Variant == "" {
		return c.Name
	}
	return c.Name + ":" + c.Variant
}

// B is what a contender's New may use.
type B struct {
	// Context ends when the process is told to give up.
	Context context.Context
	// N is the number of operations that each run will perform.
	N int

	cleanup []func()
	metrics map[string]float64
	elapsed time.Duration // set by the work when it times a part of itself
}

// Cleanup registers f to run after the last run, last registered first.
func (b *B) Cleanup(f func()) { b.cleanup = append(b.cleanup, f) }

// Report adds a figure to the sample, for example "bytes_idle". The last value
// of a process counts.
func (b *B) Report(name string, value float64) {
	if b.metrics == nil {
		b.metrics = map[string]float64{}
	}
	b.metrics[name] = value
}

// Quantile returns the value below which the share q of the sorted durations
// is, in seconds.
func Quantile(sorted []time.Duration, q float64) float64 {
	return sorted[min(int(float64(len(sorted))*q), len(sorted)-1)].Seconds()
}

// Elapsed replaces the measured time of the run that calls it, for work of
// which only a part is the question.
func (b *B) Elapsed(d time.Duration) { b.elapsed = d }

// Must panics on an error of the preparation or the work. The panic ends the
// sample's process, and its text is reported for the contender.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}

// Check panics unless got equals want. Work uses it to prove that it was done:
// that no message was lost, and that the compiler did not drop it.
func Check[T comparable](what string, got, want T) {
	if got != want {
		panic(fmt.Sprintf("%s: got %v, want %v", what, got, want))
	}
}

// Select returns the cases that match any of the patterns. A pattern is a
// group ("mailbox"), a name ("mailbox/p16") or a glob ("mailbox/p*", "*").
func Select(all []Case, patterns []string) ([]Case, error) {
	if len(patterns) == 0 {
		return all, nil
	}
	var picked []Case
	seen := map[string]bool{}
	for _, c := range all {
		for _, p := range patterns {
			ok, err := matches(p, c.Name)
			if err != nil {
				return nil, fmt.Errorf("pattern %q: %w", p, err)
			}
			if ok {
				seen[p] = true
				picked = append(picked, c)
				break
			}
		}
	}
	for _, p := range patterns {
		used := seen[p]
		for _, c := range picked {
			ok, _ := matches(p, c.Name)
			used = used || ok
		}
		if !used {
			return nil, fmt.Errorf("no case matches %q", p)
		}
	}
	return picked, nil
}

func matches(pattern, name string) (bool, error) {
	if pattern == "*" || pattern == "all" || pattern == name {
		return true, nil
	}
	if ok, err := path.Match(pattern, name); ok || err != nil {
		return ok, err
	}
	for prefix := path.Dir(name); prefix != "."; prefix = path.Dir(prefix) {
		if ok, err := path.Match(pattern, prefix); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// Short returns the cases that run without being named.
func Short(all []Case, smoke bool) []Case {
	var out []Case
	for _, c := range all {
		if !c.Long || smoke && c.SmokeN > 0 {
			out = append(out, c)
		}
	}
	return out
}

// SPDX-License-Identifier: MIT

package compare

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// Ours is the contender that the others are compared with.
const Ours = "troupe"

// Options of a comparison.
type Options struct {
	// Rounds is the number of samples per contender. Defaults to 5.
	Rounds int
	// Procs sets GOMAXPROCS of the measuring processes. Zero: the machine's.
	Procs int
	// Only, when not empty, names the contenders to run.
	Only []string
	// Smoke runs everything once with little work, to see that it runs.
	Smoke bool
	// Progress receives a line per step. Nil: nothing is said.
	Progress io.Writer
}

// Result is what a contender reached in a case: medians over the rounds.
type Result struct {
	Case      string
	Contender string
	Variant   string
	NsOp      float64
	AllocsOp  float64
	BytesOp   float64
	Rounds    int
	Spread    float64 // (largest - smallest) / median of NsOp over the rounds
	Metrics   map[string]float64
	Error     string // not empty: there are no figures
}

// Run measures the cases. Each result is handed to emit when its case is
// complete; all of them are returned.
func Run(ctx context.Context, cases []Case, opt Options, emit func(Result)) ([]Result, error) {
	if opt.Rounds <= 0 {
		opt.Rounds = 5
	}
	if opt.Progress == nil {
		opt.Progress = io.Discard
	}
	programs, err := build(ctx, cases, opt)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	var all []Result
	for i, c := range cases {
		rounds := opt.Rounds
		if c.MaxRounds > 0 {
			rounds = min(rounds, c.MaxRounds)
		}
		if opt.Smoke {
			rounds = 1
		}
		samples := map[string][]sample{}
		failed := map[string]string{}
		for round := range rounds {
			for _, who := range rotate(c.Contenders, round) {
				if !opt.wants(who) || failed[who.key()] != "" {
					continue
				}
				fmt.Fprintf(opt.Progress, "[%4.0fs] case %d/%d %s, round %d/%d: %s\n",
					time.Since(start).Seconds(), i+1, len(cases), c.Name, round+1, rounds, who.key())
				s := sample{Error: programs[who.Program].failure}
				if s.Error == "" {
					s = take(ctx, programs[who.Program].path, c, who, opt)
				}
				if ctx.Err() != nil {
					return all, ctx.Err()
				}
				if s.Error != "" {
					fmt.Fprintf(opt.Progress, "         %s %s: %s\n", c.Name, who.key(), s.Error)
					failed[who.key()] = s.Error
					continue
				}
				samples[who.key()] = append(samples[who.key()], s)
			}
		}
		for _, r := range results(c, samples, failed) {
			emit(r)
			all = append(all, r)
		}
	}
	return all, nil
}

// rotate starts each round with another contender, so that none is always
// measured right after the same neighbor.
func rotate(list []Contender, by int) []Contender {
	by %= max(len(list), 1)
	return slices.Concat(list[by:], list[:by])
}

// results condenses a case's samples: medians, and of a contender's variants
// the fastest. A contender that failed in any round has only its error: the
// rounds before are no excuse for a run that lost messages or hung.
func results(c Case, samples map[string][]sample, failed map[string]string) []Result {
	var out []Result
	at := map[string]int{}
	for _, who := range c.Contenders {
		r := Result{Case: c.Name, Contender: who.Name, Variant: who.Variant, Error: failed[who.key()]}
		if r.Error == "" {
			got := samples[who.key()]
			if len(got) == 0 {
				continue
			}
			r.fill(got)
		}
		i, seen := at[who.Name]
		switch {
		case !seen:
			at[who.Name] = len(out)
			out = append(out, r)
		case r.Error == "" && (out[i].Error != "" || r.NsOp < out[i].NsOp):
			out[i] = r
		}
	}
	return out
}

// fill sets r's figures to the medians of the samples.
func (r *Result) fill(samples []sample) {
	var ns, allocs, bytes []float64
	metrics := map[string][]float64{}
	for _, s := range samples {
		ns = append(ns, s.NsOp)
		allocs = append(allocs, s.AllocsOp)
		bytes = append(bytes, s.BytesOp)
		for name, v := range s.Metrics {
			metrics[name] = append(metrics[name], v)
		}
	}
	r.Rounds = len(samples)
	r.NsOp, r.AllocsOp, r.BytesOp = median(ns), median(allocs), median(bytes)
	if r.NsOp > 0 {
		r.Spread = (slices.Max(ns) - slices.Min(ns)) / r.NsOp
	}
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		if r.Metrics == nil {
			r.Metrics = map[string]float64{}
		}
		r.Metrics[name] = median(metrics[name])
	}
}

// cost is the figure by which contenders of a case are compared: CPU seconds or
// the median of single operations where a case measures them, time otherwise.
func (r Result) cost() float64 {
	for _, name := range []string{"cpu_s", "p50_us"} {
		if v, ok := r.Metrics[name]; ok {
			return v
		}
	}
	return r.NsOp
}

// Speedups returns, per case, each contender's cost divided by ours: above 1
// means that we are faster.
func Speedups(results []Result) map[string]map[string]float64 {
	ours := map[string]float64{}
	for _, r := range results {
		if r.Contender == Ours && r.Error == "" {
			ours[r.Case] = r.cost()
		}
	}
	out := map[string]map[string]float64{}
	for _, r := range results {
		base := ours[r.Case]
		if r.Contender == Ours || r.Error != "" || base <= 0 {
			continue
		}
		if out[r.Case] == nil {
			out[r.Case] = map[string]float64{}
		}
		out[r.Case][r.Contender] = r.cost() / base
	}
	return out
}

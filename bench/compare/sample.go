// SPDX-License-Identifier: MIT

package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sample is what one process measured.
type sample struct {
	NsOp     float64            `json:"ns_op"`
	AllocsOp float64            `json:"allocs_op"`
	BytesOp  float64            `json:"bytes_op"`
	Metrics  map[string]float64 `json:"metrics,omitempty"`
	Error    string             `json:"error,omitempty"`
}

const (
	defaultTimeout = 30 * time.Second
	minRuns        = 3
	maxRuns        = 200
	runBudget      = 200 * time.Millisecond
)

// RunChild measures one contender in this process and writes its sample as one
// line of JSON. The parent starts it with the arguments of childArgs.
func RunChild(w io.Writer, cases []Case, caseName, contender string, n, runs int) error {
	c, who, err := find(cases, caseName, contender)
	if err != nil {
		return err
	}
	s := measure(c, who, n, runs)
	return json.NewEncoder(w).Encode(s)
}

func find(cases []Case, caseName, contender string) (Case, Contender, error) {
	for _, c := range cases {
		if c.Name != caseName {
			continue
		}
		for _, who := range c.Contenders {
			if who.key() == contender && who.New != nil {
				return c, who, nil
			}
		}
	}
	return Case{}, Contender{}, fmt.Errorf("no contender %s in case %s", contender, caseName)
}

// measure runs the contender's work: once to warm up, then again and again.
// The collector runs between the runs, outside the measured time; what a run
// allocates is collected within it, as in a program.
func measure(c Case, who Contender, n, runs int) (s sample) {
	defer func() {
		if r := recover(); r != nil {
			s = sample{Error: fmt.Sprint(r)}
			fmt.Fprintf(os.Stderr, "%s %s: %v\n%s", c.Name, who.key(), r, debug.Stack())
		}
	}()
	b := &B{Context: context.Background(), N: n}
	work := who.New(b)
	if runs != 1 {
		work(n)
	}
	var ns, allocs, bytes []float64
	var total time.Duration
	var before, after runtime.MemStats
	for i := 0; i < maxRuns && more(i, runs, total); i++ {
		runtime.GC()
		b.elapsed = 0
		runtime.ReadMemStats(&before)
		start := time.Now()
		work(n)
		elapsed := time.Since(start)
		runtime.ReadMemStats(&after)
		total += elapsed
		if b.elapsed > 0 {
			elapsed = b.elapsed
		}
		ns = append(ns, float64(elapsed.Nanoseconds())/float64(n))
		allocs = append(allocs, float64(after.Mallocs-before.Mallocs)/float64(n))
		bytes = append(bytes, float64(after.TotalAlloc-before.TotalAlloc)/float64(n))
	}
	for _, f := range slices.Backward(b.cleanup) {
		f()
	}
	return sample{NsOp: median(ns), AllocsOp: median(allocs), BytesOp: median(bytes), Metrics: b.metrics}
}

// more reports whether a process that made i runs, in total time, goes on.
func more(i, runs int, total time.Duration) bool {
	if runs > 0 {
		return i < runs
	}
	return i < minRuns || total < runBudget
}

// childArgs are the flags with which the program calls itself.
func childArgs(c Case, who Contender, n, runs int) []string {
	return []string{"-child", c.Name + "," + who.key(), "-n", strconv.Itoa(n), "-runs", strconv.Itoa(runs)}
}

// take starts a process that measures one sample, and ends it at the timeout.
func take(ctx context.Context, program string, c Case, who Contender, opt Options) sample {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	n, runs := c.N/max(who.Scale, 1), c.Runs
	if opt.Smoke {
		n, runs = max(n/100, 16), 1
		if c.SmokeN > 0 {
			n = c.SmokeN
		}
	}
	cmd := exec.CommandContext(ctx, program, childArgs(c, who, n, runs)...)
	cmd.Env = os.Environ()
	if opt.Procs > 0 {
		cmd.Env = append(cmd.Env, "GOMAXPROCS="+strconv.Itoa(opt.Procs))
	}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return sample{Error: fmt.Sprintf("no result after %v", timeout)}
	}
	if err != nil {
		return sample{Error: fmt.Sprintf("%v: %s", err, lastLines(stderr.String()))}
	}
	var s sample
	// Peers may print to standard output too: the sample is the last line.
	if err := json.Unmarshal([]byte(lastLine(stdout.String())), &s); err != nil {
		return sample{Error: fmt.Sprintf("no sample: %v", err)}
	}
	return s
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// lastLines returns the end of a process's complaints, short enough for a line.
func lastLines(text string) string {
	const most = 400
	text = strings.TrimSpace(text)
	if first, _, ok := strings.Cut(text, "\n\ngoroutine "); ok {
		text = first // a crash: the reason comes before the stacks
	}
	return text[max(0, len(text)-most):]
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	mid := len(v) / 2
	if len(v)%2 == 1 {
		return v[mid]
	}
	return (v[mid-1] + v[mid]) / 2
}

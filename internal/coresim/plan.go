// SPDX-License-Identifier: MIT

package coresim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Rules leaves rules of the hosts around the core out, one at a time, to show
// that the checks notice. The zero value is the full protocol.
type Rules struct {
	NoFenceOnLoad        bool // loading does not install the token
	NoFlushSeq           bool // the token has no flush sequence
	ReleaseBeforeFlush   bool // the claim is given up first
	RetryAsNew           bool // an operation of unknown outcome is applied again
	GatewayIgnoresEpochs bool // what a zombie pushes is passed on
	NoGate               bool // nodes dispatch without a look at their lease
	WallClock            bool // leases are measured with time.Now
	StateLeaderGrants    bool // State()==Leader is enough to answer a claim
	VerifyLeaderGrants   bool // VerifyLeader is enough to answer a claim
	NoSync               bool // the log's last entries do not survive a crash
	IgnoreMark           bool // a worker number is used without its mark
}

// Fault is one thing that goes wrong, and how long it stays so.
type Fault struct {
	At, For int64
	Kind    string
	A, B    int
}

// String is for traces.
func (f Fault) String() string {
	return fmt.Sprintf("%.3fs +%.3fs %s %d %d", float64(f.At)/1e9, float64(f.For)/1e9, f.Kind, f.A, f.B)
}

// Plan is what a seed means. Runs of equal plans are equal.
type Plan struct {
	Seed   uint64
	Length int64 // for which faults happen
	Faults []Fault
	Rules  Rules
	Calm   bool // the wall clocks stay right (I16)
}

// faultKinds, and how often each is drawn. The numbers are those of the list in
// the reliability report.
var faultKinds = []struct {
	name   string
	weight int
}{
	{"crash-voter", 4},   // F1, F7
	{"crash-node", 6},    // F1
	{"crash-all", 1},     // F1
	{"crash-both", 3},    // F1: a voter and the node beside it
	{"pause-voter", 5},   // F2
	{"pause-node", 6},    // F2
	{"pause-store", 2},   // F2, F13
	{"clock-stop", 2},    // F9: a guest that does not see how long it slept
	{"isolate", 6},       // F4
	{"mute", 4},          // F4: sends nothing
	{"deaf", 4},          // F4: hears nothing
	{"pair", 4},          // F4
	{"bridge", 2},        // F4: two halves that share one voter
	{"no-store", 3},      // F4
	{"swizzle", 2},       // F4: cut one by one, healed in another order
	{"slow", 3},          // F5
	{"lossy", 3},         // F5
	{"twice", 3},         // F5
	{"late-flushes", 4},  // F13
	{"disk-hang", 4},     // F6
	{"wall-jump", 4},     // F9
	{"quick-restart", 3}, // F10: within the lease
	{"drain", 4},         // F11
	{"move", 8},          // handover of entities
	{"release", 6},       // and release
	{"storm", 1},         // F15: every node restarts at once
	{"new-generation", 1},
}

// NewPlan returns the plan of a seed. length is in virtual nanoseconds.
func NewPlan(seed uint64, length int64) Plan {
	rng := rand.New(rand.NewPCG(seed, 0xfa17))
	p := Plan{Seed: seed, Length: length}
	total := 0
	for _, k := range faultKinds {
		total += k.weight
	}
	renewed := false
	for at := second + rng.Int64N(4*second); at < length; at += rng.Int64N(8 * second) {
		pick := rng.IntN(total)
		i := 0
		for pick >= faultKinds[i].weight {
			pick -= faultKinds[i].weight
			i++
		}
		f := Fault{At: at, Kind: faultKinds[i].name, A: rng.IntN(64), B: rng.IntN(64), For: howLong(rng)}
		if f.Kind == "new-generation" {
			if renewed || at+f.For+3*ttl > length {
				continue
			}
			renewed = true
		}
		p.Faults = append(p.Faults, f)
	}
	slices.SortFunc(p.Faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return p
}

// howLong draws durations around the lease: half of it, almost, just over,
// three times, or anything.
func howLong(rng *rand.Rand) int64 {
	switch rng.IntN(6) {
	case 0:
		return ttl / 2
	case 1:
		return ttl * 9 / 10
	case 2:
		return ttl * 11 / 10
	case 3:
		return 3 * ttl
	}
	return rng.Int64N(2 * ttl)
}

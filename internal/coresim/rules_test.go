// SPDX-License-Identifier: MIT

package coresim

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// findWithin runs seeds until one violates something.
func findWithin(seeds uint64, rules Rules) (seed uint64, violation string) {
	for seed := range seeds {
		p := NewPlan(seed+1, int64(time.Minute))
		p.Rules = rules
		if r := Run(p, false); len(r.Violations) > 0 {
			return seed + 1, r.Violations[0]
		}
	}
	return 0, ""
}

// TestRulesLeftOut: without any one rule of the hosts, a few seeds are enough to
// find a violation of what that rule is for.
func TestRulesLeftOut(t *testing.T) {
	if raceEnabled {
		t.Skip("a run has one goroutine: run it without the race detector")
	}
	for name, c := range map[string]struct {
		rules Rules
		want  []string
	}{
		"no fence on load":        {Rules{NoFenceOnLoad: true}, []string{"I3", "I6", "I7"}},
		"no flush sequence":       {Rules{NoFlushSeq: true}, []string{"I3", "I6"}},
		"release before flush":    {Rules{ReleaseBeforeFlush: true}, []string{"I7"}},
		"retry as new":            {Rules{RetryAsNew: true}, []string{"I10"}},
		"gateway ignores epochs":  {Rules{GatewayIgnoresEpochs: true}, []string{"I2"}},
		"no gate":                 {Rules{NoGate: true}, []string{"I4", "I17"}},
		"wall clock":              {Rules{WallClock: true}, []string{"I4", "I13", "I17"}},
		"State()==Leader grants":  {Rules{StateLeaderGrants: true}, []string{"I1", "I4"}},
		"VerifyLeader grants":     {Rules{VerifyLeaderGrants: true}, []string{"I1", "I4"}},
		"no sync":                 {Rules{NoSync: true}, []string{"raft", "I12", "I1", "I4"}},
		"worker without its mark": {Rules{IgnoreMark: true}, []string{"I9"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed, violation := findWithin(100, c.rules)
			t.Logf("seed %d: %s", seed, violation)
			got, _, _ := strings.Cut(violation, ":")
			require.Contains(t, c.want, got)
		})
	}
}

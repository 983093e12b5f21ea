// SPDX-License-Identifier: MIT

package model

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const limit = 1_000_000

func TestFenceHolds(t *testing.T) {
	if raceEnabled {
		t.Skip("a search has one goroutine: run it without the race detector")
	}
	got := search(newFenceWorld(fenceRules{}), limit)
	t.Log(got)
	require.NoError(t, got.violation)
	require.True(t, got.complete)
}

// TestFenceAblations: each rule left out loses an acknowledged write.
func TestFenceAblations(t *testing.T) {
	for name, rules := range map[string]fenceRules{
		"B no flush sequence": {noFlushSeq: true},
		"D no fence on load":  {noFenceOnLoad: true},
		"E no fence":          {noFence: true},
		"F epochs restart":    {entityEpochs: true},
	} {
		t.Run(name, func(t *testing.T) {
			got := search(newFenceWorld(rules), limit)
			t.Log(got)
			require.ErrorContains(t, got.violation, "I6")
		})
	}
}

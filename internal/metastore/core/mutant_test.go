// SPDX-License-Identifier: MIT

//go:build troupe_mutants

package core

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMutants: each check notices the rule that it is about.
func TestMutants(t *testing.T) {
	for name, check := range map[string]func() error{
		"entity-epoch": checkEpochsNeverRestart,
		"pause-hold":   checkPauseHolds,
		"dedupe-save": func() error {
			return checkAnswersSurviveRestore(func(s *State) *State {
				var buf bytes.Buffer
				_, err := s.Snapshot().WriteTo(&buf)
				require.NoError(t, err)
				got, err := Restore(&buf)
				require.NoError(t, err)
				return got
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, SetAblation(name, true))
			defer func() { require.NoError(t, SetAblation(name, false)) }()
			require.ErrorIs(t, check(), errRule)
		})
	}
}

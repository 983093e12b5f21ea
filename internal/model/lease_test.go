// SPDX-License-Identifier: MIT

package model

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLeaseHolds(t *testing.T) {
	if raceEnabled {
		t.Skip("a search has one goroutine: run it without the race detector")
	}
	got := search(newLeaseWorld(), limit)
	t.Log(got)
	require.NoError(t, got.violation)
	require.True(t, got.complete)
}

// SPDX-License-Identifier: MIT

package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestInterrupt: Ctrl-C ends three nodes and their bots in time, and loses
// nothing that was acknowledged.
func TestInterrupt(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the game for some seconds")
	}
	p := startProcess(t, "-bots", "30", "-http", "127.0.0.1:0", "-headless", "-json")
	time.Sleep(6 * time.Second) // of play, at least three purchases each
	sum := p.end(t)
	require.EqualValues(t, 30, sum.Players)
	require.Greater(t, sum.Acked, int64(30))
	require.Zero(t, sum.Lost, sum.Missing)
	require.Zero(t, sum.Doubled)
	require.Less(t, sum.StopMilli, int64(5000))
}

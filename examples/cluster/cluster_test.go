// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a lease in real time")
	}
	var out strings.Builder
	require.NoError(t, run(context.Background(), time.Second, &out, io.Discard), out.String())
	t.Log("\n" + out.String())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 6)
	require.Contains(t, lines[3], "sum 30")
	require.Contains(t, lines[4], "stopped")
	require.Contains(t, lines[5], "crashed")
}

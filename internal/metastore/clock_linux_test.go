// SPDX-License-Identifier: MIT

package metastore

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestClockCountsFromBoot: leases must not be measured with the wall clock,
// which an administrator or NTP may set (I16).
func TestClockCountsFromBoot(t *testing.T) {
	text, err := os.ReadFile("/proc/uptime")
	require.NoError(t, err)
	var uptime float64
	_, err = fmt.Sscan(string(text), &uptime)
	require.NoError(t, err)
	clock := time.Duration(Config{}.withDefaults().Clock())
	// Minutes apart on a stalled machine, half a century on the wrong clock.
	require.InDelta(t, uptime, clock.Seconds(), 600, "I16: the clock of leases is not CLOCK_BOOTTIME")
}

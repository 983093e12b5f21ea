// SPDX-License-Identifier: MIT

//go:build !linux

package metastore

import "time"

// bootClock is Go's monotonic clock. Where it stops during suspend, only the
// epochs protect after a suspend.
func bootClock() func() int64 {
	start := time.Now()
	return func() int64 { return int64(time.Since(start)) }
}

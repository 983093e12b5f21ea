// SPDX-License-Identifier: MIT

//go:build !linux

package gate

import (
	"net"
	"time"
)

// setUserTimeout exists on Linux only; elsewhere Timeouts.Write and Idle find
// dead peers.
func setUserTimeout(net.Conn, time.Duration) {}

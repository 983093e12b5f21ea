// SPDX-License-Identifier: MIT

package transport

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// notSentBytes bounds what the kernel holds and has not sent yet. It does not
// limit what is on its way.
const notSentBytes = 128 << 10

// control sets the options of a socket; accepted sockets inherit them. An
// option that the kernel lacks is not an error.
func (t *TCP) control(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSentBytes)
		if t.UserTimeout > 0 {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(t.UserTimeout.Milliseconds()))
		}
	})
}

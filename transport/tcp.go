// SPDX-License-Identifier: MIT

package transport

import (
	"context"
	"net"
	"time"
)

// TCP is the default Network. It sets TCP_NODELAY and, on Linux,
// TCP_USER_TIMEOUT, and keeps little unsent data in the kernel so that small
// frames are not stuck behind large ones there.
type TCP struct {
	// UserTimeout is how long sent bytes may stay unacknowledged. Zero leaves
	// it to the system.
	UserTimeout time.Duration
}

// keepAlive is for streams; lanes have pings.
const keepAlive = 15 * time.Second

// Listen implements Network.
func (t *TCP) Listen(ctx context.Context, addr string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: keepAlive, Control: t.control}
	return lc.Listen(ctx, "tcp", addr)
}

// Dial implements Network.
func (t *TCP) Dial(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: keepAlive, Control: t.control}
	return d.DialContext(ctx, "tcp", addr)
}

var _ Network = (*TCP)(nil)

// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"net"
	"net/http"
)

// tappedTransport keeps the connection that it dials, to write raw bytes.
type tappedTransport struct{ conn net.Conn }

func (p *tappedTransport) transport() *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		var err error
		p.conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		return p.conn, err
	}}
}

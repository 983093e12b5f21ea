// SPDX-License-Identifier: MIT

package client

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// subprotocol is gate.Subprotocol.
const subprotocol = "troupe.v1"

// stream is a connection as a stream of bytes.
type stream interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// open dials addr; its scheme chooses the transport.
func (c *Client) open(ctx context.Context, addr string) (stream, error) {
	switch {
	case strings.HasPrefix(addr, "ws://"), strings.HasPrefix(addr, "wss://"):
		return c.openWebSocket(ctx, addr)
	case strings.HasPrefix(addr, "tls://"):
		host := strings.TrimPrefix(addr, "tls://")
		conn, err := c.cfg.Dial(ctx, host)
		if err != nil {
			return nil, err
		}
		cfg := &tls.Config{MinVersion: tls.VersionTLS13}
		if c.cfg.TLS != nil {
			cfg = c.cfg.TLS.Clone()
		}
		if cfg.ServerName == "" {
			cfg.ServerName, _, _ = net.SplitHostPort(host)
		}
		t := tls.Client(conn, cfg)
		if err := t.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return t, nil
	}
	return c.cfg.Dial(ctx, strings.TrimPrefix(addr, "tcp://"))
}

// openWebSocket dials through Config.Dial so that deadlines can be set on the
// connection below, which costs no goroutine.
func (c *Client) openWebSocket(ctx context.Context, addr string) (stream, error) {
	if _, err := url.Parse(addr); err != nil {
		return nil, err
	}
	var below net.Conn
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, hostport string) (net.Conn, error) {
			conn, err := c.cfg.Dial(ctx, hostport)
			below = conn
			return conn, err
		},
		TLSClientConfig: c.cfg.TLS,
	}
	ws, _, err := websocket.Dial(ctx, addr, &websocket.DialOptions{
		HTTPClient:      &http.Client{Transport: transport},
		Subprotocols:    []string{subprotocol},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(int64(c.cfg.MaxFrameBytes) + 4)
	return &wsStream{ws: ws, Conn: below}, nil
}

// wsStream is the stream of the payloads of binary messages.
type wsStream struct {
	net.Conn // deadlines
	ws       *websocket.Conn
	msg      io.Reader
}

func (s *wsStream) Read(p []byte) (int, error) {
	for {
		if s.msg == nil {
			_, msg, err := s.ws.Reader(context.Background())
			if err != nil {
				return 0, err
			}
			s.msg = msg
		}
		n, err := s.msg.Read(p)
		if err == io.EOF {
			s.msg, err = nil, nil
			if n == 0 {
				continue
			}
		}
		return n, err
	}
}

func (s *wsStream) Write(p []byte) (int, error) {
	return len(p), s.ws.Write(context.Background(), websocket.MessageBinary, p)
}

func (s *wsStream) Close() error { return s.ws.CloseNow() }

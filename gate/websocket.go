// SPDX-License-Identifier: MIT

package gate

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// Subprotocol is the WebSocket subprotocol that clients must offer.
const Subprotocol = "troupe.v1"

// wsBufferBytes is the size of the two buffers under a WebSocket; net/http
// would leave 4 KiB each for as long as the connection lives.
const wsBufferBytes = 512

// ServeWebSocket serves WebSocket clients, and nothing else, from l until Stop
// or until l fails for good, and closes l. It blocks. Any path is accepted.
func (g *Gate) ServeWebSocket(l net.Listener) error {
	limited, err := g.listen(l)
	if err != nil {
		return err
	}
	defer limited.Close()
	server := &http.Server{
		Handler:           g.WebSocketHandler(),
		ReadHeaderTimeout: max(g.cfg.Timeouts.Handshake, 0),
		IdleTimeout:       max(g.cfg.Timeouts.Handshake, 0),
		MaxHeaderBytes:    maxHelloBytes,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return g.ctx },
	}
	defer server.Close()
	var plain net.Listener = limited
	if g.cfg.TLS != nil {
		plain = tls.NewListener(limited, g.cfg.TLS)
	}
	err = server.Serve(plain)
	if g.stopped.Load() || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// WebSocketHandler returns the handler that turns requests into sessions, to
// be mounted on a server of the application. Limits per address and byte rates
// are then the application's; frame rates and sizes are still the gate's.
func (g *Gate) WebSocketHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		small := &smallBuffers{ResponseWriter: w, limits: &g.cfg.Limits}
		ws, err := websocket.Accept(small, r, &websocket.AcceptOptions{
			Subprotocols:    []string{Subprotocol},
			OriginPatterns:  g.cfg.Origins,
			CompressionMode: websocket.CompressionDisabled,
		})
		if err != nil {
			g.metrics.Refused("upgrade")
			return
		}
		if ws.Subprotocol() != Subprotocol {
			g.metrics.Refused("subprotocol")
			_ = ws.Close(websocket.StatusPolicyViolation, "subprotocol "+Subprotocol+" required")
			return
		}
		// One frame may use up a message; several small ones may share it.
		ws.SetReadLimit(int64(max(g.cfg.Limits.FrameBytes, maxHelloBytes)) + 4)
		conn := &wsConn{ws: ws, net: small.conn}
		if !g.enter() {
			_ = ws.CloseNow()
			return
		}
		// Not on this goroutine: net/http's is large and would stay.
		go func() {
			defer g.wg.Done()
			g.start(conn, begun)
		}()
	})
}

// smallBuffers replaces the buffers of a hijacked connection.
type smallBuffers struct {
	http.ResponseWriter
	limits *Limits
	conn   net.Conn
}

// Hijack implements http.Hijacker. What the client has sent already is kept.
func (s *smallBuffers) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	counted := &frameConn{Conn: conn, frames: wsFrames{limits: s.limits, now: time.Now}}
	if err := counted.frames.scan(early); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	s.conn, conn = conn, counted
	r := bufio.NewReaderSize(nil, max(wsBufferBytes, len(early)))
	if len(early) > 0 {
		r.Reset(&earlyReader{early: append([]byte(nil), early...)})
		_, _ = r.Peek(len(early)) // the websocket package takes over what is buffered
	} else {
		r.Reset(conn)
	}
	return conn, bufio.NewReadWriter(r, bufio.NewWriterSize(conn, wsBufferBytes)), nil
}

// earlyReader returns bytes once.
type earlyReader struct{ early []byte }

func (e *earlyReader) Read(p []byte) (int, error) {
	if len(e.early) == 0 {
		return 0, io.EOF
	}
	n := copy(p, e.early)
	e.early = e.early[n:]
	return n, nil
}

// wsConn is a WebSocket as a transport: the payloads of its binary messages
// are one stream of bytes. Message boundaries carry no meaning, but every
// write is one message of whole frames.
type wsConn struct {
	ws  *websocket.Conn
	net net.Conn // for deadlines, which need no goroutine or timer here
	msg io.Reader
}

// Read returns bytes of the current message, waiting for the next one.
func (c *wsConn) Read(p []byte) (int, error) {
	for {
		if c.msg == nil {
			kind, msg, err := c.ws.Reader(context.Background())
			if err != nil {
				return 0, wsError(err)
			}
			if kind != websocket.MessageBinary {
				return 0, errTextMessage
			}
			c.msg = msg
		}
		n, err := c.msg.Read(p)
		if err == io.EOF {
			c.msg, err = nil, nil
			if n == 0 {
				continue
			}
		}
		return n, wsError(err)
	}
}

var errTextMessage = protocolError("binary messages only")

// wsError turns the error of an oversize message into the frame layer's.
func wsError(err error) error {
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return protocolError("message too large")
	}
	return err
}

func (c *wsConn) Write(p []byte) (int, error) {
	if err := c.ws.Write(context.Background(), websocket.MessageBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *wsConn) SetReadDeadline(t time.Time) error  { return c.net.SetReadDeadline(t) }
func (c *wsConn) SetWriteDeadline(t time.Time) error { return c.net.SetWriteDeadline(t) }

// CloseWrite leaves the closing handshake to the client, which has just read a
// goodbye.
func (c *wsConn) CloseWrite() error {
	if half, ok := c.net.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *wsConn) Close() error         { return c.ws.CloseNow() }
func (c *wsConn) RemoteAddr() net.Addr { return c.net.RemoteAddr() }
func (c *wsConn) Name() string         { return transportWebSocket }

// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/troupe-go/troupe/internal/metastore"
	"github.com/troupe-go/troupe/transport"
)

// metaRPC carries the metadata store's requests between nodes: one request and
// one answer at a time per stream, with a pool of streams per address. A frame
// is a 4-byte length and that many bytes.
type metaRPC struct {
	ln     net.Listener
	dial   transport.DialFunc
	log    *slog.Logger
	handle func(ctx context.Context, from metastore.Peer, req []byte) []byte

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	idle   map[string][]net.Conn
	open   map[net.Conn]struct{}
	closed bool
}

const (
	metaFrameBytes = 64 << 20 // snapshots come in parts well below
	metaIdleConns  = 16
)

func newMetaRPC(ln net.Listener, dial transport.DialFunc, log *slog.Logger) *metaRPC {
	r := &metaRPC{ln: ln, dial: dial, log: log, idle: make(map[string][]net.Conn), open: make(map[net.Conn]struct{})}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

func (r *metaRPC) start() {
	r.wg.Go(func() {
		for {
			conn, err := r.ln.Accept()
			if err != nil {
				return
			}
			if !r.track(conn) {
				_ = conn.Close()
				return
			}
			r.wg.Go(func() { r.serve(conn) })
		}
	})
}

func (r *metaRPC) close() {
	r.cancel()
	_ = r.ln.Close()
	r.mu.Lock()
	r.closed = true
	for conn := range r.open {
		_ = conn.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

func (r *metaRPC) track(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.open[conn] = struct{}{}
	}
	return !r.closed
}

func (r *metaRPC) drop(conn net.Conn) {
	r.mu.Lock()
	delete(r.open, conn)
	r.mu.Unlock()
	_ = conn.Close()
}

// serve answers the requests of one stream.
func (r *metaRPC) serve(conn net.Conn) {
	defer r.drop(conn)
	from := metastore.Peer{}
	if peer, ok := transport.PeerOf(conn); ok {
		from = metastore.Peer{Node: peer.NodeID, Roles: peer.Roles}
	}
	for {
		req, err := readFrame(conn)
		if err != nil {
			return
		}
		if err := writeFrame(conn, r.handle(r.ctx, from, req)); err != nil {
			return
		}
	}
}

// Call implements metastore.Peers.
func (r *metaRPC) Call(ctx context.Context, addr string, req []byte) ([]byte, error) {
	conn, reused, err := r.take(ctx, addr)
	if err != nil {
		return nil, err
	}
	ans, err := r.exchange(ctx, conn, req)
	if err != nil && reused && ctx.Err() == nil {
		// The stream may have been closed while it was idle. Requests are
		// idempotent, so one more try on a fresh one is right.
		r.drop(conn)
		if conn, err = r.connect(ctx, addr); err != nil {
			return nil, err
		}
		ans, err = r.exchange(ctx, conn, req)
	}
	if err != nil {
		r.drop(conn)
		return nil, fmt.Errorf("request to %s: %w", addr, err)
	}
	r.put(addr, conn)
	return ans, nil
}

func (r *metaRPC) exchange(ctx context.Context, conn net.Conn, req []byte) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := writeFrame(conn, req); err != nil {
		return nil, err
	}
	ans, err := readFrame(conn)
	if err == nil && !stop() {
		return nil, ctx.Err() // the deadline is set: the stream is spent
	}
	return ans, err
}

func (r *metaRPC) take(ctx context.Context, addr string) (conn net.Conn, reused bool, err error) {
	r.mu.Lock()
	if list := r.idle[addr]; len(list) > 0 {
		conn = list[len(list)-1]
		r.idle[addr] = list[:len(list)-1]
	}
	r.mu.Unlock()
	if conn != nil {
		return conn, true, nil
	}
	conn, err = r.connect(ctx, addr)
	return conn, false, err
}

func (r *metaRPC) connect(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := r.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	if !r.track(conn) {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (r *metaRPC) put(addr string, conn net.Conn) {
	r.mu.Lock()
	full := r.closed || len(r.idle[addr]) >= metaIdleConns
	if !full {
		r.idle[addr] = append(r.idle[addr], conn)
	}
	r.mu.Unlock()
	if full {
		r.drop(conn)
	}
}

func writeFrame(w io.Writer, b []byte) error {
	buf := make([]byte, 4, 4+len(b))
	binary.LittleEndian.PutUint32(buf, uint32(len(b)))
	_, err := w.Write(append(buf, b...))
	return err
}

func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > metaFrameBytes {
		return nil, fmt.Errorf("%w: request of %d bytes", ErrTooLarge, n)
	}
	// Grow with what arrives: the length alone must not cost memory.
	b := make([]byte, 0, min(n, 64<<10))
	for uint32(len(b)) < n {
		part := min(n-uint32(len(b)), 64<<10)
		at := len(b)
		b = append(b, make([]byte, part)...)
		if _, err := io.ReadFull(r, b[at:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// raftStream is a raft.StreamLayer on a Stream. Each connection starts with a
// preamble that names the cluster, so that a voter of another cluster, or a
// stray client, never reaches Raft. Authentication is the Stream's business.
type raftStream struct {
	Stream
	cluster *atomic.Pointer[core.ClusterID] // zero: not known yet

	// conns are the open connections in both directions. Raft's transport
	// keeps some in pools and waits on others for ever, so closing them is our
	// job.
	mu    sync.Mutex
	conns map[*streamConn]struct{} // nil once shut
	muted time.Time                // no connections before this instant

	ctx    context.Context // ends with shut
	cancel context.CancelFunc
}

func newRaftStream(s Stream, cluster *atomic.Pointer[core.ClusterID]) *raftStream {
	ctx, cancel := context.WithCancel(context.Background())
	return &raftStream{Stream: s, cluster: cluster, conns: map[*streamConn]struct{}{}, ctx: ctx, cancel: cancel}
}

// shut closes all connections and refuses new ones: a halted node neither
// dials nor answers.
func (s *raftStream) shut() {
	s.cancel()
	s.mu.Lock()
	conns := s.conns
	s.conns = nil
	s.mu.Unlock()
	for c := range conns {
		_ = c.Conn.Close()
	}
}

// mute cuts this node off from the other voters for a while. It is how a
// leader that cannot commit gives up: raft has no call for it (a transfer of
// leadership needs a follower that replicates), but a leader that reaches
// nobody loses its lease, and the others elect another, even if its own main
// loop hangs in the disk.
func (s *raftStream) mute(d time.Duration) {
	s.mu.Lock()
	s.muted = time.Now().Add(d)
	conns := make([]*streamConn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

// track owns conn from now on.
func (s *raftStream) track(conn net.Conn) (*streamConn, error) {
	c := &streamConn{Conn: conn, s: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil || time.Now().Before(s.muted) {
		return nil, errors.Join(ErrClosed, conn.Close())
	}
	s.conns[c] = struct{}{}
	return c, nil
}

const (
	preambleMagic   = "TRPRAFT1"
	preambleTimeout = 5 * time.Second
	dialFor         = 3 * time.Second
	dialPause       = 50 * time.Millisecond
)

var errPreamble = errors.New("metastore: not a raft peer of this cluster")

// Dial implements raft.StreamLayer. It tries for up to dialFor before it
// reports a failure. Raft waits twice as long after each failed attempt to
// replicate, up to 10 s, although its heartbeats get through again long
// before: a leader in that state keeps its lease and cannot commit. Slow
// failures keep that from building up.
func (s *raftStream) Dial(addr raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(s.ctx, dialFor)
	defer cancel()
	conn, err := s.Stream.Dial(ctx, string(addr))
	for err != nil && ctx.Err() == nil {
		sleep(ctx, dialPause)
		conn, err = s.Stream.Dial(ctx, string(addr))
	}
	if err != nil {
		return nil, fmt.Errorf("metastore: dial %s: %w", addr, err)
	}
	if err := s.greet(conn, timeout); err != nil {
		return nil, errors.Join(fmt.Errorf("metastore: preamble to %s: %w", addr, err), conn.Close())
	}
	return s.track(conn)
}

func (s *raftStream) greet(conn net.Conn, timeout time.Duration) error {
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	cluster := *s.cluster.Load()
	if _, err := conn.Write(append([]byte(preambleMagic), cluster[:]...)); err != nil {
		return err
	}
	return conn.SetDeadline(time.Time{})
}

// Accept implements net.Listener. The preamble is read with the first Read,
// in raft's goroutine for the connection, so that a silent client holds up
// nobody.
func (s *raftStream) Accept() (net.Conn, error) {
	conn, err := s.Stream.Accept()
	if err != nil {
		return nil, err
	}
	c, err := s.track(conn)
	if err != nil {
		return nil, err
	}
	return &acceptedConn{streamConn: c}, nil
}

// streamConn is one tracked connection.
type streamConn struct {
	net.Conn
	s *raftStream
}

// Close implements net.Conn.
func (c *streamConn) Close() error {
	c.s.mu.Lock()
	delete(c.s.conns, c)
	c.s.mu.Unlock()
	return c.Conn.Close()
}

type acceptedConn struct {
	*streamConn
	once sync.Once
	err  error
}

// Read implements net.Conn.
func (c *acceptedConn) Read(b []byte) (int, error) {
	c.once.Do(func() { c.err = c.preamble() })
	if c.err != nil {
		return 0, c.err
	}
	return c.Conn.Read(b)
}

func (c *acceptedConn) preamble() error {
	if err := c.SetReadDeadline(time.Now().Add(preambleTimeout)); err != nil {
		return err
	}
	var buf [len(preambleMagic) + 16]byte
	if _, err := io.ReadFull(c.Conn, buf[:]); err != nil {
		return err
	}
	theirs := core.ClusterID(buf[len(preambleMagic):])
	own := *c.s.cluster.Load()
	if string(buf[:len(preambleMagic)]) != preambleMagic || own != (core.ClusterID{}) && own != theirs {
		_ = c.Close()
		return errPreamble
	}
	return c.SetReadDeadline(time.Time{})
}

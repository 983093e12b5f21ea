// SPDX-License-Identifier: MIT

package transport

import (
	"encoding/binary"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(peerProcess) != "" {
		runPeerProcess()
		return
	}
	goleak.VerifyTestMain(m)
}

// wait bounds what a test waits for; it is never what a test measures.
const wait = 10 * time.Second

// funcHandler calls its fields, if set.
type funcHandler struct {
	frame func(from Link, lane Lane, frame []byte)
	batch func(from Link, lane Lane)
	drop  func(to Link, lane Lane, frame []byte, reason error)
	peer  func(PeerEvent)
}

func (h *funcHandler) HandleFrame(from Link, lane Lane, frame []byte) {
	if h.frame != nil {
		h.frame(from, lane, frame)
	}
}

func (h *funcHandler) HandleBatchEnd(from Link, lane Lane) {
	if h.batch != nil {
		h.batch(from, lane)
	}
}

func (h *funcHandler) HandleDrop(to Link, lane Lane, frame []byte, reason error) {
	if h.drop != nil {
		h.drop(to, lane, frame, reason)
	}
}

func (h *funcHandler) HandlePeer(ev PeerEvent) {
	if h.peer != nil {
		h.peer(ev)
	}
}

func devConfig(node string) Config {
	return Config{
		Self:   Peer{NodeID: node, Incarnation: 1, ClusterID: "test", Roles: []string{"voter"}},
		Listen: "127.0.0.1:0",
		Dev:    true,
	}
}

func start(tb testing.TB, cfg Config, h Handler) *Endpoint {
	tb.Helper()
	e, err := New(cfg)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	tb.Cleanup(func() { _ = e.Close() })
	if err := e.Start(h); err != nil {
		tb.Fatalf("Start: %v", err)
	}
	return e
}

func connect(tb testing.TB, e *Endpoint, to Peer) Link {
	tb.Helper()
	l, err := e.Connect(to)
	if err != nil {
		tb.Fatalf("Connect: %v", err)
	}
	return l
}

func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

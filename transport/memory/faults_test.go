// SPDX-License-Identifier: MIT

package memory_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/transport"
	"github.com/troupe-go/troupe/transport/memory"
	"github.com/troupe-go/troupe/transport/transporttest"
)

// world is a network with two nodes in a synctest bubble: time is virtual.
type world struct {
	net  *memory.Network
	a, b *transport.Endpoint
	ra   *transporttest.Recorder
	rb   *transporttest.Recorder
	link transport.Link
}

func inWorld(t *testing.T, seed uint64, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{net: memory.New(seed), ra: &transporttest.Recorder{}, rb: &transporttest.Recorder{}}
		w.a, w.b = w.node(t, "a", w.ra), w.node(t, "b", w.rb)
		var err error
		if w.link, err = w.a.Connect(w.b.Self()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = w.a.Close()
			_ = w.b.Close()
		})
		test(t, w)
	})
}

func (w *world) node(t *testing.T, name string, h transport.Handler) *transport.Endpoint {
	t.Helper()
	e, err := transport.New(w.net.Config(name, transport.Config{
		Self: transport.Peer{NodeID: name, ClusterID: "c", Incarnation: 1, Roles: []string{"voter"}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(h); err != nil {
		t.Fatal(err)
	}
	return e
}

func (w *world) send(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		if err := w.link.Send(transport.Meta{}, binary.BigEndian.AppendUint32(nil, uint32(i))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDelay(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.net.Set("a", "b", memory.Faults{Delay: 40 * time.Millisecond, Jitter: 10 * time.Millisecond})
		w.send(t, 1)
		w.rb.WaitFrames(t, 1) // the connection is up
		begin := time.Now()
		w.send(t, 1)
		w.rb.WaitFrames(t, 2)
		if d := time.Since(begin); d < 40*time.Millisecond || d > 50*time.Millisecond {
			t.Errorf("took %v, want 40 to 50 ms", d)
		}
	})
}

// TestFrameFaults counts what a lossy link does to frames.
func TestFrameFaults(t *testing.T) {
	const n = 2000
	for _, test := range []struct {
		name     string
		faults   memory.Faults
		min, max int
		inOrder  bool
	}{
		{"drop", memory.Faults{Drop: 0.3}, n * 6 / 10, n * 8 / 10, true},
		{"duplicate", memory.Faults{Duplicate: 0.3}, n * 12 / 10, n * 14 / 10, true},
		{"reorder", memory.Faults{Reorder: 0.3}, n, n, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, 7, func(t *testing.T, w *world) {
				w.net.SetAll(test.faults)
				w.send(t, n)
				time.Sleep(time.Minute) // virtual: everything has arrived
				frames := w.rb.WaitFrames(t, test.min)
				if len(frames) > test.max {
					t.Errorf("got %d frames, want at most %d", len(frames), test.max)
				}
				inOrder, prev := true, uint32(0)
				for _, f := range frames {
					i := binary.BigEndian.Uint32(f.Data)
					inOrder = inOrder && i >= prev
					prev = i
				}
				if inOrder != test.inOrder {
					t.Errorf("in order: %v, want %v", inOrder, test.inOrder)
				}
			})
		})
	}
}

// TestSeed: the same seed drops the same frames.
func TestSeed(t *testing.T) {
	run := func(seed uint64) (got string) {
		inWorld(t, seed, func(t *testing.T, w *world) {
			w.net.SetAll(memory.Faults{Drop: 0.5})
			w.send(t, 100)
			time.Sleep(time.Second)
			for _, f := range w.rb.WaitFrames(t, 1) {
				got += string(f.Data)
			}
		})
		return got
	}
	if first, again := run(3), run(3); first != again {
		t.Error("one seed, two outcomes")
	}
	if run(3) == run(4) {
		t.Error("two seeds, one outcome")
	}
}

// TestOneWayCut: bytes wait, the silent side is noticed, frames queued
// meanwhile are reported, and after healing the link works again.
func TestOneWayCut(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.send(t, 1)
		w.rb.WaitFrames(t, 1)
		w.net.Cut("b", "a")
		reason := w.ra.WaitDown(t)
		if !errors.Is(reason, transport.ErrIdle) {
			t.Errorf("a: reason %v, want ErrIdle", reason)
		}
		time.Sleep(3 * time.Second)
		if err := w.link.Send(transport.Meta{}, nil); !errors.Is(err, transport.ErrPeerUnreachable) {
			t.Errorf("Send across the cut: %v, want ErrPeerUnreachable", err)
		}
		w.net.Heal("b", "a")
		time.Sleep(10 * time.Second)
		w.send(t, 1)
		w.rb.WaitFrames(t, 2)
	})
}

// TestShortCut: a cut shorter than the idle timeout loses nothing.
func TestShortCut(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.send(t, 1)
		w.rb.WaitFrames(t, 1)
		w.net.CutBoth("a", "b")
		w.send(t, 100)
		time.Sleep(2 * time.Second)
		if got := w.rb.WaitFrames(t, 1); len(got) != 1 {
			t.Errorf("%d frames crossed the cut", len(got)-1)
		}
		w.net.HealAll()
		w.rb.WaitFrames(t, 101)
	})
}

// TestSimultaneousDial lets both ends dial within the time of one handshake:
// exactly one connection must win, without a frame lost on the other (T5).
func TestSimultaneousDial(t *testing.T) {
	for seed := range uint64(60) {
		inWorld(t, seed, func(t *testing.T, w *world) {
			w.net.SetAll(memory.Faults{Delay: time.Millisecond, Jitter: 4 * time.Millisecond})
			back, err := w.b.Connect(w.a.Self())
			if err != nil {
				t.Fatal(err)
			}
			const n = 20
			for range n {
				w.send(t, 1)
				time.Sleep(time.Duration(seed%7) * 100 * time.Microsecond)
				if err := back.Send(transport.Meta{}, nil); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Minute)
			for name, r := range map[string]*transporttest.Recorder{"a": w.ra, "b": w.rb} {
				r.Until(t, "records", func(frames, drops []transporttest.Frame, events []transport.PeerEvent) bool {
					if len(frames) != n || len(drops) != 0 || len(events) != 1 {
						t.Fatalf("seed %d: %s has %d frames of %d, %d drops, events %+v", seed, name, len(frames), n, len(drops), events)
					}
					return true
				})
			}
		})
	}
}

func TestPartition(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		rc := &transporttest.Recorder{}
		c := w.node(t, "c", rc)
		defer c.Close()
		w.net.Partition([]string{"a", "c"}, []string{"b"})
		lc, err := w.a.Connect(c.Self())
		if err != nil {
			t.Fatal(err)
		}
		if err := lc.Send(transport.Meta{}, []byte("same side")); err != nil {
			t.Fatal(err)
		}
		rc.WaitFrames(t, 1)
		w.send(t, 1)
		w.ra.Until(t, "the frame is dropped", func(_, drops []transporttest.Frame, _ []transport.PeerEvent) bool {
			return len(drops) == 1
		})
		w.net.HealAll()
		time.Sleep(10 * time.Second)
		w.send(t, 1)
		w.rb.WaitFrames(t, 1)
	})
}

// TestKillAndRestart: the process dies, comes back as a new incarnation.
func TestKillAndRestart(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.send(t, 1)
		w.rb.WaitFrames(t, 1)
		w.net.Kill("b")
		w.ra.WaitDown(t)
		_ = w.b.Close()
		rb := &transporttest.Recorder{}
		cfg := w.net.Config("b", transport.Config{Self: transport.Peer{NodeID: "b", ClusterID: "c", Incarnation: 2}})
		b, err := transport.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := b.Start(rb); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second) // a learns that its incarnation is gone
		if err := w.link.Send(transport.Meta{}, nil); !errors.Is(err, transport.ErrClosed) || !errors.Is(err, transport.ErrSuperseded) {
			t.Errorf("old link: %v, want ErrClosed by ErrSuperseded", err)
		}
		l, err := w.a.Connect(b.Self())
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Send(transport.Meta{}, []byte("again")); err != nil {
			t.Fatal(err)
		}
		rb.WaitFrames(t, 1)
	})
}

// TestStreamFaults: a stream is held up by a cut, keeps its deadlines, and
// breaks on reset.
func TestStreamFaults(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		ln, _, err := w.b.Stream("raft")
		if err != nil {
			t.Fatal(err)
		}
		_, dial, err := w.a.Stream("raft")
		if err != nil {
			t.Fatal(err)
		}
		c, err := dial(context.Background(), "b")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		w.net.Cut("a", "b")
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 1)
		_ = s.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := s.Read(buf); err == nil {
			t.Error("read across the cut")
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := dial(ctx, "b"); !errors.Is(err, transport.ErrPeerUnreachable) {
			t.Errorf("dial across the cut: %v", err)
		}
		w.net.HealAll()
		_ = s.SetReadDeadline(time.Time{})
		if _, err := s.Read(buf); err != nil {
			t.Errorf("read after healing: %v", err)
		}
		w.net.Reset("a", "b")
		if _, err := s.Read(buf); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("read after a reset: %v", err)
		}
	})
}

// SPDX-License-Identifier: MIT

// Package transporttest is the conformance suite of transport.Transport. Run
// it against every implementation:
//
//	func TestConformance(t *testing.T) {
//		transporttest.Run(t, func(t *testing.T) transporttest.Fixture { ... })
//	}
package transporttest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/transport"
)

// Fixture makes the endpoints of one test.
type Fixture struct {
	// New makes an endpoint that listens, not started. cfg has Self and the
	// limits under test; the fixture adds how to connect.
	New func(t *testing.T, cfg transport.Config) transport.Transport

	// Break breaks every connection between two endpoints, as a failing
	// network would. Nil skips the tests that need it.
	Break func(a, b transport.Transport)
}

// patience bounds waiting; no test measures it.
const patience = 20 * time.Second

// Run runs the suite.
func Run(t *testing.T, fixture func(t *testing.T) Fixture) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, Fixture)
	}{
		{"Delivers", testDelivers},
		{"ReplyInHandler", testReplyInHandler},
		{"OrderPerKey", testOrderPerKey},
		{"LargeDoesNotDelaySmall", testLargeDoesNotDelaySmall},
		{"Lanes", testLanes},
		{"Backpressure", testBackpressure},
		{"TooLarge", testTooLarge},
		{"AppendInPlace", testAppendInPlace},
		{"Unreachable", testUnreachable},
		{"SimultaneousDial", testSimultaneousDial},
		{"DuplicateNode", testDuplicateNode},
		{"NewestWins", testNewestWins},
		{"WrongNode", testWrongNode},
		{"WrongCluster", testWrongCluster},
		{"StaleIncarnation", testStaleIncarnation},
		{"Reconnect", testReconnect},
		{"CloseFlushes", testCloseFlushes},
		{"CloseTells", testCloseTells},
		{"Stream", testStream},
		{"StreamRoles", testStreamRoles},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, fixture(t)) })
	}
}

// Recorder is a Handler that keeps what it is given.
type Recorder struct {
	// OnFrame runs in HandleFrame when set.
	OnFrame func(from transport.Link, lane transport.Lane, frame []byte)

	mu      sync.Mutex
	changed chan struct{}
	frames  []Frame
	drops   []Frame
	events  []transport.PeerEvent
	batches int
}

// Frame is a received or dropped frame.
type Frame struct {
	Node string
	Lane transport.Lane
	Data []byte
	Err  error
}

func (r *Recorder) update(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// HandleFrame implements transport.Handler.
func (r *Recorder) HandleFrame(from transport.Link, lane transport.Lane, frame []byte) {
	if r.OnFrame != nil {
		r.OnFrame(from, lane, frame)
	}
	data := append([]byte(nil), frame...)
	r.update(func() { r.frames = append(r.frames, Frame{Node: from.Peer().NodeID, Lane: lane, Data: data}) })
}

// HandleBatchEnd implements transport.Handler.
func (r *Recorder) HandleBatchEnd(transport.Link, transport.Lane) {
	r.update(func() { r.batches++ })
}

// HandleDrop implements transport.Handler.
func (r *Recorder) HandleDrop(to transport.Link, lane transport.Lane, frame []byte, reason error) {
	data := append([]byte(nil), frame...)
	r.update(func() { r.drops = append(r.drops, Frame{Node: to.Peer().NodeID, Lane: lane, Data: data, Err: reason}) })
}

// HandlePeer implements transport.Handler.
func (r *Recorder) HandlePeer(ev transport.PeerEvent) {
	r.update(func() { r.events = append(r.events, ev) })
}

// Until waits until cond holds; it is called with the records locked.
func (r *Recorder) Until(t *testing.T, what string, cond func(frames, drops []Frame, events []transport.PeerEvent) bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		r.mu.Lock()
		if cond(r.frames, r.drops, r.events) {
			r.mu.Unlock()
			return
		}
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-deadline.C:
			r.mu.Lock()
			defer r.mu.Unlock()
			t.Fatalf("never: %s; have %d frames, %d drops, events %+v", what, len(r.frames), len(r.drops), r.events)
		}
	}
}

// WaitFrames waits for n frames and returns them.
func (r *Recorder) WaitFrames(t *testing.T, n int) (got []Frame) {
	t.Helper()
	r.Until(t, fmt.Sprintf("%d frames", n), func(frames, _ []Frame, _ []transport.PeerEvent) bool {
		got = frames
		return len(frames) >= n
	})
	return got
}

// WaitDown waits for a lane to go down and returns the reason.
func (r *Recorder) WaitDown(t *testing.T) (reason error) {
	t.Helper()
	r.Until(t, "a connection goes down", func(_, _ []Frame, events []transport.PeerEvent) bool {
		for _, ev := range events {
			if !ev.Up {
				reason = ev.Err
				return true
			}
		}
		return false
	})
	return reason
}

func config(node string, incarnation uint64) transport.Config {
	return transport.Config{
		Self: transport.Peer{NodeID: node, Incarnation: incarnation, ClusterID: "suite", Roles: []string{"voter", "game"}},
		// Failures should show quickly.
		BackoffMin: 5 * time.Millisecond, BackoffMax: 50 * time.Millisecond,
		UnreachableAfter: 300 * time.Millisecond,
	}
}

func (f Fixture) start(t *testing.T, cfg transport.Config, h transport.Handler) transport.Transport {
	t.Helper()
	tr := f.New(t, cfg)
	t.Cleanup(func() { _ = tr.Close() })
	if err := tr.Start(h); err != nil {
		t.Fatalf("Start: %v", err)
	}
	return tr
}

func connect(t *testing.T, from transport.Transport, to transport.Peer) transport.Link {
	t.Helper()
	l, err := from.Connect(to)
	if err != nil {
		t.Fatalf("Connect(%v): %v", to, err)
	}
	return l
}

// send retries on back-pressure.
func send(t *testing.T, l transport.Link, m transport.Meta, frame []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := l.Send(m, frame)
		if err == nil {
			return
		}
		if !errors.Is(err, transport.ErrBackpressure) {
			t.Errorf("Send: %v", err)
			return
		}
		if err := l.Wait(ctx, m.Lane); err != nil {
			t.Errorf("Wait: %v", err)
			return
		}
	}
}

func testDelivers(t *testing.T, f Fixture) {
	var ra, rb Recorder
	a, b := f.start(t, config("a", 1), &ra), f.start(t, config("b", 1), &rb)
	l := connect(t, a, b.Self())
	for _, now := range []bool{true, false} {
		send(t, l, transport.Meta{Lane: transport.LaneMessages, Now: now}, []byte("hello"))
	}
	got := rb.WaitFrames(t, 2)[0]
	if string(got.Data) != "hello" || got.Node != "a" || got.Lane != transport.LaneMessages {
		t.Errorf("got %+v, want hello from a", got)
	}
	if p := l.Peer(); p.Incarnation != 1 || p.NodeID != "b" || !p.HasRole("game") {
		t.Errorf("Peer() = %+v, want b/1 with its roles", p)
	}
}

func testReplyInHandler(t *testing.T, f Fixture) {
	var ra Recorder
	rb := Recorder{OnFrame: func(from transport.Link, lane transport.Lane, frame []byte) {
		if err := from.Send(transport.Meta{Lane: lane}, frame); err != nil {
			t.Errorf("reply: %v", err)
		}
	}}
	a, b := f.start(t, config("a", 1), &ra), f.start(t, config("b", 1), &rb)
	l := connect(t, a, b.Self())
	const n = 2000
	for i := range n {
		send(t, l, transport.Meta{Lane: transport.LaneMessages}, binary.BigEndian.AppendUint32(nil, uint32(i)))
	}
	for i, got := range ra.WaitFrames(t, n) {
		if binary.BigEndian.Uint32(got.Data) != uint32(i) {
			t.Fatalf("reply %d is %x", i, got.Data)
		}
	}
}

// testOrderPerKey checks T1 with sizes around and above the chunk size.
func testOrderPerKey(t *testing.T, f Fixture) {
	const senders, perSender = 6, 300
	var ra, rb Recorder
	cfg := config("a", 1)
	cfg.QueueBytes = 5 << 20
	a, b := f.start(t, cfg, &ra), f.start(t, config("b", 1), &rb)
	l := connect(t, a, b.Self())
	sizes := []int{8, 100, 8, 5000, 32 << 10, 8, 32<<10 + 1, 8, 8, 100 << 10, 200, 64 << 10}
	var wg sync.WaitGroup
	for s := range senders {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range perSender {
				frame := make([]byte, sizes[(i*(s+1))%len(sizes)])
				binary.BigEndian.PutUint32(frame, uint32(s))
				binary.BigEndian.PutUint32(frame[4:], uint32(i))
				for j := 8; j < len(frame); j++ {
					frame[j] = byte(s + i)
				}
				send(t, l, transport.Meta{Lane: transport.LaneMessages, Key: uint64(s), Now: i%3 == 0}, frame)
			}
		}()
	}
	wg.Wait()
	next := make([]uint32, senders)
	for _, got := range rb.WaitFrames(t, senders*perSender) {
		s, i := binary.BigEndian.Uint32(got.Data), binary.BigEndian.Uint32(got.Data[4:])
		if i != next[s] {
			t.Fatalf("sender %d: got message %d, want %d", s, i, next[s])
		}
		if want := sizes[(int(i)*(int(s)+1))%len(sizes)]; len(got.Data) != want {
			t.Fatalf("sender %d message %d: %d bytes, want %d", s, i, len(got.Data), want)
		}
		for _, c := range got.Data[8:] {
			if c != byte(s+i) {
				t.Fatalf("sender %d message %d is damaged", s, i)
			}
		}
		next[s]++
	}
}

// testLargeDoesNotDelaySmall queues large frames first and small ones of other
// keys after them: the small ones must not come last. The receiver takes nothing
// until all are queued, so that a pause of the sender does not matter.
func testLargeDoesNotDelaySmall(t *testing.T, f Fixture) {
	var ra, rb Recorder
	queued := make(chan struct{})
	rb.OnFrame = func(transport.Link, transport.Lane, []byte) { <-queued }
	a, b := f.start(t, config("a", 1), &ra), f.start(t, config("b", 1), &rb)
	l := connect(t, a, b.Self())
	const large, small = 4, 20
	send(t, l, transport.Meta{Lane: transport.LaneMessages, Key: 1000}, []byte("first"))
	for i := range large {
		send(t, l, transport.Meta{Lane: transport.LaneMessages, Key: uint64(i)}, make([]byte, 3<<20))
	}
	for i := range small {
		send(t, l, transport.Meta{Lane: transport.LaneMessages, Key: uint64(100 + i)}, []byte("small"))
	}
	close(queued)
	got := rb.WaitFrames(t, 1+large+small)
	for i := range 1 + small {
		if len(got[i].Data) != 5 {
			t.Fatalf("frame %d has %d bytes: a large frame came before small ones", i, len(got[i].Data))
		}
	}
}

func testLanes(t *testing.T, f Fixture) {
	var ra, rb Recorder
	a, b := f.start(t, config("a", 1), &ra), f.start(t, config("b", 1), &rb)
	l := connect(t, a, b.Self())
	lanes := []transport.Lane{transport.LaneControl, transport.LaneMessages, transport.LaneBulk}
	for _, lane := range lanes {
		send(t, l, transport.Meta{Lane: lane}, []byte{byte(lane)})
	}
	seen := map[transport.Lane]bool{}
	for _, got := range rb.WaitFrames(t, len(lanes)) {
		if got.Data[0] != byte(got.Lane) {
			t.Errorf("frame of lane %v came on %v", transport.Lane(got.Data[0]), got.Lane)
		}
		seen[got.Lane] = true
	}
	if len(seen) != len(lanes) {
		t.Errorf("lanes seen: %v", seen)
	}
}

// testBackpressure fills the queue of a peer that does not read.
func testBackpressure(t *testing.T, f Fixture) {
	release := make(chan struct{})
	var ra Recorder
	rb := Recorder{OnFrame: func(transport.Link, transport.Lane, []byte) { <-release }}
	cfg := config("a", 1)
	cfg.QueueBytes, cfg.QueueFrames = 1<<20, 10_000
	a, b := f.start(t, cfg, &ra), f.start(t, config("b", 1), &rb)
	l := connect(t, a, b.Self())
	accepted := 0
	var refused error
	for refused == nil && accepted < 1<<20 {
		if refused = l.Send(transport.Meta{Lane: transport.LaneMessages}, make([]byte, 1000)); refused == nil {
			accepted++
		}
	}
	if !errors.Is(refused, transport.ErrBackpressure) {
		t.Errorf("got %v, want ErrBackpressure", refused)
	}
	var se *transport.SendError
	if !errors.As(refused, &se) || se.Sent() || se.NodeID != "b" {
		t.Errorf("got %#v, want a SendError about b, not sent", refused)
	}
	close(release)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.Wait(ctx, transport.LaneMessages); err != nil {
		t.Errorf("Wait: %v", err)
	}
	send(t, l, transport.Meta{Lane: transport.LaneMessages}, make([]byte, 1000))
	rb.WaitFrames(t, accepted+1)
}

func testTooLarge(t *testing.T, f Fixture) {
	var ra, rb Recorder
	cfg := config("b", 1)
	cfg.MaxFrameBytes = 100 << 10
	a, b := f.start(t, config("a", 1), &ra), f.start(t, cfg, &rb)
	l := connect(t, a, b.Self())
	if err := l.Send(transport.Meta{}, make([]byte, 4<<20+1)); !errors.Is(err, transport.ErrFrameTooLarge) {
		t.Errorf("over our own limit: got %v, want ErrFrameTooLarge", err)
	}
	refused := 0
	over := make([]byte, 200<<10) // the limit of b alone, which a does not know yet
	for _, frame := range [][]byte{over, []byte("between"), make([]byte, 90<<10), over, []byte("last")} {
		err := l.Send(transport.Meta{}, frame)
		if errors.Is(err, transport.ErrFrameTooLarge) && len(frame) == len(over) {
			refused++ // a knows by now
		} else if err != nil {
			t.Errorf("Send of %d bytes: %v", len(frame), err)
		}
	}
	got := rb.WaitFrames(t, 3)
	if string(got[0].Data) != "between" || len(got[1].Data) != 90<<10 || string(got[2].Data) != "last" {
		t.Errorf("what fits did not arrive in order")
	}
	ra.Until(t, "both are refused or dropped", func(_, drops []Frame, _ []transport.PeerEvent) bool {
		for _, d := range drops {
			if !errors.Is(d.Err, transport.ErrFrameTooLarge) || len(d.Data) != len(over) {
				t.Errorf("dropped %d bytes: %v", len(d.Data), d.Err)
			}
		}
		return refused+len(drops) == 2
	})
	if err := l.Send(transport.Meta{}, over); !errors.Is(err, transport.ErrFrameTooLarge) {
		t.Errorf("over the peer's limit: got %v, want ErrFrameTooLarge", err)
	}
}

type appender struct {
	b   []byte
	err error
}

func (a *appender) AppendBinary(b []byte) ([]byte, error) { return append(b, a.b...), a.err }

func testAppendInPlace(t *testing.T, f Fixture) {
	var ra, rb Recorder
	a, b := f.start(t, config("a", 1), &ra), f.start(t, config("b", 1), &rb)
	l := connect(t, a, b.Self())
	m := transport.Meta{Lane: transport.LaneMessages, Key: 1}
	sizes := []int{1, 100 << 10, 0, 32 << 10, 5}
	for _, n := range sizes {
		if err := l.SendAppend(m, &appender{b: make([]byte, n)}); err != nil {
			t.Fatalf("SendAppend: %v", err)
		}
		bad := errors.New("bad")
		if err := l.SendAppend(m, &appender{b: make([]byte, 10), err: bad}); !errors.Is(err, bad) {
			t.Fatalf("SendAppend: got %v, want the encoder's error", err)
		}
	}
	if err := l.SendAppend(m, &appender{b: make([]byte, 5<<20)}); !errors.Is(err, transport.ErrFrameTooLarge) {
		t.Errorf("got %v, want ErrFrameTooLarge", err)
	}
	send(t, l, m, []byte("end"))
	got := rb.WaitFrames(t, len(sizes)+1)
	for i, n := range sizes {
		if len(got[i].Data) != n {
			t.Errorf("frame %d has %d bytes, want %d", i, len(got[i].Data), n)
		}
	}
}

func testUnreachable(t *testing.T, f Fixture) {
	var ra, rb Recorder
	a := f.start(t, config("a", 1), &ra)
	b := f.start(t, config("b", 1), &rb)
	gone := b.Self()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	l := connect(t, a, gone)
	send(t, l, transport.Meta{}, []byte("lost"))
	ra.Until(t, "the frame is dropped", func(_, drops []Frame, _ []transport.PeerEvent) bool {
		return len(drops) == 1 && string(drops[0].Data) == "lost" && errors.Is(drops[0].Err, transport.ErrPeerUnreachable)
	})
	if err := l.Send(transport.Meta{}, []byte("x")); !errors.Is(err, transport.ErrPeerUnreachable) {
		t.Errorf("got %v, want ErrPeerUnreachable", err)
	}
	l.Close(nil)
	if err := l.Send(transport.Meta{}, []byte("x")); !errors.Is(err, transport.ErrClosed) {
		t.Errorf("after Close: got %v, want ErrClosed", err)
	}
}

// testSimultaneousDial lets both ends dial at once, many times: nothing may be
// lost and nothing may arrive twice.
func testSimultaneousDial(t *testing.T, f Fixture) {
	const rounds = 10
	for round := range rounds {
		var ra, rb Recorder
		a, b := f.start(t, config("a", 1), &ra), f.start(t, config("b", 1), &rb)
		la, lb := connect(t, a, b.Self()), connect(t, b, a.Self())
		const n = 50
		var wg sync.WaitGroup
		for _, l := range []transport.Link{la, lb} {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := range n {
					send(t, l, transport.Meta{Now: true}, []byte{byte(i)})
				}
			}()
		}
		wg.Wait()
		for _, r := range []*Recorder{&ra, &rb} {
			for i, got := range r.WaitFrames(t, n) {
				if got.Data[0] != byte(i) {
					t.Fatalf("round %d: frame %d is %d", round, i, got.Data[0])
				}
			}
		}
		_ = a.Close()
		_ = b.Close()
	}
}

func testDuplicateNode(t *testing.T, f Fixture) {
	var ra, rb, rc Recorder
	a := f.start(t, config("a", 1), &ra)
	b := f.start(t, config("b", 1), &rb)
	send(t, connect(t, b, a.Self()), transport.Meta{}, []byte("first"))
	ra.WaitFrames(t, 1)
	c := f.start(t, config("b", 2), &rc)
	send(t, connect(t, c, a.Self()), transport.Meta{}, []byte("second"))
	rc.Until(t, "the second incarnation is refused", func(_, drops []Frame, _ []transport.PeerEvent) bool {
		return len(drops) == 1 && errors.Is(drops[0].Err, transport.ErrDuplicateNode)
	})
	_ = b.Close() // now the id is free
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l := connect(t, c, a.Self())
	for ctx.Err() == nil && l.Send(transport.Meta{}, []byte("third")) != nil {
		rest(ctx, 10*time.Millisecond)
	}
	if got := ra.WaitFrames(t, 2)[1]; string(got.Data) != "third" {
		t.Errorf("got %q, want third", got.Data)
	}
}

// rest pauses between retries of what only time can bring about.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func testNewestWins(t *testing.T, f Fixture) {
	var ra, rb, rc Recorder
	cfg := config("a", 1)
	cfg.Admit = transport.NewestWins
	a := f.start(t, cfg, &ra)
	b := f.start(t, config("b", 1), &rb)
	send(t, connect(t, b, a.Self()), transport.Meta{}, []byte("first"))
	ra.WaitFrames(t, 1)
	c := f.start(t, config("b", 2), &rc)
	send(t, connect(t, c, a.Self()), transport.Meta{}, []byte("second"))
	ra.WaitFrames(t, 2)
	for who, r := range map[string]*Recorder{"a": &ra, "b": &rb} {
		if reason := r.WaitDown(t); !errors.Is(reason, transport.ErrSuperseded) {
			t.Errorf("%s: reason %v, want ErrSuperseded", who, reason)
		}
	}
}

// refusedWith checks that sending to a peer fails for good with want.
func refusedWith(t *testing.T, f Fixture, to func(b transport.Peer) transport.Peer, cfg transport.Config, want error) {
	t.Helper()
	var ra, rb Recorder
	a, b := f.start(t, cfg, &ra), f.start(t, config("b", 5), &rb)
	l := connect(t, a, to(b.Self()))
	send(t, l, transport.Meta{}, []byte("x"))
	ra.Until(t, "the frame is dropped", func(_, drops []Frame, _ []transport.PeerEvent) bool {
		if len(drops) == 1 && !errors.Is(drops[0].Err, want) {
			t.Errorf("dropped for %v, want %v", drops[0].Err, want)
		}
		return len(drops) == 1
	})
	if err := l.Send(transport.Meta{}, []byte("y")); !errors.Is(err, want) {
		t.Errorf("Send: got %v, want %v", err, want)
	}
	rb.mu.Lock()
	defer rb.mu.Unlock()
	if len(rb.frames)+len(rb.events) > 0 {
		t.Errorf("the peer saw %v %v", rb.frames, rb.events)
	}
}

func testWrongNode(t *testing.T, f Fixture) {
	refusedWith(t, f, func(b transport.Peer) transport.Peer { b.NodeID = "c"; return b }, config("a", 1), transport.ErrWrongPeer)
}

func testWrongCluster(t *testing.T, f Fixture) {
	cfg := config("a", 1)
	cfg.Self.ClusterID = "other"
	refusedWith(t, f, func(b transport.Peer) transport.Peer { b.ClusterID = "other"; return b }, cfg, transport.ErrWrongCluster)
}

func testStaleIncarnation(t *testing.T, f Fixture) {
	refusedWith(t, f, func(b transport.Peer) transport.Peer { b.Incarnation = 4; return b }, config("a", 1), transport.ErrSuperseded)
}

// testReconnect breaks the connection under load. Frames may be lost, but the
// link comes back, and what arrives is in order and arrives once.
func testReconnect(t *testing.T, f Fixture) {
	if f.Break == nil {
		t.Skip("the fixture cannot break connections")
	}
	var ra, rb Recorder
	cfg := config("a", 1)
	cfg.UnreachableAfter = patience // a slow machine must not drop the queue
	a, b := f.start(t, cfg, &ra), f.start(t, config("b", 1), &rb)
	l := connect(t, a, b.Self())
	const n, breaks = 5000, 5
	for i := range n {
		frame := make([]byte, 8, 50<<10)
		if i%100 == 0 {
			frame = frame[:50<<10]
		}
		binary.BigEndian.PutUint64(frame, uint64(i))
		send(t, l, transport.Meta{}, frame)
		if i%(n/breaks) == n/breaks/2 {
			rb.WaitFrames(t, 1)
			f.Break(a, b)
		}
	}
	last := []byte("last")
	send(t, l, transport.Meta{}, last)
	prev := int64(-1)
	rb.Until(t, "the last frame", func(frames, _ []Frame, _ []transport.PeerEvent) bool {
		return len(frames) > 0 && string(frames[len(frames)-1].Data) == "last"
	})
	for _, got := range rb.WaitFrames(t, 1) {
		if len(got.Data) < 8 {
			break
		}
		i := int64(binary.BigEndian.Uint64(got.Data))
		if i <= prev {
			t.Fatalf("got frame %d after %d", i, prev)
		}
		prev = i
	}
	_ = ra.WaitDown(t)
}

func testCloseFlushes(t *testing.T, f Fixture) {
	var ra, rb Recorder
	a, b := f.start(t, config("a", 1), &ra), f.start(t, config("b", 1), &rb)
	l := connect(t, a, b.Self())
	send(t, l, transport.Meta{}, []byte("up"))
	rb.WaitFrames(t, 1)
	const n = 1000
	for range n {
		send(t, l, transport.Meta{}, make([]byte, 100))
	}
	_ = a.Close()
	rb.WaitFrames(t, n+1)
	if err := a.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := a.Connect(b.Self()); !errors.Is(err, transport.ErrClosed) {
		t.Errorf("Connect after Close: %v", err)
	}
}

func testCloseTells(t *testing.T, f Fixture) {
	var ra, rb Recorder
	a, b := f.start(t, config("a", 1), &ra), f.start(t, config("b", 1), &rb)
	send(t, connect(t, a, b.Self()), transport.Meta{}, []byte("up"))
	rb.WaitFrames(t, 1)
	_ = a.Close()
	reason := rb.WaitDown(t)
	var ce *transport.ConnError
	if !errors.Is(reason, transport.ErrClosed) || !errors.As(reason, &ce) || !ce.Remote {
		t.Errorf("reason %v, want ErrClosed from the peer", reason)
	}
}

func testStream(t *testing.T, f Fixture) {
	a, b := f.start(t, config("a", 1), &Recorder{}), f.start(t, config("b", 1), &Recorder{})
	ln, _, err := b.Stream("raft")
	if err != nil {
		t.Fatalf("Stream: %v", err)
	}
	_, dial, err := a.Stream("raft")
	if err != nil {
		t.Fatalf("Stream: %v", err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Add(1)
	go func() {
		defer wg.Done()
		c, err := ln.Accept()
		if err != nil {
			t.Errorf("Accept: %v", err)
			return
		}
		defer c.Close()
		if p, ok := transport.PeerOf(c); !ok || p.NodeID != "a" {
			t.Errorf("PeerOf = %v, %v, want a", p, ok)
		}
		_, _ = io.Copy(c, c)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := dial(ctx, b.Self().Addr)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	defer c.Close()
	msg := make([]byte, 100<<10)
	for i := range msg {
		msg[i] = byte(i * 7)
	}
	wg.Add(1)
	go func() {
		defer wg.Done()
		if _, err := c.Write(msg); err != nil {
			t.Errorf("Write: %v", err)
		}
	}()
	got := make([]byte, len(msg))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatalf("Read: %v", err)
	}
	for i := range got {
		if got[i] != msg[i] {
			t.Fatalf("byte %d is %d, want %d", i, got[i], msg[i])
		}
	}
}

func testStreamRoles(t *testing.T, f Fixture) {
	cfg := config("gate1", 1)
	cfg.Self.Roles = []string{"gate"}
	var ra, rb Recorder
	a, b := f.start(t, cfg, &ra), f.start(t, config("b", 1), &rb)
	ln, _, err := b.Stream("raft")
	if err != nil {
		t.Fatalf("Stream: %v", err)
	}
	_, dial, err := a.Stream("raft")
	if err != nil {
		t.Fatalf("Stream: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if c, err := dial(ctx, b.Self().Addr); !errors.Is(err, transport.ErrRoleForbidden) {
		if c != nil {
			c.Close()
		}
		t.Errorf("dial: got %v, want ErrRoleForbidden", err)
	}
	send(t, connect(t, a, b.Self()), transport.Meta{}, []byte("actor call"))
	rb.WaitFrames(t, 1) // the gate may do that
	_ = b.Close()
	if c, err := ln.Accept(); err == nil {
		c.Close()
		t.Errorf("the refused stream reached the listener")
	}
	if _, _, err := a.Stream("nosuch"); !errors.Is(err, transport.ErrUnknownService) {
		t.Errorf("Stream(nosuch): %v", err)
	}
}

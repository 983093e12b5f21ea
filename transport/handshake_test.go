// SPDX-License-Identifier: MIT

package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"
)

func testHello() hello {
	return hello{
		minVersion: 1, maxVersion: 1, service: "rpc", lane: LaneBulk,
		self:     Peer{NodeID: "n1", Incarnation: 7, ClusterID: "c", Roles: []string{"a", "b"}, Addr: "x:1"},
		wantNode: "n2", wantIncarnation: 9, connID: nonce{1, 2}, maxFrame: 1 << 20,
	}
}

func TestNegotiate(t *testing.T) {
	for _, test := range []struct {
		min, max, want uint16
		ok             bool
	}{
		{1, 1, 1, true}, {0, 1, 1, true}, {1, 9, 1, true}, {2, 9, 0, false}, {0, 0, 0, false}, {9, 1, 0, false},
	} {
		got, err := negotiate(test.min, test.max)
		if got != test.want || (err == nil) != test.ok || (!test.ok && !errors.Is(err, ErrVersion)) {
			t.Errorf("negotiate(%d, %d) = %d, %v", test.min, test.max, got, err)
		}
	}
}

func TestHandshakeRoundTrip(t *testing.T) {
	h := testHello()
	if got, err := parseHello(h.bytes()); err != nil || !reflect.DeepEqual(got, h) {
		t.Errorf("hello: got %+v, %v", got, err)
	}
	w := welcome{version: 1, self: h.self, connID: nonce{3}, nonce: nonce{4}, maxFrame: 1 << 20}
	if got, err := parseWelcome(w.bytes()); err != nil || !reflect.DeepEqual(got, w) {
		t.Errorf("welcome: got %+v, %v", got, err)
	}
	c := confirm{nonce: nonce{5}, gone: nonce{6}}
	if got, err := parseConfirm(c.bytes()); err != nil || got != c {
		t.Errorf("confirm: got %+v, %v", got, err)
	}
	if _, err := parseHello(append(h.bytes(), 1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("left over: %v", err)
	}
	h.maxVersion = 2
	if _, err := parseHello(append(h.bytes(), 1)); err != nil {
		t.Errorf("fields of a newer version: %v", err)
	}
	h.minVersion = 2
	if _, err := parseHello(h.bytes()); !errors.Is(err, ErrVersion) {
		t.Errorf("only newer versions: %v", err)
	}
}

// rawDial connects to e without any of our code.
func rawDial(t *testing.T, e *Endpoint) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", e.Self().Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(wait))
	return nc
}

// refused reads until the end and returns the reason in the refusal, if any.
func refused(t *testing.T, nc net.Conn) error {
	t.Helper()
	budget := maxHandshakeBytes
	_, err := readMessage(nc, msgReady, &budget)
	if err == nil {
		t.Fatal("accepted")
	}
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		t.Fatal("neither accepted nor refused")
	}
	return err
}

// TestSlowHandshake is the slow-loris attack: a byte now and then, or nothing.
func TestSlowHandshake(t *testing.T) {
	cfg := devConfig("a")
	cfg.HandshakeTimeout = 100 * time.Millisecond
	cfg.MaxHandshakes = 4
	e := start(t, cfg, &funcHandler{})
	var silent []net.Conn
	for range 4 {
		silent = append(silent, rawDial(t, e))
	}
	for _, nc := range silent {
		if _, err := io.ReadAll(nc); err != nil {
			t.Errorf("silent connection: %v, want it closed or refused", err)
		}
	}
	got := make(chan struct{}, 1)
	b := start(t, devConfig("b"), &funcHandler{peer: func(ev PeerEvent) {
		if ev.Up {
			got <- struct{}{}
		}
	}})
	if err := connect(t, b, e.Self()).Send(Meta{}, []byte("x")); err != nil {
		t.Fatal(err)
	}
	<-got // the slots are free again
}

func TestTooManyHandshakes(t *testing.T) {
	cfg := devConfig("a")
	cfg.MaxHandshakes = 1
	e := start(t, cfg, &funcHandler{})
	first := rawDial(t, e)
	if _, err := first.Write([]byte(magic)); err != nil {
		t.Fatal(err)
	}
	second := rawDial(t, e)
	if _, err := io.ReadAll(second); err != nil {
		var oe *net.OpError
		if !errors.As(err, &oe) || oe.Timeout() {
			t.Errorf("second: %v, want closed", err)
		}
	}
}

func TestMalformedHandshake(t *testing.T) {
	e := start(t, devConfig("a"), &funcHandler{})
	h := testHello()
	h.self.ClusterID, h.wantNode, h.wantIncarnation = "test", "a", 1
	good := appendMessage([]byte(magic), msgHello, h.bytes())
	edit := func(f func(*hello)) []byte {
		c := h
		f(&c)
		return appendMessage([]byte(magic), msgHello, c.bytes())
	}
	for _, test := range []struct {
		name  string
		bytes []byte
		want  error
	}{
		{"magic", []byte("GET / HTTP/1.1\r\n"), ErrMalformed},
		{"huge", append([]byte(magic), 0xff, 0xff, msgHello), ErrMalformed},
		{"empty", append([]byte(magic), 0, 0), ErrMalformed},
		{"kind", appendMessage([]byte(magic), msgConfirm, nil), ErrMalformed},
		{"short", appendMessage([]byte(magic), msgHello, h.bytes()[:30]), ErrMalformed},
		{"version", edit(func(h *hello) { h.minVersion, h.maxVersion = 8, 9 }), ErrVersion},
		{"lane", edit(func(h *hello) { h.lane = 7 }), ErrMalformed},
		{"node id", edit(func(h *hello) { h.self.NodeID = "../etc" }), ErrMalformed},
		{"long role", edit(func(h *hello) { h.self.Roles = []string{strings.Repeat("r", 33)} }), ErrMalformed},
		{"no incarnation", edit(func(h *hello) { h.self.Incarnation = 0 }), ErrMalformed},
		{"cluster", edit(func(h *hello) { h.self.ClusterID = "c9" }), ErrWrongCluster},
		{"other node", edit(func(h *hello) { h.wantNode = "z" }), ErrWrongPeer},
		{"our name", edit(func(h *hello) { h.self.NodeID = "a" }), ErrDuplicateNode},
		{"ourselves", edit(func(h *hello) { h.self = e.Self() }), ErrWrongPeer},
		{"service", edit(func(h *hello) { h.service = "nosuch" }), ErrUnknownService},
		{"raft role", edit(func(h *hello) { h.service = "raft" }), ErrRoleForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			nc := rawDial(t, e)
			if _, err := nc.Write(test.bytes); err != nil {
				t.Fatal(err)
			}
			if err := refused(t, nc); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	// A recorded handshake, played again: the confirm carries an old nonce.
	nc := rawDial(t, e)
	old := confirm{nonce: nonce{42}}
	if _, err := nc.Write(appendMessage(good, msgConfirm, old.bytes())); err != nil {
		t.Fatal(err)
	}
	budget := maxHandshakeBytes
	if _, err := readMessage(nc, msgWelcome, &budget); err != nil {
		t.Fatal(err)
	}
	if err := refused(t, nc); !errors.Is(err, ErrMalformed) {
		t.Errorf("replay: got %v, want ErrMalformed", err)
	}
}

// joined does the whole handshake by hand.
func joined(t *testing.T, e *Endpoint) net.Conn {
	t.Helper()
	nc := rawDial(t, e)
	h := testHello()
	h.self.ClusterID, h.wantNode, h.wantIncarnation, h.lane = "test", "", 0, LaneMessages
	if _, err := nc.Write(appendMessage([]byte(magic), msgHello, h.bytes())); err != nil {
		t.Fatal(err)
	}
	budget := maxHandshakeBytes
	body, err := readMessage(nc, msgWelcome, &budget)
	if err != nil {
		t.Fatal(err)
	}
	w, err := parseWelcome(body)
	if err != nil {
		t.Fatal(err)
	}
	c := confirm{nonce: w.nonce}
	if _, err := nc.Write(appendMessage(nil, msgConfirm, c.bytes())); err != nil {
		t.Fatal(err)
	}
	if _, err := readMessage(nc, msgReady, &budget); err != nil {
		t.Fatal(err)
	}
	return nc
}

// TestMalformedFrames checks that both sides learn why the connection closed.
func TestMalformedFrames(t *testing.T) {
	for _, test := range []struct {
		name  string
		bytes []byte
		want  error
	}{
		{"oversize", []byte{0xff, 0xff, 0xff, 0x0f}, ErrFrameTooLarge},
		{"kind", []byte{0, 0, 0, 0xf0}, ErrMalformed},
		{"ping body", appendPhysical(nil, kindPing, []byte("x")), ErrMalformed},
		{"chunk of nothing", appendPhysical(nil, kindMore, make([]byte, 9)), ErrMalformed},
		{"announced too large", appendPhysical(nil, kindFirst, []byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 1}), ErrFrameTooLarge},
		{"first is all", appendPhysical(nil, kindFirst, []byte{1, 0, 0, 0, 1, 0, 0, 0, 1}), ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			down := make(chan error, 1)
			e := start(t, devConfig("a"), &funcHandler{peer: func(ev PeerEvent) {
				if !ev.Up {
					down <- ev.Err
				}
			}})
			nc := joined(t, e)
			sent := append(appendPhysical(nil, kindData, []byte("fine")), test.bytes...)
			if _, err := nc.Write(append(sent, make([]byte, 100<<10)...)); err != nil {
				t.Fatal(err)
			}
			all, _ := io.ReadAll(nc)
			_ = nc.Close()
			if err := <-down; !errors.Is(err, test.want) {
				t.Errorf("receiver: got %v, want %v", err, test.want)
			}
			d := decoder{maxFrameBytes: 1 << 20}
			ev, _, err := d.next(all)
			if err != nil || ev.kind != kindClose || !errors.Is(closeReason(ev.frame), test.want) {
				t.Errorf("sender: got %x (%v), want a close frame with %v", all, err, test.want)
			}
		})
	}
}

func TestIdleIsClosed(t *testing.T) {
	down := make(chan error, 1)
	cfg := devConfig("a")
	cfg.PingEvery, cfg.IdleTimeout = 20*time.Millisecond, 100*time.Millisecond
	e := start(t, cfg, &funcHandler{peer: func(ev PeerEvent) {
		if !ev.Up {
			down <- ev.Err
		}
	}})
	nc := joined(t, e) // never says a word
	if err := <-down; !errors.Is(err, ErrIdle) {
		t.Errorf("got %v, want ErrIdle", err)
	}
	pings, _ := io.ReadAll(nc)
	if !bytes.HasPrefix(pings, pingFrame) {
		t.Errorf("got %x, want pings", pings)
	}
}

// FuzzHandshake feeds a dialer's and an acceptor's parser the same bytes.
func FuzzHandshake(f *testing.F) {
	h := testHello()
	f.Add(appendMessage([]byte(magic), msgHello, h.bytes()))
	w := welcome{version: 1, self: h.self, maxFrame: 1 << 20}
	f.Add(appendMessage(nil, msgWelcome, w.bytes()))
	f.Add(appendRefuse(nil, ErrWrongCluster))
	f.Fuzz(func(t *testing.T, b []byte) {
		budget := maxHandshakeBytes
		r := bytes.NewReader(b)
		if h, err := readHello(r, &budget); err == nil {
			again, err := parseHello(h.bytes())
			if err != nil || !reflect.DeepEqual(again, h) {
				t.Fatalf("hello %+v encodes to %+v (%v)", h, again, err)
			}
			if len(b)-r.Len() > maxHandshakeBytes {
				t.Fatalf("read %d bytes", len(b)-r.Len())
			}
		}
		budget = maxHandshakeBytes
		if body, err := readMessage(bytes.NewReader(b), msgWelcome, &budget); err == nil {
			if w, err := parseWelcome(body); err == nil {
				again, err := parseWelcome(w.bytes())
				if err != nil || !reflect.DeepEqual(again, w) {
					t.Fatalf("welcome %+v encodes to %+v (%v)", w, again, err)
				}
			}
			_, _ = parseConfirm(body)
		}
	})
}

// TestStalled: a peer that is alive but does not read is given up, and what it
// did not take is kept for the next connection or reported.
func TestStalled(t *testing.T) {
	cfg := devConfig("a")
	cfg.PingEvery, cfg.IdleTimeout, cfg.WriteTimeout = 20*time.Millisecond, time.Hour, 200*time.Millisecond
	up, down := make(chan Link, 1), make(chan error, 1)
	e := start(t, cfg, &funcHandler{peer: func(ev PeerEvent) {
		if ev.Up {
			up <- ev.Link
		} else {
			down <- ev.Err
		}
	}})
	joined(t, e)
	l := <-up
	for l.Send(Meta{Lane: LaneMessages}, make([]byte, 30<<10)) == nil {
	}
	if err := <-down; !errors.Is(err, ErrStalled) {
		t.Errorf("got %v, want ErrStalled", err)
	}
}

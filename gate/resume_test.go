// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/internal/frame"
)

// TestResumeSendsWhatWasMissed: R1 and R2 by example.
func TestResumeSendsWhatWasMissed(t *testing.T) {
	b := newFakeBackend()
	g := newTestGate(t, b, nil)
	addr := listenTCP(t, g)
	c := dialRaw(t, addr)
	w := c.login(player7)
	id := b.last(t, Opened).Session.ID
	push := func(text string) {
		_, err := g.Deliver(Push{Event: 1, Data: []byte(text)}, id)
		require.NoError(t, err)
	}
	push("1")
	c.expect(frame.KindPush)
	c.request(1, methodBlock, "slow") // still runs when the connection is cut
	require.Eventually(t, func() bool { return len(b.log()) == 1 }, 5*time.Second, time.Millisecond)
	_ = c.Close()
	push("2")
	_, err := g.Deliver(Push{Event: 1, Data: []byte("volatile"), Volatile: true}, id)
	require.NoError(t, err)
	close(b.release)

	c = dialRaw(t, addr)
	w = c.resume(w, 1)
	require.True(t, w.Resumed)
	require.EqualValues(t, 1, w.LastRequest)
	c.request(1, methodBlock, "slow") // sent again: must not run again
	c.request(2, methodEcho, "next")
	var got []string
	for range 3 {
		kind, body, err := c.next()
		require.NoError(t, err)
		if kind == frame.KindPush {
			p, err := frame.ParsePush(body)
			require.NoError(t, err)
			got = append(got, fmt.Sprintf("%d push %s", p.Seq, p.Data))
		} else {
			r, err := frame.ParseReply(body)
			require.NoError(t, err)
			got = append(got, fmt.Sprintf("%d reply %d %s", r.Seq, r.Request, r.Data))
		}
	}
	require.Len(t, got, 3)
	require.Contains(t, got[:2], "2 push 2")
	require.Contains(t, got[:2], "3 reply 1 slow")
	require.Equal(t, "4 reply 2 next", got[2])
	require.Equal(t, []string{"player/7 slow", "player/7 next"}, b.log())
}

// TestResumeTokens: replay, reorder, duplicate, cross-session, other device,
// tampering, after logout (R3).
func TestResumeTokens(t *testing.T) {
	setup := func(t *testing.T) (string, *rawConn, frame.Welcome, *Gate) {
		g := newTestGate(t, newFakeBackend(), nil)
		addr := listenTCP(t, g)
		c := dialRaw(t, addr)
		return addr, c, c.login(player7), g
	}
	refused := func(t *testing.T, addr string, h frame.Hello, want frame.Reason) {
		t.Helper()
		c := dialRaw(t, addr)
		c.send(h.Append(nil))
		c.expectGoodbye(want)
	}
	ping := (&frame.Ping{}).Append(nil)
	t.Run("replay", func(t *testing.T) {
		addr, _, first, _ := setup(t)
		c := dialRaw(t, addr)
		second := c.resume(first, 0)
		c.send(ping) // the new token has arrived: the old one is used up
		c.expect(frame.KindPong)
		refused(t, addr, resumeHello(first, 0), frame.ReasonDenied)
		require.True(t, dialRaw(t, addr).resume(second, 0).Resumed)
	})
	t.Run("welcome lost", func(t *testing.T) {
		addr, _, first, _ := setup(t)
		lost := dialRaw(t, addr).resume(first, 0) // says nothing afterwards
		again := dialRaw(t, addr)
		third := again.resume(first, 0)
		again.send(ping)
		again.expect(frame.KindPong)
		refused(t, addr, resumeHello(lost, 0), frame.ReasonDenied) // reordered
		refused(t, addr, resumeHello(first, 0), frame.ReasonDenied)
		require.True(t, dialRaw(t, addr).resume(third, 0).Resumed)
	})
	t.Run("other device", func(t *testing.T) {
		addr, _, w, _ := setup(t)
		h := resumeHello(w, 0)
		h.Device = "stolen"
		refused(t, addr, h, frame.ReasonDenied)
	})
	t.Run("every byte flipped", func(t *testing.T) {
		_, _, w, g := setup(t)
		for i := range len(w.Token) {
			b := []byte(w.Token)
			b[i] ^= 1
			_, err := g.cfg.Keys.Verify(string(b), PurposeResume, time.Now())
			require.ErrorIs(t, err, ErrToken, "byte %d", i)
		}
	})
	t.Run("login token as resume token and back", func(t *testing.T) {
		addr, _, w, _ := setup(t)
		h := resumeHello(w, 0)
		h.Token = loginToken(player7)
		refused(t, addr, h, frame.ReasonDenied)
		refused(t, addr, frame.Hello{MinVersion: 1, MaxVersion: 1, Token: w.Token, Device: "dev"}, frame.ReasonDenied)
	})
	t.Run("other session", func(t *testing.T) {
		addr, _, w, g := setup(t)
		dialRaw(t, addr).login(troupe.ID("player", 8))
		c, err := g.cfg.Keys.Verify(w.Token, PurposeResume, time.Now())
		require.NoError(t, err)
		for _, s := range g.snapshot() {
			if s.who.Player.ID == 8 {
				c.Session = s.id
			}
		}
		forged := Keys{Active: "k1", Secrets: map[string][]byte{"k1": []byte(strings.Repeat("z", 32))}}
		h := resumeHello(w, 0)
		h.Token = forged.Sign(c)
		refused(t, addr, h, frame.ReasonDenied)
	})
	t.Run("after logout", func(t *testing.T) {
		addr, c, w, g := setup(t)
		c.send((&frame.Goodbye{Reason: frame.ReasonBye}).Append(nil))
		c.expectGoodbye(frame.ReasonBye)
		require.Zero(t, g.Sessions())
		refused(t, addr, resumeHello(w, 0), frame.ReasonReload)
	})
	t.Run("acknowledged frames asked for again", func(t *testing.T) {
		addr, c, w, g := setup(t)
		_, err := g.Deliver(Push{Event: 1}, g.snapshot()[0].id)
		require.NoError(t, err)
		c.expect(frame.KindPush)
		c.send((&frame.Ping{Ack: 1}).Append(nil))
		c.expect(frame.KindPong)
		refused(t, addr, resumeHello(w, 0), frame.ReasonReload)
		require.Zero(t, g.Sessions())
	})
	t.Run("frames of the future", func(t *testing.T) {
		addr, _, w, _ := setup(t)
		refused(t, addr, resumeHello(w, 99), frame.ReasonReload)
	})
	t.Run("gate gone", func(t *testing.T) {
		_, _, w, _ := setup(t)
		other := newTestGate(t, newFakeBackend(), func(c *Config) {
			c.Name = "gate-2"
			c.Peers = &fakePeers{self: "gate-2"}
		})
		refused(t, listenTCP(t, other), resumeHello(w, 0), frame.ReasonReload)
	})
}

func TestLoginTokens(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	good := Claims{Purpose: PurposeLogin, Expires: now.Add(time.Minute), Player: troupe.Name("player", "ann"), Device: "d", Level: -3, Gate: "g"}
	token := testKeys.Sign(good)
	got, err := testKeys.Verify(token, PurposeLogin, now)
	require.NoError(t, err)
	require.Equal(t, good, got)
	_, err = testKeys.Verify(token, PurposeLogin, now.Add(time.Minute))
	require.ErrorIs(t, err, ErrToken)
	rotated := &Keys{Active: "k2", Secrets: map[string][]byte{"k2": make([]byte, 32), "k1": testKeys.Secrets["k1"]}}
	_, err = rotated.Verify(token, PurposeLogin, now)
	require.NoError(t, err)
	delete(rotated.Secrets, "k1")
	_, err = rotated.Verify(token, PurposeLogin, now)
	require.ErrorIs(t, err, ErrToken)
	for _, text := range []string{"", ".", "t1.", "t1..", "t1.k1.", "t1.k1..", strings.Repeat("t1.", 2000), token + "A", token[1:]} {
		_, err := testKeys.Verify(text, PurposeLogin, now)
		require.ErrorIs(t, err, ErrToken, "%.20q", text)
	}
}

// TestZombiePushesAreRefused: invariant I2, for the player's own actor, for
// other actors, and after the session moved.
func TestZombiePushesAreRefused(t *testing.T) {
	b := newFakeBackend()
	gates := map[string]*Gate{}
	for _, name := range []string{"a", "b"} {
		gates[name] = newTestGate(t, b, func(c *Config) { c.Name = name; c.Peers = &fakePeers{self: name, gates: gates} })
	}
	w := dialRaw(t, listenTCP(t, gates["a"])).login(player7)
	id := b.last(t, Opened).Session.ID
	push := func(gate string, from troupe.Ref, generation, epoch uint64) error {
		_, err := gates[gate].Deliver(Push{Event: 1, From: from, Fence: Fence{generation, epoch}}, id)
		return err
	}
	zone := troupe.ID("zone", 1)
	for _, from := range []troupe.Ref{player7, zone} {
		require.NoError(t, push("a", from, 1, 5))
		require.NoError(t, push("a", from, 1, 5))
		require.NoError(t, push("a", from, 1, 7))
		require.ErrorIs(t, push("a", from, 1, 6), ErrStale)
		require.NoError(t, push("a", from, 2, 1))
		require.ErrorIs(t, push("a", from, 1, 9), ErrStale)
	}
	require.True(t, dialRaw(t, listenTCP(t, gates["b"])).resume(w, 0).Resumed)
	require.ErrorIs(t, push("b", player7, 1, 9), ErrStale)
	require.NoError(t, push("b", player7, 2, 1))
}

// TestReleaseWaitsForTheRunningRequest: the reply of a request that runs while
// the client changes gates arrives at the other gate, and what waits behind it
// runs there.
func TestReleaseWaitsForTheRunningRequest(t *testing.T) {
	b := newFakeBackend()
	gates := map[string]*Gate{}
	for _, name := range []string{"a", "b"} {
		gates[name] = newTestGate(t, b, func(c *Config) { c.Name = name; c.Peers = &fakePeers{self: name, gates: gates} })
	}
	c := dialRaw(t, listenTCP(t, gates["a"]))
	w := c.login(player7)
	c.request(1, methodBlock, "one")
	c.request(2, methodEcho, "two")
	c.send((&frame.Ping{}).Append(nil))
	c.expect(frame.KindPong)
	c = dialRaw(t, listenTCP(t, gates["b"]))
	hello := resumeHello(w, 0)
	c.send(hello.Append(nil))
	time.AfterFunc(20*time.Millisecond, func() { close(b.release) })
	w, err := frame.ParseWelcome(c.expect(frame.KindWelcome))
	require.NoError(t, err)
	require.EqualValues(t, 2, w.LastRequest)
	require.Equal(t, "one", string(c.expectReply(1).Data))
	require.Equal(t, "two", string(c.expectReply(2).Data))
	require.Equal(t, []string{"player/7 one", "player/7 two"}, b.log())
}

func TestStopTellsClients(t *testing.T) {
	g := newTestGate(t, newFakeBackend(), nil)
	c := dialRaw(t, listenTCP(t, g))
	c.login(player7)
	go func() { _ = g.Stop(context.Background()) }()
	c.expectGoodbye(frame.ReasonShutdown)
	stopGate(t, g)
}

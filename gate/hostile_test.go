// SPDX-License-Identifier: MIT

package gate

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/internal/frame"
)

// The rows of RELIABILITY.md 5.3, one test or more each.

func header(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

func TestBadFramesBeforeLogin(t *testing.T) {
	g := newTestGate(t, newFakeBackend(), func(c *Config) { c.Limits.HandshakeBurst = 1000 })
	addr := listenTCP(t, g)
	request := (&frame.Request{Seq: 1, Method: 1}).Append(nil)
	hello := frame.Hello{MinVersion: 1, MaxVersion: 1, Token: "x"}
	long := hello
	long.Device = strings.Repeat("d", frame.MaxDeviceBytes+1)
	old := hello
	old.MaxVersion = 0
	old.MinVersion = 0
	for name, row := range map[string]struct {
		bytes []byte
		want  frame.Reason
	}{
		"length zero":       {header(0), frame.ReasonProtocol},
		"length 4097":       {header(maxHelloBytes + 1), frame.ReasonProtocol},
		"length 2^31":       {header(1 << 31), frame.ReasonProtocol},
		"length 2^32-1":     {header(1<<32 - 1), frame.ReasonProtocol},
		"http":              {[]byte("GET / HTTP/1.1\r\n\r\n"), frame.ReasonProtocol},
		"request first":     {request, frame.ReasonProtocol},
		"field too long":    {long.Append(nil), frame.ReasonProtocol},
		"trailing byte":     {append(header(3), byte(frame.KindHello), 1, 1), frame.ReasonProtocol},
		"unknown kind":      {append(header(1), 200), frame.ReasonProtocol},
		"forged token":      {hello.Append(nil), frame.ReasonDenied},
		"version too old":   {old.Append(nil), frame.ReasonVersion},
		"gate's own frames": {(&frame.Welcome{}).Append(nil), frame.ReasonProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, addr)
			c.send(row.bytes)
			c.expectGoodbye(row.want)
		})
	}
	require.Zero(t, g.Sessions())
}

func TestBadFramesAfterLogin(t *testing.T) {
	ping := (&frame.Ping{Stamp: 1}).Append(nil)
	for name, bytes := range map[string][]byte{
		"length zero":         header(0),
		"over the cap":        header(64<<10 + 1),
		"length 2^31":         header(1 << 31),
		"length 2^32-1":       header(1<<32 - 1),
		"unknown kind":        append(header(1), 99),
		"second hello":        (&frame.Hello{}).Append(nil),
		"push from client":    (&frame.Push{Seq: 1}).Append(nil),
		"truncated varint":    append(header(2), byte(frame.KindAck), 0x80),
		"fat varint":          append(header(3), byte(frame.KindAck), 0x80, 0),
		"trailing byte":       append(header(uint32(len(ping)-4+1)), append(ping[4:], 0)...),
		"ack of the future":   (&frame.Ack{Seq: 1 << 40}).Append(nil),
		"request gap":         (&frame.Request{Seq: 2, Method: 1}).Append(nil),
		"request ack future":  (&frame.Request{Seq: 1, Ack: 9, Method: 1}).Append(nil),
		"unknown flags":       append(header(5), byte(frame.KindRequest), 1, 0, 8, 1),
		"name without route":  append(header(5), byte(frame.KindRequest), 1, 0, 4, 1),
		"goodbye text cut":    append(header(3), byte(frame.KindGoodbye), 1, 9),
		"method out of range": append(header(10), byte(frame.KindRequest), 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
	} {
		t.Run(name, func(t *testing.T) {
			b := newFakeBackend()
			g := newTestGate(t, b, nil)
			c := dialRaw(t, listenTCP(t, g))
			w := c.login(player7)
			c.send(bytes)
			c.expectGoodbye(frame.ReasonProtocol)
			require.Empty(t, b.log())
			again := dialRaw(t, c.RemoteAddr().String()) // the session survives its connection
			require.True(t, again.resume(w, 0).Resumed)
		})
	}
}

// TestSplitAtEveryByte sends hello, two requests and a ping cut in two at
// every place, and byte by byte.
func TestSplitAtEveryByte(t *testing.T) {
	b := newFakeBackend()
	g := newTestGate(t, b, func(c *Config) { c.Limits.HandshakesPerIP = -1; c.Limits.ConnsPerIP = -1 })
	hello := frame.Hello{MinVersion: 1, MaxVersion: 1, Token: loginToken(player7)}
	all := hello.Append(nil)
	all = (&frame.Request{Seq: 1, Method: methodEcho, Args: []byte("one")}).Append(all)
	all = (&frame.Request{Seq: 2, Method: methodEcho, Args: bytes.Repeat([]byte("x"), 700)}).Append(all)
	all = (&frame.Ping{Stamp: 5}).Append(all)
	check := func(write func(c net.Conn)) {
		client, server := net.Pipe()
		go g.ServeConn(server)
		c := newRaw(t, client)
		go write(client)
		c.expect(frame.KindWelcome)
		seen := map[frame.Kind]int{}
		for range 3 {
			kind, _, err := c.next()
			require.NoError(t, err)
			seen[kind]++
		}
		require.Equal(t, map[frame.Kind]int{frame.KindReply: 2, frame.KindPong: 1}, seen)
		_ = client.Close()
	}
	for cut := 1; cut < len(all); cut++ {
		check(func(c net.Conn) { _, _ = c.Write(all[:cut]); _, _ = c.Write(all[cut:]) })
	}
	check(func(c net.Conn) {
		for i := range all {
			_, _ = c.Write(all[i : i+1])
		}
	})
}

func TestThousandMessagesInOneSegment(t *testing.T) {
	b := newFakeBackend()
	g := newTestGate(t, b, func(c *Config) { c.Limits.MessagesPerSecond = -1 })
	c := dialRaw(t, listenTCP(t, g))
	c.login(player7)
	var all []byte
	for i := range 1000 {
		all = (&frame.Request{Seq: uint64(i + 1), Method: methodEcho, Args: fmt.Append(nil, i)}).Append(all)
	}
	c.send(all)
	for i := range 1000 {
		r := c.expectReply(uint64(i + 1))
		require.Equal(t, fmt.Sprint(i), string(r.Data))
	}
	require.Len(t, b.log(), 1000)
}

// TestAnnouncedSizeCostsNothing opens sessions that announce 64 KiB frames and
// send a byte, and looks at the heap.
func TestAnnouncedSizeCostsNothing(t *testing.T) {
	g := newTestGate(t, newFakeBackend(), func(c *Config) { c.Limits.ConnsPerIP = -1; c.Limits.HandshakesPerIP = -1 })
	addr := listenTCP(t, g)
	const n = 200
	var conns []*rawConn
	for i := range n {
		c := dialRaw(t, addr)
		c.login(troupe.ID("player", int64(i)))
		conns = append(conns, c)
	}
	before := heapBytes()
	for _, c := range conns {
		c.send(append(header(64<<10), byte(frame.KindRequest)))
	}
	for _, c := range conns[:10] { // the gate has read them once these answer
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		_, _ = c.Read(make([]byte, 1))
	}
	require.Less(t, heapBytes()-before, int64(n*4<<10))
}

func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestTimeouts runs every deadline in virtual time over a pipe.
func TestTimeouts(t *testing.T) {
	login := func(c net.Conn) {
		hello := frame.Hello{MinVersion: 1, MaxVersion: 1, Token: loginToken(player7)}
		_, _ = c.Write(hello.Append(nil))
		r := frame.Reader{Src: c, MaxBytes: 1 << 20}
		_, _ = r.Next()
	}
	request := (&frame.Request{Seq: 1, Method: methodEcho, Args: make([]byte, 100)}).Append(nil)
	for name, row := range map[string]struct {
		act  func(c net.Conn)
		want time.Duration
	}{
		"says nothing":              {func(net.Conn) {}, 10 * time.Second},
		"hello at a byte a second":  {func(c net.Conn) { trickle(c, (&frame.Hello{Token: strings.Repeat("x", 60)}).Append(nil)) }, 10 * time.Second},
		"idle after login":          {login, 45 * time.Second},
		"partial frame, then idle":  {func(c net.Conn) { login(c); _, _ = c.Write(request[:20]) }, 10 * time.Second},
		"frame at a byte a second":  {func(c net.Conn) { login(c); trickle(c, request) }, 10 * time.Second},
		"pings are a sign of life":  {func(c net.Conn) { login(c); pings(c, 10) }, 150*time.Second + 45*time.Second},
		"steady frames never whole": {func(c net.Conn) { login(c); offset(c, 30) }, 30*time.Second + 10*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, err := New(Config{Name: "g", Backend: newFakeBackend(), Keys: testKeys, Logger: quietLog()})
				require.NoError(t, err)
				client, server := net.Pipe()
				begun := time.Now()
				go g.ServeConn(server)
				acted := make(chan struct{})
				go func() { defer close(acted); row.act(client) }()
				closed := make(chan time.Duration)
				go func() {
					_, _ = io.Copy(io.Discard, &waitingReader{c: client})
					closed <- time.Since(begun)
				}()
				took := <-closed
				_ = client.Close()
				<-acted
				require.InDelta(t, row.want.Seconds(), took.Seconds(), 1.5)
				require.NoError(t, g.Stop(t.Context()))
			})
		})
	}
}

// waitingReader lets the row's own reads of the welcome come first.
type waitingReader struct {
	c     net.Conn
	begun bool
}

func (w *waitingReader) Read(p []byte) (int, error) {
	if !w.begun {
		w.begun = true
		time.Sleep(time.Second) // virtual
	}
	return w.c.Read(p)
}

func trickle(c net.Conn, b []byte) {
	for i := range b {
		if _, err := c.Write(b[i : i+1]); err != nil {
			return
		}
		time.Sleep(time.Second) // virtual
	}
}

func pings(c net.Conn, n int) {
	for range n {
		time.Sleep(15 * time.Second) // virtual
		_, _ = c.Write((&frame.Ping{}).Append(nil))
	}
}

// offset writes a ping per second, always cut in the middle, so that a frame
// is never complete when the gate looks.
func offset(c net.Conn, n int) {
	ping := (&frame.Ping{Stamp: 1}).Append(nil)
	shifted := append(append([]byte(nil), ping[3:]...), ping[:3]...)
	_, _ = c.Write(ping[:3])
	for range n {
		time.Sleep(time.Second) // virtual
		_, _ = c.Write(shifted)
	}
}

// TestSlowReader fills a session whose client does not read: memory stays
// within the bounds, volatile pushes go first, then the policy decides.
func TestSlowReader(t *testing.T) {
	for name, policy := range map[string]SlowPolicy{"close": SlowClose, "drop": SlowDrop} {
		t.Run(name, func(t *testing.T) {
			b := newFakeBackend()
			g := newTestGate(t, b, func(c *Config) { c.OnSlow = policy; c.Limits.MessagesPerSecond = -1 })
			client, server := net.Pipe() // no buffer: the first write blocks
			go g.ServeConn(server)
			c := newRaw(t, client)
			c.login(player7)
			id := b.last(t, Opened).Session.ID
			data := make([]byte, 1000)
			before := heapBytes()
			volatile, reliable := 0, 0
			for range 2000 {
				if _, err := g.Deliver(Push{Event: 1, Data: data, Volatile: true}, id); err == nil {
					volatile++
				}
			}
			for range 2000 {
				if _, err := g.Deliver(Push{Event: 2, Data: data}, id); err == nil {
					reliable++
				}
			}
			require.InDelta(t, 128<<10, volatile*1067, 20<<10)
			require.LessOrEqual(t, reliable*1067, 256<<10)
			require.Less(t, heapBytes()-before, int64(768<<10))
			if policy == SlowClose {
				require.Zero(t, g.Sessions())
				return
			}
			// The client reads at last: every push that was taken, in order,
			// and where others were dropped, how many.
			var seq, got, lost int
			for got < reliable || lost < 2000-reliable {
				kind, body, err := c.next()
				require.NoError(t, err)
				switch kind {
				case frame.KindPush:
					p, err := frame.ParsePush(body)
					require.NoError(t, err)
					if p.Seq == 0 {
						continue
					}
					got, seq = got+1, seq+1
					require.EqualValues(t, seq, p.Seq)
				case frame.KindLost:
					l, err := frame.ParseLost(body)
					require.NoError(t, err)
					lost, seq = lost+int(l.Count), seq+1
					require.EqualValues(t, seq, l.Seq)
				}
				c.send((&frame.Ack{Seq: uint64(seq)}).Append(nil))
			}
			require.Equal(t, 2000, got+lost)
		})
	}
}

// TestFlood sends far over the rates: throttled, the backend sees the rate; a
// well-behaved client is not disturbed.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBackend()
		g, err := New(Config{Name: "g", Backend: b, Keys: testKeys, Logger: quietLog()})
		require.NoError(t, err)
		client, server := net.Pipe()
		go g.ServeConn(server)
		c := newRaw(t, client)
		c.login(player7)
		go func() {
			for i := uint64(1); ; i++ {
				r := frame.Request{Seq: i, Flags: frame.FlagOneWay, Method: methodMove}
				if _, err := client.Write(r.Append(nil)); err != nil {
					return
				}
			}
		}()
		time.Sleep(20 * time.Second) // virtual
		n := len(b.log())
		require.InDelta(t, 200+20*50, n, 60)
		_ = client.Close()
		require.NoError(t, g.Stop(t.Context()))
	})
	t.Run("close", func(t *testing.T) {
		b := newFakeBackend()
		g := newTestGate(t, b, func(c *Config) { c.OnFlood = FloodClose })
		c := dialRaw(t, listenTCP(t, g))
		c.login(player7)
		var all []byte
		for range 400 {
			all = (&frame.Ping{}).Append(all)
		}
		c.send(all)
		c.expectGoodbye(frame.ReasonFlood)
	})
}

func TestByteRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := New(Config{Name: "g", Backend: newFakeBackend(), Keys: testKeys, Logger: quietLog()})
		require.NoError(t, err)
		client, server := net.Pipe()
		m := &meteredConn{Conn: server, g: g, ip: "x"}
		begun, total := time.Now(), 0
		go func() { _, _ = io.Copy(client, io.LimitReader(zeros{}, 1<<20)); _ = client.Close() }()
		buf := make([]byte, 8192)
		for {
			n, err := m.Read(buf)
			total += n
			if err != nil {
				break
			}
		}
		require.Equal(t, 1<<20, total)
		require.InDelta(t, (1024-256)/64, time.Since(begun).Seconds(), 1) // after the burst, 64 KiB a second
		require.NoError(t, g.Stop(t.Context()))
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestConnectionLimits(t *testing.T) {
	t.Run("per address", func(t *testing.T) {
		g := newTestGate(t, newFakeBackend(), func(c *Config) { c.Limits.ConnsPerIP = 3 })
		addr := listenTCP(t, g)
		var open []*rawConn
		for i := range 3 {
			c := dialRaw(t, addr)
			c.login(troupe.ID("player", int64(i)))
			open = append(open, c)
		}
		_, _, err := dialRaw(t, addr).next()
		require.Error(t, err)
		open[0].send((&frame.Goodbye{Reason: frame.ReasonBye}).Append(nil))
		open[0].expectGoodbye(frame.ReasonBye)
		require.Eventually(t, func() bool {
			c := dialRaw(t, addr)
			c.send((&frame.Hello{MinVersion: 1, MaxVersion: 1, Token: loginToken(player7)}).Append(nil))
			_, _, err := c.next()
			return err == nil
		}, 5*time.Second, 10*time.Millisecond)
	})
	t.Run("handshakes per address", func(t *testing.T) {
		g := newTestGate(t, newFakeBackend(), func(c *Config) { c.Limits.HandshakeBurst = 5; c.Limits.HandshakesPerIP = 0.001 })
		addr := listenTCP(t, g)
		good := 0
		for range 20 {
			c := dialRaw(t, addr)
			_, _ = c.Write(header(0))
			if _, _, err := c.next(); err == nil {
				good++
			}
		}
		require.Equal(t, 5, good)
	})
	t.Run("pending", func(t *testing.T) {
		g := newTestGate(t, newFakeBackend(), func(c *Config) { c.Limits.Pending = 2 })
		addr := listenTCP(t, g)
		dialRaw(t, addr)
		dialRaw(t, addr)
		require.Eventually(t, func() bool { return g.pending.Load() == 2 }, 5*time.Second, time.Millisecond)
		dialRaw(t, addr).expectGoodbye(frame.ReasonBusy)
	})
	t.Run("sessions", func(t *testing.T) {
		g := newTestGate(t, newFakeBackend(), func(c *Config) { c.Limits.Sessions = 1 })
		addr := listenTCP(t, g)
		dialRaw(t, addr).login(player7)
		c := dialRaw(t, addr)
		c.send((&frame.Hello{MinVersion: 1, MaxVersion: 1, Token: loginToken(troupe.ID("player", 8))}).Append(nil))
		c.expectGoodbye(frame.ReasonBusy)
	})
	t.Run("in flight", func(t *testing.T) {
		b := newFakeBackend()
		g := newTestGate(t, b, func(c *Config) { c.Limits.InFlight = 1 })
		addr := listenTCP(t, g)
		first, second := dialRaw(t, addr), dialRaw(t, addr)
		first.login(player7)
		second.login(troupe.ID("player", 8))
		first.request(1, methodBlock, "")
		require.Eventually(t, func() bool { return len(b.log()) == 1 }, 5*time.Second, time.Millisecond)
		second.request(1, methodEcho, "")
		require.Equal(t, CodeBusy, second.expectReply(1).Code)
		close(b.release)
		require.Equal(t, CodeOK, first.expectReply(1).Code)
	})
}

// TestMethodExposure asks for every method number of the fake and many more:
// only those marked for clients run, and only on the own player.
func TestMethodExposure(t *testing.T) {
	b := newFakeBackend()
	close(b.release)
	g := newTestGate(t, b, func(c *Config) { c.Limits.MessagesPerSecond = -1 })
	c := dialRaw(t, listenTCP(t, g))
	c.login(player7)
	open := map[uint32]bool{methodEcho: true, methodFail: true, methodPanic: true, methodMove: true, methodBlock: true}
	seq := uint64(0)
	for method := range uint32(300) {
		seq++
		c.request(seq, method, "x")
		if code := c.expectReply(seq).Code; !open[method] {
			require.Equal(t, CodeDenied, code, "method %d", method)
		} else {
			require.NotEqual(t, CodeDenied, code, "method %d", method)
		}
	}
	c.request(seq+1, 1<<32-1, "")
	require.Equal(t, CodeDenied, c.expectReply(seq+1).Code)
	for _, line := range b.log() {
		require.True(t, strings.HasPrefix(line, "player/7 "), line)
	}
	require.Len(t, b.log(), len(open))
	c.request(seq+2, methodEcho, strings.Repeat("x", 33<<10)) // over the method's MaxBytes
	require.Equal(t, CodeDenied, c.expectReply(seq+2).Code)
}

// TestPanicsCostOneRequest: the handler's panic reaches neither the process
// nor the session, and hooks may panic too.
func TestPanicsCostOneRequest(t *testing.T) {
	b := newFakeBackend()
	g := newTestGate(t, b, func(c *Config) {
		c.Authorize = func(_ context.Context, _ Identity, _ troupe.Ref, m troupe.MethodInfo) error {
			if m.Number == methodMove {
				panic("hook")
			}
			return nil
		}
		auth := (&Gate{cfg: *c}).verifyLogin
		c.Authenticate = func(ctx context.Context, r AuthRequest) (Identity, error) {
			if r.Token == "panic" {
				panic("auth")
			}
			return auth(ctx, r)
		}
	})
	addr := listenTCP(t, g)
	c := dialRaw(t, addr)
	c.login(player7)
	c.request(1, methodPanic, "")
	require.Equal(t, CodeUnknown, c.expectReply(1).Code)
	c.request(2, methodMove, "")
	require.Equal(t, CodeUnknown, c.expectReply(2).Code)
	c.request(3, methodEcho, "alive")
	require.Equal(t, "alive", string(c.expectReply(3).Data))
	other := dialRaw(t, addr)
	other.send((&frame.Hello{MinVersion: 1, MaxVersion: 1, Token: "panic"}).Append(nil))
	other.expectGoodbye(frame.ReasonBusy)
}

func TestLogTextIsEscaped(t *testing.T) {
	hostile := "x\r\nlevel=ERROR msg=forged \x1b[31m\u202e" + strings.Repeat("y", 1000)
	quoted := quote(hostile)
	require.Less(t, len(quoted), maxLogText*6)
	for _, r := range quoted {
		require.True(t, r >= ' ' && r < 0x7f, "%q", r)
	}
}

// TestWebSocketRules: origin, subprotocol, text messages, size.
func TestWebSocketRules(t *testing.T) {
	g := newTestGate(t, newFakeBackend(), func(c *Config) { c.Origins = []string{"game.example"} })
	url := listenWebSocket(t, g)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dial := func(origin string, protocols ...string) (*websocket.Conn, error) {
		ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: protocols, HTTPHeader: map[string][]string{"Origin": {origin}}})
		return ws, err
	}
	_, err := dial("https://evil.example", Subprotocol)
	require.Error(t, err)
	ws, err := dial("https://game.example", Subprotocol)
	require.NoError(t, err)
	require.NoError(t, ws.Write(ctx, websocket.MessageText, []byte("hello")))
	_, _, err = ws.Read(ctx)
	if err == nil { // the goodbye
		_, _, err = ws.Read(ctx)
	}
	require.Error(t, err)

	ws, err = dial("https://game.example")
	require.NoError(t, err)
	_, _, err = ws.Read(ctx)
	require.Equal(t, websocket.StatusPolicyViolation, websocket.CloseStatus(err))

	ws, err = dial("https://game.example", Subprotocol)
	require.NoError(t, err)
	_ = ws.Write(ctx, websocket.MessageBinary, append(header(60<<10), make([]byte, 200<<10)...))
	_, _, err = ws.Read(ctx)
	if err == nil {
		_, _, err = ws.Read(ctx)
	}
	require.Error(t, err)
	require.Zero(t, g.Sessions())
}

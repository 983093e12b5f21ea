// SPDX-License-Identifier: MIT

package gate

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/internal/frame"
)

// childEnv makes the test binary a gate process instead of running tests. Its
// value is the limit on file descriptors, or 0. With childNodeEnv the gate has a
// node behind it, with an actor for each player.
const (
	childEnv     = "TROUPE_GATE_CHILD"
	childNodeEnv = "TROUPE_GATE_CHILD_NODE"
)

// runChild serves TCP and WebSocket, prints both addresses, and prints its
// memory (heap and stacks in use, goroutines) for each line it reads.
func runChild() int {
	if n, _ := strconv.ParseUint(os.Getenv(childEnv), 10, 64); n > 0 {
		if err := limitFiles(n); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	g, err := childGateOf(Config{Name: "child", Keys: testKeys, Logger: quietLog(), Limits: Limits{ConnsPerIP: -1, HandshakesPerIP: -1}})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	tcp, err1 := net.Listen("tcp", "127.0.0.1:0")
	ws, err2 := net.Listen("tcp", "127.0.0.1:0")
	if err1 != nil || err2 != nil {
		fmt.Println(err1, err2)
		return 1
	}
	go func() { _ = g.ServeTCP(tcp) }()
	go func() { _ = g.ServeWebSocket(ws) }()
	fmt.Println(tcp.Addr(), ws.Addr())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		runtime.GC()
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println(m.HeapInuse, m.StackInuse, runtime.NumGoroutine(), g.Sessions())
	}
	return 0
}

func childGateOf(cfg Config) (*Gate, error) {
	if os.Getenv(childNodeEnv) == "" {
		cfg.Backend = newFakeBackend()
		return New(cfg)
	}
	node, err := troupe.New(troupe.Config{Name: "child", Logger: quietLog()})
	if err != nil {
		return nil, err
	}
	if err := node.Register(troupe.Virtual[nodePlayer]("player")); err != nil {
		return nil, err
	}
	cluster, err := Join(node)
	if err != nil {
		return nil, err
	}
	g, err := cluster.NewGate(cfg)
	if err != nil {
		return nil, err
	}
	return g, node.Start(context.Background())
}

type childGate struct {
	tcp, ws string
	in      *os.File
	out     *bufio.Reader
}

func startChild(t testing.TB, files int, env ...string) *childGate {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), fmt.Sprintf("%s=%d", childEnv, files)), env...)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdin, cmd.Stderr = r, os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_ = r.Close()
	t.Cleanup(func() { _ = w.Close(); _ = cmd.Wait() })
	c := &childGate{in: w, out: bufio.NewReader(out)}
	_, err = fmt.Fscanln(c.out, &c.tcp, &c.ws)
	require.NoError(t, err)
	return c
}

func (c *childGate) memory(t testing.TB) (bytes, goroutines, sessions int) {
	t.Helper()
	_, err := fmt.Fprintln(c.in)
	require.NoError(t, err)
	var heap, stack int
	_, err = fmt.Fscanln(c.out, &heap, &stack, &goroutines, &sessions)
	require.NoError(t, err)
	return heap + stack, goroutines, sessions
}

// TestAcceptSurvivesEMFILE lets a gate of 48 files run out of them, and then
// expects it to serve as soon as some are free.
func TestAcceptSurvivesEMFILE(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no limit on file descriptors")
	}
	g := startChild(t, 48)
	var held []net.Conn
	for range 100 { // the kernel accepts into the backlog what the gate cannot
		conn, err := net.Dial("tcp", g.tcp)
		require.NoError(t, err)
		held = append(held, conn)
	}
	first := newRaw(t, held[0])
	first.login(player7) // accepted before the files ran out
	for _, conn := range held[1:] {
		_ = conn.Close()
	}
	late := dialRaw(t, g.tcp)
	late.login(troupe.ID("player", 8))
	first.request(1, methodEcho, "still here")
	first.expectReply(1)
}

var idleSessions = flag.Int("idle-sessions", 1000, "sessions of TestIdleSessionMemory")

// TestIdleSessionMemory measures heap and stacks of a gate process per idle
// session: of the gate alone, and of gate, node and an actor for each player.
// The bar is 20 KiB.
func TestIdleSessionMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 4,000 connections")
	}
	for _, behind := range []string{"gate", "node"} {
		t.Run(behind, func(t *testing.T) {
			var env []string
			if behind == "node" {
				env = append(env, childNodeEnv+"=1")
			}
			testIdleSessionMemory(t, *idleSessions, env...)
		})
	}
}

func testIdleSessionMemory(t *testing.T, n int, env ...string) {
	for name, open := range map[string]func(g *childGate, player int64) net.Conn{
		"tcp": func(g *childGate, player int64) net.Conn {
			c := dialRaw(t, g.tcp)
			c.login(troupe.ID("player", player))
			return c.Conn
		},
		"websocket": func(g *childGate, player int64) net.Conn {
			ws, _, err := websocket.Dial(t.Context(), "ws://"+g.ws, &websocket.DialOptions{Subprotocols: []string{Subprotocol}})
			require.NoError(t, err)
			hello := frame.Hello{MinVersion: 1, MaxVersion: 1, Token: loginToken(troupe.ID("player", player)), Device: "dev"}
			require.NoError(t, ws.Write(t.Context(), websocket.MessageBinary, hello.Append(nil)))
			_, _, err = ws.Read(t.Context())
			require.NoError(t, err)
			t.Cleanup(func() { _ = ws.CloseNow() })
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := startChild(t, 0, env...)
			open(g, 0)
			before, goroutines, _ := g.memory(t)
			for i := range n {
				open(g, int64(i+1))
			}
			var after, now int
			require.Eventually(t, func() bool {
				var sessions int
				after, now, sessions = g.memory(t)
				return sessions == n+1 && now-goroutines <= n+n/20
			}, 10*time.Second, 100*time.Millisecond)
			perSession := (after - before) / n
			t.Logf("%d bytes and %.2f goroutines per idle session", perSession, float64(now-goroutines)/float64(n))
			require.Less(t, perSession, 20<<10)
		})
	}
}

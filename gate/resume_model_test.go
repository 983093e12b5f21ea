// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe/gate/internal/frame"
	"pgregory.net/rapid"
)

// resumeModel is a client of two gates that share sessions, with everything
// that was pushed and asked as the reference. What the client sees must be
// exactly that (R1, R2), or a reload after which it starts from nothing.
type resumeModel struct {
	t     *rapid.T
	b     *fakeBackend
	gates map[string]*Gate

	conn *rawConn // nil while disconnected
	w    frame.Welcome
	id   uint64
	at   string // where the session is

	pushed, got      []string
	asked            int // requests numbered so far in this session
	answered         int
	base             int // executed before this session
	lastSeq          uint64
	unsent           []frame.Request // asked while disconnected or not known to be accepted
	reloads, resumes int
	overflowed       bool
}

func (m *resumeModel) dial(gate string) {
	client, server := net.Pipe()
	go m.gates[gate].ServeConn(server)
	m.conn = &rawConn{t: m.t, Conn: client, r: frame.Reader{Src: client, MaxBytes: 1 << 20}}
}

func (m *resumeModel) login() {
	m.dial("a")
	m.w = m.conn.login(player7)
	m.at, m.id = "a", m.w.Session
	m.pushed, m.got, m.unsent = nil, nil, nil
	m.asked, m.answered, m.lastSeq, m.overflowed = 0, 0, 0, false
	m.base = len(m.b.log())
}

func (m *resumeModel) push() {
	text := fmt.Sprint("p", len(m.pushed))
	_, err := m.gates[m.at].Deliver(Push{Event: 1, Data: make([]byte, 20)}, 0) // a stranger: no effect
	require.ErrorIs(m.t, err, ErrNoSession)
	if _, err := m.gates[m.at].Deliver(Push{Event: 1, Data: []byte(text)}, m.id); err != nil {
		m.overflowed = true // the session has ended: SlowClose
		return
	}
	m.pushed = append(m.pushed, text)
}

func (m *resumeModel) request() {
	m.asked++
	r := frame.Request{Seq: uint64(m.asked), Ack: m.lastSeq, Method: methodEcho, Args: fmt.Append(nil, "r", m.asked)}
	m.unsent = append(m.unsent, r)
	if m.conn != nil {
		_, _ = m.conn.Write(r.Append(nil))
	}
}

// sync reads everything up to the pong of a ping.
func (m *resumeModel) sync(ack uint64) {
	if m.conn == nil || m.overflowed {
		return
	}
	ping := frame.Ping{Stamp: 1, Ack: ack}
	_, _ = m.conn.Write(ping.Append(nil)) // the gate reads whether we do or not
	for {
		kind, body, err := m.conn.next()
		require.NoError(m.t, err)
		switch kind {
		case frame.KindPush:
			p, err := frame.ParsePush(body)
			require.NoError(m.t, err)
			m.sequenced(p.Seq)
			m.got = append(m.got, string(p.Data))
		case frame.KindReply:
			r, err := frame.ParseReply(body)
			require.NoError(m.t, err)
			m.sequenced(r.Seq)
			m.answered++
			require.EqualValues(m.t, m.answered, r.Request, "R2: replies in order")
			require.Equal(m.t, fmt.Sprint("r", r.Request), string(r.Data))
		case frame.KindPong:
			return
		default:
			m.t.Fatalf("frame %d %q", kind, body)
		}
	}
}

func (m *resumeModel) sequenced(seq uint64) {
	require.Equal(m.t, m.lastSeq+1, seq, "R1: consecutive")
	m.lastSeq = seq
}

func (m *resumeModel) cut() {
	if m.conn != nil {
		_ = m.conn.Close()
		m.conn = nil
	}
}

func (m *resumeModel) resume(gate string) {
	m.cut()
	m.dial(gate)
	hello := resumeHello(m.w, m.lastSeq)
	m.conn.send(hello.Append(nil))
	kind, body, err := m.conn.next()
	require.NoError(m.t, err)
	if kind == frame.KindGoodbye {
		bye, err := frame.ParseGoodbye(body)
		require.NoError(m.t, err)
		require.Equal(m.t, frame.ReasonReload, bye.Reason)
		require.True(m.t, m.overflowed, "reload without a reason")
		m.cut()
		m.check(false)
		m.reloads++
		m.login()
		return
	}
	require.False(m.t, m.overflowed)
	m.w, err = frame.ParseWelcome(body)
	require.NoError(m.t, err)
	require.True(m.t, m.w.Resumed)
	m.at = gate
	m.resumes++
	m.unsent = slices.DeleteFunc(m.unsent, func(r frame.Request) bool { return r.Seq <= m.w.LastRequest })
	for i := range m.unsent {
		_, _ = m.conn.Write(m.unsent[i].Append(nil))
	}
	m.sync(m.lastSeq)
}

// check compares with the reference; complete when nothing may be missing.
func (m *resumeModel) check(complete bool) {
	executed := m.b.log()[m.base:]
	for i, line := range executed {
		require.Equal(m.t, fmt.Sprint("player/7 r", i+1), line, "R2: once and in order")
	}
	require.True(m.t, slices.Equal(m.pushed[:min(len(m.got), len(m.pushed))], m.got), "R1: got %v of %v", m.got, m.pushed)
	if complete {
		require.Len(m.t, m.got, len(m.pushed))
		require.Len(m.t, executed, m.asked)
		require.Equal(m.t, m.asked, m.answered)
	}
}

// TestResumeModel walks random schedules of pushes, requests, acknowledgements,
// lost connections, lost welcomes and changes of gate, with a window small
// enough to overflow now and then.
func TestResumeModel(t *testing.T) {
	resumes, reloads := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m := &resumeModel{t: t, b: newFakeBackend(), gates: map[string]*Gate{}}
		window := rapid.SampledFrom([]int{512, 64 << 10}).Draw(t, "window")
		for _, name := range []string{"a", "b"} {
			g, err := New(Config{
				Name: name, Backend: m.b, Keys: testKeys, Logger: quietLog(),
				Peers:    &fakePeers{self: name, gates: m.gates},
				Limits:   Limits{WindowBytes: window, MessagesPerSecond: -1},
				Timeouts: Timeouts{Linger: time.Millisecond},
			})
			require.NoError(t, err)
			m.gates[name] = g
		}
		defer func() {
			m.cut()
			for _, g := range m.gates {
				require.NoError(t, g.Stop(context.Background()))
			}
		}()
		m.login()
		gate := rapid.SampledFrom([]string{"a", "b"})
		t.Repeat(map[string]func(*rapid.T){
			"push":         func(*rapid.T) { m.push() },
			"request":      func(*rapid.T) { m.request() },
			"read and ack": func(*rapid.T) { m.sync(m.lastSeq) },
			"read":         func(*rapid.T) { m.sync(0) },
			"cut":          func(*rapid.T) { m.cut() },
			"resume":       func(t *rapid.T) { m.resume(gate.Draw(t, "gate")) },
			"welcome lost": func(t *rapid.T) {
				// A hello whose answer nobody reads: the token stays good.
				m.cut()
				name := gate.Draw(t, "gate")
				m.dial(name)
				hello := resumeHello(m.w, m.lastSeq)
				m.conn.send(hello.Append(nil))
				_, _, _ = m.conn.next()
				m.cut()
				if s := m.gates[name].find(m.id); s != nil {
					m.at = name
				}
			},
		})
		m.resume(gate.Draw(t, "last"))
		for m.answered < m.asked {
			m.sync(m.lastSeq)
		}
		m.sync(m.lastSeq)
		m.check(!m.overflowed)
		resumes, reloads = resumes+m.resumes, reloads+m.reloads
	})
	t.Logf("%d resumes, %d reloads", resumes, reloads)
	require.Positive(t, resumes)
}

// SPDX-License-Identifier: MIT

package gate

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/internal/frame"
)

// FuzzToken: no input panics; what verifies is what was signed.
func FuzzToken(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	c := Claims{Purpose: PurposeLogin, Expires: now.Add(time.Hour), Player: player7, Device: "dev"}
	signed := testKeys.Sign(c)
	f.Add(signed, []byte{1, 2, 3})
	f.Add("t1.k1.AAAA.AAAA", []byte{})
	f.Fuzz(func(t *testing.T, token string, payload []byte) {
		if _, err := testKeys.Verify(token, PurposeLogin, now); err == nil && token != signed {
			t.Fatalf("accepted %q", token)
		}
		if c, ok := parseClaims(payload); ok { // as if an attacker had the key
			c.Expires = now.Add(time.Hour)
			if got, err := testKeys.Verify(testKeys.Sign(c), c.Purpose, now); err == nil && got != c {
				t.Fatalf("got %+v want %+v", got, c)
			}
		}
	})
}

// FuzzHandshake throws bytes at a connection before and after login: the gate
// neither panics nor hangs nor executes anything but well-formed requests.
func FuzzHandshake(f *testing.F) {
	hello := frame.Hello{MinVersion: 1, MaxVersion: 1, Token: loginToken(player7), Device: "dev"}
	f.Add(false, hello.Append(nil))
	f.Add(true, (&frame.Request{Seq: 1, Method: 1, Args: []byte("x")}).Append(nil))
	f.Add(true, (&frame.Request{Seq: 1, Method: 1, Flags: frame.FlagRouted, Route: "zone", ID: 4}).Append(nil))
	f.Add(true, (&frame.Ping{Stamp: 1, Ack: 0}).Append(nil))
	f.Add(true, (&frame.Goodbye{Reason: 1}).Append(nil))
	g, err := New(Config{
		Name: "g", Backend: newFakeBackend(), Keys: testKeys, Logger: quietLog(),
		Timeouts: Timeouts{Linger: time.Millisecond}, Limits: Limits{MessagesPerSecond: -1, BytesPerSecond: -1},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { stopGate(f, g) })
	f.Fuzz(func(t *testing.T, loggedIn bool, data []byte) {
		client, server := net.Pipe()
		done := make(chan struct{})
		go func() { defer close(done); g.ServeConn(server) }()
		read := make(chan struct{})
		go func() { defer close(read); _, _ = io.Copy(io.Discard, client) }()
		if loggedIn {
			who := hello
			who.Token = loginToken(troupe.ID("player", 9))
			_, _ = client.Write(who.Append(nil))
		}
		_, _ = client.Write(data)
		_ = client.Close()
		<-done
		<-read
	})
}

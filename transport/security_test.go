// SPDX-License-Identifier: MIT

package transport_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/troupe-go/troupe/transport"
	"github.com/troupe-go/troupe/transport/certs"
	"github.com/troupe-go/troupe/transport/transporttest"
)

const patience = 20 * time.Second

func newCA(t *testing.T, cluster string) *certs.CA {
	t.Helper()
	ca, err := certs.NewCA(cluster, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func pair(t *testing.T, ca *certs.CA, node string, valid time.Duration, roles ...string) tls.Certificate {
	t.Helper()
	p, err := ca.Pair(node, roles, valid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func credentials(t *testing.T, p tls.Certificate, roots *x509.CertPool) *transport.Credentials {
	t.Helper()
	c, err := transport.NewCredentials(p, roots)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tlsConfig(node string, cred *transport.Credentials, roles ...string) transport.Config {
	return transport.Config{
		Self:        transport.Peer{NodeID: node, Incarnation: 1, ClusterID: "c1", Roles: roles},
		Listen:      "127.0.0.1:0",
		Credentials: cred,
		BackoffMin:  5 * time.Millisecond, BackoffMax: 50 * time.Millisecond,
		UnreachableAfter: 200 * time.Millisecond,
	}
}

func startTLS(t *testing.T, cfg transport.Config, h transport.Handler) *transport.Endpoint {
	t.Helper()
	e := mustNew(t, cfg)
	t.Cleanup(func() { _ = e.Close() })
	if err := e.Start(h); err != nil {
		t.Fatal(err)
	}
	return e
}

// raftTarget is a voter with an open raft stream. Nothing may reach it.
func raftTarget(t *testing.T, ca *certs.CA) (addr string, rec *transporttest.Recorder) {
	t.Helper()
	rec = &transporttest.Recorder{}
	cfg := tlsConfig("target", credentials(t, pair(t, ca, "target", time.Hour, "voter"), ca.Roots()), "voter")
	e := startTLS(t, cfg, rec)
	ln, _, err := e.Stream("raft")
	if err != nil {
		t.Fatal(err)
	}
	reached := make(chan struct{})
	go func() {
		defer close(reached)
		if c, err := ln.Accept(); err == nil {
			t.Errorf("a connection from %v reached raft", c.RemoteAddr())
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-reached })
	return e.Self().Addr, rec
}

// TestIntruders checks who must not get through, to raft and to the actors.
func TestIntruders(t *testing.T) {
	ca, otherCA := newCA(t, "c1"), newCA(t, "c1")
	otherCluster := newCA(t, "c2")
	for _, test := range []struct {
		name   string
		pair   tls.Certificate
		roots  *x509.CertPool
		self   transport.Peer
		want   error
		rpcToo bool // also refused as a sender of frames
	}{
		{"wrong CA", pair(t, otherCA, "evil", time.Hour, "voter"), ca.Roots(), transport.Peer{NodeID: "evil", ClusterID: "c1", Roles: []string{"voter"}}, transport.ErrHandshake, true},
		{"expired", pair(t, ca, "evil", -time.Minute, "voter"), ca.Roots(), transport.Peer{NodeID: "evil", ClusterID: "c1", Roles: []string{"voter"}}, transport.ErrHandshake, true},
		{"another cluster", pair(t, otherCluster, "evil", time.Hour, "voter"), ca.Roots(), transport.Peer{NodeID: "evil", ClusterID: "c2", Roles: []string{"voter"}}, transport.ErrHandshake, true},
		{"gate role", pair(t, ca, "evil", time.Hour, "gate"), ca.Roots(), transport.Peer{NodeID: "evil", ClusterID: "c1", Roles: []string{"gate"}}, transport.ErrRoleForbidden, false},
		{"no role", pair(t, ca, "evil", time.Hour), ca.Roots(), transport.Peer{NodeID: "evil", ClusterID: "c1"}, transport.ErrRoleForbidden, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			addr, rec := raftTarget(t, ca)
			test.self.Incarnation = 1
			cfg := tlsConfig(test.self.NodeID, credentials(t, test.pair, test.roots))
			cfg.Self = test.self
			var mine transporttest.Recorder
			evil := startTLS(t, cfg, &mine)
			_, dial, err := evil.Stream("raft")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if c, err := dial(ctx, addr); err == nil {
				_ = c.Close()
				t.Error("dialed raft")
			} else if !errors.Is(err, test.want) && !errors.Is(err, transport.ErrWrongCluster) {
				t.Errorf("raft: got %v, want %v", err, test.want)
			}
			l, err := evil.Connect(transport.Peer{NodeID: "target", ClusterID: "c1", Addr: addr})
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Send(transport.Meta{}, []byte("x")); err != nil {
				t.Fatal(err)
			}
			if !test.rpcToo {
				rec.WaitFrames(t, 1)
				return
			}
			mine.Until(t, "the frame is dropped", func(_, drops []transporttest.Frame, _ []transport.PeerEvent) bool {
				return len(drops) == 1
			})
			rec.Until(t, "nothing", func(frames, _ []transporttest.Frame, events []transport.PeerEvent) bool {
				if len(frames)+len(events) > 0 {
					t.Errorf("target saw %v %v", frames, events)
				}
				return true
			})
		})
	}
}

// TestClaimBeyondCertificate forges the hello: the certificate is good, the
// claims in it are not.
func TestClaimBeyondCertificate(t *testing.T) {
	ca := newCA(t, "c1")
	cert := pair(t, ca, "evil", time.Hour, "gate")
	good := tlsConfig("evil", credentials(t, cert, ca.Roots()), "gate")
	for _, test := range []struct {
		name string
		edit func(*transport.Config)
		want error
	}{
		{"role", func(c *transport.Config) { c.Self.Roles = []string{"voter"} }, transport.ErrRoleForbidden},
		{"node", func(c *transport.Config) { c.Self.NodeID = "other" }, transport.ErrIdentity},
		{"cluster", func(c *transport.Config) { c.Self.ClusterID = "c2" }, transport.ErrWrongCluster},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := good
			test.edit(&cfg)
			if _, err := transport.New(cfg); !errors.Is(err, test.want) {
				t.Errorf("New: got %v, want %v", err, test.want)
			}
			// New refuses to lie, so the other end is tried by hand.
			addr, _ := raftTarget(t, ca)
			tc := dialTLS(t, addr, cert, tls.VersionTLS13)
			got := transport.HelloForTest(tc, cfg.Self, "raft")
			if !errors.Is(got, test.want) {
				t.Errorf("forged hello: got %v, want %v", got, test.want)
			}
		})
	}
}

func dialTLS(t *testing.T, addr string, cert tls.Certificate, version uint16) *tls.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	return tls.Client(nc, &tls.Config{
		InsecureSkipVerify: true, Certificates: []tls.Certificate{cert},
		MaxVersion: version, NextProtos: []string{"troupe/1"},
	})
}

func TestTLSDowngrade(t *testing.T) {
	ca := newCA(t, "c1")
	addr, _ := raftTarget(t, ca)
	tc := dialTLS(t, addr, pair(t, ca, "n2", time.Hour, "voter"), tls.VersionTLS12)
	if err := tc.Handshake(); err == nil {
		t.Error("TLS 1.2 was accepted")
	}
}

func TestNoClientCertificate(t *testing.T) {
	ca := newCA(t, "c1")
	addr, _ := raftTarget(t, ca)
	tc := dialTLS(t, addr, tls.Certificate{}, tls.VersionTLS13)
	_ = tc.Handshake() // TLS 1.3: the refusal comes with the first read
	if _, err := tc.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("no certificate: read %v, want a refusal", err)
	}
}

// TestPlaintextAgainstTLS sends a well-formed plaintext hello for raft, and raw
// bytes as a forged raft RPC would be.
func TestPlaintextAgainstTLS(t *testing.T) {
	ca := newCA(t, "c1")
	addr, rec := raftTarget(t, ca)
	forged := append([]byte{0}, "\x8bRPCHeader AppendEntries Term\xce\x7f\xff\xff\xff Leader evil"...)
	for name, try := range map[string]func(nc net.Conn) error{
		"hello": func(nc net.Conn) error {
			return transport.HelloForTest(nc, transport.Peer{NodeID: "evil", ClusterID: "c1", Incarnation: 1, Roles: []string{"voter"}}, "raft")
		},
		"raft": func(nc net.Conn) error {
			if _, err := nc.Write(forged); err != nil {
				return err
			}
			_, err := io.ReadAll(nc)
			if err == nil {
				err = io.EOF // closed
			}
			return err
		},
	} {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.SetDeadline(time.Now().Add(patience))
		if err := try(nc); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: got %v, want a closed connection", name, err)
		}
		_ = nc.Close()
	}
	rec.Until(t, "nothing", func(frames, _ []transporttest.Frame, events []transport.PeerEvent) bool {
		return len(frames)+len(events) == 0
	})
}

func TestPlaintextRefused(t *testing.T) {
	self := transport.Peer{NodeID: "a", ClusterID: "c", Incarnation: 1}
	for _, test := range []struct {
		name string
		cfg  transport.Config
	}{
		{"no dev", transport.Config{Self: self, Listen: "127.0.0.1:0"}},
		{"no dev, dialing only", transport.Config{Self: self}},
		{"all interfaces", transport.Config{Self: self, Listen: ":0", Dev: true}},
		{"unspecified", transport.Config{Self: self, Listen: "0.0.0.0:0", Dev: true}},
		{"other address", transport.Config{Self: self, Listen: "192.0.2.1:0", Dev: true}},
		{"name", transport.Config{Self: self, Listen: "example.org:0", Dev: true}},
	} {
		if e, err := transport.New(test.cfg); !errors.Is(err, transport.ErrInsecure) {
			t.Errorf("%s: got %v, want ErrInsecure", test.name, err)
			if e != nil {
				_ = e.Close()
			}
		}
	}
}

// TestCertificateReload swaps the authority under running endpoints, by way of
// both, as an operator does.
func TestCertificateReload(t *testing.T) {
	oldCA, newerCA := newCA(t, "c1"), newCA(t, "c1")
	dir := t.TempDir()
	write := func(node string, ca *certs.CA, trust ...*certs.CA) [3]string {
		certPEM, keyPEM, err := ca.Issue(node, []string{"game"}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		var roots []byte
		for _, c := range trust {
			p, _, err := c.PEM()
			if err != nil {
				t.Fatal(err)
			}
			roots = append(roots, p...)
		}
		var names [3]string
		for i, b := range [][]byte{certPEM, keyPEM, roots} {
			names[i] = filepath.Join(dir, node+[]string{".crt", ".key", ".ca"}[i])
			if err := os.WriteFile(names[i], b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return names
	}
	load := func(n [3]string) *transport.Credentials {
		c, err := transport.LoadCredentials(n[0], n[1], n[2])
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	credA := load(write("a", oldCA, oldCA, newerCA))
	credB := load(write("b", oldCA, oldCA, newerCA))
	var rb transporttest.Recorder
	b := startTLS(t, tlsConfig("b", credB, "game"), &rb)
	a := startTLS(t, tlsConfig("a", credA, "game"), &transporttest.Recorder{})
	talk := func(from *transport.Endpoint, n int) {
		l, err := from.Connect(b.Self())
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Send(transport.Meta{}, []byte("x")); err != nil {
			t.Fatal(err)
		}
		rb.WaitFrames(t, n)
	}
	talk(a, 1)

	write("a", newerCA, newerCA)
	write("b", newerCA, newerCA)
	for _, c := range []*transport.Credentials{credA, credB} {
		if err := c.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	talk(a, 2) // the connection that was up
	c := startTLS(t, tlsConfig("c", load(write("c", newerCA, newerCA)), "game"), &transporttest.Recorder{})
	talk(c, 3) // only the new authority is trusted by c

	var lost transporttest.Recorder
	d := startTLS(t, tlsConfig("d", load(write("d", oldCA, oldCA, newerCA)), "game"), &lost)
	l, err := d.Connect(b.Self())
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Send(transport.Meta{}, []byte("x"))
	lost.Until(t, "the old authority is refused", func(_, drops []transporttest.Frame, _ []transport.PeerEvent) bool {
		return len(drops) == 1
	})

	if err := os.WriteFile(filepath.Join(dir, "a.crt"), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := credA.Reload(); err == nil {
		t.Error("Reload of a broken file succeeded")
	}
	if err := credA.Replace(pair(t, newerCA, "z", time.Hour), newerCA.Roots()); !errors.Is(err, transport.ErrIdentity) {
		t.Errorf("Replace by another node: %v", err)
	}
	talk(a, 4)
}

// TestCertificateEnds warns before the end and cuts connections at the end.
func TestCertificateEnds(t *testing.T) {
	ca := newCA(t, "c1")
	warned := make(chan time.Time, 1)
	cfg := tlsConfig("a", credentials(t, pair(t, ca, "a", 1500*time.Millisecond, "game"), ca.Roots()), "game")
	cfg.PingEvery = 50 * time.Millisecond
	cfg.OnCertExpiring = func(end time.Time) { warned <- end }
	a := startTLS(t, cfg, &transporttest.Recorder{})
	var rb transporttest.Recorder
	cfg = tlsConfig("b", credentials(t, pair(t, ca, "b", time.Hour, "game"), ca.Roots()), "game")
	cfg.PingEvery = 50 * time.Millisecond
	b := startTLS(t, cfg, &rb)
	l, err := a.Connect(b.Self())
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Send(transport.Meta{}, []byte("x"))
	rb.WaitFrames(t, 1)
	if reason := rb.WaitDown(t); !errors.Is(reason, transport.ErrCertExpired) {
		t.Errorf("reason %v, want ErrCertExpired", reason)
	}
	<-warned
}

// SPDX-License-Identifier: MIT

package transport

import (
	"crypto/x509"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestConfigNamesTheField: a mistake is reported with the name of its field.
func TestConfigNamesTheField(t *testing.T) {
	for _, test := range []struct {
		field string
		edit  func(*Config)
	}{
		{"Peer.NodeID", func(c *Config) { c.Self.NodeID = "" }},
		{"Peer.NodeID", func(c *Config) { c.Self.NodeID = "a/b" }},
		{"Peer.ClusterID", func(c *Config) { c.Self.ClusterID = "x y" }},
		{"Peer.Incarnation", func(c *Config) { c.Self.Incarnation = 0 }},
		{"Peer.Roles", func(c *Config) { c.Self.Roles = []string{"a,b"} }},
		{"Peer.Addr", func(c *Config) { c.Self.Addr = strings.Repeat("x", 300) }},
		{"MaxFrameBytes", func(c *Config) { c.MaxFrameBytes = 1000 }},
		{"MaxFrameBytes", func(c *Config) { c.MaxFrameBytes = 1 << 28 }},
		{"QueueFrames", func(c *Config) { c.QueueFrames = -1 }},
		{"DialTimeout", func(c *Config) { c.DialTimeout = -1 }},
		{"IdleTimeout", func(c *Config) { c.IdleTimeout = time.Millisecond }},
		{"WriteTimeout", func(c *Config) { c.WriteTimeout = time.Millisecond }},
		{"BackoffMax", func(c *Config) { c.BackoffMax = time.Millisecond }},
		{"Services", func(c *Config) { c.Services = map[string][]string{"a b": nil} }},
	} {
		cfg := devConfig("a")
		test.edit(&cfg)
		if e, err := New(cfg); err == nil || !strings.Contains(err.Error(), test.field) {
			t.Errorf("got %v, want an error about %s", err, test.field)
			if e != nil {
				_ = e.Close()
			}
		}
	}
	cfg := devConfig("a")
	cfg.Listen = ":0"
	cfg.Network = inProcess{&TCP{}}
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "Config.Self.Addr") {
		t.Errorf("all interfaces without an address: %v", err)
	}
}

type inProcess struct{ Network }

func (inProcess) InProcess() bool { return true }

func TestIdentity(t *testing.T) {
	for _, p := range []Peer{
		{NodeID: "n1", ClusterID: "c"},
		{NodeID: "N-1.x_y", ClusterID: "Prod.eu-1", Roles: []string{"voter", "game"}},
	} {
		got, err := IdentityOf(&x509.Certificate{URIs: []*url.URL{IdentityURI(p)}})
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%v: got %+v, %v", IdentityURI(p), got, err)
		}
	}
	for _, uris := range [][]string{
		{},
		{"spiffe://c/game/n"},
		{"troupe://c/game/n", "troupe://c/game/m"},
		{"troupe://c/n"},
		{"troupe://c/game/n/x"},
		{"troupe:///game/n"},
		{"troupe://c//n"},
		{"troupe://c/game/"},
		{"troupe://c/game/.."},
		{"troupe://c/game,/n"},
		{"troupe://u@c/game/n"},
		{"troupe://c:1/game/n"},
		{"troupe://c/game/n?x"},
		{"troupe://c/game%2Cvoter/n%20"},
	} {
		cert := &x509.Certificate{}
		for _, s := range uris {
			u, err := url.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			cert.URIs = append(cert.URIs, u)
		}
		if p, err := IdentityOf(cert); !errors.Is(err, ErrIdentity) {
			t.Errorf("%v: got %+v, %v, want ErrIdentity", uris, p, err)
		}
	}
}

// TestErrorCodes pins the numbers that are on the wire.
func TestErrorCodes(t *testing.T) {
	for code, want := range map[uint16]error{
		1: ErrClosed, 2: ErrFrameTooLarge, 3: ErrMalformed, 4: ErrVersion, 5: ErrWrongCluster, 6: ErrWrongPeer,
		7: ErrDuplicateNode, 8: ErrSuperseded, 9: ErrRoleForbidden, 10: ErrUnknownService, 11: ErrIdentity,
		12: ErrCertExpired, 13: ErrIdle, 14: ErrStalled, 15: errTieBreak, 16: ErrBusy,
	} {
		if codeOf(want) != code || !errors.Is(errorOf(code), want) {
			t.Errorf("%v has code %d, want %d", want, codeOf(want), code)
		}
	}
	if got := errorOf(999); !errors.Is(got, ErrHandshake) {
		t.Errorf("unknown code: %v", got)
	}
}

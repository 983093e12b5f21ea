// SPDX-License-Identifier: MIT

package transport_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/transport"
	"github.com/troupe-go/troupe/transport/certs"
	"github.com/troupe-go/troupe/transport/transporttest"
)

// breakable is TCP whose connections a test can reset.
type breakable struct {
	transport.TCP
	mu    sync.Mutex
	conns []net.Conn
}

func (b *breakable) Dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := b.TCP.Dial(ctx, addr)
	if err == nil {
		b.mu.Lock()
		b.conns = append(b.conns, c)
		b.mu.Unlock()
	}
	return c, err
}

func (b *breakable) breakAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	b.conns = nil
}

func TestConformanceTCP(t *testing.T) {
	transporttest.Run(t, func(t *testing.T) transporttest.Fixture {
		network := &breakable{}
		return transporttest.Fixture{
			New: func(t *testing.T, cfg transport.Config) transport.Transport {
				cfg.Listen, cfg.Dev, cfg.Network = "127.0.0.1:0", true, network
				return mustNew(t, cfg)
			},
			Break: func(_, _ transport.Transport) { network.breakAll() },
		}
	})
}

func TestConformanceTLS(t *testing.T) {
	authorities := map[string]*certs.CA{}
	ca := func(cluster string) *certs.CA {
		if authorities[cluster] == nil {
			c, err := certs.NewCA(cluster, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			authorities[cluster] = c
		}
		return authorities[cluster]
	}
	transporttest.Run(t, func(t *testing.T) transporttest.Fixture {
		network := &breakable{}
		return transporttest.Fixture{
			New: func(t *testing.T, cfg transport.Config) transport.Transport {
				// Another cluster of the same authority: the identity decides.
				pair, err := ca(cfg.Self.ClusterID).Pair(cfg.Self.NodeID, cfg.Self.Roles, time.Hour)
				if err != nil {
					t.Fatal(err)
				}
				cred, err := transport.NewCredentials(pair, ca("suite").Roots())
				if err != nil {
					t.Fatal(err)
				}
				cfg.Listen, cfg.Credentials, cfg.Network = "127.0.0.1:0", cred, network
				return mustNew(t, cfg)
			},
			Break: func(_, _ transport.Transport) { network.breakAll() },
		}
	})
}

func mustNew(t *testing.T, cfg transport.Config) *transport.Endpoint {
	t.Helper()
	e, err := transport.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return e
}

// SPDX-License-Identifier: MIT

package cases

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/bench/cases/far"
	"github.com/troupe-go/troupe/bench/compare"
)

// farKinds are the kinds of the cases with several processes. Their actors live
// on nodes with the role "far".
func farKinds() []troupe.Kind {
	return []troupe.Kind{
		// Flow control is the transport's affair here, not the mailbox's.
		troupe.Virtual[far.Counter]("counter", troupe.Role("far"), troupe.MailboxLimit(1<<22), troupe.MailboxBytes(1<<32)),
		troupe.Virtual[far.Counter]("inline", troupe.Role("far"), troupe.MailboxLimit(1<<22), troupe.MailboxBytes(1<<32), troupe.Inline()),
		clerkKind(),
		troupe.Virtual[far.Counter]("here", troupe.PlaceBy(troupe.PlaceLocal)),
	}
}

// startClusterNode starts a node of the benchmarks' cluster. It is a voter if
// there is a list of them.
func startClusterNode(name, addr string, cfg troupe.ClusterConfig) (*troupe.Node, error) {
	cfg.Name, cfg.Listen, cfg.Dev = "bench", addr, true
	cfg.Voter = len(cfg.Bootstrap) > 0
	node, err := troupe.New(troupe.Config{Name: name, Logger: slog.New(slog.DiscardHandler), Cluster: &cfg})
	if err != nil {
		return nil, err
	}
	if err := node.Register(farKinds()...); err != nil {
		return nil, err
	}
	if err := node.Start(context.Background()); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return node, nil
}

// freeAddr returns an address on loopback that nobody listens on.
func freeAddr() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	compare.Must(err)
	addr := l.Addr().String()
	compare.Must(l.Close())
	return addr
}

// stopNode stops a node whose cluster may be gone.
func stopNode(node *troupe.Node, within time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	_ = node.Stop(ctx)
}

// troupeFar is the other process: the one voter of a cluster of two nodes.
func troupeFar(ctx context.Context, _ []string, ready func(string)) error {
	addr := freeAddr()
	node, err := startClusterNode("far", addr, troupe.ClusterConfig{
		Bootstrap: []troupe.Server{{Name: "far", Addr: addr}}, Roles: []string{"far"},
	})
	if err != nil {
		return err
	}
	ready(addr)
	<-ctx.Done()
	stopNode(node, time.Second)
	return nil
}

// nearNode starts the other process and this one's node.
func nearNode(b *compare.B) *troupe.Node {
	node, err := startClusterNode("near", "127.0.0.1:0", troupe.ClusterConfig{Join: []string{b.Start("troupe").Line}})
	compare.Must(err)
	b.Cleanup(func() { stopNode(node, time.Second) })
	return node
}

func troupeRemote(kind string) func(b *compare.B) Remote {
	return func(b *compare.B) Remote {
		ref, ctx := far.CounterAt(nearNode(b), troupe.ID(kind, 42)), context.Background()
		patient, cancel := context.WithTimeout(ctx, 25*time.Second)
		b.Cleanup(cancel)
		return Remote{
			Call: func(value int64) int64 {
				next, err := ref.Next(ctx, value)
				compare.Must(err)
				return next
			},
			Send: func(payload []byte) {
				for {
					err := ref.SendAdd(payload)
					if err == nil {
						return
					}
					if !errors.Is(err, troupe.ErrBackpressure) {
						panic(err)
					}
					time.Sleep(100 * time.Microsecond)
				}
			},
			Total: func() (sum, count int64) {
				sum, count, err := ref.Total(patient)
				compare.Must(err)
				return sum, count
			},
		}
	}
}

// remoteInline is troupe with a kind whose turns run on the connection's reader.
func remoteInline() Library {
	return Library{Name: "inline", Remote: troupeRemote("inline")}
}

// servers parses the voters of a cluster: "name=addr,name=addr".
func servers(text string) (out []troupe.Server) {
	for _, one := range strings.Split(text, ",") {
		name, addr, _ := strings.Cut(one, "=")
		out = append(out, troupe.Server{Name: name, Addr: addr})
	}
	return out
}

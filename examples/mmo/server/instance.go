// SPDX-License-Identifier: MIT

package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/examples/mmo/game"
	"github.com/troupe-go/troupe/gate"
	"github.com/troupe-go/troupe/orm"
)

// Instance is one node with its gate and its share of the database.
type Instance struct {
	Name    string
	Node    *troupe.Node
	Gate    *gate.Gate
	Cluster *gate.Cluster
	Pushes  *gate.Counters
	db      *orm.DB
	plug    *plug
	served  chan error
	serving int
}

// drainTime bounds how long a node waits for clients to move away.
const drainTime = 2 * time.Second

// start brings a node to life.
func (s *Server) start(ctx context.Context, index int) (*Instance, error) {
	i := &Instance{Name: s.name(index), plug: newPlug(), Pushes: &gate.Counters{}, served: make(chan error, 2)}
	var err error
	i.Node, err = troupe.New(troupe.Config{Name: i.Name, Logger: s.log, Cluster: s.clusterConfig(index, i.plug)})
	if err != nil {
		return nil, err
	}
	if i.Cluster, err = gate.Join(i.Node); err != nil {
		return nil, err
	}
	store, err := s.database.open(ctx)
	if err != nil {
		return nil, err
	}
	if i.db, err = orm.Open(ctx, &pluggedStore{store, i.plug}, orm.Config{Types: game.Documents(), Logger: s.log}); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	ids := &game.IDs{}
	troupe.Provide(i.Node, i.db)
	troupe.Provide(i.Node, s.content)
	troupe.Provide(i.Node, ids)
	if err := i.Node.Register(game.Kinds()...); err != nil {
		return nil, errors.Join(err, i.db.Close(ctx))
	}
	if err := i.Node.Start(ctx); err != nil {
		return nil, errors.Join(err, i.db.Close(ctx))
	}
	source, err := i.Node.NewIDSource(ctx, "characters", troupe.SnowflakeConfig{Worker: int64(index)})
	if err != nil {
		return nil, errors.Join(err, i.stop(ctx, false))
	}
	ids.Set(source)
	if err := s.shareKeys(ctx, i.Node); err != nil {
		return nil, errors.Join(err, i.stop(ctx, false))
	}
	if err := i.openGate(ctx, s); err != nil {
		return nil, errors.Join(err, i.stop(ctx, false))
	}
	return i, nil
}

// shareKeys makes the process sign with the secret of its cluster. The nodes of
// one process share what the process has made up.
func (s *Server) shareKeys(ctx context.Context, node *troupe.Node) error {
	if s.cfg.Node == 0 {
		return nil
	}
	secret, err := game.VaultOf(node).Secret(ctx)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	s.keys = &gate.Keys{Active: clusterName, Secrets: map[string][]byte{clusterName: secret}}
	return nil
}

// openGate listens for clients on ports that the system chooses.
func (i *Instance) openGate(ctx context.Context, s *Server) error {
	tcp, err := i.plug.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("gate: %w", err)
	}
	ws, err := i.plug.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("gate: %w", errors.Join(err, tcp.Close()))
	}
	i.Gate, err = i.Cluster.NewGate(gate.Config{
		Keys:         s.keys,
		TCPAddr:      tcp.Addr().String(),
		WebSocketURL: "ws://" + ws.Addr().String() + "/",
		Origins:      []string{"127.0.0.1:*", "localhost:*"},
		Logger:       s.log,
		Metrics:      i.Pushes,
		Limits: gate.Limits{
			ConnsPerIP: -1, HandshakesPerIP: 2000, HandshakeBurst: 4000, // all clients come from this machine
			Pending: 4096,
		},
		Timeouts: gate.Timeouts{Announce: time.Second, Call: 2 * time.Second, Linger: 300 * time.Millisecond},
	})
	if err != nil {
		return errors.Join(err, tcp.Close(), ws.Close())
	}
	i.serving = 2
	go func() { i.served <- i.Gate.ServeTCP(tcp) }()
	go func() { i.served <- i.Gate.ServeWebSocket(ws) }()
	return nil
}

// stop ends the instance in order: with elsewhere, its clients move to another
// gate first; then actors hand off or are flushed, then the database is closed.
func (i *Instance) stop(ctx context.Context, elsewhere bool) error {
	var err error
	if i.Gate != nil {
		if elsewhere {
			moving, cancel := context.WithTimeout(ctx, drainTime)
			_ = i.Gate.Drain(moving) // who stays is told to come back later
			cancel()
		}
		err = errors.Join(err, i.Gate.Stop(ctx))
		for range i.serving {
			<-i.served
		}
	}
	err = errors.Join(err, i.Node.Stop(ctx))
	return errors.Join(err, i.db.Close(ctx))
}

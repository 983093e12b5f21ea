// SPDX-License-Identifier: MIT

package game

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/examples/mmo/content"
	"github.com/troupe-go/troupe/gate"
	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/bolt"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is one node with the game and a database file that outlives it.
type world struct {
	t    *testing.T
	path string
	node *troupe.Node
	db   *orm.DB
	gone bool
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, path: filepath.Join(t.TempDir(), "test.db")}
	w.start()
	t.Cleanup(w.stop)
	return w
}

func (w *world) start() {
	node, err := troupe.New(troupe.Config{})
	require.NoError(w.t, err)
	_, err = gate.Join(node)
	require.NoError(w.t, err)
	store, err := bolt.Open(w.path, bolt.Options{})
	require.NoError(w.t, err)
	w.db, err = orm.Open(w.t.Context(), store, orm.Config{Types: Documents()})
	require.NoError(w.t, err)
	tables, err := content.Open("")
	require.NoError(w.t, err)
	ids := &IDs{}
	troupe.Provide(node, w.db)
	troupe.Provide(node, tables)
	troupe.Provide(node, ids)
	require.NoError(w.t, node.Register(Kinds()...))
	require.NoError(w.t, node.Start(w.t.Context()))
	source, err := node.NewIDSource(w.t.Context(), "ids", troupe.SnowflakeConfig{Worker: 1})
	require.NoError(w.t, err)
	ids.Set(source)
	w.node, w.gone = node, false
}

// stop ends the node in order.
func (w *world) stop() {
	if w.gone {
		return
	}
	w.gone = true
	require.NoError(w.t, w.node.Stop(context.Background()))
	require.NoError(w.t, w.db.Close(context.Background()))
}

// crash ends the node so that nothing is written any more: what is in the
// database afterwards is what was there when crash was called.
func (w *world) crash() {
	w.gone = true
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = w.db.Close(ended)  // writes that wait are given up: that is the point
	_ = w.node.Stop(ended) // what actors want to flush has nowhere to go
}

// hero makes a character.
func (w *world) hero(name string) int64 {
	id, err := ReserveName(w.t.Context(), w.node, name, "secret of "+name)
	require.NoError(w.t, err)
	require.NoError(w.t, PlayerOf(w.node, id).Born(w.t.Context(), name))
	return id
}

func (w *world) sheet(id int64) Self {
	self, err := PlayerOf(w.node, id).Sheet(w.t.Context())
	require.NoError(w.t, err)
	return self
}

func count(bag []Stack, item int32) int32 {
	for _, s := range bag {
		if s.Item == item {
			return s.Count
		}
	}
	return 0
}

// How long tests wait for what happens on another actor's turn. It bounds
// failures only.
const (
	patience = 10 * time.Second
	poll     = 5 * time.Millisecond
)

// SPDX-License-Identifier: MIT

package ormbench

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// boltBatch is what one writes on bbolt by hand: its own grouping of concurrent
// writers, DB.Batch, without index columns.
type boltBatch struct {
	db      *bbolt.DB
	players []Player
}

var boltBucket = []byte("players")

// BoltBatch returns the contender, with its file in dir.
func BoltBatch(_ context.Context, dir string) (Contender, error) {
	db, err := bbolt.Open(filepath.Join(dir, "batch.db"), 0o600, &bbolt.Options{
		FreelistType: bbolt.FreelistMapType, NoFreelistSync: true, // as in orm/bolt
	})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(boltBucket)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	b := &boltBatch{db: db, players: make([]Player, Load{}.withDefaults().Actors)}
	for i := range b.players {
		b.players[i].Fill(int64(i + 1))
	}
	return b, nil
}

// Name implements Contender.
func (b *boltBatch) Name() string { return "bbolt by hand, DB.Batch" }

// Save implements Contender.
func (b *boltBatch) Save(_ context.Context, id, round int64) error {
	p := &b.players[id-1]
	p.Gold = round
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return b.db.Batch(func(tx *bbolt.Tx) error {
		return tx.Bucket(boltBucket).Put(binary.BigEndian.AppendUint64(nil, uint64(id)), data)
	})
}

// Close implements Contender.
func (b *boltBatch) Close() error { return b.db.Close() }

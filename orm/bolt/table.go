// SPDX-License-Identifier: MIT

package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/troupe-go/troupe/orm"
)

// table is the buckets of one orm.Table:
//
//	doc:<table>           key -> record
//	cols:<table>          column name -> column id
//	ix:<table>:<column>   sortable value + key -> nothing
type table struct {
	name    string
	rows    []byte
	ids     map[string]uint64
	columns []column // in the order of the orm.Table it is bound to
}

type column struct {
	id     uint64
	name   string
	kind   orm.ColumnKind
	bucket []byte
}

func rowsBucket(name string) []byte       { return []byte("doc:" + name) }
func columnsBucket(name string) []byte    { return []byte("cols:" + name) }
func indexBucket(name, col string) []byte { return []byte("ix:" + name + ":" + col) }

// Migrate implements orm.Store.
func (s *Store) Migrate(ctx context.Context, tables []*orm.Table) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	for _, t := range tables {
		if err := ctx.Err(); err != nil {
			return err
		}
		tab := &table{name: t.Name, rows: rowsBucket(t.Name), ids: make(map[string]uint64)}
		if err := s.db.Update(func(tx *bbolt.Tx) error { return tab.create(tx, t) }); err != nil {
			return fmt.Errorf("orm/bolt: table %s: %w", t.Name, err)
		}
		s.mu.Lock()
		s.names[t.Name] = tab
		s.mu.Unlock()
	}
	return nil
}

// create makes the missing buckets and fills new indexes.
func (tab *table) create(tx *bbolt.Tx, t *orm.Table) error {
	if _, err := tx.CreateBucketIfNotExists(tab.rows); err != nil {
		return err
	}
	cols, err := tx.CreateBucketIfNotExists(columnsBucket(t.Name))
	if err != nil {
		return err
	}
	missing := false
	for _, c := range t.Columns {
		id := cols.Get([]byte(c.Name))
		if id == nil {
			missing = true
			next, err := cols.NextSequence()
			if err != nil {
				return err
			}
			id = binary.AppendUvarint(nil, next)
			if err := cols.Put([]byte(c.Name), id); err != nil {
				return err
			}
			if _, err := tx.CreateBucketIfNotExists(indexBucket(t.Name, c.Name)); err != nil {
				return err
			}
		}
		tab.ids[c.Name], _ = binary.Uvarint(id)
	}
	bound, err := tab.bind(t)
	if err != nil || !missing {
		return err
	}
	return bound.reindex(tx, t)
}

// bind returns tab with the columns of t.
func (tab *table) bind(t *orm.Table) (*table, error) {
	bound := &table{name: tab.name, rows: tab.rows, ids: tab.ids}
	for _, c := range t.Columns {
		id, ok := tab.ids[c.Name]
		if !ok {
			return nil, fmt.Errorf("%w: no column %s.%s: open the DB with its type", orm.ErrSchema, t.Name, c.Name)
		}
		bound.columns = append(bound.columns, column{id, c.Name, c.Kind, indexBucket(t.Name, c.Name)})
	}
	return bound, nil
}

// reindex computes the index values of all documents again.
func (tab *table) reindex(tx *bbolt.Tx, t *orm.Table) error {
	if t.Extract == nil {
		return nil
	}
	var keys [][]byte
	rows := tx.Bucket(tab.rows)
	err := rows.ForEach(func(k, _ []byte) error {
		keys = append(keys, bytes.Clone(k))
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		rec, err := parseRecord(rows.Get(k))
		if err != nil {
			return fmt.Errorf("%q: %w", k, err)
		}
		if rec.data == nil {
			continue
		}
		values, err := t.Extract(rec.schema, rec.data)
		if err != nil {
			values = t.ZeroIndex()
		}
		fresh := record{token: rec.token, schema: rec.schema, data: bytes.Clone(rec.data), values: tab.values(values)}
		if err := tab.put(tx, string(k), &rec, &fresh); err != nil {
			return err
		}
	}
	return nil
}

// values pairs index values with column ids.
func (tab *table) values(index []any) []columnValue {
	if len(tab.columns) == 0 {
		return nil
	}
	out := make([]columnValue, len(tab.columns))
	for i, c := range tab.columns {
		out[i] = columnValue{c.id, sortable(index[i])}
	}
	return out
}

// get returns the record of key; the zero record if there is none.
func (tab *table) get(tx *bbolt.Tx, key string) (record, error) {
	rows := tx.Bucket(tab.rows)
	if rows == nil {
		return record{}, fmt.Errorf("%w: no table %s", orm.ErrSchema, tab.name)
	}
	raw := rows.Get([]byte(key))
	if raw == nil {
		return record{}, nil
	}
	return parseRecord(raw)
}

// put replaces old by fresh, in the table and in the indexes.
func (tab *table) put(tx *bbolt.Tx, key string, old, fresh *record) error {
	for _, c := range tab.columns {
		var was, is []byte
		if old.data != nil {
			was = old.value(c.id)
		}
		if fresh.data != nil {
			is = fresh.value(c.id)
		}
		if bytes.Equal(was, is) {
			continue
		}
		if err := tab.reindexRow(tx.Bucket(c.bucket), key, was, is); err != nil {
			return err
		}
	}
	return tx.Bucket(tab.rows).Put([]byte(key), fresh.append(make([]byte, 0, len(fresh.data)+64)))
}

func (tab *table) reindexRow(ix *bbolt.Bucket, key string, was, is []byte) error {
	if was != nil {
		if err := ix.Delete(append(bytes.Clone(was), key...)); err != nil {
			return err
		}
	}
	if is == nil {
		return nil
	}
	return ix.Put(append(bytes.Clone(is), key...), nil)
}

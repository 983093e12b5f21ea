// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/bench/compare"
	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

// sheet is a document of 200 values: 130 plain ones in nested structs, 50 in a
// slice of structs, 20 in a map.
type sheet struct {
	Groups [10]group
	Bag    []item
	Skills map[int32]int32
	Last   int64
}

// group has 13 values.
type group struct {
	A, B, C, D, E int64
	S, T, U       string
	X, Y, Z       float64
	M, N          bool
}

// item has 5 values.
type item struct {
	ID, Count, Bound int64
	Name, Note       string
}

func newSheet() sheet {
	s := sheet{Skills: make(map[int32]int32)}
	for i := range s.Groups {
		s.Groups[i] = group{A: int64(i), S: fmt.Sprint("some text ", i), X: float64(i) / 3}
	}
	for i := range int64(10) {
		s.Bag = append(s.Bag, item{ID: i, Count: 3, Name: fmt.Sprint("item ", i)})
	}
	for i := range int32(10) {
		s.Skills[i] = i * i
	}
	return s
}

// keeper is an actor with a sheet.
type keeper struct {
	troupe.Actor
	doc orm.Doc[sheet]
}

func (k *keeper) OnActivate(ctx context.Context) error {
	if err := k.doc.Load(ctx, k); err != nil {
		return err
	}
	k.doc.Data = newSheet()
	return k.doc.Save(ctx)
}

// Check asks n times whether the document has changed, which it must have if
// changed is set.
func (k *keeper) Check(_ context.Context, n int, changed bool) error {
	before := k.doc.Data.Last
	defer func() { k.doc.Data.Last = before }()
	if changed {
		k.doc.Data.Last++
	}
	for range n {
		if k.doc.Dirty() != changed {
			return errors.New("wrong answer")
		}
	}
	return nil
}

func dirty(changed bool) []compare.Contender {
	return []compare.Contender{
		{Name: compare.Ours, New: func(b *compare.B) func(n int) { return ours(b, changed) }},
		{Name: "deepequal", New: func(*compare.B) func(n int) {
			live, shadow := newSheet(), newSheet()
			if changed {
				live.Last++
			}
			return func(n int) {
				for range n {
					compare.Check("equal", reflect.DeepEqual(&live, &shadow), !changed)
				}
			}
		}},
		{Name: "json", New: func(*compare.B) func(n int) {
			live := newSheet()
			shadow, err := json.Marshal(&live)
			compare.Must(err)
			if changed {
				live.Last++
			}
			return func(n int) {
				for range n {
					now, err := json.Marshal(&live)
					compare.Must(err)
					compare.Check("equal", bytes.Equal(now, shadow), !changed)
				}
			}
		}},
	}
}

// ours lets an actor ask about its own document; the call is part of it, once
// for all n.
func ours(b *compare.B, changed bool) func(n int) {
	db, err := orm.Open(b.Context, ormtest.NewMemory(), orm.Config{Types: []*orm.Type{orm.Document[sheet]("sheet")}})
	compare.Must(err)
	node, err := troupe.New(troupe.Config{})
	compare.Must(err)
	troupe.Provide(node, db)
	compare.Must(errors.Join(node.Register(troupe.Virtual[keeper]("keeper")), node.Start(b.Context)))
	b.Cleanup(func() {
		ctx := context.Background()
		compare.Must(errors.Join(node.Stop(ctx), db.Close(ctx)))
	})
	return func(n int) {
		compare.Must(node.Call(b.Context, troupe.ID("keeper", 1), "Check", nil, n, changed))
	}
}

// SPDX-License-Identifier: MIT

package sim

import (
	"context"
	"slices"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
)

// journal is the document of an entity: every operation ever applied, in order.
type journal struct {
	// Ops are durable before they are acknowledged.
	Ops []int64
	// Notes are acknowledged from memory.
	Notes []int64
}

// Placed is the answer to Append and Note.
type Placed struct {
	Position int
	Epoch    uint64
}

// entity is the actor under test.
type entity struct {
	troupe.Actor
	doc  orm.Doc[journal]
	hist *history
}

// OnActivate loads the document.
func (e *entity) OnActivate(ctx context.Context) error {
	e.hist, _ = troupe.Service[*history](e)
	if err := e.doc.Load(ctx, e); err != nil {
		return err
	}
	e.hist.loaded(e.ID(), e.Fence(), e.doc.Token(), e.doc.Data)
	return nil
}

// Append applies op once, however often it is asked to, and answers when that
// is durable.
func (e *entity) Append(ctx context.Context, op int64) (Placed, error) {
	defer e.hist.handler(e, "entity")()
	at := e.place(op)
	if err := e.doc.Save(ctx); err != nil {
		return Placed{}, err
	}
	_ = troupe.SendFrom(e, troupe.ID("witness", e.ID()%witnesses), "Hear", e.ID(), e.Fence().Epoch, e.hist.next())
	return Placed{Position: at, Epoch: e.Fence().Epoch}, nil
}

// place returns the position of op, which it appends unless it is there.
func (e *entity) place(op int64) int {
	if at := slices.Index(e.doc.Data.Ops, op); at >= 0 {
		return at
	}
	e.doc.Data.Ops = append(e.doc.Data.Ops, op)
	return len(e.doc.Data.Ops) - 1
}

// Note applies op in memory only.
func (e *entity) Note(_ context.Context, op int64) (Placed, error) {
	defer e.hist.handler(e, "entity")()
	e.doc.Data.Notes = append(e.doc.Data.Notes, op)
	return Placed{Position: len(e.doc.Data.Notes) - 1, Epoch: e.Fence().Epoch}, nil
}

// Read returns the durable operations.
func (e *entity) Read(ctx context.Context) ([]int64, error) {
	defer e.hist.handler(e, "entity")()
	if err := e.doc.Save(ctx); err != nil { // nobody may see what could be lost
		return nil, err
	}
	return slices.Clone(e.doc.Data.Ops), nil
}

// Notes returns the operations of Note.
func (e *entity) Notes(context.Context) ([]int64, error) {
	return slices.Clone(e.doc.Data.Notes), nil
}

// witness hears from entities on other nodes.
type witness struct {
	troupe.Actor
	hist *history
}

// OnActivate implements the hook.
func (w *witness) OnActivate(context.Context) error {
	w.hist, _ = troupe.Service[*history](w)
	return nil
}

// Hear records message number said of an entity; its numbers grow.
func (w *witness) Hear(_ context.Context, entity int64, epoch uint64, said int64) error {
	w.hist.heard(heardAt{w.ID(), w.Fence().Epoch, entity}, epoch, said)
	return nil
}

// slot is a shard of a stub.
type slot struct {
	troupe.Actor
	hist *history
}

// OnActivate implements the hook.
func (s *slot) OnActivate(context.Context) error {
	s.hist, _ = troupe.Service[*history](s)
	return nil
}

// Serve answers with the node that serves the slot.
func (s *slot) Serve(context.Context) (string, error) {
	defer s.hist.handler(s, "slot")()
	return s.Node().Name(), nil
}

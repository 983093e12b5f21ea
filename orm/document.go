// SPDX-License-Identifier: MIT

package orm

import (
	"context"
	"fmt"
	"reflect"
	"time"
	"unsafe"

	"github.com/troupe-go/troupe"
)

// Doc is a document of type T, kept in an actor as a field:
//
//	type Player struct {
//		troupe.Actor
//		doc orm.Doc[PlayerData]
//	}
//
// After Load, reading and assigning Data is all there is to do: changes are
// found by comparison after the actor has run, and written within
// Config.FlushEvery, on deactivation at the latest. All documents of one actor
// are written together, so that what changed in one turn is never half there
// (if the store is atomic).
//
// A Doc belongs to its owner: its methods and Data are for the owner's turn
// only. It must not be copied or moved once loaded. The zero value is ready
// for Load.
type Doc[T any] struct {
	// Data is the document. Until Load, and when there is none in the database,
	// it has its zero value.
	Data T

	_    noCopy
	unit *unit
	doc  *binding
	db   *DB
}

// noCopy makes go vet report copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Use makes Load use db instead of the node's *DB (troupe.Service). It is for
// actors that keep documents in a second database.
func (d *Doc[T]) Use(db *DB) { d.db = db }

// Load reads the document of owner into Data and fences every older owner. It
// blocks on the database; call it in OnActivate. A document that does not exist
// leaves Data zero and is created by the first change.
//
// Errors: ErrFenced when a newer owner has loaded it, ErrBacklog while the
// database is behind, ErrNewer, ErrUpgrade or ErrData when the stored document
// does not fit T, and the database's own.
func (d *Doc[T]) Load(ctx context.Context, owner Owner) error {
	key, err := Key(owner.Ref())
	if err != nil {
		return err
	}
	return d.LoadKey(ctx, owner, key)
}

// LoadKey is Load with a key of its own, for owners that have several documents
// of one type. Keys of different owners must differ: the last to load a key is
// its owner.
func (d *Doc[T]) LoadKey(ctx context.Context, owner Owner, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if d.unit != nil && !d.unit.ended.Load() {
		return fmt.Errorf("load %s: %w", key, ErrLoaded)
	}
	db, err := d.database(owner)
	if err != nil {
		return err
	}
	typ, err := db.typeOf(reflect.TypeFor[T]())
	if err != nil {
		return err
	}
	ownerKey, err := Key(owner.Ref())
	if err != nil {
		return err
	}
	if err := db.awaitPredecessor(ctx, owner, ownerKey); err != nil {
		return fmt.Errorf("load %s %s: %w", typ.name, key, err)
	}
	b, err := db.load(ctx, typ, owner, key, unsafe.Pointer(&d.Data))
	if err != nil {
		return fmt.Errorf("load %s %s: %w", typ.name, key, err)
	}
	u, err := db.unitOf(owner, ownerKey)
	if err != nil {
		return err
	}
	u.docs = append(u.docs, b)
	d.unit, d.doc = u, b
	if b.stale {
		u.list(time.Now()) // upgraded: write it in its new form
	}
	return nil
}

func (d *Doc[T]) database(owner Owner) (*DB, error) {
	if d.db != nil {
		return d.db, nil
	}
	if db, ok := serviceOf(owner); ok {
		return db, nil
	}
	return nil, fmt.Errorf("%w: the node has no *orm.DB: use troupe.Provide before Start", ErrConfig)
}

// load reads the document into the value at live and returns its binding.
func (db *DB) load(ctx context.Context, typ *Type, owner Owner, key string, live unsafe.Pointer) (*binding, error) {
	if db.behind.Load() {
		return nil, ErrBacklog
	}
	fence, err := fenceOf(owner)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	row, err := db.store.LoadFence(ctx, typ.table, key, fence)
	if err != nil {
		return nil, err
	}
	db.stats.add(CountLoads, 1)
	db.cfg.Metrics.Observe(SampleLoadSeconds, time.Since(start).Seconds())
	b := &binding{typ: typ, key: key, live: live, shadow: typ.newShadow(), token: row.Token}
	value := reflect.NewAt(typ.goType, live).Elem()
	value.SetZero()
	if row.Data == nil {
		return b, nil
	}
	upgraded, err := typ.decode(row.Schema, row.Data, live)
	if err != nil {
		value.SetZero()
		return nil, err
	}
	b.exists, b.stale = true, upgraded
	typ.compare.copy(b.shadow, live)
	return b, nil
}

// fenceOf returns the fence that loads of owner install. On a single node there
// is no log to number activations, so every load takes over from the one
// before: generation 0 has one epoch, and the load number inside the token
// decides (O2).
func fenceOf(owner Owner) (Fence, error) {
	fence := owner.Fence()
	if fence.Generation == 0 {
		return Fence{}, nil
	}
	if fence.Generation > maxTokenPart || fence.Epoch > maxTokenPart {
		return fence, fmt.Errorf("%w: fence %v is out of range", ErrConfig, fence)
	}
	return fence, nil
}

// Save makes the current state of all documents of this actor durable: when it
// returns nil, they survive any crash (in one transaction if the store has
// AtomicGroups). It writes only what changed and blocks on the database.
//
// When it fails, the documents stay dirty. ErrUnsaved means that ctx ended
// first and the write goes on; ErrTooLarge and ErrValue that a document cannot
// be saved as it is, and then none was; ErrFenced that a newer owner exists and
// this actor is being stopped.
func (d *Doc[T]) Save(ctx context.Context) error {
	if d.unit == nil {
		return ErrNotLoaded
	}
	return d.unit.save(ctx)
}

// Delete removes the document and makes that durable, together with the other
// changes of this actor, like Save. Data becomes zero; filling it afterwards
// creates the document again.
func (d *Doc[T]) Delete(ctx context.Context) error {
	if d.unit == nil {
		return ErrNotLoaded
	}
	var zero T
	d.Data = zero
	d.doc.remove, d.doc.stale = true, true
	return d.unit.save(ctx)
}

// MarkDirty makes the next save write the document even if nothing changed. It
// is how a document whose fields are all zero is created.
func (d *Doc[T]) MarkDirty() {
	if d.doc != nil {
		d.doc.stale = true
		d.unit.list(time.Now())
	}
}

// Dirty reports whether the database may not hold the current state yet. It
// compares the document and does not block.
func (d *Doc[T]) Dirty() bool {
	if d.unit == nil {
		return false
	}
	if d.unit.settled() {
		_ = d.unit.settle() // marks its documents; Save reports the reason
	}
	return d.unit.sent != nil && d.unit.sent.has(d.doc) || d.doc.changed()
}

func (j *job) has(b *binding) bool {
	for _, doc := range j.docs {
		if doc == b {
			return true
		}
	}
	return false
}

// Exists reports whether there is a document: it was loaded, or written since,
// and not deleted.
func (d *Doc[T]) Exists() bool { return d.doc != nil && d.doc.exists }

// Token returns the fencing token of the last load or write.
func (d *Doc[T]) Token() Token {
	if d.doc == nil {
		return Token{}
	}
	return d.doc.token
}

// serviceOf returns the *DB that the owner's node provides.
func serviceOf(owner Owner) (*DB, bool) {
	caller, ok := owner.(troupe.Caller)
	if !ok {
		return nil, false
	}
	return troupe.Service[*DB](caller)
}

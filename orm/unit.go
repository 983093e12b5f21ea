// SPDX-License-Identifier: MIT

package orm

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"
)

// unit is one owner's documents, which are saved together. It is the owner's
// Attachment.
//
// Its methods run on the owner's turn, except where they say otherwise. Fields
// without a comment belong to the turn.
type unit struct {
	db    *DB
	owner Owner // constant
	key   string
	flush func(context.Context) // runFlush, made once

	docs []*binding
	// sent is the write on its way, nil if there is none (O5).
	sent *job
	// waiting is the time of the oldest change that runFlush has found but could
	// not send yet.
	waiting time.Time
	// looked: a flush compared the documents in the run of turns that is about
	// to end.
	looked bool

	// ended: nothing is written any more. Any goroutine.
	ended atomic.Bool
	// superseded: a later activation under the same key has loaded. Writes that
	// still wait are dropped. Any goroutine.
	superseded atomic.Bool
	// pending is sent, for the loader of a successor. Any goroutine.
	pending atomic.Pointer[job]
	// listed: in DB.touched or taken from it to be flushed. Any goroutine.
	listed    atomic.Bool
	touchedAt time.Time // guarded by DB.touched
	next      *unit     // guarded by DB.touched
}

// binding is a document without its type parameter.
type binding struct {
	typ    *Type
	key    string
	live   unsafe.Pointer // the *T inside the Doc
	shadow unsafe.Pointer // what was sent or loaded last, in the comparer's form
	token  Token          // of the last load or write, whatever became of it
	exists bool           // the shadow stands for a document, not for absence
	stale  bool           // the database may not hold the shadow (O4)
	remove bool           // to be deleted, unless it has been filled again
	proven bool           // the database cannot have forgotten the load
}

func (b *binding) changed() bool { return b.stale || !b.typ.compare.equal(b.live, b.shadow) }

// TurnEnd lists the unit for the flusher. It costs a few nanoseconds when the
// unit is listed already. After a run that only looked for changes, it looks
// again instead: listing would keep an idle actor awake for ever.
func (u *unit) TurnEnd() {
	looked := u.looked
	u.looked = false
	if u.listed.Load() || u.ended.Load() || looked && !u.changed() {
		return
	}
	u.list(time.Now())
}

func (u *unit) list(now time.Time) {
	if u.listed.CompareAndSwap(false, true) {
		u.db.touched.push(u, now)
	}
}

func (u *unit) changed() bool {
	for _, b := range u.docs {
		if b.changed() {
			return true
		}
	}
	return false
}

// runFlush looks for changes and sends them. The flusher runs it by Owner.Do.
func (u *unit) runFlush(context.Context) {
	since := u.touchedAt // the list is done with it until it is pushed again
	if !u.waiting.IsZero() {
		since, u.waiting = u.waiting, time.Time{}
	}
	u.looked = true
	if u.ended.Load() {
		return
	}
	u.listed.Store(false)
	if !u.settled() || u.db.full() {
		u.waiting = since
		u.list(time.Now()) // one write at a time (O5), and not too many: look again later
		return
	}
	if err := u.settle(); err != nil && u.ended.Load() {
		return
	}
	j, err := u.collect(since)
	if err != nil {
		u.db.stats.add(CountRefused, 1)
		u.db.log.Error("orm: document cannot be saved", "owner", u.key, "err", err)
		u.list(time.Now())
		return
	}
	if j != nil {
		u.send(j, false)
	}
}

// settled reports whether no write is on its way.
func (u *unit) settled() bool { return u.sent == nil || u.sent.isDone() }

// settle takes the result of a finished write into account.
func (u *unit) settle() error {
	j := u.sent
	if j == nil {
		return nil
	}
	u.sent = nil
	for _, b := range j.docs {
		b.stale = b.stale || j.err != nil // it never reached the database
		b.proven = b.proven || j.err == nil
	}
	for _, b := range j.proofs {
		b.proven = b.proven || j.err == nil
	}
	return j.err
}

// collect encodes every changed document and takes the shadows with it. It
// returns nil when there is nothing to write. When it fails, nothing has
// changed: the group goes together or not at all.
func (u *unit) collect(since time.Time) (*job, error) {
	var dirty []*binding
	for _, b := range u.docs {
		if b.changed() {
			dirty = append(dirty, b)
		}
	}
	if len(dirty) == 0 {
		return nil, nil
	}
	proofs := u.unproven(dirty)
	all := append(dirty[:len(dirty):len(dirty)], proofs...)
	j := &job{unit: u, docs: dirty, proofs: proofs, group: make(Group, len(all)), since: since, done: make(chan struct{})}
	for i, b := range all {
		w, err := u.db.prepare(b)
		if err != nil {
			return nil, err
		}
		j.group[i] = w
		j.bytes += len(w.Data) + writeOverheadBytes
	}
	for i, b := range all {
		b.token.Seq++
		j.group[i].Token = b.token
		b.typ.compare.copy(b.shadow, b.live)
		b.exists = j.group[i].Data != nil
		b.remove = b.remove && !b.exists
		b.stale = false
	}
	return j, nil
}

// unproven returns the other documents, whose loads the database may have
// forgotten: a group must not be saved on the strength of what was read then.
func (u *unit) unproven(dirty []*binding) (proofs []*binding) {
	if !u.db.volatile {
		return nil
	}
	for _, b := range u.docs {
		if !b.proven && !slices.Contains(dirty, b) {
			proofs = append(proofs, b)
		}
	}
	return proofs
}

// writeOverheadBytes is what a write costs besides its data: keys, tokens,
// columns, a record in the database's log.
const writeOverheadBytes = 128

// prepare encodes a changed document, without its token.
func (db *DB) prepare(b *binding) (Write, error) {
	w := Write{Table: b.typ.table, Key: b.key, Schema: b.typ.version}
	absent := !b.exists && !b.changed() // as a proof; it must not come into being
	if absent || b.remove && b.typ.isZero(b.live) {
		w.Index = w.Table.ZeroIndex()
		return w, nil
	}
	var err error
	if w.Data, err = b.typ.encode(b.live); err != nil {
		return w, err
	}
	if len(w.Data) > db.cfg.MaxDocBytes {
		return w, fmt.Errorf("%w: document %s of %s has %d bytes, Config.MaxDocBytes is %d",
			ErrTooLarge, b.typ.name, b.key, len(w.Data), db.cfg.MaxDocBytes)
	}
	w.Index, err = b.typ.index(b.live)
	return w, err
}

// isZero reports whether the document at ptr has its zero value.
func (t *Type) isZero(ptr unsafe.Pointer) bool {
	return t.compare.equal(ptr, t.newShadow())
}

// newShadow returns a shadow of the zero document.
func (t *Type) newShadow() unsafe.Pointer { return reflect.New(t.goType).UnsafePointer() }

func (u *unit) send(j *job, durable bool) {
	u.sent = j
	u.pending.Store(j)
	u.db.queue.push(j, durable)
}

// save makes every document of the owner durable. It blocks on the database.
func (u *unit) save(ctx context.Context) error {
	// First the write on its way. If the database refused it for good, its
	// documents are stale now and go again below.
	if err := u.await(ctx); err != nil && (u.sent != nil || errors.Is(err, ErrFenced)) {
		return err
	}
	if u.ended.Load() {
		return fmt.Errorf("save %s: %w", u.key, ErrFenced)
	}
	j, err := u.collect(time.Now())
	if err != nil || j == nil {
		return err
	}
	u.send(j, true)
	return u.await(ctx)
}

// await waits for the write on its way. If ctx ends first, u.sent stays.
func (u *unit) await(ctx context.Context) error {
	if u.sent == nil {
		return nil
	}
	select {
	case <-u.sent.done:
		return u.settle()
	case <-ctx.Done():
		return fmt.Errorf("save %s: %w: %w", u.key, ErrUnsaved, ctx.Err())
	}
}

// Deactivate saves what is dirty and releases the documents. When it fails, the
// documents are still loaded and dirty, and it may be called again; after
// ErrFenced there is nothing left to save and it returns nil.
func (u *unit) Deactivate(ctx context.Context) error {
	if !u.ended.Load() {
		if err := u.save(ctx); err != nil && !errors.Is(err, ErrFenced) {
			return err
		}
	}
	u.db.forget(u)
	u.docs = nil
	return nil
}

// fenced is called by a committer when a newer owner was found (O1): nothing
// more is written, and the owner ends.
func (u *unit) fenced() {
	if u.ended.Swap(true) {
		return
	}
	u.db.log.Warn("orm: a newer activation has loaded this owner's documents, ending this one", "owner", u.key)
	u.owner.Fenced()
}

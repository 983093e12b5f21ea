// SPDX-License-Identifier: MIT

package ormtest

import (
	"context"
	"testing"
	"time"

	"github.com/troupe-go/troupe/orm"
)

// Locker is a transaction of its own that locks rows of a table by hand.
type Locker interface {
	// Lock locks a row and waits for whoever has it.
	Lock(ctx context.Context, key string) error
	// Locked reports whether somebody else has the row, without waiting.
	Locked(ctx context.Context, key string) (bool, error)
	// Rollback ends the transaction.
	Rollback(ctx context.Context) error
}

// RunDeadlock makes a Save and another transaction lock two rows crosswise, so
// that the database has to end one of them, and checks that the Save succeeds
// all the same. begin opens a transaction on the table that the database must
// not choose as the victim, as far as that can be arranged.
func RunDeadlock(t *testing.T, store orm.Store, begin func(ctx context.Context, table *orm.Table) (Locker, error)) {
	f := newFixture(t, func(*testing.T) orm.Store { return store })
	first, second := f.load("a/1", fence(1, 1)), f.load("a/2", fence(1, 1))
	// The order in which a statement locks is the database's.
	for _, order := range [][2]string{{"a/2", "a/1"}, {"a/1", "a/2"}} {
		first.Token, second.Token = next(first.Token), next(second.Token)
		group := orm.Group{f.write("a/1", first.Token, doc(1)), f.write("a/2", second.Token, doc(2))}
		if f.crosswise(begin, group, order) {
			f.expect("a/1", doc(1))
			f.expect("a/2", doc(2))
			return
		}
	}
	t.Fatal("the two transactions never locked crosswise: the test proves nothing")
}

// crosswise locks the first row by hand, lets a Save of both wait for it, and
// then locks the second, which the Save has. It reports false when the Save did
// not have it.
func (f *fixture) crosswise(begin func(context.Context, *orm.Table) (Locker, error), group orm.Group, rows [2]string) bool {
	f.t.Helper()
	must := func(err error) {
		f.t.Helper()
		if err != nil {
			f.t.Fatal(err)
		}
	}
	tx, err := begin(f.ctx, f.table)
	must(err)
	probe, err := begin(f.ctx, f.table)
	must(err)
	must(tx.Lock(f.ctx, rows[0]))
	saved := make(chan error, 1)
	go func() {
		out, err := f.store.Save(f.ctx, []orm.Group{group})
		if err == nil && out[0] != orm.Saved {
			err = orm.ErrFenced
		}
		saved <- err
	}()
	crossed := false
	for range 100 { // until the Save has the second row, or surely will not
		if crossed, err = probe.Locked(f.ctx, rows[1]); crossed || err != nil {
			break
		}
		<-time.After(5 * time.Millisecond)
	}
	must(err)
	must(probe.Rollback(f.ctx))
	if crossed {
		must(tx.Lock(f.ctx, rows[1])) // succeeds only because the Save was the victim
	}
	must(tx.Rollback(f.ctx))
	must(<-saved)
	return crossed
}

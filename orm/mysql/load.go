// SPDX-License-Identifier: MIT

package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"time"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/sqldoc"
)

// loader installs fences and reads rows.
//
// A load waits neither for the fence to be written nor for the disk: it locks
// the row, reads it and returns. The fence is written and committed at once, on
// the same connection, in the background. Until then the lock keeps everybody
// else from loading or writing the row, the new owner's first save included. If
// the fence is lost on the way, because the connection or the server dies, so is
// the right of its owner: that save is refused, and nothing that was
// acknowledged can be lost. A fence of generation 0 is waited for: see
// orm.Store.
type loader struct {
	// db has connections with autocommit off: the first statement begins the
	// transaction. The server ends those that are idle for idleTimeout, so that
	// a node that falls silent in the middle does not keep its locks.
	db      *sql.DB
	commits sync.WaitGroup
}

const (
	// idleTimeout is when the server gives up an idle connection of a loader;
	// the pool does so before that.
	idleTimeout = 15 * time.Second
	// commitTimeout bounds the commit of a load.
	commitTimeout = 15 * time.Second
)

// load is the Dialect.Load of MySQL and MariaDB.
func (l *loader) load(ctx context.Context, _ *sql.DB, s *sqldoc.Statements, key string, fence orm.Fence) (orm.Row, error) {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return orm.Row{}, err
	}
	row, err := readLocked(ctx, conn, s, key)
	if errors.Is(err, sql.ErrNoRows) {
		row, err = create(ctx, conn, s, key)
	}
	if err != nil {
		discard(conn) // its transaction ends with it
		return orm.Row{}, err
	}
	if !orm.CanLoad(row.Token, fence) {
		return orm.Row{}, errors.Join(sql.ErrNoRows, finish(conn, "ROLLBACK"))
	}
	row.Token = orm.LoadToken(row.Token, fence)
	token := row.Token
	if fence.Generation == 0 { // its number must survive a crash of the server
		return row, install(conn, s, key, token)
	}
	l.commits.Go(func() {
		_ = install(conn, s, key, token) // see loader
	})
	return row, nil
}

func readLocked(ctx context.Context, conn *sql.Conn, s *sqldoc.Statements, key string) (orm.Row, error) {
	return sqldoc.ReadRow(conn.QueryRowContext(ctx, "SELECT doc_key, generation, epoch, seq, schema_version, data FROM "+
		s.Quoted()+" WHERE doc_key = ? FOR UPDATE", key).Scan)
}

// create makes the row of a document that was never loaded, and reads it again:
// somebody else may have been faster. Only then does it hold the row.
func create(ctx context.Context, conn *sql.Conn, s *sqldoc.Statements, key string) (orm.Row, error) {
	// Looking for an absent row has locked the gap; two that insert into it
	// would end in a deadlock.
	if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		return orm.Row{}, err
	}
	insert := "INSERT IGNORE INTO " + s.Quoted() + " (doc_key, generation, epoch, seq, schema_version) VALUES (?, 0, 0, 0, 0)"
	if _, err := conn.ExecContext(ctx, insert, key); err != nil {
		return orm.Row{}, err
	}
	return readLocked(ctx, conn, s, key)
}

// install writes the fence and ends the transaction.
func install(conn *sql.Conn, s *sqldoc.Statements, key string, token orm.Token) error {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	_, err := conn.ExecContext(ctx, "UPDATE "+s.Quoted()+" SET generation = ?, epoch = ?, seq = ? WHERE doc_key = ?",
		int64(token.Generation), int64(token.Epoch), int64(token.Seq), key)
	if err != nil {
		discard(conn)
		return err
	}
	return finish(conn, "COMMIT")
}

// finish ends the transaction and gives the connection back to the pool.
func finish(conn *sql.Conn, how string) error {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	if _, err := conn.ExecContext(ctx, how); err != nil {
		discard(conn)
		return err
	}
	return conn.Close() // back to the pool
}

// discard closes the connection for good.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close() // Raw has closed it
}

// close waits for the commits.
func (l *loader) close() error {
	l.commits.Wait()
	return l.db.Close()
}

// SPDX-License-Identifier: MIT

package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/sqldoc"
)

// loader installs fences and reads rows.
//
// A load does not wait for the disk. It returns when the fence is in the row
// and the row is read; the row's lock keeps everybody else from writing it, and
// the commit follows at once, on the same connection, in the background. Should
// the server die before, the fence is gone, and with it the right of its owner,
// whose first save is then refused: that save waits for the lock, too, so
// nothing that was acknowledged can be lost.
//
// Its connections have autocommit off: the statement begins the transaction.
type loader struct {
	db *sql.DB
	// noReturning: the server is MySQL, which has no INSERT ... RETURNING.
	noReturning atomic.Bool
	commits     sync.WaitGroup
}

// commitTimeout bounds the commit of a load.
const commitTimeout = 15 * time.Second

// load is the Dialect.Load of MySQL and MariaDB.
func (l *loader) load(ctx context.Context, _ *sql.DB, s *sqldoc.Statements, key string, fence orm.Fence) (orm.Row, error) {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return orm.Row{}, err
	}
	row, err := l.install(ctx, conn, s, key, fence)
	if err != nil {
		discard(conn) // whatever the transaction has done ends with it
		return orm.Row{}, err
	}
	l.commits.Add(1)
	go func() {
		defer l.commits.Done()
		commit(conn)
	}()
	if row.Token.Fence() != fence {
		return orm.Row{}, sql.ErrNoRows
	}
	return row, nil
}

// install returns the row with the fence in it, or with a newer one.
func (l *loader) install(ctx context.Context, conn *sql.Conn, s *sqldoc.Statements, key string, fence orm.Fence) (orm.Row, error) {
	const columns = "doc_key, generation, epoch, seq, schema_version, data"
	if !l.noReturning.Load() {
		row, err := sqldoc.ReadRow(conn.QueryRowContext(ctx,
			installSQL(s)+" RETURNING "+columns, sqldoc.LoadArgs(key, fence)...).Scan)
		if number(err) != errSyntax {
			return row, err
		}
		l.noReturning.Store(true)
	}
	if _, err := conn.ExecContext(ctx, installSQL(s), sqldoc.LoadArgs(key, fence)...); err != nil {
		return orm.Row{}, err
	}
	return sqldoc.ReadRow(conn.QueryRowContext(ctx, "SELECT "+columns+" FROM "+s.Quoted()+" WHERE doc_key = ?", key).Scan)
}

func commit(conn *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
		discard(conn)
		return
	}
	_ = conn.Close() // back to the pool
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

// installSQL installs a fence. Assignments see what the ones before them have
// assigned: seq compares the old generation and epoch, epoch the old
// generation, so this is the only order that works.
func installSQL(s *sqldoc.Statements) string {
	return fmt.Sprintf(`INSERT INTO %s (doc_key, generation, epoch, seq, schema_version) VALUES (?, ?, ?, ?, 0)
ON DUPLICATE KEY UPDATE
	seq = IF((generation, epoch) > (VALUES(generation), VALUES(epoch)), seq,
		IF(generation = VALUES(generation) AND epoch = VALUES(epoch), ((seq >> 32) + 1) << 32, 0)),
	epoch = IF((generation, epoch) > (VALUES(generation), VALUES(epoch)), epoch, VALUES(epoch)),
	generation = GREATEST(generation, VALUES(generation))`, s.Quoted())
}

// SPDX-License-Identifier: MIT

package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/sqldoc"
)

// dialect returns the dialect of MySQL and MariaDB. Keys and indexed text are
// VARBINARY: the text collations that both servers know ignore trailing spaces.
func dialect(l *loader) *sqldoc.Dialect {
	return &sqldoc.Dialect{
		Name:  "mysql",
		Quote: func(ident string) string { return "`" + ident + "`" },
		Param: func(int) string { return "?" },
		Key:   "VARBINARY(255)", Int: "BIGINT", Float: "DOUBLE", Text: "VARBINARY(255)",
		Data:         "LONGTEXT",
		TableOptions: " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
		Lock:         "DO GET_LOCK('troupe-orm-migrate', 60)",
		Unlock:       "DO RELEASE_LOCK('troupe-orm-migrate')",
		ColumnNames: func(ctx context.Context, q sqldoc.Querier, table string) ([]string, error) {
			return sqldoc.Strings(ctx, q,
				"SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?", table)
		},
		HasIndex: func(ctx context.Context, q sqldoc.Querier, table, index string) (bool, error) {
			names, err := sqldoc.Strings(ctx, q, "SELECT index_name FROM information_schema.statistics"+
				" WHERE table_schema = DATABASE() AND table_name = ? AND index_name = ? LIMIT 1", table, index)
			return len(names) > 0, err
		},
		Load:          l.load,
		VolatileLoads: true,
		Update:        update,
		Classify:      classify,
		Retry:         retry,
	}
}

// chunkSizes are the numbers of rows per statement, so that few statements have
// to be prepared. A batch that fits none of them is filled up, see padding.
var chunkSizes = [...]int{
	1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512,
}

// update writes many rows with one INSERT ... ON DUPLICATE KEY UPDATE.
//
// The rows exist: loading has created them. Should one be missing, it must not
// be created. So the statement carries the epoch as -1-epoch; an inserted row
// has that impossible epoch, the caller sees it and rolls back.
//
// A changed row counts 2, an inserted one 1, an unchanged one 0: the count is
// twice the number of rows exactly when all were changed.
func update(ctx context.Context, tx *sql.Tx, s *sqldoc.Statements, writes []*orm.Write) (all bool, err error) {
	all = true
	most := chunkSizes[len(chunkSizes)-1]
	for chunk := range slices.Chunk(writes, most) {
		affected, err := updateChunk(ctx, tx, s, chunk)
		if err != nil {
			return false, err
		}
		all = all && affected == int64(2*len(chunk))
	}
	return all, nil
}

// chunkOf returns the smallest size that holds n rows.
func chunkOf(n int) int {
	i, _ := slices.BinarySearch(chunkSizes[:], n)
	return chunkSizes[i]
}

func updateChunk(ctx context.Context, tx *sql.Tx, s *sqldoc.Statements, writes []*orm.Write) (int64, error) {
	size := chunkOf(len(writes))
	args := make([]any, 0, size*(6+len(s.Table.Columns)))
	for _, w := range writes {
		args = appendWrite(args, s, w)
	}
	filler := padding(writes[len(writes)-1])
	for range size - len(writes) {
		args = appendWrite(args, s, filler)
	}
	stmt, err := s.Prepared(ctx, size, func(n int) string { return updateSQL(s, n) })
	if err != nil {
		return 0, err
	}
	res, err := tx.StmtContext(ctx, stmt).ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// padding returns a write that changes nothing behind last: it carries the same
// token, which the row has by then, or had refused.
func padding(last *orm.Write) *orm.Write {
	filler := *last
	filler.Data, filler.Index = nil, last.Table.ZeroIndex()
	return &filler
}

func appendWrite(args []any, s *sqldoc.Statements, w *orm.Write) []any {
	args = sqldoc.WriteArgs(args, w)
	epoch := len(args) - len(s.Table.Columns) - 4
	args[epoch] = -1 - args[epoch].(int64)
	return args
}

func updateSQL(s *sqldoc.Statements, rows int) string {
	cols := s.WriteColumns()
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES ", s.Quoted(), strings.Join(cols, ", "))
	row := "(" + s.Dialect.Params(1, len(cols)) + ")"
	b.WriteString(strings.Repeat(row+", ", rows-1) + row)
	b.WriteString(" ON DUPLICATE KEY UPDATE ")
	newer := "generation = VALUES(generation) AND epoch = -1 - VALUES(epoch) AND seq < VALUES(seq) AND seq >> 32 = VALUES(seq) >> 32"
	for _, c := range cols[4:] { // schema_version, data, index columns
		fmt.Fprintf(&b, "%s = IF(%s, VALUES(%s), %s), ", c, newer, c, c)
	}
	fmt.Fprintf(&b, "seq = IF(%s, VALUES(seq), seq)", newer) // last: the others compare it
	return b.String()
}

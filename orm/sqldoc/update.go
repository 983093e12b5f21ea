// SPDX-License-Identifier: MIT

package sqldoc

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/troupe-go/troupe/orm"
)

// UpdateOne returns the conditional write of one row. Its parameters are those
// of UpdateOneArgs.
func (s *Statements) UpdateOne() string {
	d := s.Dialect
	set := []string{"seq = " + d.Param(1), "schema_version = " + d.Param(2), "data = " + d.Param(3)}
	n := 3
	for _, c := range s.Table.Columns {
		n++
		set = append(set, d.Quote(c.Name)+" = "+d.Param(n))
	}
	return fmt.Sprintf("UPDATE %s SET %s WHERE doc_key = %s AND generation = %s AND epoch = %s AND seq >= %s AND seq < %s",
		s.Quoted(), strings.Join(set, ", "), d.Param(n+1), d.Param(n+2), d.Param(n+3), d.Param(n+4), d.Param(n+5))
}

// UpdateOneArgs returns the parameters of UpdateOne.
func UpdateOneArgs(w *orm.Write) []any {
	args := append([]any{int64(w.Token.Seq), w.Schema, dataArg(w)}, w.Index...)
	return append(args, w.Key, int64(w.Token.Generation), int64(w.Token.Epoch),
		int64(w.Token.FirstSeq()), int64(w.Token.Seq))
}

// UpdateRowByRow is a Dialect.Update with one prepared statement, for databases
// in the same process, where a statement costs no round trip.
func UpdateRowByRow(ctx context.Context, tx *sql.Tx, s *Statements, writes []*orm.Write) (all bool, err error) {
	stmt, err := tx.PrepareContext(ctx, s.UpdateOne())
	if err != nil {
		return false, err
	}
	defer stmt.Close() // it ends with the transaction
	all = true
	for _, w := range writes {
		res, err := stmt.ExecContext(ctx, UpdateOneArgs(w)...)
		if err != nil {
			return false, err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return false, err
		}
		all = all && n == 1
	}
	return all, nil
}

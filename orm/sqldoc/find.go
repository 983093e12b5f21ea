// SPDX-License-Identifier: MIT

package sqldoc

import (
	"fmt"
	"strings"

	"github.com/troupe-go/troupe/orm"
)

// Find returns the SELECT for q and its parameters. Its result columns are key,
// generation, epoch, seq, schema version and data.
func (s *Statements) Find(q orm.Query) (string, []any, error) {
	f := finder{s: s}
	f.sql.WriteString("SELECT doc_key, generation, epoch, seq, schema_version, data FROM " + s.Quoted() +
		" WHERE data IS NOT NULL")
	for _, c := range q.Where {
		if _, _, ok := s.Table.Column(c.Column); !ok || c.Op.String() == "?" {
			return "", nil, fmt.Errorf("%w: no column %s.%s: open the DB with its type", orm.ErrSchema, s.Table.Name, c.Column)
		}
		f.sql.WriteString(" AND " + s.Dialect.Quote(c.Column) + " " + c.Op.String() + " " + f.bind(c.Value))
	}
	if _, _, ok := s.Table.Column(q.OrderBy); q.OrderBy != "" && !ok {
		return "", nil, fmt.Errorf("%w: no column %s.%s: open the DB with its type", orm.ErrSchema, s.Table.Name, q.OrderBy)
	}
	f.after(q)
	f.order(q)
	return f.sql.String(), f.args, nil
}

type finder struct {
	s    *Statements
	sql  strings.Builder
	args []any
}

func (f *finder) bind(v any) string {
	f.args = append(f.args, v)
	return f.s.Dialect.Param(len(f.args))
}

// after continues behind a row. The redundant first comparison lets every
// database use the index.
func (f *finder) after(q orm.Query) {
	if q.After == nil {
		return
	}
	op := ">"
	if q.Desc {
		op = "<"
	}
	if q.OrderBy == "" {
		f.sql.WriteString(" AND doc_key " + op + " " + f.bind(q.After.Key))
		return
	}
	col := f.s.Dialect.Quote(q.OrderBy)
	fmt.Fprintf(&f.sql, " AND %s %s= %s", col, op, f.bind(q.After.Value))
	fmt.Fprintf(&f.sql, " AND (%s %s %s OR doc_key %s %s)",
		col, op, f.bind(q.After.Value), op, f.bind(q.After.Key))
}

func (f *finder) order(q orm.Query) {
	dir := ""
	if q.Desc {
		dir = " DESC"
	}
	f.sql.WriteString(" ORDER BY ")
	if q.OrderBy != "" {
		f.sql.WriteString(f.s.Dialect.Quote(q.OrderBy) + dir + ", ")
	}
	fmt.Fprintf(&f.sql, "doc_key%s LIMIT %d", dir, q.Limit)
}

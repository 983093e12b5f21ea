// SPDX-License-Identifier: MIT

package sqldoc

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/troupe-go/troupe/orm"
)

// CreateTable returns the statement that creates the table if it is missing.
func (s *Statements) CreateTable() string {
	d := s.Dialect
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (\n", s.Quoted())
	fmt.Fprintf(&b, "\tdoc_key %s NOT NULL PRIMARY KEY,\n", d.Key)
	for _, name := range []string{"generation", "epoch", "seq", "schema_version"} {
		fmt.Fprintf(&b, "\t%s %s NOT NULL,\n", name, d.Int)
	}
	fmt.Fprintf(&b, "\tdata %s", d.Data)
	for _, c := range s.Table.Columns {
		b.WriteString(",\n\t" + s.column(c))
	}
	b.WriteString("\n)" + d.TableOptions)
	return b.String()
}

// AddColumn returns the statement that adds an index column.
func (s *Statements) AddColumn(c orm.Column) string {
	return fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s", s.Quoted(), s.column(c))
}

func (s *Statements) column(c orm.Column) string {
	d := s.Dialect
	typ, zero := d.Int, "0"
	switch c.Kind {
	case orm.ColumnFloat:
		typ = d.Float
	case orm.ColumnText:
		typ, zero = d.Text, "''"
	}
	return fmt.Sprintf("%s %s NOT NULL DEFAULT %s", d.Quote(c.Name), typ, zero)
}

// IndexName returns the name of the index on a column, unquoted.
func (s *Statements) IndexName(c orm.Column) string { return s.Name + "_" + c.Name }

// CreateIndex returns the statement that creates the index on a column.
func (s *Statements) CreateIndex(c orm.Column) string {
	return fmt.Sprintf("CREATE INDEX %s ON %s (%s, doc_key)",
		s.Dialect.Quote(s.IndexName(c)), s.Quoted(), s.Dialect.Quote(c.Name))
}

// Migrator applies the schema of one table over one connection. The database
// is locked against other migrators.
type Migrator struct {
	// Exec runs a statement; Scan runs a query and calls each for every row,
	// with a function that reads the row's columns.
	Exec func(ctx context.Context, sql string, args ...any) (affected int64, err error)
	Scan func(ctx context.Context, each func(read func(...any) error) error, sql string, args ...any) error
	// ColumnNames and HasIndex are as in Dialect.
	ColumnNames func(ctx context.Context, table string) ([]string, error)
	HasIndex    func(ctx context.Context, table, index string) (bool, error)
}

// Migrate creates what is missing. An index is created after its column has
// been filled: a column without an index is filled (again).
func (m *Migrator) Migrate(ctx context.Context, s *Statements) error {
	if _, err := m.Exec(ctx, s.CreateTable()); err != nil {
		return fmt.Errorf("create table %s: %w", s.Name, err)
	}
	names, err := m.ColumnNames(ctx, s.Name)
	if err != nil {
		return fmt.Errorf("list columns of %s: %w", s.Name, err)
	}
	var unindexed []orm.Column
	for _, c := range s.Table.Columns {
		if !slices.Contains(names, c.Name) {
			if _, err := m.Exec(ctx, s.AddColumn(c)); err != nil {
				return fmt.Errorf("add column %s.%s: %w", s.Name, c.Name, err)
			}
		}
		has, err := m.HasIndex(ctx, s.Name, s.IndexName(c))
		if err != nil {
			return fmt.Errorf("list indexes of %s: %w", s.Name, err)
		}
		if !has {
			unindexed = append(unindexed, c)
		}
	}
	if len(unindexed) == 0 {
		return nil
	}
	if err := m.fill(ctx, s); err != nil {
		return fmt.Errorf("fill columns of %s: %w", s.Name, err)
	}
	for _, c := range unindexed {
		if _, err := m.Exec(ctx, s.CreateIndex(c)); err != nil {
			return fmt.Errorf("create index %s: %w", s.IndexName(c), err)
		}
	}
	return nil
}

// fillPage is how many documents are read at a time while filling columns.
const fillPage = 200

// fill computes the index columns of all documents. A document that is saved
// meanwhile has its columns from that save: the token tells.
func (m *Migrator) fill(ctx context.Context, s *Statements) error {
	if s.Table.Extract == nil {
		return nil
	}
	q := orm.Query{Limit: fillPage}
	for {
		query, args, err := s.Find(q)
		if err != nil {
			return err
		}
		var rows []orm.Row
		err = m.Scan(ctx, func(read func(...any) error) error {
			row, err := ReadRow(read)
			rows = append(rows, row)
			return err
		}, query, args...)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := m.fillRow(ctx, s, row); err != nil {
				return err
			}
		}
		if len(rows) < q.Limit {
			return nil
		}
		q.After = &orm.Position{Key: rows[len(rows)-1].Key}
	}
}

func (m *Migrator) fillRow(ctx context.Context, s *Statements, row orm.Row) error {
	values, err := s.Table.Extract(row.Schema, row.Data)
	if err != nil {
		return nil // zero values: the document is reported when it is loaded
	}
	var sets []string
	for i, c := range s.Table.Columns {
		sets = append(sets, s.Dialect.Quote(c.Name)+" = "+s.Dialect.Param(i+1))
	}
	n := len(values)
	query := fmt.Sprintf("UPDATE %s SET %s WHERE doc_key = %s AND generation = %s AND epoch = %s AND seq = %s",
		s.Quoted(), strings.Join(sets, ", "),
		s.Dialect.Param(n+1), s.Dialect.Param(n+2), s.Dialect.Param(n+3), s.Dialect.Param(n+4))
	args := append(slices.Clone(values), row.Key,
		int64(row.Token.Generation), int64(row.Token.Epoch), int64(row.Token.Seq))
	_, err = m.Exec(ctx, query, args...)
	return err
}

// ReadRow reads a result row of Statements.Find.
func ReadRow(read func(...any) error) (orm.Row, error) {
	var row orm.Row
	var generation, epoch, seq int64
	err := read(&row.Key, &generation, &epoch, &seq, &row.Schema, &row.Data)
	row.Token = orm.Token{Generation: uint64(generation), Epoch: uint64(epoch), Seq: uint64(seq)}
	return row, err
}

// SPDX-License-Identifier: MIT

package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/sqldoc"
)

// statements is the SQL of one table.
type statements struct {
	*sqldoc.Statements
	loadOld, load, save string
}

func (s *Store) statements(t *orm.Table) *statements {
	if st, ok := s.tables.Load(t); ok {
		return st.(*statements)
	}
	st := &statements{Statements: dialect().Statements(t, s.opts.Prefix)}
	st.loadOld = fmt.Sprintf(`UPDATE %s SET generation = $2, epoch = $3,
	seq = CASE WHEN generation = $2 AND epoch = $3 THEN ((seq >> 32) + 1) << 32 ELSE 0 END
WHERE doc_key = $1 AND (generation, epoch) <= ($2, $3)
RETURNING seq, schema_version, data`, st.Quoted())
	st.load, st.save = st.UpsertLoad(), st.saveSQL()
	got, _ := s.tables.LoadOrStore(t, st)
	return got.(*statements)
}

// saveSQL updates all rows of a batch: the n-th elements of the arrays are the
// n-th document. It returns the keys that were written.
func (st *statements) saveSQL() string {
	set := []string{"seq = u.seq", "schema_version = u.schema_version", "data = u.data"}
	names := []string{"doc_key", "generation", "epoch", "seq", "schema_version", "data"}
	arrays := []string{"$1::text[]", "$2::bigint[]", "$3::bigint[]", "$4::bigint[]", "$5::bigint[]", "$6::text[]"}
	for i, c := range st.Table.Columns {
		set = append(set, fmt.Sprintf("%[1]s = u.%[1]s", c.Name))
		names = append(names, c.Name)
		arrays = append(arrays, fmt.Sprintf("$%d::%s[]", i+7, arrayType(c.Kind)))
	}
	return fmt.Sprintf(`UPDATE %s AS d SET %s FROM unnest(%s) AS u (%s)
WHERE d.doc_key = u.doc_key AND d.generation = u.generation AND d.epoch = u.epoch
	AND d.seq < u.seq AND d.seq >> 32 = u.seq >> 32`,
		st.Quoted(), strings.Join(set, ", "), strings.Join(arrays, ", "), strings.Join(names, ", "))
}

func arrayType(kind orm.ColumnKind) string {
	switch kind {
	case orm.ColumnFloat:
		return "double precision"
	case orm.ColumnText:
		return "text"
	}
	return "bigint"
}

// Save implements orm.Store: all groups in one transaction, less those that
// turn out to be fenced.
func (s *Store) Save(ctx context.Context, groups []orm.Group) ([]orm.Outcome, error) {
	plan := sqldoc.PlanSave(groups)
	for len(plan.Tables) > 0 {
		var fenced []*orm.Write
		err := s.repeat(s.saves, func() (err error) {
			if len(plan.Tables) == 1 && plan.Single() {
				fenced, err = s.saveAlone(ctx, plan.Tables[0])
			} else {
				fenced, err = s.saveTogether(ctx, plan.Tables)
			}
			return err
		})
		if err != nil {
			return nil, fail(s.statements(plan.Tables[0].Table), err)
		}
		if len(fenced) == 0 {
			break
		}
		plan.Drop(fenced)
	}
	return plan.Outcomes, nil
}

// saveAlone writes documents that do not depend on each other: the statement is
// its own transaction, and what is not fenced is saved.
func (s *Store) saveAlone(ctx context.Context, part sqldoc.TableWrites) ([]*orm.Write, error) {
	conn, err := s.saves.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	st := s.statements(part.Table)
	args := st.encodeArrays(part.Writes)
	defer args.release()
	var tag pgconn.CommandTag
	if s.opts.PgBouncer {
		tag, err = conn.Conn().PgConn().ExecParams(ctx, st.save, args.values, nil, binaryFormat, nil).Close()
	} else {
		var prepared *pgconn.StatementDescription
		if prepared, err = conn.Conn().Prepare(ctx, st.save, st.save); err == nil {
			tag, err = conn.Conn().PgConn().ExecStatement(ctx, prepared, args.values, binaryFormat, nil).Close()
		}
	}
	if err != nil || tag.RowsAffected() == int64(len(part.Writes)) {
		return nil, err
	}
	return unapplied(ctx, conn, st, part.Writes)
}

// binaryFormat says that all parameters are in binary format.
var binaryFormat = []int16{pgx.BinaryFormatCode}

// saveTogether writes in one transaction, which it rolls back when anything is
// fenced. BEGIN and the updates travel in one round trip.
func (s *Store) saveTogether(ctx context.Context, parts []sqldoc.TableWrites) (fenced []*orm.Write, err error) {
	conn, err := s.saves.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release() // closes the connection if the transaction is still open
	batch := &pgconn.Batch{}
	batch.ExecParams("BEGIN", nil, nil, nil, nil)
	for _, part := range parts {
		if err := s.queue(ctx, conn.Conn(), batch, part); err != nil {
			return nil, err
		}
	}
	results, err := conn.Conn().PgConn().ExecBatch(ctx, batch).ReadAll()
	if err != nil {
		// Release closes a connection that is inside a failed transaction.
		return nil, err
	}
	for i, part := range parts {
		if results[i+1].CommandTag.RowsAffected() == int64(len(part.Writes)) {
			continue
		}
		behind, err := unapplied(ctx, conn, s.statements(part.Table), part.Writes)
		if err != nil {
			return nil, err
		}
		fenced = append(fenced, behind...)
	}
	end := "COMMIT"
	if len(fenced) > 0 {
		end = "ROLLBACK"
	}
	_, err = conn.Exec(ctx, end)
	return fenced, err
}

// queue appends the update of one table to batch, which copies the parameters.
func (s *Store) queue(ctx context.Context, conn *pgx.Conn, batch *pgconn.Batch, part sqldoc.TableWrites) error {
	st := s.statements(part.Table)
	args := st.encodeArrays(part.Writes)
	defer args.release()
	if s.opts.PgBouncer {
		batch.ExecParams(st.save, args.values, nil, binaryFormat, nil)
		return nil
	}
	prepared, err := conn.Prepare(ctx, st.save, st.save)
	if err == nil {
		batch.ExecPrepared(prepared.Name, args.values, binaryFormat, nil)
	}
	return err
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// unapplied returns the writes whose rows do not carry their token.
func unapplied(ctx context.Context, q querier, st *statements, writes []*orm.Write) ([]*orm.Write, error) {
	keys := make([]string, len(writes))
	for i, w := range writes {
		keys[i] = w.Key
	}
	rows, err := q.Query(ctx, "SELECT doc_key, generation, epoch, seq FROM "+st.Quoted()+
		" WHERE doc_key = ANY($1)", keys)
	if err != nil {
		return nil, err
	}
	tokens := make(map[string]orm.Token, len(writes))
	var key string
	var generation, epoch, seq int64
	_, err = pgx.ForEachRow(rows, []any{&key, &generation, &epoch, &seq}, func() error {
		tokens[key] = orm.Token{Generation: uint64(generation), Epoch: uint64(epoch), Seq: uint64(seq)}
		return nil
	})
	var behind []*orm.Write
	for _, w := range writes {
		if token, ok := tokens[w.Key]; !ok || token != w.Token {
			behind = append(behind, w)
		}
	}
	return behind, err
}

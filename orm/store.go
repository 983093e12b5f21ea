// SPDX-License-Identifier: MIT

package orm

import "context"

// Store is a database that keeps documents with fencing tokens. It is safe for
// concurrent use. Users do not call it; DB does. Package ormtest holds the
// suite that every Store must pass.
//
// Errors: a Store wraps ErrFenced, ErrSchema or ErrRefused where they apply.
// Any other error means that the outcome is unknown: the caller repeats the
// call unchanged (O3).
type Store interface {
	// Capabilities says what this store can do. It does not block.
	Capabilities() Capabilities

	// Migrate creates missing tables, columns and indexes, fills new columns
	// with Table.Extract, and never drops or rewrites anything. It may be
	// called by several processes at a time.
	Migrate(ctx context.Context, tables []*Table) error

	// LoadFence installs fence in the row and returns the row, in one atomic
	// step (O1). A row that does not exist is created without data. The
	// returned token is LoadToken of the row's old one. It fails with ErrFenced
	// if CanLoad does not allow it.
	//
	// A crash of the database may forget a fence, unless it is of generation 0:
	// then, only the load's number tells owners apart, and it must not be given
	// out twice. Under a fence of a cluster, an owner whose load was forgotten
	// is refused at its first save, so a store need not wait for the disk here
	// if it says so in Capabilities.VolatileLoads.
	LoadFence(ctx context.Context, table *Table, key string, fence Fence) (Row, error)

	// Save applies groups, each write under the rule of Token.CanWrite, and
	// returns one outcome per group. When it returns an error, nothing is known
	// about any group. No two groups name the same row.
	Save(ctx context.Context, groups []Group) ([]Outcome, error)

	// Find returns the rows with data that match q, in q's order.
	Find(ctx context.Context, table *Table, q Query) ([]Row, error)

	// Close releases the store. Calls in progress may fail.
	Close() error
}

// Capabilities describe a Store.
type Capabilities struct {
	// AtomicGroups: a group is applied completely or not at all.
	AtomicGroups bool
	// Writers is how many Save calls are useful at the same time. Zero means 1.
	Writers int
	// MaxBatchBytes bounds the data of one Save call. Zero means no bound.
	MaxBatchBytes int
	// VolatileLoads: a crash of the database may forget a load; see LoadFence.
	// The first group of an owner then writes all its documents, so that none
	// of them can be saved unless the loads of all were kept.
	VolatileLoads bool
}

// Table describes where the documents of one type are kept.
type Table struct {
	// Name is unique among the tables of a store: lower-case letters, digits
	// and underscores, at most 40 bytes.
	Name string
	// Columns are the indexed fields, in a fixed order.
	Columns []Column
	// Extract returns the column values of a stored document, for filling a
	// column that was added later. It returns an error for documents it cannot
	// read; such a row keeps zero values.
	Extract func(schema int, data []byte) ([]any, error)
}

// Column is an indexed field of a document as a real column of its table.
type Column struct {
	// Name is "ix_" and the field's path in lower case.
	Name string
	// Path is the field's path in the document, for queries: "Stats.Level".
	Path string
	// Kind is the type of its values.
	Kind ColumnKind
}

// ColumnKind is the type of a column's values.
type ColumnKind uint8

// The kinds of columns. Columns never hold NULL: a row without data has zero
// values and is never found.
const (
	// ColumnInt holds an int64: integers, booleans (0, 1), durations
	// (nanoseconds) and times (microseconds since 1970 UTC).
	ColumnInt ColumnKind = iota + 1
	// ColumnFloat holds a float64 that is not NaN or infinite.
	ColumnFloat
	// ColumnText holds a string of at most MaxIndexTextBytes of valid UTF-8
	// without NUL, ordered by its bytes.
	ColumnText
)

// MaxKeyBytes bounds a row's key. Keys are valid UTF-8 without NUL.
const MaxKeyBytes = 255

// MaxIndexTextBytes bounds the value of an indexed string: the smallest index
// limit among the databases.
const MaxIndexTextBytes = 255

// Row is a stored document.
type Row struct {
	Key   string
	Token Token
	// Schema is the version of the type that wrote Data.
	Schema int
	// Data is nil when the document does not exist or was deleted. The caller
	// owns it.
	Data []byte
}

// Write is one conditional write.
type Write struct {
	Table *Table
	Key   string
	// Token is what the row carries afterwards.
	Token Token
	// Schema, Data and Index replace the row's. A nil Data deletes the
	// document but keeps the row (O6); Index then holds zero values. Index has
	// one int64, float64 or string per column of Table. The store must not keep
	// or change Data or Index.
	Schema int
	Data   []byte
	Index  []any
}

// Group is a set of writes of one owner that belong together. It names each
// row at most once.
type Group []Write

// Outcome is what became of a group.
type Outcome uint8

const (
	// Saved: every write of the group is in the database, from this call or an
	// earlier one with the same tokens (O3).
	Saved Outcome = iota + 1
	// Fenced: a newer owner has loaded one of the rows. The group is not
	// applied, if the store has AtomicGroups.
	Fenced
)

// Query selects rows of one table by its columns. Values are always bound
// parameters.
type Query struct {
	// Where are conditions that must all hold.
	Where []Condition
	// OrderBy is a column name; rows with equal values are ordered by key.
	// Empty orders by key.
	OrderBy string
	// Desc reverses the order, keys included.
	Desc bool
	// Limit bounds the rows returned. It is at least 1.
	Limit int
	// After continues behind a row: its key, and its value in OrderBy when
	// OrderBy is set. Nil starts at the beginning.
	After *Position
}

// Position is a place in the order of a query.
type Position struct {
	Value any
	Key   string
}

// Condition compares a column with a value of its kind.
type Condition struct {
	Column string
	Op     Op
	Value  any
}

// Op is a comparison.
type Op uint8

// The comparisons of a Condition.
const (
	Eq Op = iota + 1
	Ne
	Lt
	Le
	Gt
	Ge
)

// String returns the operator as SQL spells it.
func (o Op) String() string {
	switch o {
	case Eq:
		return "="
	case Ne:
		return "<>"
	case Lt:
		return "<"
	case Le:
		return "<="
	case Gt:
		return ">"
	case Ge:
		return ">="
	}
	return "?"
}

// Column returns the column of that name.
func (t *Table) Column(name string) (Column, int, bool) {
	for i, c := range t.Columns {
		if c.Name == name {
			return c, i, true
		}
	}
	return Column{}, 0, false
}

// ZeroIndex returns the zero value of every column, as deletes carry them.
func (t *Table) ZeroIndex() []any {
	values := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		switch c.Kind {
		case ColumnFloat:
			values[i] = float64(0)
		case ColumnText:
			values[i] = ""
		default:
			values[i] = int64(0)
		}
	}
	return values
}

// SPDX-License-Identifier: MIT

package orm

import (
	"errors"
	"fmt"

	"github.com/troupe-go/troupe"
)

// The errors a caller can branch on with errors.Is.
var (
	// ErrFenced: a newer owner has loaded the document. This activation ends;
	// nothing it does reaches the database any more.
	ErrFenced = troupe.ErrFenced
	// ErrTooLarge: the encoded document is over Config.MaxDocBytes. It stays
	// dirty.
	ErrTooLarge = troupe.ErrTooLarge
	// ErrValue: a field holds a value that cannot be stored unchanged; see
	// FieldError. The document stays dirty.
	ErrValue = errors.New("orm: value cannot be stored")
	// ErrType: a document type has a field that is not supported; see
	// FieldError.
	ErrType = errors.New("orm: unsupported field type")
	// ErrData: a stored document does not decode into its type.
	ErrData = errors.New("orm: stored document does not fit its type")
	// ErrNewer: the stored document was written by a newer version of its type.
	ErrNewer = errors.New("orm: document was written by a newer version")
	// ErrUpgrade: an upgrade function is missing or failed.
	ErrUpgrade = errors.New("orm: document upgrade failed")
	// ErrSchema: the database lacks a table or column; the text says what to
	// run.
	ErrSchema = errors.New("orm: database schema is incomplete")
	// ErrRefused: the database refused this very write and will again. Other
	// writes are not affected.
	ErrRefused = errors.New("orm: write refused by the database")
	// ErrUnknownType: the document's type was not given to Open.
	ErrUnknownType = errors.New("orm: document type is not registered")
	// ErrNotLoaded: the document is not loaded, or its owner has ended.
	ErrNotLoaded = errors.New("orm: document is not loaded")
	// ErrLoaded: the document is loaded already.
	ErrLoaded = errors.New("orm: document is already loaded")
	// ErrBacklog: unsaved changes are older than Config.MaxUnsavedAge; no more
	// documents are loaded until the database has caught up.
	ErrBacklog = errors.New("orm: database is behind, not loading more documents")
	// ErrUnsaved: Save gave up waiting. The change stays dirty and is still
	// being written: it may or may not survive a crash.
	ErrUnsaved = errors.New("orm: not confirmed by the database yet")
	// ErrClosed: the DB is closed.
	ErrClosed = errors.New("orm: closed")
	// ErrQuery: a query names an unknown column or has a value of the wrong
	// type.
	ErrQuery = errors.New("orm: bad query")
	// ErrConfig: a Config or option value is invalid; the text names it.
	ErrConfig = errors.New("orm: bad configuration")
	// ErrKey: a key is too long, is not UTF-8, or contains NUL.
	ErrKey = errors.New("orm: bad key")
)

// FieldError says which field of a document is at fault. It wraps ErrType,
// ErrValue or ErrData.
type FieldError struct {
	// Type is the document type's name.
	Type string
	// Path leads to the field: "Bag[3].Name", "Attrs[hp]".
	Path string
	// Problem is the story.
	Problem string
	Err     error
}

// Error returns "sentinel: Type.Path: problem".
func (e *FieldError) Error() string {
	where := e.Type
	if e.Path != "" {
		where += "." + e.Path
	}
	return fmt.Sprintf("%v: %s: %s", e.Err, where, e.Problem)
}

// Unwrap returns the sentinel.
func (e *FieldError) Unwrap() error { return e.Err }

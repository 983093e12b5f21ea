// SPDX-License-Identifier: MIT

package orm

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/troupe-go/troupe"
)

// Fence is the fencing token of an activation.
type Fence = troupe.Fence

// Owner is the actor that owns documents. Every type that embeds troupe.Actor
// is one.
type Owner interface {
	// Ref names the owner; the documents' keys are made from it.
	Ref() troupe.Ref
	// Fence returns the token of this activation.
	Fence() Fence
	// Attach registers for the ends of turns and for deactivation.
	Attach(att troupe.Attachment)
	// Do runs fn on the owner's turn, soon. It fails when the owner is gone.
	Do(fn func(ctx context.Context)) error
	// Fenced ends the owner without saving: a newer one exists. Any goroutine
	// may call it.
	Fenced()
}

// Key returns the key of the documents of the actor ref: "kind/42", or
// "kind/@name" for string keys, so that the two never meet.
func Key(ref troupe.Ref) (string, error) {
	var b strings.Builder
	b.WriteString(ref.Kind)
	if ref.Node != "" {
		b.WriteByte('@')
		b.WriteString(ref.Node)
	}
	b.WriteByte('/')
	if ref.Name != "" {
		b.WriteByte('@')
		b.WriteString(ref.Name)
	} else {
		b.WriteString(strconv.FormatInt(ref.ID, 10))
	}
	key := b.String()
	return key, checkKey(key)
}

// checkKey refuses keys that some database would alter.
func checkKey(key string) error {
	switch {
	case len(key) > MaxKeyBytes:
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrKey, len(key), MaxKeyBytes)
	case !utf8.ValidString(key):
		return fmt.Errorf("%w: %q is not UTF-8", ErrKey, key)
	case strings.IndexByte(key, 0) >= 0:
		return fmt.Errorf("%w: %q contains NUL", ErrKey, key)
	}
	return nil
}

// SPDX-License-Identifier: MIT

package wire

import (
	"reflect"
	"sync"

	prim "github.com/troupe-go/troupe/wire"
)

// Cache compiles types to codecs, each once, and keeps them. The zero Cache is
// ready for use. All methods may be called by any goroutine. A Cache must not
// be copied.
type Cache struct {
	codecs sync.Map // reflect.Type -> *Codec; written under mu

	mu       sync.Mutex
	messages map[reflect.Type]*message // guarded by mu; complete plans only
}

// Codec encodes and decodes values of one type. It is immutable.
type Codec struct {
	typ  reflect.Type
	plan *message
	// bare is set when typ is not an ordinary struct: the message has it as
	// its only field, number 1, as in google.protobuf.Int64Value.
	bare bool
}

// For returns the codec of t. A struct (other than time.Time) is a message
// itself; any other type is the field 1 of a message. The error is a
// *TypeError that says which field of t has no encoding and why.
func (c *Cache) For(t reflect.Type) (*Codec, error) {
	if found, ok := c.codecs.Load(t); ok {
		return found.(*Codec), nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	compiler := compiler{done: c.messages, pending: make(map[reflect.Type]*message)}
	codec := &Codec{typ: t}
	var err error
	if isMessageStruct(t) {
		codec.plan, err = compiler.message(t, typeName(t))
	} else {
		codec.bare = true
		codec.plan, err = compiler.bare(t)
	}
	if err != nil {
		return nil, err
	}
	if c.messages == nil {
		c.messages = make(map[reflect.Type]*message)
	}
	for typ, plan := range compiler.pending {
		c.messages[typ] = plan
	}
	stored, _ := c.codecs.LoadOrStore(t, codec)
	return stored.(*Codec), nil
}

// Type returns the type the codec was made for.
func (c *Codec) Type() reflect.Type { return c.typ }

// Append appends the encoding of v, whose type is c.Type, to b. It cannot
// fail; see the rules of the package troupe/wire.
func (c *Codec) Append(b []byte, v reflect.Value) []byte {
	if c.bare {
		return appendField(b, &c.plan.fields[0], v, 1)
	}
	return appendMessage(b, c.plan, v, 1)
}

// Parse decodes b into v, which must be settable and of type c.Type. The old
// value of v is lost, also when Parse fails. Nothing in v refers to b.
func (c *Codec) Parse(b []byte, v reflect.Value) error {
	v.SetZero()
	if len(b) > prim.MaxBytes {
		return prim.ErrTooLarge
	}
	return parseMessage(b, c.plan, v, c.bare, 1)
}

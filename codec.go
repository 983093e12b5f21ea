// SPDX-License-Identifier: MIT

package troupe

import (
	"fmt"
	"reflect"

	"github.com/troupe-go/troupe/internal/wire"
)

// codecPair encodes the arguments and results of one handler by reflection.
type codecPair struct {
	args, reply codec
}

// codec is a compiled wire codec, or why there is none: handlers whose types
// cannot be encoded work on one node and fail with ErrEncoding across nodes.
type codec struct {
	wire *wire.Codec
	err  error
}

func (p *codecPair) compile(args, reply reflect.Type) {
	var cache wire.Cache
	p.args.wire, p.args.err = cache.For(args)
	p.reply.wire, p.reply.err = cache.For(reply)
}

func (c *codec) append(b []byte, v reflect.Value) ([]byte, error) {
	if c.err != nil {
		return b, fmt.Errorf("%w: %w", ErrEncoding, c.err)
	}
	return c.wire.Append(b, v), nil
}

func (c *codec) parse(b []byte, v reflect.Value) error {
	if c.err != nil {
		return fmt.Errorf("%w: %w", ErrEncoding, c.err)
	}
	return c.wire.Parse(b, v)
}

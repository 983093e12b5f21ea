// SPDX-License-Identifier: MIT

package cases

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/bench/cases/trade"
	"github.com/troupe-go/troupe/bench/cases/trade/tradepb"
	"github.com/troupe-go/troupe/bench/compare"
)

// codec is one way to write a typical game call, and to read it again. Encoding
// appends to a buffer that is used again, decoding fills a new value, as it
// does for each message that arrives.
type codec struct {
	name   string
	encode func(b []byte) []byte
	decode func(b []byte)
	// check returns something that shows that decode has read it all.
	check func() string
}

// codecCases measure an integer, a string, a struct of four numbers and a slice
// of eight structs of three: encode, decode, and one after the other.
func codecCases() []compare.Case {
	makers := []func() codec{troupeCodec, protobufCodec, jsonCodec, gobCodec}
	group := func(name, about string, work func(c codec) func(n int)) compare.Case {
		c := compare.Case{Name: name, About: about, N: 20_000}
		for _, make := range makers {
			if make().decode == nil && name != "codec/call" {
				continue
			}
			c.Contenders = append(c.Contenders, compare.Contender{Name: make().name, New: func(*compare.B) func(n int) {
				return work(make())
			}})
		}
		return c
	}
	return []compare.Case{
		group("codec/encode", "encode a typical game call into a buffer that is used again", func(c codec) func(n int) {
			var b []byte
			return func(n int) {
				for range n {
					b = c.encode(b[:0])
				}
				c.decode(b)
				compare.Check("the call", c.check(), wantCall)
			}
		}),
		group("codec/decode", "decode a typical game call into a new value", func(c codec) func(n int) {
			b := c.encode(nil)
			return func(n int) {
				for range n {
					c.decode(b)
				}
				compare.Check("the call", c.check(), wantCall)
			}
		}),
		group("codec/call", "encode and decode a typical game call; gob uses one stream for all", func(c codec) func(n int) {
			var b []byte
			return func(n int) {
				for range n {
					b = c.encode(b[:0])
					if c.decode != nil {
						c.decode(b)
					}
				}
				compare.Check("the call", c.check(), wantCall)
			}
		}),
	}
}

// call is the message.
func call() trade.Args {
	items := make([]trade.Item, 8)
	for i := range items {
		items[i] = trade.Item{ID: 7_000_000_000 + int64(i), Count: int32(i + 1), Bound: i%2 == 0}
	}
	return trade.Args{Player: 420_000_000_017, Note: "for the guild's harvest", At: trade.Place{X: 12.5, Y: -3.25, Z: 101, Zone: 9}, Items: items}
}

// wantCall is what check returns for it.
var wantCall = describe(call())

func describe(a trade.Args) string { return fmt.Sprintf("%+v", a) }

// troupeCodec is the code that the generator wrote.
func troupeCodec() codec {
	in := call()
	var out *trade.Args
	return codec{
		name:   compare.Ours,
		encode: func(b []byte) []byte { return trade.Append(b, &in) },
		decode: func(b []byte) {
			out = new(trade.Args)
			compare.Must(trade.Parse(b, out))
		},
		check: func() string { return describe(*out) },
	}
}

// protobufCodec is google.golang.org/protobuf with generated code.
func protobufCodec() codec {
	a := call()
	in := &tradepb.Offer{Player: a.Player, Note: a.Note, At: &tradepb.Place{X: a.At.X, Y: a.At.Y, Z: a.At.Z, Zone: a.At.Zone}}
	for _, item := range a.Items {
		in.Items = append(in.Items, &tradepb.Item{Id: item.ID, Count: item.Count, Bound: item.Bound})
	}
	var out *tradepb.Offer
	return codec{
		name: "protobuf",
		encode: func(b []byte) []byte {
			b, err := proto.MarshalOptions{}.MarshalAppend(b, in)
			compare.Must(err)
			return b
		},
		decode: func(b []byte) {
			out = new(tradepb.Offer)
			compare.Must(proto.Unmarshal(b, out))
		},
		check: func() string {
			a := trade.Args{Player: out.Player, Note: out.Note, At: trade.Place{X: out.At.X, Y: out.At.Y, Z: out.At.Z, Zone: out.At.Zone}}
			for _, item := range out.Items {
				a.Items = append(a.Items, trade.Item{ID: item.Id, Count: item.Count, Bound: item.Bound})
			}
			return describe(a)
		},
	}
}

// jsonCodec is encoding/json.
func jsonCodec() codec {
	in := call()
	var out *trade.Args
	return codec{
		name: "json",
		encode: func(b []byte) []byte {
			buf := bytes.NewBuffer(b)
			compare.Must(json.NewEncoder(buf).Encode(&in))
			return buf.Bytes()
		},
		decode: func(b []byte) {
			out = new(trade.Args)
			compare.Must(json.Unmarshal(b, out))
		},
		check: func() string { return describe(*out) },
	}
}

// gobCodec is encoding/gob at its best: one stream, so that the types cross it
// once. It cannot decode a message twice, so it has the case codec/call alone.
func gobCodec() codec {
	in := call()
	var stream bytes.Buffer
	enc, dec := gob.NewEncoder(&stream), gob.NewDecoder(&stream)
	var out *trade.Args
	return codec{
		name: "gob",
		encode: func(b []byte) []byte {
			compare.Must(enc.Encode(&in))
			out = new(trade.Args)
			compare.Must(dec.Decode(out))
			return b
		},
		check: func() string { return describe(*out) },
	}
}

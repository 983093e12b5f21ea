// SPDX-License-Identifier: MIT

package cases

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/bench/cases/trade"
	"github.com/troupe-go/troupe/bench/compare"
)

// offerCases compare the path of generated code with hand-written frames on the
// same transport, for the typical game call of codec/*. One caller; compared by
// the median.
func offerCases() []compare.Case {
	return []compare.Case{{
		Name: "remote/generated", N: 10_000,
		About: "the call of codec/* to another process, 1 outstanding: generated code against hand-written frames answered on " +
			"the connection's reader (handwritten) or by a goroutine that owns the state, as an actor does (goroutine); compared by the median",
		Contenders: []compare.Contender{
			{Name: compare.Ours, New: func(b *compare.B) func(n int) { return offerWork(b, troupeOffer(b)) }},
			{Name: "handwritten", New: func(b *compare.B) func(n int) { return offerWork(b, framesOffer(b, opOffer)) }},
			{Name: "goroutine", New: func(b *compare.B) func(n int) { return offerWork(b, framesOffer(b, opOfferLater)) }},
		},
	}}
}

func offerWork(b *compare.B, offer func()) func(n int) {
	return callTimed(b, Remote{Call: func(value int64) int64 {
		offer()
		return value + 1
	}})
}

func troupeOffer(b *compare.B) func() {
	node := nearNode(b)
	ref, ctx, a := trade.ClerkOf(node, 42), context.Background(), call()
	return func() { compare.Must(ref.Offer(ctx, a.Player, a.Note, a.At, a.Items)) }
}

func framesOffer(b *compare.B, op byte) func() {
	link, calls := framesLink(b)
	a := call()
	return func() {
		number, answer := calls.begin()
		frame := appendOffer(appendFrame(make([]byte, 0, 256), op, number), &a)
		compare.Must(link.Send(nowOnMessages, frame))
		<-answer
	}
}

// appendOffer and parseOffer are a codec as one writes it by hand: all numbers
// at their full size, no field numbers, nothing may be added.
func appendOffer(b []byte, a *trade.Args) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(a.Player))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(a.Note)))
	b = append(b, a.Note...)
	for _, f := range []float32{a.At.X, a.At.Y, a.At.Z} {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(a.At.Zone))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(a.Items)))
	for _, item := range a.Items {
		bound := byte(0)
		if item.Bound {
			bound = 1
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(item.ID))
		b = append(binary.LittleEndian.AppendUint32(b, uint32(item.Count)), bound)
	}
	return b
}

func parseOffer(b []byte) *trade.Args {
	a := &trade.Args{Player: int64(binary.LittleEndian.Uint64(b))}
	n := int(binary.LittleEndian.Uint16(b[8:]))
	a.Note, b = string(b[10:10+n]), b[10+n:]
	for i, f := range []*float32{&a.At.X, &a.At.Y, &a.At.Z} {
		*f = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	a.At.Zone = int32(binary.LittleEndian.Uint32(b[12:]))
	a.Items = make([]trade.Item, binary.LittleEndian.Uint16(b[16:]))
	b = b[18:]
	for i := range a.Items {
		a.Items[i] = trade.Item{ID: int64(binary.LittleEndian.Uint64(b)), Count: int32(binary.LittleEndian.Uint32(b[8:])), Bound: b[12] == 1}
		b = b[13:]
	}
	return a
}

// clerkKind is the kind of remote/generated.
func clerkKind() troupe.Kind { return troupe.Virtual[trade.Clerk]("clerk", troupe.Role("far")) }

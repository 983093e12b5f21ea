// SPDX-License-Identifier: MIT

package orm

import (
	"cmp"
	"fmt"
	"math"
)

// Token is the fencing token of one version of a document. Tokens of a row
// grow lexicographically and never repeat (O2).
type Token struct {
	// Generation and Epoch come from the owner's Fence.
	Generation, Epoch uint64
	// Seq counts the owner's writes. Its upper half counts the loads under one
	// fence, its lower half the writes since that load.
	Seq uint64
}

// loadBit is where the number of the load starts inside Token.Seq: 2^32 writes
// per load, 2^31 loads per fence. A load happens once per activation.
const loadBit = 32

// maxTokenPart is the largest generation, epoch or seq: databases have signed
// 64-bit integers.
const maxTokenPart = math.MaxInt64

// Compare orders tokens: negative when t is older than u.
func (t Token) Compare(u Token) int {
	if c := cmp.Compare(t.Generation, u.Generation); c != 0 {
		return c
	}
	if c := cmp.Compare(t.Epoch, u.Epoch); c != 0 {
		return c
	}
	return cmp.Compare(t.Seq, u.Seq)
}

// Fence returns the generation and epoch of t.
func (t Token) Fence() Fence { return Fence{Generation: t.Generation, Epoch: t.Epoch} }

// String returns "generation.epoch.load.write".
func (t Token) String() string {
	return fmt.Sprintf("%d.%d.%d.%d", t.Generation, t.Epoch, t.Seq>>loadBit, t.Seq&(1<<loadBit-1))
}

// CanWrite reports whether a write that carries t may replace a row that
// carries row: same owner, same load, later write (O2). The load matters when
// the database has forgotten it: others may have written since, and the owner
// that still believes in it must not overwrite them.
func (t Token) CanWrite(row Token) bool {
	return row.Fence() == t.Fence() && row.Seq>>loadBit == t.Seq>>loadBit && row.Seq < t.Seq
}

// FirstSeq returns the seq of the load that t belongs to: CanWrite in terms of
// databases is FirstSeq <= row.Seq < t.Seq.
func (t Token) FirstSeq() uint64 { return t.Seq >> loadBit << loadBit }

// CanLoad reports whether an owner with that fence may load a row that carries
// row: no newer owner has loaded it (O1).
func CanLoad(row Token, fence Fence) bool {
	if row.Generation != fence.Generation {
		return row.Generation < fence.Generation
	}
	return row.Epoch <= fence.Epoch
}

// LoadToken returns the token that loading installs over row. It is the rule
// for stores; the caller has checked CanLoad. A row that never existed counts
// as the zero Token.
func LoadToken(row Token, fence Fence) Token {
	t := Token{Generation: fence.Generation, Epoch: fence.Epoch}
	if row.Fence() == fence {
		t.Seq = (row.Seq>>loadBit + 1) << loadBit
	}
	return t
}

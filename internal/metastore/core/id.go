// SPDX-License-Identifier: MIT

package core

import (
	"math/bits"
	"strconv"
)

// ID names something that at most one session owns: a virtual actor (Space
// actors) or a stub shard (space slots, Key is the shard number).
//
// The zero Name means that Key identifies the entity; otherwise Name does and
// Key must be zero. IDs are comparable.
type ID struct {
	Kind string
	Key  int64
	Name string
}

// String returns kind/key.
func (id ID) String() string {
	if id.Name != "" {
		return id.Kind + "/" + id.Name
	}
	return id.Kind + "/" + strconv.FormatInt(id.Key, 10)
}

// Space separates the owned names: actors and stub shards never collide.
type Space uint8

// The spaces. They are part of the log format: append, never renumber.
const (
	SpaceActor Space = 0
	SpaceSlot  Space = 1
)

// ClusterID identifies a cluster for its whole life.
type ClusterID [16]byte

// Incarnation identifies one start of one process.
type Incarnation [16]byte

// intKey and nameKey are how claims are stored: the kind is interned, so an
// integer-keyed claim is 32 bytes without pointers (the garbage collector does
// not scan a million of them).
type intKey struct {
	kind uint32
	key  int64
}

type nameKey struct {
	kind uint32
	name string
}

func (k intKey) shardHash() uint64 { return mix(uint64(k.key), uint64(k.kind)) }

func (k nameKey) shardHash() uint64 { return hashString(uint64(k.kind), k.name) }

const (
	mixA = 0xa0761d6478bd642f
	mixB = 0xe7037ed1a0b428db
)

// mix is one multiply-and-fold step of the wyhash family: fixed constants, so
// that every node shards and hashes alike (R1; the runtime's map hash is
// seeded per process).
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^mixA, b^mixB)
	return hi ^ lo
}

func hashString(h uint64, s string) uint64 {
	h = mix(h, uint64(len(s)))
	for len(s) >= 8 {
		h = mix(h, le64(s))
		s = s[8:]
	}
	var tail uint64
	for i := range len(s) {
		tail |= uint64(s[i]) << (8 * i)
	}
	return mix(h, tail)
}

func le64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

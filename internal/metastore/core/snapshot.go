// SPDX-License-Identifier: MIT

package core

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrSnapshot is wrapped by every error of Restore that is not an I/O error.
var ErrSnapshot = errors.New("core: bad snapshot")

// snapshotMagic names the format; the last byte is its version.
const snapshotMagic = "TRPMETA\x01"

const maxRecordBytes = maxValueBytes + 64<<10

// Snapshot is a consistent copy of the state at one index. Taking one copies a
// pointer per shard (tens of microseconds); the tables are shared with the
// State until it writes to them. WriteTo may run in another goroutine while
// the State goes on applying.
type Snapshot struct {
	head     []byte
	hash     uint64
	index    uint64
	kinds    []string
	sessions frozenTable[numKey, *Session]
	actors   frozenTable[intKey, claim]
	named    frozenTable[nameKey, claim]
	slots    frozenTable[intKey, claim]
	workers  frozenTable[workerKey, worker]
	leases   frozenTable[textKey, lease]
	keys     frozenTable[textKey, entry]
	answers  frozenTable[reqKey, answer]
}

// Snapshot freezes the current state. It must not run beside Apply.
func (s *State) Snapshot() *Snapshot {
	head := append([]byte(nil), s.cluster[:]...)
	head = uv(head, s.applied.Load(), s.generation.Load(), uint64(s.format), uint64(s.cursor))
	return &Snapshot{
		head: head, hash: s.Hash(), index: s.applied.Load(), kinds: s.kinds.Load().name,
		sessions: s.sessions.freeze(), actors: s.actors.freeze(), named: s.named.freeze(),
		slots: s.slots.freeze(), workers: s.workers.freeze(), leases: s.leases.freeze(),
		keys: s.keys.freeze(), answers: s.answers.freeze(),
	}
}

// Index returns the log index that the snapshot stands for.
func (p *Snapshot) Index() uint64 { return p.index }

// WriteTo streams the snapshot:
//
//	magic | head record | sections | 0 | state hash (8 bytes)
//	section: tag (1 byte) | count (uvarint) | records
//	record:  length (uvarint) | payload
func (p *Snapshot) WriteTo(w io.Writer) (int64, error) {
	o := &recordWriter{w: bufio.NewWriterSize(w, 64<<10)}
	o.raw([]byte(snapshotMagic))
	o.record(p.head)
	o.section(tagKind, len(p.kinds))
	for _, k := range p.kinds {
		o.record([]byte(k))
	}
	section(o, tagSession, p.sessions, func(b []byte, _ numKey, v *Session) []byte { return v.append(b) })
	section(o, tagActor, p.actors, appendIntClaim)
	section(o, tagNamed, p.named, func(b []byte, k nameKey, c claim) []byte {
		return uv(appendString(uv(b, uint64(k.kind)), k.name), c.session, c.epoch)
	})
	section(o, tagSlot, p.slots, appendIntClaim)
	section(o, tagWorker, p.workers, func(b []byte, k workerKey, v worker) []byte {
		b = uv(appendString(b, k.pool), uint64(k.number), v.session, v.epoch)
		return binary.AppendVarint(b, v.mark)
	})
	section(o, tagLease, p.leases, func(b []byte, k textKey, v lease) []byte {
		return uv(appendString(b, string(k)), v.session, v.epoch, v.seq, uint64(v.ttl))
	})
	section(o, tagKey, p.keys, func(b []byte, k textKey, v entry) []byte {
		return appendBytes(uv(appendString(b, string(k)), v.version, v.session), v.value)
	})
	if !ablateDedupeSave {
		section(o, tagAnswer, p.answers, func(b []byte, k reqKey, v answer) []byte {
			return uv(b, k.session, k.req, uint64(v.code), v.version, v.index)
		})
	}
	o.raw([]byte{tagEnd})
	o.raw(binary.BigEndian.AppendUint64(nil, p.hash))
	if o.err == nil {
		o.err = o.w.Flush()
	}
	return o.n, o.err
}

func appendIntClaim(b []byte, k intKey, c claim) []byte {
	return uv(binary.AppendVarint(uv(b, uint64(k.kind)), k.key), c.session, c.epoch)
}

func (s *Session) append(b []byte) []byte {
	b = uv(b, s.Epoch)
	b = appendString(b, s.Node)
	b = append(b, s.Incarnation[:]...)
	b = append(b, s.proof[:]...)
	b = uv(b, uint64(s.State), s.RenewSeq, s.nonce, s.floor, uint64(s.TTL))
	return s.Info.append(b)
}

// recordWriter writes framed records; the first error sticks.
type recordWriter struct {
	w   *bufio.Writer
	buf []byte
	n   int64
	err error
}

func (o *recordWriter) raw(b []byte) {
	if o.err == nil {
		_, o.err = o.w.Write(b)
		o.n += int64(len(b))
	}
}

func (o *recordWriter) uvarint(v uint64) {
	var b [binary.MaxVarintLen64]byte
	o.raw(b[:binary.PutUvarint(b[:], v)])
}

func (o *recordWriter) record(b []byte) {
	o.uvarint(uint64(len(b)))
	o.raw(b)
}

func (o *recordWriter) section(tag byte, count int) {
	o.raw([]byte{tag})
	o.uvarint(uint64(count))
}

func section[K tableKey, V any](o *recordWriter, tag byte, t frozenTable[K, V], enc func([]byte, K, V) []byte) {
	o.section(tag, t.count)
	for _, m := range t.maps {
		for k, v := range m {
			o.buf = enc(o.buf[:0], k, v)
			o.record(o.buf)
		}
	}
}

// Restore reads a snapshot into a new State and verifies its hash, so that a
// damaged snapshot is refused rather than served.
func Restore(r io.Reader) (*State, error) {
	in := &recordReader{r: bufio.NewReaderSize(r, 64<<10)}
	if magic := in.raw(len(snapshotMagic)); in.err == nil && string(magic) != snapshotMagic {
		return nil, fmt.Errorf("%w: magic %q", ErrSnapshot, magic)
	}
	s := NewState()
	rec := &reader{b: in.record()}
	s.cluster = rec.array16()
	s.applied.Store(rec.uvarint())
	s.generation.Store(rec.uvarint())
	s.format = rec.u32("format")
	s.cursor = rec.u32("cursor") % s.totalShards()
	if err := rec.end(); in.err == nil && err != nil {
		return nil, fmt.Errorf("%w: head: %w", ErrSnapshot, err)
	}
	for {
		tag := in.byte()
		if in.err != nil || tag == tagEnd {
			break
		}
		for n := in.uvarint(); n > 0 && in.err == nil; n-- {
			rec := &reader{b: in.record()}
			if in.err != nil {
				break
			}
			s.restoreRecord(tag, rec)
			if err := rec.end(); err != nil {
				return nil, fmt.Errorf("%w: section %d: %w", ErrSnapshot, tag, err)
			}
		}
	}
	sum := in.raw(8)
	if in.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, in.err)
	}
	if err := s.derive(); err != nil {
		return nil, err
	}
	if want := binary.BigEndian.Uint64(sum); s.Hash() != want && !ablateDedupeSave {
		return nil, fmt.Errorf("%w: hash %016x, want %016x", ErrSnapshot, s.Hash(), want)
	}
	return s, nil
}

func (s *State) restoreRecord(tag byte, r *reader) {
	switch tag {
	case tagKind:
		if _, ok := s.intern(string(r.b)); !ok {
			r.fail("kind")
		}
		r.b = nil
	case tagSession:
		v := r.session()
		s.sessions.put(numKey(v.Epoch), v)
	case tagActor, tagSlot:
		t := s.actors
		if tag == tagSlot {
			t = s.slots
		}
		k := intKey{s.restoredKind(r), r.varint()}
		t.put(k, claim{r.uvarint(), r.uvarint()})
	case tagNamed:
		k := nameKey{s.restoredKind(r), r.string()}
		s.named.put(k, claim{r.uvarint(), r.uvarint()})
	case tagWorker:
		k := workerKey{r.string(), r.u32("worker")}
		s.workers.put(k, worker{r.uvarint(), r.uvarint(), r.varint()})
	case tagLease:
		k := textKey(r.string())
		s.leases.put(k, lease{r.uvarint(), r.uvarint(), r.uvarint(), int64(r.uvarint())})
	case tagKey:
		k := textKey(r.string())
		e := entry{version: r.uvarint(), session: r.uvarint()}
		e.value = r.bytes()
		s.keys.put(k, e)
	case tagAnswer:
		k := reqKey{r.uvarint(), r.uvarint()}
		s.answers.put(k, answer{Code(r.byte()), r.uvarint(), r.uvarint()})
	default:
		r.fail("unknown section")
	}
}

// restoredKind refuses numbers that the kinds section, which comes first, did
// not define.
func (s *State) restoredKind(r *reader) uint32 {
	n := r.u32("kind")
	if int64(n) >= int64(len(s.kinds.Load().name)) {
		r.fail("undefined kind")
	}
	return n
}

func (r *reader) session() *Session {
	v := &Session{Epoch: r.uvarint(), Node: r.string(), Incarnation: r.array16(), proof: r.array32()}
	v.State = SessionState(r.byte())
	v.RenewSeq, v.nonce, v.floor, v.TTL = r.uvarint(), r.uvarint(), r.uvarint(), int64(r.uvarint())
	v.Info = r.info()
	if v.State < SessionLive || v.State > SessionDead {
		r.fail("session state")
	}
	return v
}

// derive rebuilds what is not stored.
func (s *State) derive() error {
	count := func(session uint64) { s.own(session) }
	countClaim := func(c claim) { count(c.session) }
	visit(s.actors, countClaim)
	visit(s.named, countClaim)
	visit(s.slots, countClaim)
	visit(s.workers, func(w worker) { count(w.session) })
	visit(s.leases, func(l lease) { count(l.session) })
	visit(s.keys, func(e entry) { count(e.session) })
	for i := range s.answers.shards {
		for k := range s.answers.shards[i].m {
			s.requests[k.session] = append(s.requests[k.session], k.req)
		}
	}
	for epoch := range s.owned {
		if s.session(epoch) == nil {
			return fmt.Errorf("%w: records of unknown session %d", ErrSnapshot, epoch)
		}
	}
	for v := range s.allSessions {
		if v.State == SessionDead {
			s.deadHeld++
		}
	}
	return nil
}

func visit[K tableKey, V any](t *table[K, V], f func(V)) {
	for i := range t.shards {
		for _, v := range t.shards[i].m {
			f(v)
		}
	}
}

// recordReader reads framed records; the first error sticks.
type recordReader struct {
	r   *bufio.Reader
	buf []byte
	err error
}

// raw returns the next n bytes, valid until the next call.
func (in *recordReader) raw(n int) []byte {
	if in.err != nil {
		return nil
	}
	if cap(in.buf) < n {
		in.buf = make([]byte, n)
	}
	in.buf = in.buf[:n]
	_, in.err = io.ReadFull(in.r, in.buf)
	return in.buf
}

func (in *recordReader) byte() byte {
	if in.err != nil {
		return 0
	}
	var c byte
	c, in.err = in.r.ReadByte()
	return c
}

func (in *recordReader) uvarint() uint64 {
	if in.err != nil {
		return 0
	}
	var v uint64
	v, in.err = binary.ReadUvarint(in.r)
	return v
}

func (in *recordReader) record() []byte {
	n := in.uvarint()
	if in.err == nil && n > maxRecordBytes {
		in.err = fmt.Errorf("record of %d bytes", n)
	}
	return in.raw(int(n))
}

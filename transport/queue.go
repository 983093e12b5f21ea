// SPDX-License-Identifier: MIT

package transport

import (
	"encoding"
	"encoding/binary"
	"sync"
)

// outQueue holds the accepted frames of one lane that are not written yet. It
// starts nothing and does not lock: the lane's mutex guards it.
//
// Small frames are encoded into segments, in order. A large frame becomes a
// stream under its key: chunks of the streams take turns with the segments.
// While a key has a stream, later frames of that key queue up behind it, which
// keeps invariant T1 (order per link, lane and key) without holding up others.
//
// A segment handed out by next stays accounted for until finish says how much
// of it was written. What was not written stays queued (invariant T2: a frame
// is written, queued or reported as dropped; never two of them).
type outQueue struct {
	maxBytes, maxFrames int

	segs  []*segment // small frames, oldest first; head is the index of the first
	head  int
	free  []*segment // a few empty segments to reuse
	pool  *sync.Pool // where more come from and go to; may be nil
	bytes int        // accepted and not yet written, in segments and streams
	count int        // the same in frames

	streams  []*stream // oldest first; the first maxStreams take turns
	byKey    map[uint64]*stream
	turn     int    // which stream is next
	chunked  bool   // the last segment handed out was a chunk
	streamID uint32 // last one used
	seq      uint64 // of the newest segment
	epoch    uint32 // counts connections: a stream begins again on a new one
}

// segment is a run of encoded physical frames, written with one system call.
type segment struct {
	b      []byte
	frames int
	seq    uint64  // grows along the queue; 0 for a chunk
	from   *stream // set when it is one chunk of a stream
	part   int     // payload bytes of that chunk
	epoch  uint32
}

// stream is the frames of one key, the first of which is large and under way.
type stream struct {
	key   uint64
	id    uint32
	epoch uint32
	after uint64   // may not begin before this segment was handed out
	off   int      // bytes of msgs[0] already written on the connection of epoch
	msgs  [][]byte // msgs[0] is larger than chunkBytes
}

const (
	segmentBytes    = 64 << 10 // what one write takes at most
	minSegmentBytes = 2 << 10
	maxFreeSegments = 2
)

// room reports whether n more bytes fit. An empty queue takes any frame.
func (q *outQueue) room(n int) bool {
	return q.count == 0 || (q.bytes+n <= q.maxBytes && q.count < q.maxFrames)
}

func (q *outQueue) empty() bool { return q.count == 0 }

// push copies one frame in.
func (q *outQueue) push(key uint64, frame []byte) {
	if len(q.byKey) > 0 {
		if s := q.byKey[key]; s != nil {
			q.follow(s, append([]byte(nil), frame...))
			return
		}
	}
	if len(frame) > chunkBytes {
		q.newStream(key, append([]byte(nil), frame...))
		return
	}
	s := q.tail(headerBytes + len(frame))
	n := len(s.b)
	s.b = append(s.b, 0, 0, 0, 0)
	putHeader(s.b[n:], kindData, len(frame))
	s.b = append(s.b, frame...)
	q.account(s, len(s.b)-n)
}

// pushAppend lets a encode itself in place. It reports errTooBig values through
// the caller's check function, which sees the size of the frame.
func (q *outQueue) pushAppend(key uint64, a encoding.BinaryAppender, check func(n int) error) error {
	s := q.tail(headerBytes)
	start := len(s.b)
	s.b = append(s.b, 0, 0, 0, 0)
	kept := false
	defer func() { // also when a panics
		if !kept {
			s.b = s.b[:start]
			q.dropEmptyTail()
		}
	}()
	b, err := a.AppendBinary(s.b)
	if err != nil {
		return err
	}
	n := len(b) - start - headerBytes
	if n < 0 {
		return ErrMalformed
	}
	if err := check(n); err != nil {
		return err
	}
	if n > chunkBytes || (len(q.byKey) > 0 && q.byKey[key] != nil) {
		msg := append([]byte(nil), b[start+headerBytes:]...)
		if f := q.byKey[key]; f != nil {
			q.follow(f, msg)
		} else {
			q.newStream(key, msg)
		}
		return nil
	}
	kept = true
	s.b = b
	putHeader(s.b[start:], kindData, n)
	q.account(s, len(s.b)-start)
	return nil
}

func (q *outQueue) account(s *segment, n int) {
	s.frames++
	q.bytes += n
	q.count++
}

// tail returns the segment that the next n bytes go into.
func (q *outQueue) tail(n int) *segment {
	if last := len(q.segs) - 1; last >= q.head {
		if s := q.segs[last]; len(s.b)+n <= segmentBytes {
			return s
		}
	}
	s := q.newSegment()
	if q.head == len(q.segs) {
		q.segs, q.head = q.segs[:0], 0
	}
	q.seq++
	s.seq = q.seq
	q.segs = append(q.segs, s)
	return s
}

func (q *outQueue) dropEmptyTail() {
	last := len(q.segs) - 1
	if last >= q.head && len(q.segs[last].b) == 0 {
		q.recycle(q.segs[last])
		q.segs = q.segs[:last]
	}
}

func (q *outQueue) newSegment() *segment {
	if n := len(q.free); n > 0 {
		s := q.free[n-1]
		q.free = q.free[:n-1]
		return s
	}
	if q.pool != nil {
		if s, ok := q.pool.Get().(*segment); ok {
			return s
		}
	}
	return &segment{b: make([]byte, 0, minSegmentBytes)}
}

func (q *outQueue) recycle(s *segment) {
	if cap(s.b) > 2*segmentBytes {
		return
	}
	*s = segment{b: s.b[:0]}
	if len(q.free) < maxFreeSegments {
		q.free = append(q.free, s)
	} else if q.pool != nil {
		q.pool.Put(s)
	}
}

func (q *outQueue) newStream(key uint64, msg []byte) {
	s := &stream{key: key, after: q.seq}
	if q.byKey == nil {
		q.byKey = make(map[uint64]*stream)
	}
	q.byKey[key] = s
	q.streams = append(q.streams, s)
	q.follow(s, msg)
}

func (q *outQueue) follow(s *stream, msg []byte) {
	s.msgs = append(s.msgs, msg)
	q.bytes += len(msg)
	q.count++
}

// next takes out what to write next: the oldest segment, or one chunk of a
// stream, in turns. It returns nil when there is nothing. The caller writes it
// and then calls finish; until then it must not call next again.
func (q *outQueue) next() *segment {
	small := q.head < len(q.segs)
	if len(q.streams) > 0 && (!small || !q.chunked) {
		if s := q.nextStream(); s != nil {
			q.chunked = true
			return q.nextChunk(s)
		}
	}
	q.chunked = false
	if !small {
		return nil
	}
	s := q.segs[q.head]
	q.segs[q.head] = nil
	q.head++
	return s
}

// nextStream picks the stream whose turn it is, or nil if each still has to
// wait for small frames of its key that were queued before it.
func (q *outQueue) nextStream() *stream {
	n := min(len(q.streams), maxStreams)
	for range n {
		if q.turn++; q.turn >= n {
			q.turn = 0
		}
		s := q.streams[q.turn]
		if q.head == len(q.segs) || q.segs[q.head].seq > s.after {
			return s
		}
	}
	return nil
}

func (q *outQueue) nextChunk(s *stream) *segment {
	if s.epoch != q.epoch || s.off == 0 {
		q.streamID++
		s.epoch, s.off, s.id = q.epoch, 0, q.streamID
	}
	msg := s.msgs[0]
	part := min(chunkBytes, len(msg)-s.off)
	seg := q.newSegment()
	if s.off == 0 {
		seg.b = append(seg.b, 0, 0, 0, 0)
		putHeader(seg.b, kindFirst, 8+part)
		seg.b = binary.LittleEndian.AppendUint32(seg.b, s.id)
		seg.b = binary.LittleEndian.AppendUint32(seg.b, uint32(len(msg)))
	} else {
		seg.b = append(seg.b, 0, 0, 0, 0)
		putHeader(seg.b, kindMore, 4+part)
		seg.b = binary.LittleEndian.AppendUint32(seg.b, s.id)
	}
	seg.b = append(seg.b, msg[s.off:s.off+part]...)
	seg.from, seg.part, seg.epoch = s, part, q.epoch
	return seg
}

// finish takes back a segment of which the first n bytes were written.
//
// A frame of which the last byte was not written cannot have been delivered,
// so everything from the first such frame on stays queued.
func (q *outQueue) finish(seg *segment, n int) {
	if seg.from != nil {
		q.finishChunk(seg, n == len(seg.b))
		return
	}
	if n == len(seg.b) {
		q.bytes -= n
		q.count -= seg.frames
		q.recycle(seg)
		return
	}
	done := 0
	for done < n {
		size := headerBytes + int(binary.LittleEndian.Uint32(seg.b[done:])&lengthMask)
		if done+size > n {
			break
		}
		done += size
		seg.frames--
		q.count--
	}
	q.bytes -= done
	seg.b = seg.b[:copy(seg.b, seg.b[done:])]
	q.unget(seg)
}

// unget puts a segment back in front.
func (q *outQueue) unget(seg *segment) {
	if q.head > 0 {
		q.head--
		q.segs[q.head] = seg
		return
	}
	q.segs = append([]*segment{seg}, q.segs...)
}

func (q *outQueue) finishChunk(seg *segment, written bool) {
	s, part, epoch := seg.from, seg.part, seg.epoch
	q.recycle(seg)
	if len(s.msgs) == 0 || s.epoch != epoch {
		return // dropped meanwhile
	}
	if !written {
		s.off = 0 // the connection is gone; begin again on the next
		return
	}
	s.off += part
	if s.off < len(s.msgs[0]) {
		return
	}
	q.bytes -= len(s.msgs[0])
	q.count--
	s.msgs[0] = nil
	s.msgs, s.off = s.msgs[1:], 0
	q.promote(s)
}

// promote moves the small frames at the front of a stream to the segments, and
// ends the stream when nothing large is left.
func (q *outQueue) promote(s *stream) {
	rest := s.msgs
	for len(rest) > 0 && len(rest[0]) <= chunkBytes {
		msg := rest[0]
		rest = rest[1:]
		q.bytes -= len(msg)
		q.count--
		delete(q.byKey, s.key) // push must not put it behind s again
		q.push(s.key, msg)
		q.byKey[s.key] = s
	}
	s.msgs = rest
	if len(rest) > 0 {
		s.after = q.seq
		return
	}
	delete(q.byKey, s.key)
	for i := range q.streams {
		if q.streams[i] == s {
			q.streams = append(q.streams[:i], q.streams[i+1:]...)
			break
		}
	}
}

// reconnected must be called for each new connection, before its first next.
func (q *outQueue) reconnected() { q.epoch++ }

// dropLarger takes out the frames of more than n bytes, where n is at least
// chunkBytes. A large frame under way begins again.
func (q *outQueue) dropLarger(n int, drop func(frame []byte)) {
	for _, s := range append([]*stream(nil), q.streams...) {
		kept := s.msgs[:0:0]
		for _, msg := range s.msgs {
			if len(msg) > n {
				drop(msg)
				q.bytes -= len(msg)
				q.count--
				continue
			}
			kept = append(kept, msg)
		}
		if len(kept) != len(s.msgs) {
			s.msgs, s.off, s.epoch = kept, 0, 0 // no connection has epoch 0: a chunk being written no longer counts
			q.promote(s)
		}
	}
}

// drain empties the queue and calls drop for each frame, per key in order. A
// segment that is being written is not part of it.
func (q *outQueue) drain(drop func(frame []byte)) {
	for _, s := range q.segs[q.head:] {
		for b := s.b; len(b) > 0; {
			size := headerBytes + int(binary.LittleEndian.Uint32(b)&lengthMask)
			drop(b[headerBytes:size])
			b = b[size:]
		}
		q.bytes -= len(s.b)
		q.count -= s.frames
	}
	for _, s := range q.streams {
		for _, msg := range s.msgs {
			drop(msg)
			q.bytes -= len(msg)
			q.count--
		}
		s.msgs = nil
	}
	q.segs, q.head, q.streams, q.byKey = nil, 0, nil, nil
}

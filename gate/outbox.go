// SPDX-License-Identifier: MIT

package gate

import "github.com/troupe-go/troupe/gate/internal/frame"

// An outbox holds what a session has for its client, in order:
//
//	    window (sequenced, not acknowledged)
//	|-------------------------------------------|
//	 1001  1002  1003  1004          1005  1006
//	                   1004  v  pong 1005  1006
//	                  |------------------------|
//	                    queue (not yet written)
//
// The queue also carries volatile pushes and control frames, which have no
// sequence number and are forgotten when the connection is lost.
//
// Invariants, used by the tests:
//
//	O1 window holds exactly the sequence numbers (acked, next), without gaps.
//	O2 the sequenced entries of queue are a suffix of window.
//	O3 windowBytes and queueBytes are the sums of entry.cost.
//
// An outbox decides and starts nothing. It is guarded by the session's lock.
type outbox struct {
	next        uint64 // sequence number of the next sequenced entry; starts at 1
	acked       uint64 // highest acknowledged
	window      []entry
	queue       []entry
	windowBytes int
	queueBytes  int
	lost        uint64 // pushes dropped since the last Lost frame
}

// An entry is one frame without its header. body is shared between sessions
// and must not be changed.
type entry struct {
	seq  uint64 // zero: not sequenced
	kind frame.Kind
	raw  bool // body is a whole frame
	body []byte
}

// entryOverhead is what an entry costs beside its body.
const entryOverhead = 64

func (e entry) cost() int { return len(e.body) + entryOverhead }

// appendTo appends the entry as a frame.
func (e entry) appendTo(b []byte) []byte {
	if e.raw {
		return append(b, e.body...)
	}
	return frame.AppendSequenced(b, e.kind, e.seq, e.body)
}

func newOutbox() outbox { return outbox{next: 1} }

// add appends a sequenced entry to window and, when a connection is there, to
// the queue.
func (o *outbox) add(kind frame.Kind, body []byte, attached bool) {
	e := entry{seq: o.next, kind: kind, body: body}
	o.next++
	o.window = append(o.window, e)
	o.windowBytes += e.cost()
	if attached {
		o.enqueue(e)
	}
}

// enqueue appends an entry to the queue only.
func (o *outbox) enqueue(e entry) {
	o.queue = append(o.queue, e)
	o.queueBytes += e.cost()
}

// ack forgets the window up to seq. It reports false for a number that was
// never given out.
func (o *outbox) ack(seq uint64) bool {
	if seq >= o.next {
		return false
	}
	n := 0
	for n < len(o.window) && o.window[n].seq <= seq {
		o.windowBytes -= o.window[n].cost()
		n++
	}
	o.window = dropFront(o.window, n)
	o.acked = max(o.acked, seq)
	return true
}

// pop appends frames from the queue to b until limit bytes are reached, at
// least one if there is one.
func (o *outbox) pop(b []byte, limit int) []byte {
	n := 0
	for n < len(o.queue) && (n == 0 || len(b)+o.queue[n].cost() <= limit) {
		b = o.queue[n].appendTo(b)
		o.queueBytes -= o.queue[n].cost()
		n++
	}
	o.queue = dropFront(o.queue, n)
	return b
}

// disconnect forgets the queue; the window stays.
func (o *outbox) disconnect() { o.queue, o.queueBytes = nil, 0 }

// resume prepares the queue for a client that has received everything up to
// last. It reports false when the window cannot continue from there.
func (o *outbox) resume(last uint64) bool {
	if last < o.acked || !o.ack(last) {
		return false
	}
	o.disconnect()
	for _, e := range o.window {
		o.enqueue(e)
	}
	return true
}

// dropFront removes n entries and lets go of the array when it is empty, so
// that an idle session holds none.
func dropFront(list []entry, n int) []entry {
	if n == len(list) {
		return nil
	}
	clear(list[:n])
	return list[n:]
}

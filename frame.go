// SPDX-License-Identifier: MIT

package troupe

import (
	"encoding/binary"
	"errors"
)

// Frames between nodes. All integers are varints except call numbers, which
// are 8 bytes, little-endian.
//
//	message  type(1) flags(1) kind(4) key method epoch hops [call deadline]
//	         [from [session]] [chain] [trace] arguments...
//	reply    type(1) status(1) call(8) epoch rest...
//	publish  type(1) topic message...
//
// key is zigzag(id) or, with flagName, len name. epoch is the claim epoch that
// the sender believes the target to have; when nobody has claimed it yet, that
// of the session that it is sent to.
const (
	frameMessage byte = 1
	frameReply   byte = 2
	framePublish byte = 3
)

// Flags of a message frame.
const (
	flagName     byte = 1 << iota // string key
	flagCall                      // call number and deadline follow
	flagFrom                      // the sender is an actor
	flagChain                     // actors wait for this call
	flagTrace                     // trace context
	flagFromName                  // the sender has a string key
	flagSession                   // the message was passed on: its sender's session
)

// Statuses of a reply frame.
const (
	replyOK      byte = 0
	replyFailed  byte = 1 // code user text: the handler, or what stopped it
	replyRefused byte = 2 // code user text: the handler did not run
	replyMoved   byte = 3 // not the owner; try again
)

// maxChain bounds the actors that a call chain may have between nodes.
const maxChain = 64

// message is a decoded message frame. args points into the frame.
type message struct {
	kind      uint32
	id        int64
	name      string
	method    int32
	epoch     uint64
	hops      uint64
	call      uint64 // 0: one-way
	budget    uint64 // milliseconds left, 0: none given
	from      frameRef
	fromEpoch uint64
	// fromSession is the session under which the sender's node sent it; 0 in
	// a message that comes straight from there.
	fromSession uint64
	chain       []frameRef
	trace       *TraceContext
	args        []byte
}

// frameRef is a Ref whose kind is a hash.
type frameRef struct {
	kind uint32
	id   int64
	name string
}

var errFrame = errors.New("troupe: malformed frame")

// appendHead appends everything but the arguments.
func (m *message) appendHead(b []byte) []byte {
	flags := byte(0)
	set := func(on bool, f byte) {
		if on {
			flags |= f
		}
	}
	set(m.name != "", flagName)
	set(m.call != 0, flagCall)
	set(m.from.kind != 0, flagFrom)
	set(m.from.name != "", flagFromName)
	set(len(m.chain) > 0, flagChain)
	set(m.trace != nil, flagTrace)
	set(m.from.kind != 0 && m.fromSession != 0, flagSession)
	b = append(b, frameMessage, flags)
	b = binary.LittleEndian.AppendUint32(b, m.kind)
	b = appendKey(b, m.id, m.name)
	b = binary.AppendVarint(b, int64(m.method))
	b = binary.AppendUvarint(b, m.epoch)
	b = binary.AppendUvarint(b, m.hops)
	if m.call != 0 {
		b = binary.LittleEndian.AppendUint64(b, m.call)
		b = binary.AppendUvarint(b, m.budget)
	}
	if m.from.kind != 0 {
		b = binary.LittleEndian.AppendUint32(b, m.from.kind)
		b = appendKey(b, m.from.id, m.from.name)
		b = binary.AppendUvarint(b, m.fromEpoch)
		if m.fromSession != 0 {
			b = binary.AppendUvarint(b, m.fromSession)
		}
	}
	if len(m.chain) > 0 {
		b = binary.AppendUvarint(b, uint64(len(m.chain)))
		for _, r := range m.chain {
			b = binary.LittleEndian.AppendUint32(b, r.kind)
			if r.name != "" {
				b = append(b, 1)
			} else {
				b = append(b, 0)
			}
			b = appendKey(b, r.id, r.name)
		}
	}
	if m.trace != nil {
		b = append(b, m.trace.TraceID[:]...)
		b = append(b, m.trace.SpanID[:]...)
		b = append(b, m.trace.Flags)
	}
	return b
}

func appendKey(b []byte, id int64, name string) []byte {
	if name != "" {
		return append(binary.AppendUvarint(b, uint64(len(name))), name...)
	}
	return binary.AppendVarint(b, id)
}

// reader takes fields off a frame; after a short or malformed one bad stays set
// and everything is zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) text() string { return string(r.take(r.uvarint())) }

func (r *reader) key(named bool) (int64, string) {
	if named {
		return 0, r.text()
	}
	return r.varint(), ""
}

// parseMessage decodes a message frame behind its type byte.
func parseMessage(b []byte, m *message) error {
	r := reader{b: b}
	flags := r.byte()
	m.kind = r.uint32()
	m.id, m.name = r.key(flags&flagName != 0)
	m.method = int32(r.varint())
	m.epoch = r.uvarint()
	m.hops = r.uvarint()
	if flags&flagCall != 0 {
		m.call = r.uint64()
		m.budget = r.uvarint()
	}
	if flags&flagFrom != 0 {
		m.from.kind = r.uint32()
		m.from.id, m.from.name = r.key(flags&flagFromName != 0)
		m.fromEpoch = r.uvarint()
		if flags&flagSession != 0 {
			m.fromSession = r.uvarint()
		}
	}
	if flags&flagChain != 0 {
		n := r.uvarint()
		if n > maxChain {
			return errFrame
		}
		for range n {
			var ref frameRef
			ref.kind = r.uint32()
			ref.id, ref.name = r.key(r.byte() == 1)
			m.chain = append(m.chain, ref)
			if r.bad {
				break
			}
		}
	}
	if flags&flagTrace != 0 {
		if t := r.take(25); t != nil {
			m.trace = &TraceContext{TraceID: [16]byte(t[:16]), SpanID: [8]byte(t[16:24]), Flags: t[24]}
		}
	}
	m.args = r.b
	if r.bad {
		return errFrame
	}
	return nil
}

// reply is a decoded reply frame. rest points into the frame.
type reply struct {
	status byte
	call   uint64
	epoch  uint64 // of the activation that answered
	rest   []byte
}

func (p *reply) appendHead(b []byte) []byte {
	b = append(b, frameReply, p.status)
	b = binary.LittleEndian.AppendUint64(b, p.call)
	return binary.AppendUvarint(b, p.epoch)
}

func parseReply(b []byte, p *reply) error {
	r := reader{b: b}
	p.status = r.byte()
	p.call = r.uint64()
	p.epoch = r.uvarint()
	p.rest = r.b
	if r.bad || p.status > replyMoved {
		return errFrame
	}
	return nil
}

// appendError and parseError encode the rest of a failed reply.
func appendError(b []byte, err error) []byte {
	code, user, text := errorCode(err)
	b = binary.AppendVarint(b, int64(code))
	b = binary.AppendVarint(b, int64(user))
	return append(b, text...)
}

func parseError(b []byte) error {
	r := reader{b: b}
	code, user := Code(r.varint()), int32(r.varint())
	if r.bad {
		return errFrame
	}
	return errorFromCode(code, user, string(r.b))
}

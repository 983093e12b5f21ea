// SPDX-License-Identifier: MIT

package transport

import (
	"encoding/binary"
	"fmt"
)

// A physical frame is a 4-byte little-endian header and a body of at most
// maxBodyBytes. The low 28 bits of the header are the length of the body, the
// high 4 bits its kind:
//
//	data    one whole frame
//	first   u32 stream, u32 total length, then the first bytes of a large frame
//	more    u32 stream, then the next bytes of it
//	ping    empty; only says that the sender is there
//	close   u16 code, then a text of at most maxReasonBytes
//
// Frames above chunkBytes are cut into chunks, so nothing on the wire is larger
// than the fixed read buffer, and a large frame never holds the connection for
// more than one chunk. There is no checksum: TCP and TLS have theirs.
const (
	headerBytes    = 4
	chunkBytes     = 32 << 10 // largest payload of one physical frame
	chunkOverhead  = 8        // stream and total length
	maxBodyBytes   = chunkBytes + chunkOverhead
	maxReasonBytes = 256

	// minMaxFrameBytes is the least that a node may set as its limit, so that
	// a limit only ever concerns large frames.
	minMaxFrameBytes = 2 * chunkBytes

	// maxStreams is how many large frames of one lane are under way at once.
	// It is part of the protocol: the receiver refuses more.
	maxStreams = 8

	lengthMask = 1<<28 - 1
	kindShift  = 28
)

type frameKind uint8

const (
	kindData frameKind = iota
	kindFirst
	kindMore
	kindPing
	kindClose
)

func putHeader(b []byte, kind frameKind, n int) {
	binary.LittleEndian.PutUint32(b, uint32(n)|uint32(kind)<<kindShift)
}

func appendPhysical(b []byte, kind frameKind, body []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body))|uint32(kind)<<kindShift)
	return append(b, body...)
}

func appendClose(b []byte, reason error) []byte {
	text := reason.Error()
	if len(text) > maxReasonBytes {
		text = text[:maxReasonBytes]
	}
	body := binary.LittleEndian.AppendUint16(nil, codeOf(reason))
	return appendPhysical(b, kindClose, append(body, text...))
}

// event is one decoded physical frame. frame is set when it completes a frame
// for the handler.
type event struct {
	kind  frameKind
	frame []byte
	whole bool
}

// decoder turns the bytes of one connection back into frames. It is pure: the
// caller owns the buffer. It keeps memory only for large frames under way, and
// never more than a constant factor of the bytes that arrived.
type decoder struct {
	maxFrameBytes int
	streams       []partial // at most maxStreams
	spare         []byte    // the buffer of the last large frame, for the next
}

// partial is a large frame under way.
type partial struct {
	id    uint32
	total int
	buf   []byte
}

// maxSpareBytes is the largest reassembly buffer kept between large frames.
const maxSpareBytes = 1 << 20

// next decodes the physical frame at the start of b. It returns the bytes it
// used, or 0 when b does not hold a whole one yet. The frame of the event lies
// in b or in the decoder and is valid until the next call.
func (d *decoder) next(b []byte) (ev event, used int, err error) {
	if len(b) < headerBytes {
		return ev, 0, nil
	}
	head := binary.LittleEndian.Uint32(b)
	n := int(head & lengthMask)
	ev.kind = frameKind(head >> kindShift)
	if ev.kind == kindData {
		if n > chunkBytes || n > d.maxFrameBytes {
			return ev, 0, fmt.Errorf("%w: %d bytes in one physical frame", ErrFrameTooLarge, n)
		}
		if len(b)-headerBytes < n {
			return ev, 0, nil
		}
		used = headerBytes + n
		ev.frame, ev.whole = b[headerBytes:used:used], true
		return ev, used, nil
	}
	if n > maxBodyBytes {
		return ev, 0, fmt.Errorf("%w: %d bytes in one physical frame", ErrFrameTooLarge, n)
	}
	if len(b)-headerBytes < n {
		return ev, 0, nil
	}
	used = headerBytes + n
	body := b[headerBytes:used:used]
	switch ev.kind {
	case kindFirst:
		err = d.first(body)
	case kindMore:
		err = d.more(&ev, body)
	case kindPing:
		if n != 0 {
			err = fmt.Errorf("%w: ping with a body", ErrMalformed)
		}
	case kindClose:
		if n < 2 || n > 2+maxReasonBytes {
			err = fmt.Errorf("%w: close frame of %d bytes", ErrMalformed, n)
		}
		ev.frame = body
	default:
		err = fmt.Errorf("%w: frame kind %d", ErrMalformed, ev.kind)
	}
	return ev, used, err
}

func (d *decoder) first(body []byte) error {
	if len(body) <= 8 {
		return fmt.Errorf("%w: short first chunk", ErrMalformed)
	}
	id := binary.LittleEndian.Uint32(body)
	total := int(binary.LittleEndian.Uint32(body[4:]))
	data := body[8:]
	switch {
	case total > d.maxFrameBytes || total < 0:
		return fmt.Errorf("%w: %d bytes announced, the limit is %d", ErrFrameTooLarge, total, d.maxFrameBytes)
	case total <= len(data):
		return fmt.Errorf("%w: first chunk is not a part", ErrMalformed)
	case len(d.streams) == maxStreams:
		return fmt.Errorf("%w: more than %d large frames at once", ErrMalformed, maxStreams)
	case d.find(id) >= 0:
		return fmt.Errorf("%w: stream %d begins twice", ErrMalformed, id)
	}
	p := partial{id: id, total: total, buf: append(d.spare[:0], data...)}
	d.spare = nil
	d.streams = append(d.streams, p)
	return nil
}

func (d *decoder) more(ev *event, body []byte) error {
	if len(body) <= 4 {
		return fmt.Errorf("%w: short chunk", ErrMalformed)
	}
	i := d.find(binary.LittleEndian.Uint32(body))
	if i < 0 {
		return fmt.Errorf("%w: chunk of an unknown stream", ErrMalformed)
	}
	p, data := &d.streams[i], body[4:]
	if len(p.buf)+len(data) > p.total {
		return fmt.Errorf("%w: large frame is longer than announced", ErrMalformed)
	}
	p.buf = append(p.buf, data...) // grows with what arrived, not with what was announced
	if len(p.buf) < p.total {
		return nil
	}
	ev.frame, ev.whole = p.buf, true
	if cap(p.buf) <= maxSpareBytes {
		d.spare = p.buf
	}
	last := len(d.streams) - 1
	d.streams[i] = d.streams[last]
	d.streams[last] = partial{}
	d.streams = d.streams[:last]
	return nil
}

func (d *decoder) find(id uint32) int {
	for i := range d.streams {
		if d.streams[i].id == id {
			return i
		}
	}
	return -1
}

// closeReason decodes the body of a close frame.
func closeReason(body []byte) error {
	reason := errorOf(binary.LittleEndian.Uint16(body))
	if text := string(body[2:]); text != "" && text != reason.Error() {
		return fmt.Errorf("%w (%q)", reason, text)
	}
	return reason
}

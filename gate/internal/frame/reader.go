// SPDX-License-Identifier: MIT

package frame

import (
	"encoding/binary"
	"errors"
	"io"
)

// idleBytes is the buffer of a reader between frames. Most client frames fit,
// so an idle session holds this much and a busy one rarely more.
const idleBytes = 256

// busyBytes is how far the buffer grows for a stream of small frames, to save
// system calls.
const busyBytes = 4096

// Reader cuts a byte stream into frames. It holds at most one frame plus what
// one Read returned with it.
//
// The buffer grows by doubling as bytes arrive, never because a length prefix
// said so: a client that announces 64 KiB and sends nothing costs idleBytes.
//
// A Reader is not safe for concurrent use. The zero value needs Src and
// MaxBytes.
type Reader struct {
	// Src is the stream.
	Src io.Reader
	// MaxBytes caps kind and body of a frame. It may change between frames.
	MaxBytes int
	// BeforeRead, if set, runs before every Read of Src; partial tells whether
	// a frame has begun. Deadlines are set here.
	BeforeRead func(partial bool)

	buf        []byte
	start, end int  // unread bytes are buf[start:end]
	filled     bool // the last Read used all the room it had
}

// Next returns the next frame without its length prefix. The slice is valid
// until the following call. At the end of the stream it returns io.EOF, or
// io.ErrUnexpectedEOF inside a frame.
func (r *Reader) Next() ([]byte, error) {
	for {
		payload, ok, err := r.cut()
		if ok || err != nil {
			return payload, err
		}
		r.makeRoom()
		if r.BeforeRead != nil {
			r.BeforeRead(r.end > r.start)
		}
		n, err := r.Src.Read(r.buf[r.end:])
		r.end += n
		r.filled = r.end == len(r.buf)
		if n > 0 {
			continue
		}
		if errors.Is(err, io.EOF) && r.end > r.start {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
	}
}

// Buffered returns the number of bytes held, for tests of the memory bound.
func (r *Reader) Buffered() int { return cap(r.buf) }

// cut takes a whole frame from the buffer if there is one.
func (r *Reader) cut() (payload []byte, ok bool, err error) {
	held := r.buf[r.start:r.end]
	if len(held) < HeaderBytes {
		return nil, false, nil
	}
	size := binary.BigEndian.Uint32(held)
	if size == 0 {
		return nil, false, ErrEmpty
	}
	if uint64(size) > uint64(r.MaxBytes) {
		return nil, false, ErrTooLarge
	}
	whole := HeaderBytes + int(size)
	if len(held) < whole {
		return nil, false, nil
	}
	r.start += whole
	return held[HeaderBytes:whole:whole], true, nil
}

// makeRoom leaves at least one free byte behind end.
func (r *Reader) makeRoom() {
	held := r.end - r.start
	size := len(r.buf)
	switch {
	case held == 0 && !r.filled:
		size = idleBytes // first use, or back from busier times
	case held == size || r.filled && size < busyBytes:
		size = min(2*size, max(r.MaxBytes+HeaderBytes, idleBytes))
		size = max(size, held+1)
	}
	if size != len(r.buf) {
		grown := make([]byte, size)
		copy(grown, r.buf[r.start:r.end])
		r.buf = grown
	} else if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
	}
	r.start, r.end = 0, held
}

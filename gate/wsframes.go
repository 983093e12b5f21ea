// SPDX-License-Identifier: MIT

package gate

import (
	"encoding/binary"
	"net"
	"time"
)

// The websocket package bounds the size of a message, not the number of its
// fragments nor that of control frames: empty ones cost their sender two bytes
// and us a look at each, and a pong. So the frame headers are counted as they
// arrive.

// maxFragments is how many fragments a WebSocket message may have: those of the
// largest frame in pieces of 256 bytes.
const maxFragments = 256

// frameConn is the connection under a WebSocket. Read belongs to one goroutine.
type frameConn struct {
	net.Conn
	frames wsFrames
}

// Read fails with a goodbyeError when the client exceeds the bounds.
func (c *frameConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if e := c.frames.scan(p[:n]); e != nil {
		return 0, e
	}
	return n, err
}

// wsFrames follows the frame headers (RFC 6455, 5.2) in a stream of bytes.
// Whether they are valid is the websocket package's business.
type wsFrames struct {
	limits    *Limits
	now       func() time.Time
	header    [14]byte
	have      int    // bytes of header
	skip      uint64 // bytes of payload still to come
	fragments int    // of the present message
	control   bucket
}

func (f *wsFrames) scan(p []byte) error {
	for len(p) > 0 {
		if f.skip > 0 {
			n := min(uint64(len(p)), f.skip)
			p, f.skip = p[n:], f.skip-n
			continue
		}
		f.header[f.have] = p[0]
		f.have++
		p = p[1:]
		if f.have < 2 || f.have < f.headerBytes() {
			continue
		}
		f.have = 0
		if err := f.count(); err != nil {
			return err
		}
	}
	return nil
}

// headerBytes is the length of the header, from its second byte.
func (f *wsFrames) headerBytes() int {
	n := 2
	switch f.header[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if f.header[1]&0x80 != 0 {
		n += 4 // mask
	}
	return n
}

// count takes a whole header into account.
func (f *wsFrames) count() error {
	switch length := f.header[1] & 0x7f; length {
	case 126:
		f.skip = uint64(binary.BigEndian.Uint16(f.header[2:]))
	case 127:
		f.skip = binary.BigEndian.Uint64(f.header[2:])
	default:
		f.skip = uint64(length)
	}
	final, opcode := f.header[0]&0x80 != 0, f.header[0]&0x0f
	if opcode >= 8 {
		if f.control.take(f.now(), 1, f.limits.MessagesPerSecond, f.limits.MessageBurst) > 0 {
			return protocolError("too many control frames")
		}
		return nil
	}
	f.fragments++
	if f.fragments > maxFragments {
		return protocolError("message in too many fragments")
	}
	if final {
		f.fragments = 0
	}
	return nil
}

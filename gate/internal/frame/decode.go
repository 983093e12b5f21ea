// SPDX-License-Identifier: MIT

package frame

import (
	"encoding/binary"
	"math"
)

// decoder reads fields from the front of b. After the first malformed field
// every later read returns zero and bad stays set.
//
// Varints must be minimal, so that every frame has exactly one encoding.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() { d.b, d.bad = nil, true }

func (d *decoder) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > limit || n > 1 && d.b[n-1] == 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	u := d.uvarint(math.MaxUint64)
	return int64(u>>1) ^ -int64(u&1)
}

func (d *decoder) boolean() bool { return d.uvarint(1) == 1 }

func (d *decoder) string(limit int) string {
	n := d.uvarint(uint64(limit))
	if d.bad || n > uint64(len(d.b)) {
		d.fail()
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

// done reports whether every byte was a well-formed field.
func (d *decoder) done() error {
	if d.bad || len(d.b) != 0 {
		return ErrMalformed
	}
	return nil
}

// Split returns the kind and the body of a frame without its length prefix.
func Split(payload []byte) (Kind, []byte, error) {
	if len(payload) == 0 {
		return 0, nil, ErrEmpty
	}
	return Kind(payload[0]), payload[1:], nil
}

// ParseHello reads the body of a Hello.
func ParseHello(body []byte) (h Hello, err error) {
	d := decoder{b: body}
	h.MinVersion = d.uvarint(math.MaxUint32)
	h.MaxVersion = d.uvarint(math.MaxUint32)
	h.Resume = d.boolean()
	h.Token = d.string(MaxTokenBytes)
	h.Device = d.string(MaxDeviceBytes)
	h.Client = d.string(MaxClientBytes)
	h.LastSeq = d.uvarint(math.MaxUint64)
	return h, d.done()
}

// ParseWelcome reads the body of a Welcome.
func ParseWelcome(body []byte) (w Welcome, err error) {
	d := decoder{b: body}
	w.Version = d.uvarint(math.MaxUint32)
	w.Resumed = d.boolean()
	w.Session = d.uvarint(math.MaxUint64)
	w.Token = d.string(MaxTokenBytes)
	w.LastRequest = d.uvarint(math.MaxUint64)
	w.HeartbeatMillis = d.uvarint(math.MaxUint32)
	w.MaxFrameBytes = d.uvarint(math.MaxUint32)
	w.Gate = d.string(MaxNameBytes)
	return w, d.done()
}

// ParseRequest reads the body of a Request. Args aliases body.
func ParseRequest(body []byte) (r Request, err error) {
	d := decoder{b: body}
	r.Seq = d.uvarint(math.MaxUint64)
	r.Ack = d.uvarint(math.MaxUint64)
	r.Flags = d.uvarint(FlagOneWay | FlagRouted | FlagNamed)
	r.Method = uint32(d.uvarint(math.MaxUint32))
	if r.Flags&FlagRouted != 0 {
		r.Route = d.string(MaxRouteBytes)
		if r.Flags&FlagNamed != 0 {
			r.Name = d.string(MaxNameBytes)
		} else {
			r.ID = d.varint()
		}
	} else if r.Flags&FlagNamed != 0 {
		d.fail()
	}
	if d.bad {
		return Request{}, ErrMalformed
	}
	r.Args = d.b
	return r, nil
}

// ParseReply reads the body of a Reply. Data aliases body.
func ParseReply(body []byte) (r Reply, err error) {
	d := decoder{b: body}
	r.Seq = d.uvarint(math.MaxUint64)
	r.Request = d.uvarint(math.MaxUint64)
	r.Code = uint32(d.uvarint(math.MaxUint32))
	if r.Code != 0 {
		user := d.varint()
		if user > math.MaxInt32 || user < math.MinInt32 {
			d.fail()
		}
		r.User = int32(user)
		r.Text = d.string(MaxTextBytes)
	}
	if d.bad {
		return Reply{}, ErrMalformed
	}
	r.Data = d.b
	return r, nil
}

// ParsePush reads the body of a Push. Data aliases body.
func ParsePush(body []byte) (p Push, err error) {
	d := decoder{b: body}
	p.Seq = d.uvarint(math.MaxUint64)
	p.Event = uint32(d.uvarint(math.MaxUint32))
	if d.bad {
		return Push{}, ErrMalformed
	}
	p.Data = d.b
	return p, nil
}

// ParseLost reads the body of a Lost.
func ParseLost(body []byte) (l Lost, err error) {
	d := decoder{b: body}
	l.Seq = d.uvarint(math.MaxUint64)
	l.Count = d.uvarint(math.MaxUint64)
	return l, d.done()
}

// ParseAck reads the body of an Ack.
func ParseAck(body []byte) (a Ack, err error) {
	d := decoder{b: body}
	a.Seq = d.uvarint(math.MaxUint64)
	return a, d.done()
}

// ParsePing reads the body of a Ping.
func ParsePing(body []byte) (p Ping, err error) {
	d := decoder{b: body}
	p.Stamp = d.uvarint(math.MaxUint64)
	p.Ack = d.uvarint(math.MaxUint64)
	return p, d.done()
}

// ParsePong reads the body of a Pong.
func ParsePong(body []byte) (p Pong, err error) {
	d := decoder{b: body}
	p.Stamp = d.uvarint(math.MaxUint64)
	p.LastRequest = d.uvarint(math.MaxUint64)
	return p, d.done()
}

// ParseGoodbye reads the body of a Goodbye.
func ParseGoodbye(body []byte) (g Goodbye, err error) {
	d := decoder{b: body}
	g.Reason = Reason(d.uvarint(math.MaxUint32))
	g.Text = d.string(MaxTextBytes)
	g.Addr = d.string(MaxAddrBytes)
	g.RetryMillis = d.uvarint(math.MaxUint32)
	return g, d.done()
}

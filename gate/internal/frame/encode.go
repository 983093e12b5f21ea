// SPDX-License-Identifier: MIT

package frame

import "encoding/binary"

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// Append appends h as a whole frame.
func (h *Hello) Append(b []byte) []byte {
	start := len(b)
	b = Begin(b, KindHello)
	b = binary.AppendUvarint(b, h.MinVersion)
	b = binary.AppendUvarint(b, h.MaxVersion)
	b = appendBool(b, h.Resume)
	b = appendString(b, h.Token)
	b = appendString(b, h.Device)
	b = appendString(b, h.Client)
	b = binary.AppendUvarint(b, h.LastSeq)
	return End(b, start)
}

// Append appends w as a whole frame.
func (w *Welcome) Append(b []byte) []byte {
	start := len(b)
	b = Begin(b, KindWelcome)
	b = binary.AppendUvarint(b, w.Version)
	b = appendBool(b, w.Resumed)
	b = binary.AppendUvarint(b, w.Session)
	b = appendString(b, w.Token)
	b = binary.AppendUvarint(b, w.LastRequest)
	b = binary.AppendUvarint(b, w.HeartbeatMillis)
	b = binary.AppendUvarint(b, w.MaxFrameBytes)
	b = appendString(b, w.Gate)
	return End(b, start)
}

// Append appends r as a whole frame.
func (r *Request) Append(b []byte) []byte {
	start := len(b)
	b = Begin(b, KindRequest)
	b = binary.AppendUvarint(b, r.Seq)
	b = binary.AppendUvarint(b, r.Ack)
	b = binary.AppendUvarint(b, r.Flags)
	b = binary.AppendUvarint(b, uint64(r.Method))
	if r.Flags&FlagRouted != 0 {
		b = appendString(b, r.Route)
		if r.Flags&FlagNamed != 0 {
			b = appendString(b, r.Name)
		} else {
			b = binary.AppendVarint(b, r.ID)
		}
	}
	b = append(b, r.Args...)
	return End(b, start)
}

// AppendBody appends what follows the sequence number.
func (r *Reply) AppendBody(b []byte) []byte {
	b = binary.AppendUvarint(b, r.Request)
	b = binary.AppendUvarint(b, uint64(r.Code))
	if r.Code != 0 {
		b = binary.AppendVarint(b, int64(r.User))
		b = appendString(b, r.Text)
	}
	return append(b, r.Data...)
}

// AppendBody appends what follows the sequence number.
func (p *Push) AppendBody(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(p.Event))
	return append(b, p.Data...)
}

// AppendBody appends what follows the sequence number.
func (l *Lost) AppendBody(b []byte) []byte { return binary.AppendUvarint(b, l.Count) }

// Append appends r as a whole frame.
func (r *Reply) Append(b []byte) []byte {
	start := len(b)
	b = binary.AppendUvarint(Begin(b, KindReply), r.Seq)
	return End(r.AppendBody(b), start)
}

// Append appends p as a whole frame.
func (p *Push) Append(b []byte) []byte {
	start := len(b)
	b = binary.AppendUvarint(Begin(b, KindPush), p.Seq)
	return End(p.AppendBody(b), start)
}

// Append appends l as a whole frame.
func (l *Lost) Append(b []byte) []byte {
	start := len(b)
	b = binary.AppendUvarint(Begin(b, KindLost), l.Seq)
	return End(l.AppendBody(b), start)
}

// Append appends a as a whole frame.
func (a *Ack) Append(b []byte) []byte {
	start := len(b)
	return End(binary.AppendUvarint(Begin(b, KindAck), a.Seq), start)
}

// Append appends p as a whole frame.
func (p *Ping) Append(b []byte) []byte {
	start := len(b)
	b = binary.AppendUvarint(Begin(b, KindPing), p.Stamp)
	return End(binary.AppendUvarint(b, p.Ack), start)
}

// Append appends p as a whole frame.
func (p *Pong) Append(b []byte) []byte {
	start := len(b)
	b = binary.AppendUvarint(Begin(b, KindPong), p.Stamp)
	return End(binary.AppendUvarint(b, p.LastRequest), start)
}

// Append appends g as a whole frame.
func (g *Goodbye) Append(b []byte) []byte {
	start := len(b)
	b = binary.AppendUvarint(Begin(b, KindGoodbye), uint64(g.Reason))
	b = appendString(b, g.Text)
	b = appendString(b, g.Addr)
	b = binary.AppendUvarint(b, g.RetryMillis)
	return End(b, start)
}

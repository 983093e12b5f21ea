// SPDX-License-Identifier: MIT

package frame

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// samples has one frame of each kind.
func samples() [][]byte {
	return [][]byte{
		(&Hello{MinVersion: 1, MaxVersion: 2, Resume: true, Token: "t", Device: "d", Client: "c", LastSeq: 300}).Append(nil),
		(&Welcome{Version: 1, Resumed: true, Session: 1 << 63, Token: "t", LastRequest: 4, HeartbeatMillis: 15000, MaxFrameBytes: 65536, Gate: "g"}).Append(nil),
		(&Request{Seq: 1, Ack: 2, Flags: FlagOneWay, Method: 3, Args: []byte("args")}).Append(nil),
		(&Request{Seq: 1, Flags: FlagRouted, Method: 3, Route: "zone", ID: -5}).Append(nil),
		(&Request{Seq: 1, Flags: FlagRouted | FlagNamed, Method: 3, Route: "zone", Name: "n", Args: []byte{0}}).Append(nil),
		(&Reply{Seq: 1, Request: 2, Data: []byte("data")}).Append(nil),
		(&Reply{Seq: 1, Request: 2, Code: 1, User: -7, Text: "no"}).Append(nil),
		(&Push{Seq: 9, Event: 1 << 31, Data: []byte("data")}).Append(nil),
		(&Lost{Seq: 9, Count: 2}).Append(nil),
		(&Ack{Seq: 1 << 40}).Append(nil),
		(&Ping{Stamp: 5, Ack: 6}).Append(nil),
		(&Pong{Stamp: 5, LastRequest: 7}).Append(nil),
		(&Goodbye{Reason: ReasonMove, Text: "go", Addr: "host:1", RetryMillis: 5}).Append(nil),
	}
}

// recode parses a frame and encodes it again.
func recode(payload []byte) ([]byte, error) {
	kind, body, err := Split(payload)
	if err != nil {
		return nil, err
	}
	switch kind {
	case KindHello:
		m, err := ParseHello(body)
		return m.Append(nil), err
	case KindWelcome:
		m, err := ParseWelcome(body)
		return m.Append(nil), err
	case KindRequest:
		m, err := ParseRequest(body)
		return m.Append(nil), err
	case KindReply:
		m, err := ParseReply(body)
		return m.Append(nil), err
	case KindPush:
		m, err := ParsePush(body)
		return m.Append(nil), err
	case KindLost:
		m, err := ParseLost(body)
		return m.Append(nil), err
	case KindAck:
		m, err := ParseAck(body)
		return m.Append(nil), err
	case KindPing:
		m, err := ParsePing(body)
		return m.Append(nil), err
	case KindPong:
		m, err := ParsePong(body)
		return m.Append(nil), err
	case KindGoodbye:
		m, err := ParseGoodbye(body)
		return m.Append(nil), err
	}
	return nil, ErrMalformed
}

func TestEveryKindRoundTripsAndTruncationFails(t *testing.T) {
	for _, raw := range samples() {
		payload := raw[HeaderBytes:]
		again, err := recode(payload)
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("got %x, %v want %x", again, err, raw)
		}
		for n := range payload {
			if again, err := recode(payload[:n]); err == nil && !bytes.Equal(again[HeaderBytes:], payload[:n]) {
				t.Fatalf("%x cut at %d was read as something else", payload, n)
			}
		}
	}
}

// FuzzFrameDecode cuts a stream of arbitrary bytes into frames, once whole and
// once in pieces, and decodes each: both ways agree, decode and encode are
// inverse, and the buffer stays within the cap.
func FuzzFrameDecode(f *testing.F) {
	var all []byte
	for _, s := range samples() {
		f.Add(s, uint8(3))
		all = append(all, s...)
	}
	f.Add(all, uint8(1))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		const limit = 1 << 10
		read := func(src io.Reader) (frames [][]byte, err error) {
			r := Reader{Src: src, MaxBytes: limit}
			for {
				payload, err := r.Next()
				if r.Buffered() > max(limit+HeaderBytes, idleBytes) {
					t.Fatalf("buffer of %d", r.Buffered())
				}
				if err != nil {
					return frames, err
				}
				frames = append(frames, append([]byte(nil), payload...))
			}
		}
		whole, errWhole := read(bytes.NewReader(data))
		pieces, errPieces := read(&pieceReader{data: data, n: int(piece%7) + 1})
		single, errSingle := read(iotest.OneByteReader(bytes.NewReader(data)))
		if !errors.Is(errPieces, errWhole) || !errors.Is(errSingle, errWhole) || len(pieces) != len(whole) || len(single) != len(whole) {
			t.Fatalf("%v %v %v, %d %d %d frames", errWhole, errPieces, errSingle, len(whole), len(pieces), len(single))
		}
		for i, payload := range whole {
			if !bytes.Equal(payload, pieces[i]) || !bytes.Equal(payload, single[i]) {
				t.Fatalf("frame %d differs", i)
			}
			again, err := recode(payload)
			if err != nil {
				continue
			}
			if want := binary.BigEndian.AppendUint32(nil, uint32(len(payload))); !bytes.Equal(again, append(want, payload...)) {
				t.Fatalf("got %x want %x", again, payload)
			}
		}
	})
}

type pieceReader struct {
	data []byte
	n    int
}

func (p *pieceReader) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(p.n, len(b))], p.data)
	p.data = p.data[n:]
	return n, nil
}

// TestGoldenFrames pins the bytes; clients/ts has the same ones.
func TestGoldenFrames(t *testing.T) {
	for want, raw := range map[string][]byte{
		"000000120101010103746f6b0364657603636c69ac02":           (&Hello{MinVersion: 1, MaxVersion: 1, Resume: true, Token: "tok", Device: "dev", Client: "cli", LastSeq: 300}).Append(nil),
		"00000006020102010361":                                   (&Request{Seq: 1, Ack: 2, Flags: FlagOneWay, Method: 3, Args: []byte("a")}).Append(nil),
		"0000000f02010002ffffffff0f047a6f6e6509":                 (&Request{Seq: 1, Flags: FlagRouted, Method: 1<<32 - 1, Route: "zone", ID: -5}).Append(nil),
		"0000000a0201000603017a016e00":                           (&Request{Seq: 1, Flags: FlagRouted | FlagNamed, Method: 3, Route: "z", Name: "n", Args: []byte{0}}).Append(nil),
		"0000000703808080808020":                                 (&Ack{Seq: 1 << 40}).Append(nil),
		"00000003040506":                                         (&Ping{Stamp: 5, Ack: 6}).Append(nil),
		"00000003050507":                                         (&Pong{Stamp: 5, LastRequest: 7}).Append(nil),
		"000000050601000000":                                     (&Goodbye{Reason: ReasonBye}).Append(nil),
		"00000017100101ffffffffffffffffff0101740498758080040167": (&Welcome{Version: 1, Resumed: true, Session: 1<<64 - 1, Token: "t", LastRequest: 4, HeartbeatMillis: 15000, MaxFrameBytes: 65536, Gate: "g"}).Append(nil),
		"00000009120981808080083132":                             (&Push{Seq: 9, Event: 1<<31 + 1, Data: []byte("12")}).Append(nil),
		"000000081101020153024e4f":                               (&Reply{Seq: 1, Request: 2, Code: 1, User: -42, Text: "NO"}).Append(nil),
	} {
		if got := hex.EncodeToString(raw); got != want {
			t.Errorf("got %s want %s", got, want)
		}
	}
}

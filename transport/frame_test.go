// SPDX-License-Identifier: MIT

package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

// decodeAll feeds b in pieces of random size, as a connection would, and
// returns the whole frames before the first error.
func decodeAll(b []byte, maxFrameBytes int, rng *rand.Rand) (frames [][]byte, rest int, err error) {
	d := decoder{maxFrameBytes: maxFrameBytes}
	buf := make([]byte, readBufferBytes)
	have := 0
	for {
		n := copy(buf[have:have+rng.IntN(len(buf)-have)+1], b)
		b = b[n:]
		have += n
		at := 0
		for {
			ev, used, err := d.next(buf[at:have])
			if err != nil {
				return frames, 0, err
			}
			if used == 0 {
				break
			}
			at += used
			if ev.whole {
				frames = append(frames, append([]byte(nil), ev.frame...))
			}
		}
		have = copy(buf, buf[at:have])
		if have == len(buf) {
			return frames, have, errors.New("a physical frame larger than the buffer")
		}
		if len(b) == 0 {
			return frames, have, nil
		}
	}
}

// encode cuts data into frames and runs them through a queue.
func encode(frames [][]byte) (wire []byte) {
	q := outQueue{maxBytes: 1 << 30, maxFrames: 1 << 30}
	for _, frame := range frames {
		q.push(0, frame)
	}
	for seg := q.next(); seg != nil; seg = q.next() {
		wire = append(wire, seg.b...)
		q.finish(seg, len(seg.b))
	}
	return wire
}

// FuzzFrameDecode checks, at random chunk boundaries, that decoding hostile
// bytes neither panics nor allocates out of proportion, and that decoding what
// was encoded gives it back.
func FuzzFrameDecode(f *testing.F) {
	f.Add([]byte("hello"), uint64(1), uint16(3))
	f.Add(appendPhysical(nil, kindFirst, []byte{1, 0, 0, 0, 0xff, 0xff, 0x3f, 0, 1, 2}), uint64(2), uint16(0))
	f.Add(appendClose(nil, ErrIdle), uint64(3), uint16(9))
	f.Add(bytes.Repeat([]byte{7}, 33<<10), uint64(4), uint16(5000))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64, size uint16) {
		const maxFrameBytes = 4 << 20
		if len(b) > 80<<10 {
			t.Skip("long inputs only slow the search down")
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, _, _ := decodeAll(b, maxFrameBytes, rand.New(rand.NewPCG(seed, 0)))
		runtime.ReadMemStats(&after)
		total := 0
		for _, frame := range got {
			total += len(frame)
		}
		if total > len(b) {
			t.Fatalf("%d bytes of frames out of %d", total, len(b))
		}
		if spent := after.TotalAlloc - before.TotalAlloc; spent > uint64(16*len(b)+256<<10) {
			t.Fatalf("%d bytes allocated for %d", spent, len(b))
		}

		var want [][]byte
		for rest := b; len(rest) > 0; {
			n := min(len(rest), 64+int(size)*7%60000)
			want = append(want, rest[:n])
			rest = rest[n:]
		}
		got, rest, err := decodeAll(encode(want), maxFrameBytes, rand.New(rand.NewPCG(seed, 1)))
		if err != nil || rest != 0 || len(got) != len(want) {
			t.Fatalf("%d frames, %d bytes left, %v; want %d frames", len(got), rest, err, len(want))
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("frame %d differs", i)
			}
		}
	})
}

// TestQueueModel runs random operations against a queue whose connection
// breaks at random points, with a decoder at the other end. It checks T1 and
// T2: per key, what arrives is in order and arrives once; a frame that was
// fully written on a connection arrives; none is lost in the queue.
func TestQueueModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := outQueue{maxBytes: 1 << 30, maxFrames: 1 << 30}
		d := decoder{maxFrameBytes: 4 << 20}
		var pipe []byte             // written on the connection, not yet decoded
		sent := map[uint64]uint32{} // frames pushed per key
		next := map[uint64]uint32{} // frames arrived per key
		frameOf := func(key uint64, i uint32, n int) []byte {
			frame := make([]byte, max(n, 13))
			binary.LittleEndian.PutUint64(frame, key)
			binary.LittleEndian.PutUint32(frame[8:], i)
			frame[len(frame)-1] = byte(i)
			return frame
		}
		receive := func() {
			for {
				ev, used, err := d.next(pipe)
				if err != nil {
					t.Fatalf("decode: %v", err)
				}
				if used == 0 {
					return
				}
				if ev.whole {
					key, i := binary.LittleEndian.Uint64(ev.frame), binary.LittleEndian.Uint32(ev.frame[8:])
					if i != next[key] {
						t.Fatalf("key %d: got frame %d, want %d", key, i, next[key])
					}
					next[key]++
				}
				pipe = pipe[used:]
			}
		}
		write := func(broken bool) {
			seg := q.next()
			if seg == nil {
				return
			}
			n := len(seg.b)
			if broken {
				n = rapid.IntRange(0, n).Draw(t, "written")
			}
			pipe = append(pipe, seg.b[:n]...)
			whole := n == len(seg.b)
			q.finish(seg, n)
			receive()
			if broken && !whole || broken && rapid.Bool().Draw(t, "breaks anyway") {
				q.reconnected()
				pipe, d = nil, decoder{maxFrameBytes: 4 << 20}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				key := rapid.Uint64Range(0, 3).Draw(t, "key")
				n := rapid.SampledFrom([]int{12, 100, 9000, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3 * chunkBytes}).Draw(t, "size")
				frame := frameOf(key, sent[key], n)
				sent[key]++
				if rapid.Bool().Draw(t, "append") {
					if err := q.pushAppend(key, rawAppender(frame), func(int) error { return nil }); err != nil {
						t.Fatal(err)
					}
				} else {
					q.push(key, frame)
				}
			},
			"push many": func(t *rapid.T) { // more than one segment holds
				key := rapid.Uint64Range(0, 3).Draw(t, "key")
				for range rapid.IntRange(2, 9).Draw(t, "n") {
					q.push(key, frameOf(key, sent[key], chunkBytes-rapid.IntRange(0, 20000).Draw(t, "less")))
					sent[key]++
				}
			},
			"write": func(*rapid.T) { write(false) },
			"break": func(*rapid.T) { write(true) },
			"": func(t *rapid.T) {
				arrived, pushed := 0, 0
				for key, n := range sent {
					pushed += int(n)
					arrived += int(next[key])
				}
				if q.count != pushed-arrived {
					t.Fatalf("%d queued, want %d", q.count, pushed-arrived)
				}
				if q.empty() && q.bytes != 0 {
					t.Fatalf("empty queue accounts for %d bytes", q.bytes)
				}
			},
		})
		dropped := map[uint64]uint32{}
		if rapid.Bool().Draw(t, "drain") {
			q.drain(func(frame []byte) {
				key, i := binary.LittleEndian.Uint64(frame), binary.LittleEndian.Uint32(frame[8:])
				if want := next[key] + dropped[key]; i != want {
					t.Fatalf("key %d: dropped frame %d, want %d", key, i, want)
				}
				dropped[key]++
			})
		}
		for !q.empty() {
			write(false)
		}
		for key, n := range sent {
			if next[key]+dropped[key] != n {
				t.Fatalf("key %d: %d arrived and %d dropped of %d", key, next[key], dropped[key], n)
			}
		}
		if q.bytes != 0 || len(q.byKey) != 0 || len(q.streams) != 0 {
			t.Fatalf("left over: %d bytes, %d streams", q.bytes, len(q.streams))
		}
	})
}

type rawAppender []byte

func (a rawAppender) AppendBinary(b []byte) ([]byte, error) { return append(b, a...), nil }

type panicking struct{}

func (panicking) AppendBinary(b []byte) ([]byte, error) { panic("encoder bug") }

// TestAppendPanic checks that a panic of the encoder reaches the caller and
// leaves the link usable.
func TestAppendPanic(t *testing.T) {
	got := make(chan string, 1)
	b := start(t, devConfig("b"), &funcHandler{frame: func(_ Link, _ Lane, frame []byte) { got <- string(frame) }})
	a := start(t, devConfig("a"), &funcHandler{})
	l := connect(t, a, b.Self())
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = l.SendAppend(Meta{}, panicking{})
	}()
	if err := l.Send(Meta{}, []byte("fine")); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "fine" {
		t.Errorf("got %q, want fine", s)
	}
}

// TestDecodeAllocs: nothing per frame, and the announced size of a large frame
// is not believed.
func TestDecodeAllocs(t *testing.T) {
	wire := encode([][]byte{make([]byte, 32), make([]byte, 1000), nil})
	d := decoder{maxFrameBytes: 4 << 20}
	if n := testing.AllocsPerRun(100, func() {
		for b := wire; len(b) > 0; {
			_, used, err := d.next(b)
			if err != nil || used == 0 {
				t.Fatal(used, err)
			}
			b = b[used:]
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	first := appendPhysical(nil, kindFirst, append([]byte{1, 0, 0, 0, 0, 0, 0x40, 0}, make([]byte, 10)...)) // 4 MiB
	if _, _, err := d.next(first); err != nil {
		t.Fatal(err)
	}
	if c := cap(d.streams[0].buf); c > 64 {
		t.Errorf("%d bytes reserved for 10", c)
	}
}

func TestQueueAllocs(t *testing.T) {
	q := outQueue{maxBytes: 1 << 20, maxFrames: 1 << 20}
	frame := make([]byte, 32)
	if n := testing.AllocsPerRun(1000, func() {
		for range 100 {
			q.push(1, frame)
		}
		seg := q.next()
		q.finish(seg, len(seg.b))
	}); n != 0 {
		t.Errorf("%v allocations per 100 frames", n)
	}
}

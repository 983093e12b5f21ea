// SPDX-License-Identifier: MIT

package gate

import (
	"fmt"
	"testing"

	"github.com/troupe-go/troupe/gate/internal/frame"
	"pgregory.net/rapid"
)

// TestOutboxModel drives an outbox and a client with random pushes, writes,
// losses, acknowledgements and resumes. The reference is the list of
// everything that was pushed: the client must have a prefix of it at any time,
// each entry once, and all of it in the end (R1).
func TestOutboxModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		out := newOutbox()
		var pushed, seen []string
		var wire []byte // written and not yet received
		var lastSeq uint64
		attached := true
		receive := func(n int) {
			r := frame.Reader{Src: &earlyReader{early: wire[:n]}, MaxBytes: 1 << 20}
			used := 0
			for {
				payload, err := r.Next()
				if err != nil {
					break
				}
				used += len(payload) + frame.HeaderBytes
				_, body, _ := frame.Split(payload)
				p, err := frame.ParsePush(body)
				if err != nil {
					t.Fatalf("push: %v", err)
				}
				if p.Seq == 0 {
					continue
				}
				if p.Seq != lastSeq+1 {
					t.Fatalf("R1: got %d after %d", p.Seq, lastSeq)
				}
				lastSeq = p.Seq
				seen = append(seen, string(p.Data))
			}
			wire = wire[used:]
		}
		write := func(limit int) { wire = out.pop(wire, len(wire)+limit) }
		t.Repeat(map[string]func(*rapid.T){
			"push": func(*rapid.T) {
				text := fmt.Sprint(len(pushed))
				pushed = append(pushed, text)
				out.add(frame.KindPush, encodePush(Push{Event: 1, Data: []byte(text)}), attached)
			},
			"volatile": func(t *rapid.T) {
				if attached {
					out.enqueue(entry{kind: frame.KindPush, body: encodePush(Push{Event: 2})})
				}
			},
			"write": func(t *rapid.T) {
				if attached {
					write(rapid.IntRange(1, 300).Draw(t, "limit"))
				}
			},
			"receive": func(t *rapid.T) { receive(rapid.IntRange(0, len(wire)).Draw(t, "n")) },
			"ack": func(t *rapid.T) {
				seq := rapid.Uint64Range(0, lastSeq).Draw(t, "seq")
				if attached && !out.ack(seq) {
					t.Fatalf("ack %d refused", seq)
				}
			},
			"disconnect": func(t *rapid.T) {
				receive(rapid.IntRange(0, len(wire)).Draw(t, "arrives"))
				wire, attached = nil, false
				out.disconnect()
			},
			"resume": func(t *rapid.T) {
				if !attached {
					if !out.resume(lastSeq) {
						t.Fatalf("resume after %d refused, acked %d", lastSeq, out.acked)
					}
					attached = true
				}
			},
			"move to another gate": func(t *rapid.T) {
				if !attached {
					s := &session{out: out, who: Identity{Player: player7}, id: 1, lastRequest: 3}
					moved, err := restore(&Gate{}, s.stateLocked())
					if err != nil {
						t.Fatalf("restore: %v", err)
					}
					out = moved.out
				}
			},
			"": func(t *rapid.T) { checkOutbox(t, &out, pushed, seen) },
		})
		if !attached && !out.resume(lastSeq) {
			t.Fatal("last resume refused")
		}
		write(1 << 30)
		receive(len(wire))
		if len(seen) != len(pushed) {
			t.Fatalf("R1: got %d of %d", len(seen), len(pushed))
		}
	})
}

func checkOutbox(t *rapid.T, o *outbox, pushed, seen []string) {
	if uint64(len(o.window)) != o.next-1-o.acked {
		t.Fatalf("O1: window of %d, acked %d, next %d", len(o.window), o.acked, o.next)
	}
	window, queue := 0, 0
	for i, e := range o.window {
		window += e.cost()
		if e.seq != o.acked+1+uint64(i) {
			t.Fatalf("O1: window[%d] is %d", i, e.seq)
		}
	}
	last := o.next
	for i := len(o.queue) - 1; i >= 0; i-- {
		queue += o.queue[i].cost()
		if seq := o.queue[i].seq; seq != 0 {
			if seq != last-1 {
				t.Fatalf("O2: queue has %d before %d", seq, last)
			}
			last = seq
		}
	}
	if window != o.windowBytes || queue != o.queueBytes {
		t.Fatalf("O3: window %d, counted %d; queue %d, counted %d", window, o.windowBytes, queue, o.queueBytes)
	}
	for i := range seen {
		if seen[i] != pushed[i] {
			t.Fatalf("R1: seen[%d] = %q, want %q", i, seen[i], pushed[i])
		}
	}
}

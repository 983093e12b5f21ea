// SPDX-License-Identifier: MIT

package troupe

import (
	"bytes"
	"reflect"
	"testing"
)

// FuzzMessageFrame: any bytes parse or are refused, what parses encodes to a
// frame that parses to the same, and nothing is allocated beyond the input.
func FuzzMessageFrame(f *testing.F) {
	f.Add((&message{kind: 7, id: 1, method: 3, args: []byte("x")}).appendHead(nil)[1:])
	f.Add((&message{
		kind: 7, name: "key", method: -3, epoch: 9, hops: 2, call: 5, budget: 100,
		from: frameRef{kind: 1, name: "n"}, fromEpoch: 4, chain: []frameRef{{1, 2, ""}, {2, 0, "z"}},
		trace: &TraceContext{Flags: 1},
	}).appendHead(nil)[1:])
	f.Add((&message{kind: 7, hops: 2, from: frameRef{kind: 1, id: 1}, fromEpoch: 4, fromSession: 3}).appendHead(nil)[1:])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m message
		if parseMessage(b, &m) != nil {
			return
		}
		if len(m.chain) > maxChain || len(m.name) > len(b) || len(m.args) > len(b) {
			t.Fatalf("more came out than went in: %+v", m)
		}
		var again message
		if err := parseMessage(append(m.appendHead(nil)[1:], m.args...), &again); err != nil {
			t.Fatalf("%v does not parse again: %v", m, err)
		}
		if len(m.args) == 0 && len(again.args) == 0 {
			m.args, again.args = nil, nil
		}
		if m.call == 0 {
			m.budget, again.budget = 0, 0 // not sent without a call
		}
		if m.from.kind == 0 {
			m.from, m.fromEpoch, again.fromEpoch = frameRef{}, 0, 0 // no sender
		}
		if !reflect.DeepEqual(m, again) {
			t.Fatalf("%+v became %+v", m, again)
		}
	})
}

// FuzzReplyFrame is FuzzMessageFrame for replies and the errors in them.
func FuzzReplyFrame(f *testing.F) {
	f.Add((&reply{status: replyOK, call: 1 << 33, epoch: 7}).appendHead(nil)[1:])
	f.Add(appendError((&reply{status: replyFailed, call: 1}).appendHead(nil)[1:], ErrMailboxFull))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p reply
		if parseReply(b, &p) != nil {
			return
		}
		var again reply
		if err := parseReply(append(p.appendHead(nil)[1:], p.rest...), &again); err != nil {
			t.Fatal(err)
		}
		if p.status != again.status || p.call != again.call || p.epoch != again.epoch || !bytes.Equal(p.rest, again.rest) {
			t.Fatalf("%+v became %+v", p, again)
		}
		if p.status != replyOK && parseError(p.rest) == nil {
			t.Fatal("an error became none")
		}
	})
}

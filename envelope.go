// SPDX-License-Identifier: MIT

package troupe

import (
	"unsafe"
)

// inlineBytes is the size of argument structs that travel inside the envelope.
// Together with the other fields and the queue's own word an envelope fills
// one 64-byte cache line.
const inlineBytes = 24

// envelope is one message in a mailbox. It is copied by value; the arguments
// belong to whoever holds the envelope and are released by Method.invoke or
// Method.drop, exactly once.
type envelope struct {
	m AnyMethod
	// meta is nil for a plain local send: no reply, no chain, no trace.
	meta *meta
	// ptr is the pooled argument struct, nil when the arguments are inline.
	ptr unsafe.Pointer
	// words holds pointer-free arguments of at most inlineBytes.
	words [inlineBytes / 8]uint64
}

// meta is what a message carries beside its arguments. It is immutable once
// the message was sent, except for call, whose protocol is in call.go: one-way
// messages of the same sender share one.
type meta struct {
	// call is the local caller that waits for the reply, nil otherwise.
	call *call
	// remote answers a caller on another node, nil otherwise.
	remote replier
	// chain lists the actors that wait for this message, innermost first.
	chain *chainLink
	// deadline is in node time (Node.now), 0 when there is none yet.
	deadline int64
	// from names the sender when it is an actor; fromEpoch is its fence, and
	// fromSession, if the message came from another node, the session under
	// which that node sent it.
	from        Ref
	fromEpoch   uint64
	fromSession uint64
	// toEpoch is the epoch that a sender on another node believes the target
	// to have; hops counts the nodes on the way here.
	toEpoch uint64
	hops    uint64
	// trace is the W3C trace context, nil when there is none.
	trace *TraceContext
	// tries counts the deliveries that ended in a panic.
	tries int
}

// replier sends the outcome of a call back to another node. It takes over the
// reply; err is nil on success.
type replier interface {
	reply(m AnyMethod, reply unsafe.Pointer, err error)
	// moved tells the caller to look for the owner again.
	moved(m AnyMethod)
}

// TraceContext is a W3C trace context: it travels with calls and sends from
// handlers whose own message carried one, and is found again with TraceOf.
type TraceContext struct {
	TraceID [16]byte
	SpanID  [8]byte
	Flags   byte
}

// chainLink is one actor that waits for its call to return. Links are
// immutable, so that chains can share their tails.
type chainLink struct {
	ref   Ref
	cell  *cell // nil when the actor is on another node
	epoch uint64
	next  *chainLink
}

// refs returns the chain from the first caller to the innermost one.
func (l *chainLink) refs() []Ref {
	var refs []Ref
	for ; l != nil; l = l.next {
		refs = append(refs, l.ref)
	}
	for i, j := 0, len(refs)-1; i < j; i, j = i+1, j-1 {
		refs[i], refs[j] = refs[j], refs[i]
	}
	return refs
}

// contains reports whether ref waits in the chain.
func (l *chainLink) contains(ref Ref) bool {
	for ; l != nil; l = l.next {
		if l.ref == ref {
			return true
		}
	}
	return false
}

// waitsIn reports whether c waits in the chain. It compares pointers only and
// is the check of local calls.
func (c *cell) waitsIn(l *chainLink) bool {
	for ; l != nil; l = l.next {
		if l.cell == c {
			return true
		}
	}
	return false
}

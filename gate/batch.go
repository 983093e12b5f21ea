// SPDX-License-Identifier: MIT

package gate

import "github.com/troupe-go/troupe"

// A Batch collects events for many audiences and sends each gate its share in
// one message: for an actor that tells many small groups something at once, as
// a zone does with every tick. Within a batch, and between batches of one actor,
// each session gets its events in the order added.
//
// Keep it in an actor and use it on the actor's turn only. The zero value is
// empty.
type Batch struct {
	gates map[string]*batchArgs
	bytes map[string]int
	err   error
}

// batchArgs is what one gate gets of a batch.
type batchArgs struct {
	From  troupe.Ref  `troupe:"1"`
	Fence Fence       `troupe:"2"`
	Items []batchItem `troupe:"3"`
}

type batchItem struct {
	Sessions []uint64 `troupe:"1"`
	Event    int32    `troupe:"2"`
	Volatile bool     `troupe:"3"`
	Data     []byte   `troupe:"4"`
}

// maxBatchBytes bounds one message; what is added beyond it makes the next.
const maxBatchBytes = 256 << 10

// Group adds an event for all sessions of a group; see Group.Push. data must
// not change afterwards.
func (b *Batch) Group(from troupe.Caller, g *Group, event int32, data []byte, volatile bool) {
	for gate, ids := range g.ids {
		g.dirty[gate] = true
		b.add(from, gate, batchItem{Sessions: ids[:len(ids):len(ids)], Event: event, Volatile: volatile, Data: data})
	}
}

// Session adds an event for one session; see SessionRef.Push.
func (b *Batch) Session(from troupe.Caller, s SessionRef, event int32, data []byte, volatile bool) {
	if !s.IsZero() {
		b.add(from, s.Gate, batchItem{Sessions: []uint64{s.ID}, Event: event, Volatile: volatile, Data: data})
	}
}

func (b *Batch) add(from troupe.Caller, gate string, item batchItem) {
	if b.gates == nil {
		b.gates, b.bytes = make(map[string]*batchArgs), make(map[string]int)
	}
	size := len(item.Data) + 10*len(item.Sessions) + entryOverhead
	if b.bytes[gate]+size > maxBatchBytes {
		b.send(from, gate)
	}
	args := b.gates[gate]
	if args == nil {
		args = new(batchArgs)
		b.gates[gate] = args
	}
	args.Items = append(args.Items, item)
	b.bytes[gate] += size
}

// Send sends what was added and empties the batch. from is the actor that adds.
// The error is that of the first gate that could not be told; the others were.
func (b *Batch) Send(from troupe.Caller) error {
	for gate := range b.gates {
		b.send(from, gate)
	}
	err := b.err
	b.err = nil
	return err
}

func (b *Batch) send(from troupe.Caller, gate string) {
	args := b.gates[gate]
	if args == nil || len(args.Items) == 0 {
		return
	}
	p := newPush(from, 0, nil, false)
	args.From, args.Fence = p.From, p.Fence
	if err := tellGate(from, gate, &gateMessage{Batch: args}); err != nil && b.err == nil {
		b.err = err
	}
	// A gate on this node, or the wire's bytes, have it by now.
	clear(args.Items)
	args.Items, b.bytes[gate] = args.Items[:0], 0
}

// deliverBatch hands the events of a batch to the sessions here.
func (g *Gate) deliverBatch(b *batchArgs) error {
	var first error
	for i := range b.Items {
		item := &b.Items[i]
		p := Push{Event: item.Event, Data: item.Data, Volatile: item.Volatile, From: b.From, Fence: b.Fence}
		if _, err := g.Deliver(p, item.Sessions...); err != nil && first == nil {
			first = err
		}
	}
	return first
}

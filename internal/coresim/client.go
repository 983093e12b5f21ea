// SPDX-License-Identifier: MIT

package coresim

const (
	clients    = 6
	tryTimeout = 2 * second
	thinkTime  = 600 * millisecond
)

type opKind uint8

const (
	opWrite opKind = iota // an append, answered when it is durable
	opNote                // an append, answered at once
	opRead                // answered with what is durable
)

// operation is what a client wants; it is repeated under its number until it
// is answered.
type operation struct {
	id     int64
	entity int
	kind   opKind
	begin  int64
	tries  int
	done   bool
	floor  int // the newest version that was answered before it began
}

// client sends one operation after the other.
type client struct {
	*process
	number int
	next   int64
	quiet  bool
}

func (c *client) work() {
	if c.quiet {
		return
	}
	c.next++
	op := &operation{id: int64(c.number+1)<<32 | c.next, entity: c.w.random.IntN(entities), kind: opWrite}
	switch c.w.random.IntN(4) {
	case 0:
		op.kind = opNote
	case 1:
		op.kind = opRead
	}
	c.do(op, func() { c.w.after(c.process, c.w.random.Int64N(thinkTime), c.work) })
}

// do repeats op until it is answered.
func (c *client) do(op *operation, then func()) {
	op.begin = c.w.now
	c.w.check.begins(op)
	c.try(op, then)
}

func (c *client) try(op *operation, then func()) {
	w := c.w
	op.tries++
	now := op.tries
	n := w.nodes[w.random.IntN(workers)]
	again := func(wait int64) {
		if !op.done && op.tries == now {
			op.tries++
			w.after(c.process, wait, func() {
				if !op.done {
					c.try(op, then)
				}
			})
		}
	}
	w.net.send(clientsAt, n.process, func() {
		n.handle(call{op: op, reply: func(list []int64, position int, epoch uint64, ok bool) {
			w.net.send(n.place, c.process, func() {
				switch {
				case op.done:
				case !ok:
					again(50*millisecond + w.random.Int64N(100*millisecond))
				default:
					op.done = true
					w.note("answer", uint64(op.id), uint64(position), epoch)
					w.check.answered(op, list, position)
					then()
				}
			})
		}}, 0)
	})
	w.after(c.process, tryTimeout, func() { again(millisecond) })
}

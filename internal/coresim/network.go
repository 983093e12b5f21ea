// SPDX-License-Identifier: MIT

package coresim

// Places in the network.
const (
	voters     = 3
	workers    = 4
	gatewayAt  = voters + workers
	storeAt    = gatewayAt + 1
	clientsAt  = storeAt + 1
	places     = clientsAt + 1
	baseDelay  = millisecond / 5
	baseJitter = 2 * millisecond
)

// network carries messages between places. Nothing is promised about order.
type network struct {
	w     *world
	cut   [places][places]int // directed; counts cuts
	delay int64               // of every message, with as much jitter
	drop  int                 // per mille
	twice int                 // per mille
	// For writes of documents only.
	flushDelay int64
	flushTwice int // per mille
}

// send delivers a message to p, or not.
func (n *network) send(from int, to *process, do func()) {
	n.deliver(from, to, do, n.w.random.Int64N(baseJitter+2*n.delay)+n.delay)
	if n.twice > 0 && n.w.random.IntN(1000) < n.twice {
		n.deliver(from, to, do, n.w.random.Int64N(baseJitter+4*n.delay))
	}
}

func (n *network) deliver(from int, to *process, do func(), delay int64) {
	w := n.w
	if from == to.place {
		w.after(to, baseDelay, do)
		return
	}
	if n.cut[from][to.place] > 0 || n.drop > 0 && w.random.IntN(1000) < n.drop {
		w.stats.Dropped++
		return
	}
	// The cut counts where the message arrives, too: it was under way. What
	// reaches a paused process waits for it; a connection dies with its process.
	life := to.life
	w.after(nil, baseDelay+delay, func() {
		if n.cut[from][to.place] > 0 || !to.up || to.life != life {
			w.stats.Dropped++
			return
		}
		w.stats.Messages++
		if to.paused {
			to.backlog = append(to.backlog, do)
			return
		}
		do()
	})
}

// isolate cuts or heals directions between a place and all others.
func (n *network) isolate(place, by int, in, out bool) {
	for i := range places {
		if i == place || i == clientsAt {
			continue
		}
		if out {
			n.cut[place][i] += by
		}
		if in {
			n.cut[i][place] += by
		}
	}
}

func (n *network) pair(a, b, by int) {
	n.cut[a][b] += by
	n.cut[b][a] += by
}

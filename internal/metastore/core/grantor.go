// SPDX-License-Identifier: MIT

package core

import (
	"cmp"
	"container/heap"
	"slices"
)

// maxUnseen is how many renewals of one session are admitted without its
// holder having seen an answer: then it can send but not receive, and must not
// be kept alive for ever.
const maxUnseen = 3

// Grantor is the leader's side of leases: it decides when to propose an
// expiry, which renewals to admit, and when its own log is stuck. It decides
// nothing about authority: an expiry only counts once it is committed and the
// state machine accepted it (R3).
//
//	follower --Led--> waiting --BarrierApplied(own term)--> granting
//	    ^----------------Deposed---------------------------------'
//
// A Grantor expires nothing before a barrier of its own term applied, and then
// gives every session a full fresh TTL (new-leader grace): the timers of
// earlier leaders are unknown to it.
//
// The zero value is not usable; see NewGrantor. Not safe for concurrent use.
type Grantor struct {
	timing   Timing
	term     uint64
	leading  bool
	granting bool

	timers map[timerKey]timer
	queue  timerQueue // may hold outdated items; timers is the truth
	unseen map[uint64]unseen

	lastCommit int64
	lastNoop   int64
	steppedAt  int64 // when leadership was handed over for a stall, or 0
	mutedAt    int64 // when the node was cut off after that, or 0
}

type timerKey struct {
	session uint64
	lease   string
}

type timer struct {
	deadline int64
	epoch    uint64 // of a lease
	seq      uint64
	ttl      int64
}

type unseen struct {
	ack, seq uint64
	count    int
}

// NewGrantor returns the grantor of a node that does not lead.
func NewGrantor(t Timing) *Grantor {
	return &Grantor{timing: t.WithDefaults(), timers: map[timerKey]timer{}, unseen: map[uint64]unseen{}}
}

// GrantorEvent is one of Led, Deposed, BarrierApplied, Touched, RenewArrived,
// Committed, GrantorTick.
type GrantorEvent interface{ grantorEvent() }

type (
	// Led says that the node became leader in Term.
	Led struct{ Term uint64 }
	// Deposed says that the node is not the leader any more.
	Deposed struct{}
	// BarrierApplied says that the barrier proposed in Term applied here. All
	// lists everything that State.EachTimer yields after it.
	BarrierApplied struct {
		Term uint64
		All  []Touch
	}
	// Touched passes on what an applied entry renewed or ended.
	Touched struct{ List []Touch }
	// RenewArrived asks whether a renewal may be proposed (Effects.Admit).
	RenewArrived struct{ Renewal Renewal }
	// Committed says that an entry of the own term was committed.
	Committed struct{}
	// GrantorTick lets time pass. Send one at least every 100 ms.
	GrantorTick struct{}
)

func (Led) grantorEvent()            {}
func (Deposed) grantorEvent()        {}
func (BarrierApplied) grantorEvent() {}
func (Touched) grantorEvent()        {}
func (RenewArrived) grantorEvent()   {}
func (Committed) grantorEvent()      {}
func (GrantorTick) grantorEvent()    {}

// GrantorEffects is what the host must do now.
type GrantorEffects struct {
	Barrier  bool      // propose a barrier, answer with BarrierApplied
	Admit    bool      // the renewal may be proposed
	Expire   []Command // propose these, in order
	Noop     bool      // propose a Noop
	StepDown bool      // no commit for StallAfter: hand leadership over
	Mute     bool      // that did not help: stop talking to the other voters for a while
	GiveUp   bool      // nor did that: the node's own main loop hangs, it is broken
}

// Step advances the grantor. now is the node's monotonic clock.
func (g *Grantor) Step(ev GrantorEvent, now int64) GrantorEffects {
	switch e := ev.(type) {
	case Led:
		g.led(e.Term, now)
		return GrantorEffects{Barrier: true}
	case Deposed:
		g.leading, g.granting = false, false
		g.steppedAt, g.mutedAt = 0, 0
		clear(g.unseen)
		if !ablateGrace {
			clear(g.timers)
			g.queue = nil
		}
	case BarrierApplied:
		g.grant(e, now)
	case Touched:
		for _, t := range e.List {
			g.touch(t, now)
		}
	case RenewArrived:
		return GrantorEffects{Admit: g.admit(e.Renewal)}
	case Committed:
		g.lastCommit, g.steppedAt, g.mutedAt = now, 0, 0
	case GrantorTick:
		return g.tick(now)
	}
	return GrantorEffects{}
}

// Granting reports whether expiries may be proposed.
func (g *Grantor) Granting() bool { return g.granting }

func (g *Grantor) led(term uint64, now int64) {
	g.term, g.leading, g.granting = term, true, false
	g.lastCommit, g.lastNoop, g.steppedAt, g.mutedAt = now, now, 0, 0
	clear(g.unseen)
}

// grant starts a fresh timer for everything alive.
func (g *Grantor) grant(e BarrierApplied, now int64) {
	if !g.leading || e.Term != g.term {
		return // a barrier of an earlier term proves nothing
	}
	g.granting = true
	g.lastCommit = now
	old := g.timers
	g.timers, g.queue = map[timerKey]timer{}, nil
	for _, t := range e.All {
		g.touch(t, now)
		if o, ok := old[t.key()]; ok && ablateGrace {
			g.set(t.key(), timer{o.deadline, t.Epoch, t.Seq, t.TTL})
		}
	}
}

func (t Touch) key() timerKey { return timerKey{t.Session, t.Lease} }

func (g *Grantor) touch(t Touch, now int64) {
	if !g.granting {
		return
	}
	if t.Gone {
		if cur, ok := g.timers[t.key()]; ok && cur.epoch == t.Epoch {
			delete(g.timers, t.key())
		}
		delete(g.unseen, t.Session)
		return
	}
	g.set(t.key(), timer{now + g.timing.grantorTTL(t.TTL), t.Epoch, t.Seq, t.TTL})
}

func (g *Grantor) set(k timerKey, t timer) {
	g.timers[k] = t
	heap.Push(&g.queue, timerItem{t.deadline, k})
	if len(g.queue) > 2*len(g.timers)+64 {
		g.rebuild()
	}
}

// rebuild drops the outdated items, so that the queue stays O(timers).
func (g *Grantor) rebuild() {
	g.queue = g.queue[:0]
	for k, t := range g.timers {
		g.queue = append(g.queue, timerItem{t.deadline, k})
	}
	heap.Init(&g.queue)
}

// admit counts new renewals whose sender has not seen the previous answers.
func (g *Grantor) admit(r Renewal) bool {
	u := g.unseen[r.Session]
	switch {
	case r.Ack > u.ack:
		u = unseen{ack: r.Ack, seq: r.Seq}
	case r.Seq > u.seq:
		u.seq = r.Seq
		u.count++
	}
	g.unseen[r.Session] = u
	return u.count <= maxUnseen
}

func (g *Grantor) tick(now int64) GrantorEffects {
	var fx GrantorEffects
	if !g.leading {
		return fx
	}
	g.watchdog(now, &fx)
	if g.granting {
		fx.Expire = g.due(now)
	}
	return fx
}

func (g *Grantor) watchdog(now int64, fx *GrantorEffects) {
	silent := now - g.lastCommit
	if silent >= g.timing.NoopEvery && now-g.lastNoop >= g.timing.NoopEvery {
		g.lastNoop = now
		fx.Noop = true
	}
	if silent < g.timing.StallAfter {
		return
	}
	switch {
	case g.steppedAt == 0:
		g.steppedAt = now
		fx.StepDown = true
	case g.mutedAt == 0 && now-g.steppedAt >= g.timing.EscalateAfter:
		g.mutedAt = now
		fx.Mute = true
	case g.mutedAt != 0 && now-g.mutedAt >= g.timing.EscalateAfter:
		fx.GiveUp = true
	}
}

// due returns the expiries to propose. Each is proposed again later, until a
// Touch says that it is gone or was renewed.
func (g *Grantor) due(now int64) []Command {
	var keys []timerKey
	for len(g.queue) > 0 && g.queue[0].deadline <= now {
		it := heap.Pop(&g.queue).(timerItem)
		if t, ok := g.timers[it.key]; ok && t.deadline == it.deadline {
			keys = append(keys, it.key)
		}
	}
	slices.SortFunc(keys, compareKeys) // R1 for the simulator's sake: a fixed order
	keys = slices.Compact(keys)
	cmds := make([]Command, 0, len(keys))
	for _, k := range keys {
		t := g.timers[k]
		t.deadline = now + g.timing.RetryAfter
		g.set(k, t)
		if k.lease == "" {
			cmds = append(cmds, ExpireSession{Session: k.session, SeenSeq: t.seq, LeaderTerm: g.term})
		} else {
			cmds = append(cmds, ExpireLease{Name: k.lease, Epoch: t.epoch, SeenSeq: t.seq, LeaderTerm: g.term})
		}
	}
	return cmds
}

func compareKeys(a, b timerKey) int {
	return cmp.Or(cmp.Compare(a.session, b.session), cmp.Compare(a.lease, b.lease))
}

type timerItem struct {
	deadline int64
	key      timerKey
}

type timerQueue []timerItem

func (q timerQueue) Len() int { return len(q) }

func (q timerQueue) Less(i, j int) bool {
	if q[i].deadline != q[j].deadline {
		return q[i].deadline < q[j].deadline
	}
	return compareKeys(q[i].key, q[j].key) < 0
}

func (q timerQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *timerQueue) Push(x any) { *q = append(*q, x.(timerItem)) }

// Pop implements heap.Interface.
func (q *timerQueue) Pop() any {
	old := *q
	it := old[len(old)-1]
	*q = old[:len(old)-1]
	return it
}

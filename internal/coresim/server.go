// SPDX-License-Identifier: MIT

package coresim

import (
	"bytes"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// server is a voter: Raft, the state machine and its Grantor.
type server struct {
	*process
	consensus
	number  int
	lost    bool // with its disk, until the cluster is recovered
	state   *core.State
	grantor *core.Grantor

	waiting    map[uint64][]proposal // by index
	queue      []proposal            // for the next entry
	flushing   bool
	renewals   []renewal
	unverified []uint64 // indexes, for Rules.VerifyLeaderGrants
	gathers    bool     // a batch of renewals is being collected
	barrier    bool     // the next committed entry of the own term proves leadership
}

// proposal waits for its commands to be committed. done may be nil. It is
// called with nothing when they are known to be lost, or the outcome is in
// doubt.
type proposal struct {
	cmds []core.Command
	term uint64
	done func([]core.Result)
}

type renewal struct {
	item core.Renewal
	done func(core.Code, bool)
}

const (
	gatherProposals = 2 * millisecond
	gatherRenewals  = 100 * millisecond
	maxBatch        = 32 // commands per entry
)

func newServer(w *world, number int) *server {
	s := &server{process: &process{w: w, name: "voter", place: number}, number: number}
	s.vote = -1
	return s
}

func (s *server) check() *checker { return s.w.check }

// boot starts the process from what is on disk.
func (s *server) boot() {
	s.begin()
	s.role, s.leader, s.mutedUntil = follower, -1, 0
	s.waiting, s.queue, s.renewals = make(map[uint64][]proposal), nil, nil
	s.flushing, s.gathers, s.barrier, s.unverified = false, false, false, nil
	s.commit = 0
	s.state = core.NewState()
	s.grantor = core.NewGrantor(core.Timing{})
	if s.snap != nil {
		s.restore()
	}
	s.resetElection()
	s.w.every(s.process, tickEvery, s.tick)
}

// crash loses everything but the disk.
func (s *server) crash() {
	if s.w.plan.Rules.NoSync { // and what was written last, too
		keep := max(0, len(s.log)-4)
		s.log = s.log[:keep:keep]
	}
	s.kill()
}

// restore continues from the snapshot on disk.
func (s *server) restore() {
	state, err := core.Restore(bytes.NewReader(s.snap))
	if err != nil {
		s.check().fail("I12: voter %d cannot restore its snapshot: %v", s.number, err)
		return
	}
	s.state, s.commit = state, s.snapIndex
	s.check().applied(s, s.snapIndex, nil, nil)
}

func (s *server) tick() {
	s.raftTick()
	if !s.up {
		return
	}
	fx := s.grantor.Step(core.GrantorTick{}, s.local())
	for _, c := range fx.Expire {
		s.w.note("expiry", uint64(s.number), uint64(c.Op()), s.term)
		s.propose(proposal{cmds: []core.Command{c}})
	}
	if fx.Noop {
		index, hash := s.state.LatestHash()
		s.propose(proposal{cmds: []core.Command{core.Noop{HashIndex: index, Hash: hash}}})
	}
	if fx.StepDown {
		s.w.stats.StepDowns++
		s.handOver()
	}
	if fx.Mute {
		s.mutedUntil = s.w.now + 2*electionMin
	}
	if fx.GiveUp {
		s.w.stats.GaveUp++
		s.w.restartServer(s, 500*millisecond)
	}
}

// handOver asks the most advanced follower to take over.
func (s *server) handOver() {
	best := (s.number + 1) % voters
	for i := range voters {
		if i != s.number && s.match[i] > s.match[best] {
			best = i
		}
	}
	term := s.term
	s.tell(best, func(to *server) { to.timeoutNow(term) })
}

// led starts a term: nothing expires before an entry of it applied here.
func (s *server) led() {
	s.grantor.Step(core.Led{Term: s.term}, s.local())
	s.barrier = true
	s.propose(proposal{cmds: []core.Command{core.InitCluster{Cluster: core.ClusterID{1}}, core.Noop{}}})
}

func (s *server) deposed() {
	s.grantor.Step(core.Deposed{}, s.local())
	s.barrier = false
	s.fail(s.queue)
	s.queue = nil
	for _, r := range s.renewals {
		r.done(0, false)
	}
	s.renewals = nil
}

func (s *server) fail(list []proposal) {
	for _, p := range list {
		if p.done != nil {
			p.done(nil)
		}
	}
}

// propose queues commands for the next entry.
func (s *server) propose(p proposal) {
	s.queue = append(s.queue, p)
	if !s.flushing {
		s.flushing = true
		s.w.after(s.process, gatherProposals, s.write)
	}
}

// write appends the next entry to the log.
func (s *server) write() {
	s.flushing = false
	if s.role != leading {
		s.fail(s.queue)
		s.queue = nil
		return
	}
	if s.hung() {
		s.flushing = true
		s.w.after(s.process, tickEvery, s.write)
		return
	}
	var cmds []core.Command
	n := 0
	for n < len(s.queue) && len(cmds) < maxBatch {
		cmds = append(cmds, s.queue[n].cmds...)
		n++
	}
	if n == 0 {
		return
	}
	s.log = append(s.log, logEntry{s.term, core.EncodeEntry(cmds...)})
	index, _ := s.last()
	for _, p := range s.queue[:n] {
		p.term = s.term
		s.waiting[index] = append(s.waiting[index], p)
	}
	s.queue = append(s.queue[:0:0], s.queue[n:]...)
	switch {
	case s.w.plan.Rules.StateLeaderGrants:
		s.answerEarly(index)
	case s.w.plan.Rules.VerifyLeaderGrants:
		s.unverified = append(s.unverified, index)
	}
	s.replicate()
	if len(s.queue) > 0 {
		s.flushing = true
		s.w.after(s.process, gatherProposals, s.write)
	}
}

// advance applies what is committed.
func (s *server) advance(commit uint64) {
	for s.commit < commit && !s.check().failed() {
		index := s.commit + 1
		e := s.log[index-s.snapIndex-1]
		s.commit = index
		done, err := s.state.Apply(index, e.term, e.data)
		if err != nil {
			s.check().fail("I12: voter %d cannot apply entry %d: %v", s.number, index, err)
			return
		}
		s.check().applied(s, index, e.data, done.Results)
		s.granting(e.term, done)
		s.answer(index, e.term, done.Results)
	}
	if s.commit-s.snapIndex >= snapshotEvery {
		s.compact()
	}
}

func (s *server) granting(term uint64, done core.Applied) {
	if s.role != leading {
		return
	}
	now := s.local()
	s.grantor.Step(core.Touched{List: done.Touched}, now)
	if term != s.term {
		return
	}
	s.grantor.Step(core.Committed{}, now)
	if s.barrier {
		s.barrier = false
		var all []core.Touch
		s.state.EachTimer(func(t core.Touch) { all = append(all, t) })
		s.grantor.Step(core.BarrierApplied{Term: term, All: all}, now)
	}
}

// answer tells the proposers of an entry, or of another one that was at its
// index here, what came of it.
func (s *server) answer(index, term uint64, results []core.Result) {
	list := s.waiting[index]
	delete(s.waiting, index)
	for _, p := range list {
		if p.term != term {
			s.fail([]proposal{p})
			continue
		}
		if p.done != nil {
			p.done(append([]core.Result(nil), results[:len(p.cmds)]...))
		}
		results = results[len(p.cmds):]
	}
}

// answerEarly leaves a rule out: it answers from a copy of the state, before the
// entry is committed, because raft says that this voter leads.
func (s *server) answerEarly(index uint64) {
	term, ok := s.termAt(index)
	if !ok || index <= s.commit || term != s.term {
		return
	}
	ahead := s.state.Clone()
	for i := s.commit + 1; i < index; i++ {
		if e := s.log[i-s.snapIndex-1]; !applies(ahead, i, e) {
			return
		}
	}
	done, err := ahead.Apply(index, term, s.log[index-s.snapIndex-1].data)
	if err == nil {
		s.answer(index, term, done.Results)
	}
}

func applies(state *core.State, index uint64, e logEntry) bool {
	_, err := state.Apply(index, e.term, e.data)
	return err == nil
}

// verified is what raft.VerifyLeader waits for: any answer of a majority, also
// to what was sent before it was called.
func (s *server) verified() {
	list := s.unverified
	s.unverified = nil
	for _, index := range list {
		s.answerEarly(index)
	}
}

// compact takes a snapshot and drops the log behind it, but for a few entries.
func (s *server) compact() {
	var b bytes.Buffer
	if _, err := s.state.Snapshot().WriteTo(&b); err != nil {
		s.check().fail("I12: voter %d cannot write a snapshot: %v", s.number, err)
		return
	}
	term, _ := s.termAt(s.commit)
	keep := s.commit - s.snapIndex
	s.log = append([]logEntry(nil), s.log[keep:]...)
	s.snapIndex, s.snapTerm, s.snap = s.commit, term, b.Bytes()
}

// onPropose is a node's request. reply gets the results, or a hint at the
// leader (-1: unknown).
func (s *server) onPropose(cmds []core.Command, reply func(results []core.Result, leader int)) {
	if s.role != leading {
		reply(nil, s.leader)
		return
	}
	s.propose(proposal{cmds: cmds, done: func(r []core.Result) { reply(r, -1) }})
}

// onRenew collects renewals for one entry.
func (s *server) onRenew(item core.Renewal, reply func(code core.Code, ok bool, leader int)) {
	if s.role != leading {
		reply(0, false, s.leader)
		return
	}
	if !s.grantor.Step(core.RenewArrived{Renewal: item}, s.local()).Admit {
		s.w.stats.NotAdmitted++
		return
	}
	s.renewals = append(s.renewals, renewal{item, func(c core.Code, ok bool) { reply(c, ok, -1) }})
	if !s.gathers {
		s.gathers = true
		s.w.after(s.process, gatherRenewals, s.commitRenewals)
	}
}

func (s *server) commitRenewals() {
	s.gathers = false
	list := s.renewals
	s.renewals = nil
	if len(list) == 0 {
		return
	}
	cmd := core.RenewBatch{}
	for _, r := range list {
		cmd.Items = append(cmd.Items, r.item)
	}
	s.propose(proposal{cmds: []core.Command{cmd}, done: func(res []core.Result) {
		for i, r := range list {
			if res == nil {
				r.done(0, false)
				continue
			}
			r.done(res[0].Items[i].Code, true)
		}
	}})
}

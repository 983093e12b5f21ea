// SPDX-License-Identifier: MIT

package coresim

// A small Raft: elections, replication, snapshots, a leader that steps down
// when it hears no majority. What is on disk is written at once; a disk that
// hangs writes nothing and answers nothing.

const (
	tickEvery     = 50 * millisecond
	heartbeat     = 100 * millisecond
	electionMin   = 500 * millisecond
	leaderLease   = 500 * millisecond
	snapshotEvery = 128 // entries
	maxAppend     = 64
)

type role uint8

const (
	follower role = iota
	candidate
	leading
)

type logEntry struct {
	term uint64
	data []byte
}

// disk is what survives a crash. Entry i of log has index snapIndex+1+i.
type disk struct {
	term      uint64
	vote      int // -1: none
	log       []logEntry
	snapIndex uint64
	snapTerm  uint64
	snap      []byte
}

func (d *disk) last() (index, term uint64) {
	if n := len(d.log); n > 0 {
		return d.snapIndex + uint64(n), d.log[n-1].term
	}
	return d.snapIndex, d.snapTerm
}

// termAt returns the term of an entry; ok is false when it is not there.
func (d *disk) termAt(index uint64) (uint64, bool) {
	switch {
	case index == d.snapIndex:
		return d.snapTerm, true
	case index < d.snapIndex || index > d.snapIndex+uint64(len(d.log)):
		return 0, false
	}
	return d.log[index-d.snapIndex-1].term, true
}

// consensus is a voter's part in Raft.
type consensus struct {
	disk
	role       role
	leader     int // -1: unknown
	votes      [voters]bool
	commit     uint64
	heard      [voters]int64 // leader: last answer; by the own clock
	next       [voters]uint64
	match      [voters]uint64
	electAt    int64
	lastBeat   int64
	hungUntil  int64 // of the disk, in world time
	mutedUntil int64 // towards other voters, in world time
}

func (s *server) hung() bool { return s.w.now < s.hungUntil }

func (s *server) resetElection() {
	s.electAt = s.local() + electionMin + s.w.random.Int64N(electionMin)
}

// tell sends a Raft message to another voter.
func (s *server) tell(i int, do func(to *server)) {
	to := s.w.servers[i]
	if s.w.now < s.mutedUntil || s.w.now < to.mutedUntil {
		return
	}
	s.w.net.send(s.place, to.process, func() { do(to) })
}

func (s *server) raftTick() {
	now := s.local()
	switch {
	case s.role == leading:
		alive := 1
		for i := range voters {
			if i != s.number && now-s.heard[i] < leaderLease {
				alive++
			}
		}
		if alive <= voters/2 {
			s.follow(s.term, -1)
			return
		}
		if now-s.lastBeat >= heartbeat {
			s.lastBeat = now
			s.replicate()
		}
	case now >= s.electAt && !s.hung():
		s.campaign()
	}
}

func (s *server) campaign() {
	s.term++
	s.vote, s.role, s.leader = s.number, candidate, -1
	s.votes = [voters]bool{}
	s.votes[s.number] = true
	s.resetElection()
	s.w.stats.Elections++
	s.w.note("campaign", uint64(s.number), s.term, 0)
	index, term := s.last()
	ask, by := s.term, s.number
	for i := range voters {
		if i != s.number {
			s.tell(i, func(to *server) { to.onVote(ask, by, index, term) })
		}
	}
}

// follow accepts a term; a newer one clears the vote.
func (s *server) follow(term uint64, leader int) {
	if s.role == leading {
		s.deposed()
	}
	if term > s.term {
		s.term, s.vote = term, -1
	}
	s.role, s.leader = follower, leader
	s.resetElection()
}

func (s *server) onVote(term uint64, from int, index, lastTerm uint64) {
	// Whoever hears a leader keeps it: a rejoining voter does not disturb.
	if s.hung() || s.role == leading || s.leader >= 0 && s.electAt-s.local() > electionMin/2 {
		return
	}
	if term > s.term {
		s.follow(term, -1)
	}
	mine, mineTerm := s.last()
	fresh := lastTerm > mineTerm || lastTerm == mineTerm && index >= mine
	if term < s.term || s.vote >= 0 && s.vote != from || !fresh {
		return
	}
	s.vote = from
	s.resetElection()
	s.tell(from, func(to *server) { to.onVoted(term, s.number) })
}

func (s *server) onVoted(term uint64, from int) {
	if s.role != candidate || term != s.term {
		return
	}
	s.votes[from] = true
	count := 0
	for _, yes := range s.votes {
		if yes {
			count++
		}
	}
	if count > voters/2 {
		s.lead()
	}
}

func (s *server) lead() {
	s.role, s.leader = leading, s.number
	last, _ := s.last()
	for i := range voters {
		s.next[i], s.match[i], s.heard[i] = last+1, 0, s.local()
	}
	s.w.note("leads", uint64(s.number), s.term, last)
	s.led()
}

// replicate sends every follower what it misses.
func (s *server) replicate() {
	for i := range voters {
		if i != s.number {
			s.replicateTo(i)
		}
	}
}

func (s *server) replicateTo(i int) {
	term, from, commit := s.term, s.number, s.commit
	prev := s.next[i] - 1
	prevTerm, ok := s.termAt(prev)
	if !ok {
		index, snapTerm, data := s.snapIndex, s.snapTerm, s.snap
		s.w.stats.Snapshots++
		s.tell(i, func(to *server) { to.onSnapshot(term, from, index, snapTerm, data) })
		return
	}
	part := s.log[prev-s.snapIndex:]
	part = part[:min(len(part), maxAppend)]
	list := append([]logEntry(nil), part...)
	s.next[i] += uint64(len(list)) // optimistic; a refusal sets it back
	s.tell(i, func(to *server) { to.onAppend(term, from, prev, prevTerm, list, commit) })
}

func (s *server) onAppend(term uint64, from int, prev, prevTerm uint64, list []logEntry, commit uint64) {
	if term < s.term {
		now := s.term
		s.tell(from, func(to *server) { to.onAppended(now, s.number, 0, false) })
		return
	}
	s.follow(term, from)
	if s.hung() && len(list) > 0 {
		return
	}
	match := prev
	if have, ok := s.termAt(prev); !ok && prev > s.snapIndex || ok && have != prevTerm {
		hint, _ := s.last()
		hint = min(hint, prev-1)
		s.tell(from, func(to *server) { to.onAppended(term, s.number, hint, false) })
		return
	}
	for i, e := range list {
		index := prev + 1 + uint64(i)
		match = index
		if index <= s.snapIndex {
			continue
		}
		if have, ok := s.termAt(index); !ok {
			s.log = append(s.log, e)
		} else if have != e.term {
			s.check().truncated(s, index)
			s.log = append(s.log[:index-s.snapIndex-1:index-s.snapIndex-1], e)
		}
	}
	s.advance(min(commit, match))
	s.tell(from, func(to *server) { to.onAppended(term, s.number, match, true) })
}

func (s *server) onAppended(term uint64, from int, match uint64, ok bool) {
	if term > s.term {
		s.follow(term, -1)
		return
	}
	if s.role != leading || term != s.term {
		return
	}
	s.heard[from] = s.local()
	s.verified()
	if !ok {
		s.next[from] = max(min(s.next[from], match+1), s.match[from]+1)
		s.replicateTo(from)
		return
	}
	s.match[from] = max(s.match[from], match)
	s.next[from] = max(s.next[from], s.match[from]+1)
	s.commitUpTo(s.match[from])
	if last, _ := s.last(); s.next[from] <= last {
		s.replicateTo(from)
	}
}

// commitUpTo commits what a majority has, if it is of the own term.
func (s *server) commitUpTo(index uint64) {
	if t, ok := s.termAt(index); index <= s.commit || !ok || t != s.term {
		return
	}
	have := 1
	for i := range voters {
		if i != s.number && s.match[i] >= index {
			have++
		}
	}
	if have > voters/2 {
		s.advance(index)
	}
}

func (s *server) onSnapshot(term uint64, from int, index, snapTerm uint64, data []byte) {
	if term < s.term || s.hung() {
		return
	}
	s.follow(term, from)
	if have, ok := s.termAt(index); ok && have == snapTerm {
		s.advance(index) // a late snapshot: what follows it in the log was acknowledged
	} else if index > s.commit {
		s.log, s.snapIndex, s.snapTerm, s.snap = nil, index, snapTerm, data
		s.restore()
	}
	match := s.commit
	s.tell(from, func(to *server) { to.onAppended(term, s.number, match, true) })
}

// timeoutNow is what a transfer of leadership sends.
func (s *server) timeoutNow(term uint64) {
	if term == s.term && s.role != leading && !s.hung() {
		s.leader = -1
		s.campaign()
	}
}

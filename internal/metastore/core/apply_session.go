// SPDX-License-Identifier: MIT

package core

import (
	"crypto/sha256"
	"crypto/subtle"
)

func (s *State) openSession(c OpenSession) Result {
	if c.Node == "" || len(c.Node) > maxNameBytes || c.TTL < minTTL || c.TTL > maxTTL || c.Incarnation == (Incarnation{}) {
		return no(CodeInvalid)
	}
	var same, rival *Session
	for v := range s.allSessions {
		if v.Incarnation == c.Incarnation {
			same = v
		} else if v.Node == c.Node && v.Alive() {
			rival = v // at most one: this very check keeps it so
		}
	}
	switch {
	case same != nil && same.Node != c.Node:
		return no(CodeConflict)
	case same.Alive():
		return yes(same.Epoch) // a retry
	case same != nil:
		return no(CodeSessionDead)
	case max(c.Info.Format, 1) < s.format:
		return no(CodeOldFormat)
	case s.opened:
		return no(CodeRetry) // the epoch of a session is its index: one per entry
	}
	if rival != nil {
		if rival.Epoch != c.Replaces || !proves(rival, c.Secret) {
			return Result{Outcome: Outcome{Code: CodeBusy, Session: rival.Epoch, Node: rival.Node}}
		}
		s.kill(rival)
	}
	s.opened = true
	v := &Session{
		Epoch: s.index, Node: c.Node, Incarnation: c.Incarnation, State: SessionLive,
		TTL: c.TTL, Info: c.Info, proof: c.Proof,
	}
	s.sessions.put(numKey(v.Epoch), v)
	s.emit(Change{Type: ChangeSessionOpened, Session: v.Epoch, Epoch: v.Epoch, Node: v.Node})
	s.touch(v)
	return yes(v.Epoch)
}

func proves(v *Session, secret []byte) bool {
	sum := sha256.Sum256(secret)
	return subtle.ConstantTimeCompare(sum[:], v.proof[:]) == 1
}

func (s *State) touch(v *Session) {
	s.touched = append(s.touched, Touch{Session: v.Epoch, Seq: v.RenewSeq, TTL: v.TTL, Gone: !v.Alive()})
}

func (s *State) renewBatch(c RenewBatch) Result {
	res := Result{Items: make([]Outcome, len(c.Items))}
	for i, r := range c.Items {
		res.Items[i] = s.renew(r)
	}
	return res
}

func (s *State) renew(r Renewal) Outcome {
	v := s.session(r.Session)
	switch {
	case !v.Alive():
		return Outcome{Code: CodeSessionDead}
	case r.Seq == v.RenewSeq && r.Nonce == v.nonce && r.Seq > 0:
		return Outcome{Epoch: r.Session} // a retry: nothing is extended
	case r.Seq != v.RenewSeq+1:
		return Outcome{Code: CodeConflict}
	}
	next := *v
	next.RenewSeq, next.nonce = r.Seq, r.Nonce
	s.sessions.put(numKey(v.Epoch), &next)
	s.touch(&next)
	return Outcome{Epoch: r.Session}
}

// expireSession is R3: it ends the session only if no renewal came in between
// and the proposer still leads in the term of this entry.
func (s *State) expireSession(c ExpireSession, term uint64) Result {
	v := s.session(c.Session)
	switch {
	case !v.Alive():
		return no(CodeIgnored)
	case c.SeenSeq != v.RenewSeq && !ablateExpireCAS:
		return no(CodeIgnored)
	case c.LeaderTerm != term && !ablateExpireTerm:
		return no(CodeIgnored)
	}
	s.kill(v)
	return Result{}
}

func (s *State) closeSession(c CloseSession) Result {
	v := s.session(c.Session)
	if !v.Alive() {
		return no(CodeSessionDead)
	}
	s.kill(v)
	return Result{}
}

func (s *State) drainSession(c DrainSession) Result {
	v, code := s.acting(c.Session, false)
	if code != CodeOK {
		return no(code)
	}
	if v.State == SessionLive {
		next := *v
		next.State = SessionDraining
		s.update(&next)
	}
	return Result{}
}

func (s *State) updateInfo(c UpdateInfo) Result {
	v, code := s.acting(c.Session, false)
	if code != CodeOK {
		return no(code)
	}
	if max(c.Info.Format, 1) < s.format {
		return no(CodeOldFormat)
	}
	next := *v
	next.Info = c.Info
	s.update(&next)
	return Result{}
}

func (s *State) update(v *Session) {
	s.sessions.put(numKey(v.Epoch), v)
	s.emit(Change{Type: ChangeSessionUpdated, Session: v.Epoch, Epoch: v.Epoch, Node: v.Node})
}

// kill ends a session in O(1) (R5; the answers kept for retries are bounded).
func (s *State) kill(v *Session) {
	next := *v
	next.State = SessionDead
	for _, req := range s.requests[v.Epoch] {
		s.answers.remove(reqKey{v.Epoch, req})
	}
	delete(s.requests, v.Epoch)
	if s.owned[v.Epoch] > 0 {
		s.deadHeld++
		s.sessions.put(numKey(v.Epoch), &next)
	} else {
		s.sessions.remove(numKey(v.Epoch))
	}
	s.emit(Change{Type: ChangeSessionDead, Session: v.Epoch, Epoch: v.Epoch, Node: v.Node})
	s.touch(&next)
}

// allSessions iterates in no particular order.
func (s *State) allSessions(yield func(*Session) bool) {
	for i := range s.sessions.shards {
		for _, v := range s.sessions.shards[i].m {
			if !yield(v) {
				return
			}
		}
	}
}

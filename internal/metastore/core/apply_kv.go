// SPDX-License-Identifier: MIT

package core

import "slices"

// kvWrite executes or, for a retry, repeats the answer of a key/value write
// (R6).
func (s *State) kvWrite(c KVWrite) Result {
	if c.Key == "" || len(c.Key) > maxNameBytes || c.Session == 0 && (c.Ephemeral || c.Req != 0) {
		return no(CodeInvalid)
	}
	if c.Session == 0 {
		return s.kvApply(c)
	}
	by, code := s.acting(c.Session, false)
	if code != CodeOK {
		return no(code)
	}
	if c.Req == 0 {
		return s.kvApply(c)
	}
	s.forget(by, c.AckBelow)
	if c.Req < max(by.floor, c.AckBelow) {
		return no(CodeStale) // its answer was acknowledged long ago
	}
	k := reqKey{c.Session, c.Req}
	if a, ok := s.answers.get(k); ok {
		return Result{Outcome: Outcome{Code: a.code, Epoch: a.version}}
	}
	if len(s.requests[c.Session]) >= maxRequests {
		return no(CodeExhausted)
	}
	res := s.kvApply(c)
	s.answers.put(k, answer{code: res.Code, version: res.Epoch, index: s.index})
	s.requests[c.Session] = append(s.requests[c.Session], c.Req)
	return res
}

// forget drops the answers below floor.
func (s *State) forget(by *Session, floor uint64) {
	if floor <= by.floor {
		return
	}
	s.requests[by.Epoch] = slices.DeleteFunc(s.requests[by.Epoch], func(req uint64) bool {
		if req < floor {
			s.answers.remove(reqKey{by.Epoch, req})
		}
		return req < floor
	})
	next := *by
	next.floor = floor
	s.sessions.put(numKey(by.Epoch), &next)
}

func (s *State) kvApply(c KVWrite) Result {
	k := textKey(c.Key)
	old, ok := s.keys.get(k)
	version := old.version
	if ok && old.session != 0 && !s.alive(old.session) {
		version = 0 // died with its session, not swept yet
	}
	if (c.Mode == KVCAS || c.Mode == KVDelete && c.Version != 0) && c.Version != version {
		return Result{Outcome: Outcome{Code: CodeConflict, Epoch: version}}
	}
	if c.Mode == KVDelete {
		if !ok {
			return no(CodeAbsent)
		}
		s.keys.remove(k)
		s.disown(old.session)
		s.emit(Change{Type: ChangeKeyGone, Key: c.Key, Epoch: s.index, Session: old.session})
		if version == 0 {
			return no(CodeAbsent)
		}
		return yes(s.index)
	}
	// Two writes of one key in one entry share the version; only the later one
	// was ever visible.
	e := entry{value: c.Value, version: s.index}
	if c.Ephemeral {
		e.session = c.Session
	}
	s.own(e.session)
	s.keys.put(k, e)
	s.disown(old.session)
	s.emit(Change{Type: ChangeKey, Key: c.Key, Epoch: e.version, Session: e.session})
	return yes(e.version)
}

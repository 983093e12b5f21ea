// SPDX-License-Identifier: MIT

package core

func (s *State) acquireWorker(c AcquireWorker) Result {
	by, code := s.acting(c.Session, true)
	switch {
	case code != CodeOK:
		return no(code)
	case c.Pool == "" || len(c.Pool) > maxNameBytes || c.Limit == 0 || c.Limit > maxWorkers:
		return no(CodeInvalid)
	}
	best, found := uint32(0), false
	var bestMark int64
	for n := range c.Limit {
		w, ok := s.workers.get(workerKey{c.Pool, n})
		if ok && w.session == by.Epoch {
			return workerResult(n, w) // a retry
		}
		if ok && (s.alive(w.session) || w.epoch == s.index) {
			continue
		}
		// A number that rested longest is the safest; a fresh one is best.
		if !found || ok && w.mark < bestMark || !ok && bestMark > fresh {
			best, found, bestMark = n, true, fresh
			if ok {
				bestMark = w.mark
			}
		}
	}
	if !found {
		return no(CodeExhausted)
	}
	k := workerKey{c.Pool, best}
	old, _ := s.workers.get(k)
	w := worker{session: by.Epoch, epoch: s.index, mark: old.mark}
	s.own(by.Epoch)
	s.workers.put(k, w)
	s.disown(old.session)
	s.emit(Change{Type: ChangeWorker, Key: c.Pool, Session: by.Epoch, Epoch: w.epoch, Node: by.Node})
	return workerResult(best, w)
}

const fresh = -1 << 63 // mark of a number that was never used

func workerResult(n uint32, w worker) Result {
	r := yes(w.epoch)
	r.Value, r.Mark = uint64(n), w.mark
	return r
}

func (s *State) markWorker(c MarkWorker) Result {
	by, code := s.acting(c.Session, false)
	if code != CodeOK {
		return no(code)
	}
	k := workerKey{c.Pool, c.Number}
	w, ok := s.workers.get(k)
	switch {
	case !ok:
		return no(CodeAbsent)
	case w.session != by.Epoch || w.epoch != c.Epoch:
		return no(CodeStale)
	}
	w.mark = max(w.mark, c.Mark)
	if c.Release {
		w.session = 0
	}
	s.workers.put(k, w)
	if c.Release {
		s.disown(by.Epoch)
	}
	return workerResult(c.Number, w)
}

func (s *State) acquireLease(c AcquireLease) Result {
	by, code := s.acting(c.Session, true)
	switch {
	case code != CodeOK:
		return no(code)
	case c.Name == "" || len(c.Name) > maxNameBytes || c.TTL < 0 || c.TTL > maxTTL || c.TTL > 0 && c.TTL < minTTL:
		return no(CodeInvalid)
	}
	old, ok := s.leases.get(textKey(c.Name))
	if ok {
		owner := s.session(old.session)
		switch {
		case old.session == by.Epoch:
			return yes(old.epoch) // a retry
		case owner.Alive():
			return Result{Outcome: Outcome{Code: CodeOwned, Epoch: old.epoch, Session: old.session, Node: owner.Node}}
		case old.epoch == s.index:
			return no(CodeRetry) // I1
		}
	} else if _, spent := s.spent[leaseSpent(c.Name)]; spent {
		return no(CodeRetry) // I1
	}
	l := lease{session: by.Epoch, epoch: s.index, ttl: c.TTL}
	s.own(by.Epoch)
	s.leases.put(textKey(c.Name), l)
	s.disown(old.session)
	s.emit(Change{Type: ChangeLease, Key: c.Name, Session: by.Epoch, Epoch: l.epoch, Node: by.Node})
	s.touchLease(c.Name, old, true) // the Grantor forgets a dead session's timer
	s.touchLease(c.Name, l, false)
	return yes(l.epoch)
}

func leaseSpent(name string) spentKey { return spentKey{table: tagLease, name: name} }

func (s *State) touchLease(name string, l lease, gone bool) {
	if l.ttl > 0 {
		s.touched = append(s.touched, Touch{Lease: name, Epoch: l.epoch, Seq: l.seq, TTL: l.ttl, Gone: gone})
	}
}

// heldLease is the compare of R4 for leases.
func (s *State) heldLease(session uint64, name string, epoch uint64) (lease, Result) {
	by, code := s.acting(session, false)
	if code != CodeOK {
		return lease{}, no(code)
	}
	l, ok := s.leases.get(textKey(name))
	owner := s.session(l.session)
	switch {
	case !ok || !owner.Alive():
		return l, no(CodeAbsent)
	case l.session != by.Epoch || l.epoch != epoch:
		return l, Result{Outcome: Outcome{Code: CodeStale, Epoch: l.epoch, Session: l.session, Node: owner.Node}}
	}
	return l, Result{}
}

func (s *State) renewLease(c RenewLease) Result {
	l, res := s.heldLease(c.Session, c.Name, c.Epoch)
	if res.Code != CodeOK {
		return res
	}
	if c.Seq > l.seq {
		l.seq = c.Seq
		s.leases.put(textKey(c.Name), l)
		s.touchLease(c.Name, l, false)
	}
	return yes(l.epoch)
}

func (s *State) releaseLease(c ReleaseLease) Result {
	l, res := s.heldLease(c.Session, c.Name, c.Epoch)
	if res.Code != CodeOK {
		return res
	}
	s.dropLease(c.Name, l)
	return yes(l.epoch)
}

func (s *State) expireLease(c ExpireLease, term uint64) Result {
	l, ok := s.leases.get(textKey(c.Name))
	switch {
	case !ok || l.epoch != c.Epoch || l.ttl == 0:
		return no(CodeIgnored)
	case l.seq != c.SeenSeq && !ablateExpireCAS:
		return no(CodeIgnored)
	case c.LeaderTerm != term && !ablateExpireTerm:
		return no(CodeIgnored)
	}
	s.dropLease(c.Name, l)
	return yes(l.epoch)
}

func (s *State) dropLease(name string, l lease) {
	if l.epoch == s.index {
		s.spent[leaseSpent(name)] = struct{}{}
	}
	s.leases.remove(textKey(name))
	s.disown(l.session)
	s.emit(Change{Type: ChangeLeaseGone, Key: name, Session: l.session, Epoch: l.epoch})
	s.touchLease(name, l, true)
}

// SPDX-License-Identifier: MIT

package core

// place finds where an id is stored. Exactly one of the two tables is used.
type place struct {
	ints *table[intKey, claim]
	ik   intKey
	nk   nameKey
	s    *State
	id   ID
	tag  int
}

// place resolves id; a claim gives an unknown kind a number, other commands
// do not.
func (s *State) place(space Space, id ID, create bool) (place, Code) {
	if id.Kind == "" || len(id.Kind) > maxNameBytes || len(id.Name) > maxNameBytes || (id.Name != "" && id.Key != 0) {
		return place{}, CodeInvalid
	}
	if space == SpaceSlot && (id.Name != "" || id.Key < 0) {
		return place{}, CodeInvalid
	}
	kind, ok := s.kinds.Load().number[id.Kind]
	if !ok {
		if !create {
			return place{}, CodeAbsent
		}
		if kind, ok = s.intern(id.Kind); !ok {
			return place{}, CodeExhausted
		}
	}
	p := place{s: s, id: id}
	switch {
	case space == SpaceSlot:
		p.ints, p.tag = s.slots, tagSlot
	case id.Name == "":
		p.ints, p.tag = s.actors, tagActor
	default:
		p.tag = tagNamed
		p.nk = nameKey{kind, id.Name}
		return p, CodeOK
	}
	p.ik = intKey{kind, id.Key}
	return p, CodeOK
}

func (p *place) get() (claim, bool) {
	if p.ints != nil {
		return p.ints.get(p.ik)
	}
	return p.s.named.get(p.nk)
}

func (p *place) put(c claim) {
	if p.ints != nil {
		p.ints.put(p.ik, c)
	} else {
		p.s.named.put(p.nk, c)
	}
}

func (p *place) remove() {
	if p.ints != nil {
		p.ints.remove(p.ik)
	} else {
		p.s.named.remove(p.nk)
	}
}

func (p *place) spentKey() spentKey {
	if p.ints != nil {
		return spentKey{p.tag, p.ik.kind, p.ik.key, ""}
	}
	return spentKey{p.tag, p.nk.kind, 0, p.nk.name}
}

func (p *place) emit(claimed bool, c claim, node string) {
	t := ChangeReleased
	switch {
	case claimed && p.tag == tagSlot:
		t = ChangeSlotClaimed
	case claimed:
		t = ChangeClaimed
	case p.tag == tagSlot:
		t = ChangeSlotReleased
	}
	p.s.emit(Change{Type: t, ID: p.id, Session: c.session, Epoch: c.epoch, Node: node})
}

func all(n int, code Code) Result {
	res := Result{Outcome: Outcome{Code: code}, Items: make([]Outcome, n)}
	for i := range res.Items {
		res.Items[i].Code = code
	}
	return res
}

func (s *State) claimBatch(c ClaimBatch) Result {
	by, code := s.acting(c.Session, true)
	if code != CodeOK {
		return all(len(c.IDs), code)
	}
	res := Result{Items: make([]Outcome, len(c.IDs))}
	for i, id := range c.IDs {
		p, code := s.place(c.Space, id, true)
		if code != CodeOK {
			res.Items[i].Code = code
			continue
		}
		res.Items[i] = p.claim(by)
	}
	return res
}

// claim is R2.
func (p *place) claim(by *Session) Outcome {
	s := p.s
	old, ok := p.get()
	if ok {
		owner := s.session(old.session)
		switch {
		case old.session == by.Epoch:
			return Outcome{Epoch: old.epoch, Session: by.Epoch}
		case owner.Alive():
			return Outcome{Code: CodeOwned, Epoch: old.epoch, Session: old.session, Node: owner.Node}
		case old.epoch == s.index:
			return Outcome{Code: CodeRetry} // I1: this epoch was already given away
		}
	} else if _, spent := s.spent[p.spentKey()]; spent {
		return Outcome{Code: CodeRetry} // I1
	}
	next := claim{session: by.Epoch, epoch: s.index}
	if ablateEntityEpoch {
		next.epoch = old.epoch + 1
	}
	s.own(by.Epoch)
	p.put(next)
	s.disown(old.session)
	p.emit(true, next, by.Node)
	return Outcome{Epoch: next.epoch, Session: by.Epoch}
}

// holds is the compare of R4. On failure the outcome describes the owner.
func (p *place) holds(by *Session, epoch uint64) (claim, Outcome) {
	cur, ok := p.get()
	owner := p.s.session(cur.session)
	switch {
	case !ok || !owner.Alive():
		return cur, Outcome{Code: CodeAbsent}
	case cur.session != by.Epoch || cur.epoch != epoch:
		return cur, Outcome{Code: CodeStale, Epoch: cur.epoch, Session: cur.session, Node: owner.Node}
	}
	return cur, Outcome{}
}

func (s *State) releaseBatch(c ReleaseBatch) Result {
	by, code := s.acting(c.Session, false)
	if code != CodeOK {
		return all(len(c.Items), code)
	}
	res := Result{Items: make([]Outcome, len(c.Items))}
	for i, it := range c.Items {
		p, code := s.place(c.Space, it.ID, false)
		if code != CodeOK {
			res.Items[i].Code = code
			continue
		}
		res.Items[i] = p.release(by, it.Epoch)
	}
	return res
}

func (p *place) release(by *Session, epoch uint64) Outcome {
	cur, out := p.holds(by, epoch)
	if out.Code != CodeOK {
		return out
	}
	if cur.epoch == p.s.index {
		p.s.spent[p.spentKey()] = struct{}{}
	}
	p.remove()
	p.s.disown(by.Epoch)
	p.emit(false, cur, by.Node)
	return Outcome{Epoch: cur.epoch}
}

func (s *State) transferBatch(c TransferBatch) Result {
	by, code := s.acting(c.Session, false)
	if code != CodeOK {
		return all(len(c.Items), code)
	}
	to, code := s.acting(c.To, true)
	if code != CodeOK {
		return all(len(c.Items), CodeTargetDead)
	}
	res := Result{Items: make([]Outcome, len(c.Items))}
	for i, it := range c.Items {
		p, code := s.place(c.Space, it.ID, false)
		if code != CodeOK {
			res.Items[i].Code = code
			continue
		}
		res.Items[i] = p.transfer(by, to, it.Epoch)
	}
	return res
}

// transfer is R4. The result Stale with Session == To is what a retry of a
// transfer that already happened sees.
func (p *place) transfer(by, to *Session, epoch uint64) Outcome {
	cur, out := p.holds(by, epoch)
	switch {
	case out.Code != CodeOK:
		return out
	case by == to:
		return Outcome{Epoch: cur.epoch, Session: to.Epoch, Node: to.Node}
	case cur.epoch == p.s.index:
		return Outcome{Code: CodeRetry} // I1
	}
	next := claim{session: to.Epoch, epoch: p.s.index}
	if ablateTransferEpoch {
		next.epoch = cur.epoch
	}
	p.s.own(to.Epoch)
	p.put(next)
	p.s.disown(by.Epoch)
	p.emit(true, next, to.Node)
	return Outcome{Epoch: next.epoch, Session: to.Epoch, Node: to.Node}
}

// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// tickEvery drives the grantor and the holders. It must be well below a
// quarter of the shortest TTL.
const tickEvery = 50 * time.Millisecond

// granting runs the core's Grantor on a voter.
type granting struct {
	n *Node

	mu         sync.Mutex
	g          *core.Grantor
	leading    bool
	term       uint64
	lastCommit int64 // of the own term, on the node's clock

	// runGrantor's own.
	lastLed int64 // when the node last knew a leader
	member  bool  // the node was seen in the configuration
}

// touched is called by the FSM for every applied entry.
func (s *granting) touched(term uint64, list []core.Touch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.leading {
		return
	}
	now := s.n.cfg.Clock()
	s.g.Step(core.Touched{List: list}, now)
	if term >= s.term {
		s.lastCommit = now
		s.g.Step(core.Committed{}, now)
	}
}

func (s *granting) runGrantor(ctx context.Context) {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case led := <-s.n.raft.LeaderCh():
			if led {
				s.led(ctx, &wg)
			} else {
				s.deposed()
			}
		case <-tick.C:
			if s.n.raft.State() == raft.Shutdown {
				s.n.fatal(ErrRemoved)
				return
			}
			s.tick()
			s.orphaned(ctx, &wg)
		case <-ctx.Done():
			return
		}
	}
}

func (s *granting) deposed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leading = false
	s.g.Step(core.Deposed{}, s.n.cfg.Clock())
}

// led starts a term: nothing expires before a barrier of it has applied here.
func (s *granting) led(ctx context.Context, wg *sync.WaitGroup) {
	s.mu.Lock()
	s.term = s.n.raft.CurrentTerm()
	s.leading = true
	term := s.term
	s.lastCommit = s.n.cfg.Clock()
	s.g.Step(core.Led{Term: term}, s.lastCommit)
	s.mu.Unlock()
	wg.Go(func() { s.barrier(ctx, term) })
}

// barrier proposes the term's first entry until it commits or the term ends.
// A no-op entry serves, because its answer carries the term it was committed
// in; raft.Barrier does not say.
func (s *granting) barrier(ctx context.Context, term uint64) {
	for ctx.Err() == nil {
		b, err := s.n.packer.propose(core.InitCluster{Cluster: *s.n.cluster.Load()}, core.Noop{})
		s.mu.Lock()
		if !s.leading || s.term != term {
			s.mu.Unlock()
			return // another led is at work
		}
		if err == nil {
			s.granted(b.term)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		sleep(ctx, 2*tickEvery)
	}
}

// granted starts the fresh timers. s.mu is held.
func (s *granting) granted(term uint64) {
	now := s.n.cfg.Clock()
	if term != s.term { // deposed and elected again between the two
		s.term = term
		s.g.Step(core.Led{Term: term}, now)
	}
	var all []core.Touch
	s.n.replica.state.Load().EachTimer(func(t core.Touch) { all = append(all, t) })
	s.g.Step(core.BarrierApplied{Term: term, All: all}, now)
}

func (s *granting) tick() {
	s.mu.Lock()
	fx := s.g.Step(core.GrantorTick{}, s.n.cfg.Clock())
	s.mu.Unlock()
	for _, c := range fx.Expire {
		s.n.log.Info("proposing expiry", "command", c)
		s.n.packer.submit(core.AppendCommand(nil, c), 1)
	}
	if fx.Noop {
		h := s.n.replica.hash.Load()
		s.n.packer.submit(core.AppendCommand(nil, core.Noop{HashIndex: h.index, Hash: h.hash}), 1)
	}
	if fx.StepDown {
		s.n.log.Warn("no commit as leader, handing leadership over")
		// Nobody waits for the result: with a hanging disk there is none, ever,
		// and the watchdog gives up later.
		s.n.raft.LeadershipTransfer()
	}
	if fx.Mute && s.n.stream != nil {
		s.n.log.Warn("still leading without a commit, cutting the node off")
		s.n.stream.mute(2 * s.n.cfg.ElectionTimeout)
	}
	if fx.GiveUp {
		s.n.fatal(ErrStalled)
	}
}

// orphanedAfter is how long a voter is without leader before it asks around
// whether it was removed: the others do not talk to a removed voter any more,
// so it would not hear of it.
const orphanedAfter = 5 * time.Second

func (s *granting) orphaned(ctx context.Context, wg *sync.WaitGroup) {
	now := s.n.cfg.Clock()
	s.member = s.member || s.n.configured()
	if addr, _ := s.n.leader(); addr != "" || s.lastLed == 0 || !s.member {
		s.lastLed = now
		return
	}
	if now-s.lastLed < int64(orphanedAfter) {
		return
	}
	s.lastLed = now
	wg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
		defer cancel()
		if s.n.removed(ctx) {
			s.n.fatal(ErrRemoved)
		}
	})
}

// admit asks the grantor about a renewal.
func (s *granting) admit(r core.Renewal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.g.Step(core.RenewArrived{Renewal: r}, s.n.cfg.Clock()).Admit
}

// committedRecently reports whether this leader committed something of its
// own term within the last 2 s.
func (s *granting) committedRecently() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leading && s.n.cfg.Clock()-s.lastCommit < int64(recently)
}

// recently is the age up to which a sign of life counts as quorum.
const recently = 2 * time.Second

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

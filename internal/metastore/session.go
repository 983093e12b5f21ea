// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// Session is this node's lease and everything owned under it. It never comes
// back to life: after Done, open another. All methods are safe for concurrent
// use.
type Session struct {
	n     *Node
	epoch uint64
	done  chan struct{}

	mu sync.Mutex
	h  *core.Holder

	// Copies of the holder's decision for the gate, written under mu.
	deadline atomic.Int64 // 0 when fenced
	held     atomic.Bool
	lastTick atomic.Int64
	limit    int64 // pause limit, constant
	// For Live: the same on Go's monotonic clock, relative to start.
	start        time.Time
	liveUntil    atomic.Int64
	requestSeq   atomic.Uint64
	requests     sync.Mutex
	outstanding  map[uint64]struct{}
	cancelHolder context.CancelFunc
}

// OpenSession opens the node's session, in place of its previous one, which is
// fenced first. While an older session of this node's name is alive elsewhere
// (another process, or an earlier start without data directory) it waits for
// that to expire, or for ctx.
func (n *Node) OpenSession(ctx context.Context, info core.Info) (*Session, error) {
	if old := n.session.Load(); old != nil {
		old.end()
	}
	info.Address = n.cfg.Addr
	info.Voter = n.cfg.Voter
	info.Format = core.FormatCurrent
	cmd := core.OpenSession{
		Node: n.cfg.ID, Proof: sha256.Sum256(n.secret), Secret: n.secret, TTL: int64(n.cfg.TTL), Info: info,
	}
	_, _ = rand.Read(cmd.Incarnation[:]) // never fails, see crypto/rand
	// The lease counts from the first attempt of an incarnation whose outcome
	// was ever in doubt: that attempt may be the one that started the
	// grantor's timer.
	t0 := n.cfg.Clock()
	for {
		res, err := n.outbox.do(ctx, cmd)
		switch {
		case err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrRefused):
			if n.cfg.Clock()-t0 > int64(n.cfg.TTL)/2 { // too old to be worth anything
				_, _ = rand.Read(cmd.Incarnation[:])
				t0 = n.cfg.Clock()
			}
			continue
		case err != nil:
			return nil, err
		case res.Code == core.CodeOK:
			s := n.startSession(res.Epoch, t0) // renews from now on
			if err := n.replica.waitApplied(ctx, res.Index); err != nil {
				s.end()
				return nil, errors.Join(ErrInDoubt, err)
			}
			if s.Gate() != core.GateFenced {
				return s, nil
			}
			// This copy of the state lagged longer than the lease lasted.
			_, _ = rand.Read(cmd.Incarnation[:])
			cmd.Replaces = res.Epoch
		case res.Code == core.CodeBusy && cmd.Replaces != res.Session:
			cmd.Replaces = res.Session // with the secret of our data directory
		case res.Code == core.CodeBusy:
			sleep(ctx, n.cfg.TTL/20)
			if ctx.Err() != nil {
				return nil, refusal("open session", res.Outcome)
			}
		case res.Code == core.CodeRetry:
		case res.Code == core.CodeSessionDead:
			_, _ = rand.Read(cmd.Incarnation[:])
		default:
			return nil, refusal("open session", res.Outcome)
		}
		t0 = n.cfg.Clock() // a committed refusal: the next attempt starts afresh
	}
}

func (n *Node) startSession(epoch uint64, t0 int64) *Session {
	s := &Session{
		n: n, epoch: epoch, done: make(chan struct{}), h: core.NewHolder(n.cfg.Timing), limit: int64(n.cfg.TTL) / 4,
		start: time.Now(), outstanding: map[uint64]struct{}{},
	}
	ctx, cancel := context.WithCancel(n.ctx)
	s.cancelHolder = cancel
	s.step(core.Opened{Session: epoch, TTL: int64(n.cfg.TTL), T0: t0})
	n.session.Store(s)
	n.wg.Go(func() { s.runHolder(ctx) })
	return s
}

// step advances the holder and publishes its decision.
func (s *Session) step(ev core.HolderEvent) core.HolderEffects {
	s.mu.Lock()
	defer s.mu.Unlock()
	mono := int64(time.Since(s.start)) // before now: a pause in between must shorten Live
	now := s.n.cfg.Clock()
	fx := s.h.Step(ev, now)
	gate := s.h.Gate(now)
	if _, isTick := ev.(core.HolderTick); isTick || s.lastTick.Load() == 0 {
		s.lastTick.Store(now)
	}
	s.held.Store(gate == core.GateHold)
	if gate == core.GateFenced {
		s.deadline.Store(0)
		s.liveUntil.Store(0)
		select {
		case <-s.done:
		default:
			close(s.done)
		}
		return fx
	}
	s.deadline.Store(s.h.Deadline())
	live := int64(0)
	if gate == core.GateLive {
		live = mono + min(s.h.Deadline()-now, s.limit)
	}
	s.liveUntil.Store(live)
	return fx
}

func (s *Session) runHolder(ctx context.Context) {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-tick.C:
		case <-s.done:
			return
		case <-ctx.Done():
			s.end()
			return
		}
		var nonce [8]byte
		_, _ = rand.Read(nonce[:])
		fx := s.step(core.HolderTick{Nonce: binary.LittleEndian.Uint64(nonce[:])})
		if fx.Renew != nil {
			r := *fx.Renew
			wg.Go(func() { s.renew(ctx, r) })
		}
		if fx.Fence {
			s.n.log.Warn("session lost", "session", s.epoch)
		}
	}
}

func (s *Session) renew(ctx context.Context, r core.Renewal) {
	ctx, cancel := context.WithTimeout(ctx, s.n.cfg.TTL/4)
	defer cancel()
	code, err := s.n.renew(ctx, r)
	if err != nil {
		s.n.log.Debug("renewal failed", "session", s.epoch, "seq", r.Seq, "err", err)
		s.step(core.RenewFailed{Seq: r.Seq})
		return
	}
	if s.step(core.Renewed{Seq: r.Seq, Code: code}).Fence {
		s.n.log.Warn("session lost", "session", s.epoch, "answer", code)
	}
}

func (s *Session) end() {
	s.step(core.Closed{})
	s.cancelHolder()
}

// Epoch identifies the session in the whole cluster, for ever.
func (s *Session) Epoch() uint64 { return s.epoch }

// Done is closed when the session is over: drop what was owned under it
// without writing anything.
func (s *Session) Done() <-chan struct{} { return s.done }

// Gate says whether to dispatch, on a clock that counts suspends. It costs one
// system call (about 250 ns); see Live for every message.
func (s *Session) Gate() core.Gate {
	deadline := s.deadline.Load()
	now := s.n.cfg.Clock()
	switch {
	case deadline == 0 || now >= deadline:
		return core.GateFenced
	case s.held.Load() || now-s.lastTick.Load() > s.limit:
		return core.GateHold
	}
	return core.GateLive
}

// Live is a cheap form of Gate()==GateLive (about 30 ns). It uses Go's
// monotonic clock, so for up to 50 ms after a suspend of the whole machine it
// may still say true; epochs make what happens then harmless.
func (s *Session) Live() bool {
	return int64(time.Since(s.start)) < s.liveUntil.Load()
}

// Suspect makes the session hold until a renewal sent from now on commits. Call
// it when a newer epoch was seen for something the node believes to own.
func (s *Session) Suspect() { s.step(core.Suspected{}) }

// Drain refuses the session anything new; what it owns stays.
func (s *Session) Drain(ctx context.Context) error {
	return s.command(ctx, "drain", core.DrainSession{Session: s.epoch})
}

// Update replaces what the session tells the others. Address, Voter and Format
// are filled in.
func (s *Session) Update(ctx context.Context, info core.Info) error {
	info.Address, info.Voter, info.Format = s.n.cfg.Addr, s.n.cfg.Voter, core.FormatCurrent
	return s.command(ctx, "update info", core.UpdateInfo{Session: s.epoch, Info: info})
}

// Close gives up everything owned under the session, at once. The gate closes
// before the request is sent.
func (s *Session) Close(ctx context.Context) error {
	s.end()
	err := s.command(ctx, "close session", core.CloseSession{Session: s.epoch})
	if errors.Is(err, ErrSessionLost) {
		return nil
	}
	return err
}

// Abandon closes the gate here, for ever, and tells nobody: the others wait for
// the lease to run out.
func (s *Session) Abandon() { s.end() }

func (s *Session) command(ctx context.Context, what string, cmd core.Command) error {
	res, err := s.n.outbox.do(ctx, cmd)
	if err != nil {
		return err
	}
	return refusal(what, res.Outcome)
}

// SPDX-License-Identifier: MIT

package core

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
)

// Sizes of the tables and of the bounded work per entry.
const (
	claimShards  = 4096 // 1 M claims are about 244 per shard: cheap to clone
	smallShards  = 64
	sweepRecords = 2048 // records looked at per entry while dead claims remain (R5)
	sweepShards  = 512  // shards looked at per entry, for when they are empty
	hashEvery    = 256  // entries between recorded hashes (R8)
	hashesKept   = 64
	maxKinds     = 1 << 12
	maxRequests  = 1024 // answers kept per session (R6)
	maxWorkers   = 1 << 16
	maxNameBytes = 1024
	minTTL       = int64(50e6)
	maxTTL       = int64(3600e9)
)

// Errors of Apply. After any of them the node must stop: it can no longer
// follow the log (R7, R8).
var (
	ErrOrder    = errors.New("core: log index out of order")
	ErrDiverged = errors.New("core: state differs from the leader's")
)

// State is the replicated state machine.
//
// Apply, Snapshot and Hash belong to one goroutine at a time. The lookups
// (LookupClaim, Session, EachSession, KV, ...) may be called by any goroutine
// meanwhile; they are memory reads of the latest applied state, hence hints.
type State struct {
	applied    atomic.Uint64
	generation atomic.Uint64
	cluster    ClusterID
	format     uint32

	kinds    atomic.Pointer[kindSet]
	sessions *table[numKey, *Session]
	actors   *table[intKey, claim]
	named    *table[nameKey, claim]
	slots    *table[intKey, claim]
	workers  *table[workerKey, worker]
	leases   *table[textKey, lease]
	keys     *table[textKey, entry]
	answers  *table[reqKey, answer]
	cursor   uint32 // next shard to sweep, over all owned tables in turn

	// Derived from the tables, rebuilt by Restore.
	owned    map[uint64]int      // records per session
	deadHeld int                 // dead sessions that still own records
	requests map[uint64][]uint64 // requests with a kept answer, per session

	// Of the entry being applied.
	index   uint64
	spent   map[spentKey]struct{} // given up at this index (I1)
	opened  bool                  // a session was opened at this index
	changes []Change
	touched []Touch

	hashes [hashesKept]indexHash
}

type indexHash struct{ index, hash uint64 }

type spentKey struct {
	table int
	kind  uint32
	key   int64
	name  string
}

type kindSet struct {
	number map[string]uint32
	name   []string
}

// SessionState is the life of a session: live, then optionally draining, then
// dead.
type SessionState uint8

// The states.
const (
	SessionLive SessionState = iota + 1
	SessionDraining
	SessionDead
)

// Session is one start of one node, the only thing that has a lease. Values
// handed out are immutable.
type Session struct {
	Epoch       uint64
	Node        string
	Incarnation Incarnation
	State       SessionState
	RenewSeq    uint64
	TTL         int64 // nanoseconds
	Info        Info

	nonce uint64
	proof [32]byte
	floor uint64 // requests below it are answered CodeStale (R6)
}

// Alive reports whether what the session owns is valid.
func (s *Session) Alive() bool { return s != nil && s.State != SessionDead }

type claim struct{ session, epoch uint64 }

type worker struct {
	session, epoch uint64
	mark           int64
}

type lease struct {
	session, epoch uint64
	seq            uint64
	ttl            int64
}

type entry struct {
	value   []byte // never modified in place
	version uint64
	session uint64 // owner of an ephemeral key, or 0
}

type answer struct {
	code           Code
	version, index uint64
}

type numKey uint64

func (k numKey) shardHash() uint64 { return mix(uint64(k), 1) }

type textKey string

func (k textKey) shardHash() uint64 { return hashString(2, string(k)) }

type workerKey struct {
	pool   string
	number uint32
}

func (k workerKey) shardHash() uint64 { return hashString(uint64(k.number), k.pool) }

type reqKey struct{ session, req uint64 }

func (k reqKey) shardHash() uint64 { return mix(k.session, k.req) }

// NewState returns the state before the first entry.
func NewState() *State { return newState(claimShards, smallShards) }

// NewSmallState is NewState with one shard per table, for searches that clone
// it a million times. It must not be mixed with others in one cluster: the
// sweep goes by shards.
func NewSmallState() *State { return newState(1, 1) }

func newState(claimShards, smallShards int) *State {
	s := &State{
		format:   1,
		sessions: newTable[numKey](smallShards, hashSession),
		actors:   newTable[intKey](claimShards, hashIntClaim(tagActor)),
		named:    newTable[nameKey](claimShards, hashNamedClaim),
		slots:    newTable[intKey](smallShards, hashIntClaim(tagSlot)),
		workers:  newTable[workerKey](smallShards, hashWorker),
		leases:   newTable[textKey](claimShards, hashLease),
		keys:     newTable[textKey](claimShards, hashEntry),
		answers:  newTable[reqKey](smallShards, hashAnswer),
		owned:    make(map[uint64]int),
		requests: make(map[uint64][]uint64),
		spent:    make(map[spentKey]struct{}),
	}
	s.kinds.Store(&kindSet{number: map[string]uint32{}})
	return s
}

// Touch tells the Grantor that a lease started, was renewed or ended.
type Touch struct {
	Session uint64 // set for a session
	Lease   string // set for a user lease
	Epoch   uint64 // of the lease
	Seq     uint64
	TTL     int64
	Gone    bool
}

// Applied is what one entry did. Changes and Touched are valid until the next
// Apply; Results belong to the caller.
type Applied struct {
	Results []Result
	Changes []Change
	Touched []Touch
}

// Apply executes one committed entry. Indexes must increase. On an error the
// state is unusable and the node must halt (R7): an entry that this build does
// not understand cannot be skipped without diverging.
func (s *State) Apply(index, term uint64, data []byte) (Applied, error) {
	prev := s.applied.Load()
	if index <= prev {
		return Applied{}, fmt.Errorf("%w: %d after %d", ErrOrder, index, prev)
	}
	cmds, err := DecodeEntry(data)
	if err != nil {
		return Applied{}, fmt.Errorf("core: entry %d: %w", index, err)
	}
	s.index = index
	s.opened = false
	s.changes, s.touched = s.changes[:0], s.touched[:0]
	clear(s.spent)
	results := make([]Result, len(cmds))
	for i, cmd := range cmds {
		results[i], err = s.apply(term, cmd)
		if err != nil {
			return Applied{}, err
		}
		results[i].Index = index
	}
	s.sweep()
	s.applied.Store(index)
	if index/hashEvery != prev/hashEvery {
		s.hashes[index/hashEvery%hashesKept] = indexHash{index, s.Hash()}
	}
	return Applied{Results: results, Changes: s.changes, Touched: s.touched}, nil
}

func (s *State) apply(term uint64, cmd Command) (Result, error) {
	switch c := cmd.(type) {
	case Noop:
		return Result{}, s.checkHash(c)
	case InitCluster:
		return s.initCluster(c), nil
	case SetGeneration:
		return s.setGeneration(c), nil
	case SetActiveFormat:
		return s.setFormat(c), nil
	case OpenSession:
		return s.openSession(c), nil
	case RenewBatch:
		return s.renewBatch(c), nil
	case ExpireSession:
		return s.expireSession(c, term), nil
	case CloseSession:
		return s.closeSession(c), nil
	case DrainSession:
		return s.drainSession(c), nil
	case UpdateInfo:
		return s.updateInfo(c), nil
	case ClaimBatch:
		return s.claimBatch(c), nil
	case ReleaseBatch:
		return s.releaseBatch(c), nil
	case TransferBatch:
		return s.transferBatch(c), nil
	case AcquireWorker:
		return s.acquireWorker(c), nil
	case MarkWorker:
		return s.markWorker(c), nil
	case AcquireLease:
		return s.acquireLease(c), nil
	case RenewLease:
		return s.renewLease(c), nil
	case ExpireLease:
		return s.expireLease(c, term), nil
	case ReleaseLease:
		return s.releaseLease(c), nil
	case KVWrite:
		return s.kvWrite(c), nil
	}
	return Result{}, fmt.Errorf("%w: command %T", ErrMalformed, cmd)
}

func (s *State) emit(c Change) {
	c.Index = s.index
	s.changes = append(s.changes, c)
}

func no(code Code) Result { return Result{Outcome: Outcome{Code: code}} }

func yes(epoch uint64) Result { return Result{Outcome: Outcome{Epoch: epoch}} }

func (s *State) initCluster(c InitCluster) Result {
	if s.cluster != (ClusterID{}) && s.cluster != c.Cluster || c.Cluster == (ClusterID{}) {
		return no(CodeConflict)
	}
	s.cluster = c.Cluster
	return Result{}
}

func (s *State) setGeneration(c SetGeneration) Result {
	now := s.generation.Load()
	if now == c.To {
		return Result{Value: now} // a retry
	}
	if now != c.From || c.To < c.From {
		return Result{Outcome: Outcome{Code: CodeConflict}, Value: now}
	}
	s.generation.Store(c.To)
	s.emit(Change{Type: ChangeGeneration, Epoch: c.To})
	return Result{Value: c.To}
}

func (s *State) setFormat(c SetActiveFormat) Result {
	if c.Format < s.format || c.Format > FormatCurrent {
		return Result{Outcome: Outcome{Code: CodeConflict}, Value: uint64(s.format)}
	}
	s.format = c.Format
	return Result{Value: uint64(s.format)}
}

// checkHash compares the proposer's recorded hash with ours, when we still
// have one for that index (R8).
func (s *State) checkHash(c Noop) error {
	if c.HashIndex == 0 {
		return nil
	}
	own := s.hashes[c.HashIndex/hashEvery%hashesKept]
	if own.index == c.HashIndex && own.hash != c.Hash {
		return fmt.Errorf("%w: index %d: leader %016x, here %016x", ErrDiverged, c.HashIndex, c.Hash, own.hash)
	}
	return nil
}

// LatestHash returns the newest recorded hash and its index, for Noop; zeros
// when there is none.
func (s *State) LatestHash() (index, hash uint64) {
	for _, h := range s.hashes {
		if h.index > index {
			index, hash = h.index, h.hash
		}
	}
	return index, hash
}

// intern returns the number of a kind, giving it one if needed.
func (s *State) intern(kind string) (uint32, bool) {
	set := s.kinds.Load()
	if n, ok := set.number[kind]; ok {
		return n, true
	}
	if kind == "" || len(kind) > maxNameBytes || len(set.name) >= maxKinds {
		return 0, false
	}
	n := uint32(len(set.name))
	next := &kindSet{number: maps.Clone(set.number), name: append(slices.Clone(set.name), kind)}
	next.number[kind] = n
	s.kinds.Store(next)
	return n, true
}

func (s *State) session(epoch uint64) *Session {
	v, _ := s.sessions.get(numKey(epoch))
	return v
}

func (s *State) alive(epoch uint64) bool { return s.session(epoch).Alive() }

// acting returns the session in whose name a command acts. fresh says that
// the command takes something new, which a draining session may not.
func (s *State) acting(epoch uint64, fresh bool) (*Session, Code) {
	v := s.session(epoch)
	switch {
	case !v.Alive():
		return nil, CodeSessionDead
	case fresh && v.State == SessionDraining:
		return nil, CodeDraining
	}
	return v, CodeOK
}

func (s *State) own(session uint64) {
	if session != 0 {
		s.owned[session]++
	}
}

// disown forgets one record of a session, and a dead session with its last
// record.
func (s *State) disown(session uint64) {
	if session == 0 {
		return
	}
	s.owned[session]--
	if s.owned[session] > 0 {
		return
	}
	delete(s.owned, session)
	if v := s.session(session); v != nil && v.State == SessionDead {
		s.deadHeld--
		s.sessions.remove(numKey(session))
	}
}

// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"errors"
	"time"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// Grant is the outcome for one id of a batch: the epoch, or why not. Err is
// nil, or a *RefusedError that matches ErrOwned (with the owner), ErrStale,
// ErrSessionLost, ErrDraining or ErrAbsent.
type Grant struct {
	ID    core.ID
	Epoch uint64
	Err   error
}

// Claim claims ids for the session: one Grant per id, in order. Requests of
// many callers share a log entry. The error is non-nil when the whole request
// got no answer: ErrNoQuorum, ErrOverloaded, ErrClosed (no effect), or
// ErrInDoubt (repeat it: claiming again is idempotent). An id that was claimed
// by a request in doubt belongs to this session; a later claim or a message
// routed here finds it.
func (s *Session) Claim(ctx context.Context, ids ...core.ID) ([]Grant, error) {
	return s.claim(ctx, core.SpaceActor, ids)
}

// ClaimSlots claims stub shards; see Claim.
func (s *Session) ClaimSlots(ctx context.Context, kind string, shards ...uint32) ([]Grant, error) {
	ids := make([]core.ID, len(shards))
	for i, k := range shards {
		ids[i] = core.ID{Kind: kind, Key: int64(k)}
	}
	return s.claim(ctx, core.SpaceSlot, ids)
}

func (s *Session) claim(ctx context.Context, space core.Space, ids []core.ID) ([]Grant, error) {
	grants := make([]Grant, len(ids))
	todo := make([]int, len(ids))
	for i, id := range ids {
		grants[i].ID, todo[i] = id, i
	}
	for len(todo) > 0 {
		part := todo[:min(len(todo), batchIDs)]
		cmd := core.ClaimBatch{Space: space, Session: s.epoch, IDs: make([]core.ID, len(part))}
		for i, at := range part {
			cmd.IDs[i] = ids[at]
		}
		res, err := s.n.outbox.do(ctx, cmd)
		if err != nil {
			return grants, err
		}
		todo = todo[len(part):]
		for i, at := range part {
			if o := res.Items[i]; o.Code == core.CodeRetry {
				todo = append(todo, at) // given away at this very index (I1)
			} else {
				grants[at].Epoch, grants[at].Err = o.Epoch, refusal("claim", o)
			}
		}
	}
	return grants, nil
}

// batchIDs is how many ids one command carries at most.
const batchIDs = 256

// Release gives up ids. An id that is not there any more counts as released.
func (s *Session) Release(ctx context.Context, items ...core.IDEpoch) ([]Grant, error) {
	return s.move(ctx, items, "release", func(part []core.IDEpoch) core.Command {
		return core.ReleaseBatch{Session: s.epoch, Items: part}
	}, func(o core.Outcome) bool { return o.Code == core.CodeAbsent })
}

// Transfer hands ids to another live session under new epochs, 256 per log
// entry. The caller stopped the activations and made their state durable
// before.
func (s *Session) Transfer(ctx context.Context, to uint64, items ...core.IDEpoch) ([]Grant, error) {
	return s.move(ctx, items, "transfer", func(part []core.IDEpoch) core.Command {
		return core.TransferBatch{Session: s.epoch, To: to, Items: part}
	}, func(o core.Outcome) bool { return o.Code == core.CodeStale && o.Session == to })
}

// ReleaseSlot gives up a shard.
func (s *Session) ReleaseSlot(ctx context.Context, kind string, shard uint32, epoch uint64) error {
	item := core.IDEpoch{ID: core.ID{Kind: kind, Key: int64(shard)}, Epoch: epoch}
	g, err := s.move(ctx, []core.IDEpoch{item}, "release slot", func(part []core.IDEpoch) core.Command {
		return core.ReleaseBatch{Space: core.SpaceSlot, Session: s.epoch, Items: part}
	}, func(o core.Outcome) bool { return o.Code == core.CodeAbsent })
	return errors.Join(err, g[0].Err)
}

// MoveSlot hands a shard to another session and returns its new epoch.
func (s *Session) MoveSlot(ctx context.Context, kind string, shard uint32, epoch, to uint64) (uint64, error) {
	item := core.IDEpoch{ID: core.ID{Kind: kind, Key: int64(shard)}, Epoch: epoch}
	g, err := s.move(ctx, []core.IDEpoch{item}, "move slot", func(part []core.IDEpoch) core.Command {
		return core.TransferBatch{Space: core.SpaceSlot, Session: s.epoch, To: to, Items: part}
	}, func(o core.Outcome) bool { return o.Code == core.CodeStale && o.Session == to })
	return g[0].Epoch, errors.Join(err, g[0].Err)
}

// move sends items in parts. done recognises the outcome that a repetition of
// a request that already took effect gets. When it returns, this node's copy
// shows the result: it must not find itself the owner of what it gave away.
func (s *Session) move(ctx context.Context, items []core.IDEpoch, what string,
	cmd func([]core.IDEpoch) core.Command, done func(core.Outcome) bool,
) ([]Grant, error) {
	grants := make([]Grant, len(items))
	for i, it := range items {
		grants[i].ID = it.ID
	}
	for at := 0; at < len(items); at += batchIDs {
		part := items[at:min(at+batchIDs, len(items))]
		res, err := s.n.outbox.do(ctx, cmd(part))
		if err != nil {
			return grants, err
		}
		if err := s.n.replica.waitApplied(ctx, res.Index); err != nil {
			return grants, errors.Join(ErrInDoubt, err)
		}
		for i, o := range res.Items {
			grants[at+i].Epoch = o.Epoch
			if !done(o) {
				grants[at+i].Err = refusal(what, o)
			}
		}
	}
	return grants, nil
}

// Worker is a leased worker number of a pool.
type Worker struct {
	Pool   string
	Number uint32
	Epoch  uint64
	Mark   int64 // minting resumes above it
}

// AcquireWorker leases a number in [0, limit), at most 65536. The number's
// high-water mark survives its holders.
func (s *Session) AcquireWorker(ctx context.Context, pool string, limit uint32) (Worker, error) {
	res, err := s.n.outbox.do(ctx, core.AcquireWorker{Session: s.epoch, Pool: pool, Limit: limit})
	if err == nil {
		err = refusal("acquire worker", res.Outcome)
	}
	return Worker{pool, uint32(res.Value), res.Epoch, res.Mark}, err
}

// MarkWorker raises the mark: nothing above it may be minted before this
// returned. With release the number is given back.
func (s *Session) MarkWorker(ctx context.Context, w Worker, mark int64, release bool) (Worker, error) {
	res, err := s.n.outbox.do(ctx, core.MarkWorker{
		Session: s.epoch, Pool: w.Pool, Number: w.Number, Epoch: w.Epoch, Mark: mark, Release: release,
	})
	if err == nil {
		err = refusal("mark worker", res.Outcome)
	}
	if err == nil {
		w.Mark = res.Mark
	}
	return w, err
}

// AcquireLease takes a named lease and returns its epoch. ttl 0 ties it to the
// session alone; otherwise it must also be renewed within ttl, which the
// leader times. The holder must stop at the time it asked plus ttl, less 1 %
// and Timing.Margin.
func (s *Session) AcquireLease(ctx context.Context, name string, ttl time.Duration) (uint64, error) {
	for {
		res, err := s.n.outbox.do(ctx, core.AcquireLease{Session: s.epoch, Name: name, TTL: int64(ttl)})
		if err != nil {
			return 0, err
		}
		if res.Code != core.CodeRetry {
			return res.Epoch, refusal("acquire lease", res.Outcome)
		}
	}
}

// RenewLease extends a lease with its own ttl. seq must increase per call.
func (s *Session) RenewLease(ctx context.Context, name string, epoch, seq uint64) error {
	return s.command(ctx, "renew lease", core.RenewLease{Session: s.epoch, Name: name, Epoch: epoch, Seq: seq})
}

// ReleaseLease gives a lease up.
func (s *Session) ReleaseLease(ctx context.Context, name string, epoch uint64) error {
	err := s.command(ctx, "release lease", core.ReleaseLease{Session: s.epoch, Name: name, Epoch: epoch})
	if errors.Is(err, ErrAbsent) {
		return nil
	}
	return err
}

// Put writes a key and returns its version. An ephemeral key lives as long as
// the session.
func (s *Session) Put(ctx context.Context, key string, value []byte, ephemeral bool) (uint64, error) {
	return s.write(ctx, core.KVWrite{Mode: core.KVPut, Key: key, Value: value, Ephemeral: ephemeral})
}

// CompareAndSet writes a key iff its version is version; 0 means absent. It
// is executed at most once, however often it has to be sent.
func (s *Session) CompareAndSet(ctx context.Context, key string, version uint64, value []byte) (uint64, error) {
	return s.write(ctx, core.KVWrite{Mode: core.KVCAS, Key: key, Version: version, Value: value})
}

// Delete deletes a key iff its version is version; 0 means any.
func (s *Session) Delete(ctx context.Context, key string, version uint64) error {
	_, err := s.write(ctx, core.KVWrite{Mode: core.KVDelete, Key: key, Version: version})
	return err
}

// maxKVBytes bounds a value; the metastore is for small things.
const maxKVBytes = 256 << 10

func (s *Session) write(ctx context.Context, c core.KVWrite) (uint64, error) {
	if len(c.Value) > maxKVBytes {
		return 0, refusal("write: value too large", core.Outcome{Code: core.CodeInvalid})
	}
	c.Session = s.epoch
	c.Req, c.AckBelow = s.beginRequest()
	defer s.endRequest(c.Req)
	res, err := s.n.outbox.do(ctx, c)
	if err != nil {
		return 0, err
	}
	return res.Epoch, refusal("write "+c.Key, res.Outcome)
}

// beginRequest numbers a deduplicated request and returns the lowest number
// still outstanding: answers below it can be forgotten (R6).
func (s *Session) beginRequest() (req, low uint64) {
	s.requests.Lock()
	defer s.requests.Unlock()
	req = s.requestSeq.Add(1)
	s.outstanding[req] = struct{}{}
	low = req
	for r := range s.outstanding {
		low = min(low, r)
	}
	return req, low
}

func (s *Session) endRequest(req uint64) {
	s.requests.Lock()
	defer s.requests.Unlock()
	delete(s.outstanding, req)
}

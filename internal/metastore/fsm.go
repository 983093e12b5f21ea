// SPDX-License-Identifier: MIT

package metastore

import (
	"io"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// fsm adapts the replica to raft.
type fsm struct {
	r    *replica
	fail func(error)
}

// applied is the response of one log entry.
type applied struct {
	results []core.Result
	term    uint64
	err     error
}

// Apply implements raft.FSM. An error halts the node (R7); raft is told
// nothing, it has no way to refuse a committed entry.
func (f *fsm) Apply(l *raft.Log) any {
	results, err := f.r.apply(l.Index, l.Term, l.Data)
	if err != nil {
		f.fail(err)
	}
	return applied{results: results, term: l.Term, err: err}
}

// Snapshot implements raft.FSM. It blocks Apply for microseconds.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	if p := f.r.halted.Load(); p != nil {
		return nil, *p
	}
	return fsmSnapshot{f.r.state.Load().Snapshot()}, nil
}

// Restore implements raft.FSM.
func (f *fsm) Restore(in io.ReadCloser) error {
	defer in.Close()
	return f.r.restore(in)
}

type fsmSnapshot struct{ s *core.Snapshot }

// Persist implements raft.FSMSnapshot.
func (s fsmSnapshot) Persist(sink raft.SnapshotSink) error {
	if _, err := s.s.WriteTo(sink); err != nil {
		_ = sink.Cancel()
		return err
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (fsmSnapshot) Release() {}

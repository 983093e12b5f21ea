// SPDX-License-Identifier: MIT

package metastore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// The feed gives nodes that are not voters the same entries in the same order:
// they run the same state machine and can compare hashes. A follower that is
// too far behind fetches a snapshot in chunks first.
const (
	feedWait       = time.Second
	feedChunk      = 256 << 10
	snapshotChunk  = 256 << 10
	snapshotsAlive = time.Minute // a download that pauses longer starts again
)

// handleFeed answers with entries after from, waiting for the first up to a
// given time.
func (n *Node) handleFeed(ctx context.Context, w *wire) []byte {
	from, wait := w.uvarint(), time.Duration(min(w.uvarint(), uint64(feedWait/time.Millisecond)))*time.Millisecond
	if w.bad {
		return refused(errors.New("feed"))
	}
	if n.raft == nil {
		return n.redirect()
	}
	list, ok := n.replica.tail(from, feedChunk)
	if !ok {
		return []byte{statusNeedSnapshot}
	}
	if len(list) == 0 && wait > 0 {
		ctx, cancel := context.WithTimeout(ctx, wait)
		_ = n.replica.waitApplied(ctx, from+1) // an empty answer says how stale we are
		cancel()
		if list, ok = n.replica.tail(from, feedChunk); !ok {
			return []byte{statusNeedSnapshot}
		}
	}
	b := binary.AppendUvarint([]byte{statusOK}, uint64(n.staleness()/time.Millisecond))
	for _, e := range list {
		b = binary.AppendUvarint(binary.AppendUvarint(b, e.index), e.term)
		b = append(binary.AppendUvarint(b, uint64(len(e.data))), e.data...)
	}
	return b
}

// feedSnapshots keeps the snapshots that followers are downloading. The bytes
// are encoded once and shared.
type feedSnapshots struct {
	mu   sync.Mutex
	data []byte
	id   uint64 // index of the snapshot
	used time.Time
}

func (n *Node) handleSnapshot(w *wire) []byte {
	id, offset := w.uvarint(), w.uvarint()
	if w.bad || n.raft == nil {
		return n.redirect()
	}
	s := &n.snaps
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data != nil && time.Since(s.used) > snapshotsAlive {
		s.data, s.id = nil, 0
	}
	if id == 0 {
		if s.data == nil || !n.follows(s.id) {
			if err := n.encodeSnapshot(s); err != nil {
				return refused(err)
			}
		}
		id, offset = s.id, 0
	}
	s.used = time.Now()
	if id != s.id || offset > uint64(len(s.data)) {
		return []byte{statusNeedSnapshot} // start again
	}
	chunk := s.data[offset:min(offset+snapshotChunk, uint64(len(s.data)))]
	b := binary.AppendUvarint([]byte{statusOK}, id)
	b = binary.AppendUvarint(b, uint64(len(s.data)))
	return append(b, chunk...)
}

// follows reports whether the tail continues a snapshot at index.
func (n *Node) follows(index uint64) bool {
	_, ok := n.replica.tail(index, 1)
	return ok
}

// encodeSnapshot asks raft for a fresh snapshot, because only raft's goroutine
// may freeze the state, and reads it back.
func (n *Node) encodeSnapshot(s *feedSnapshots) error {
	in, err := n.latestSnapshot()
	if err != nil {
		return fmt.Errorf("metastore: snapshot for a follower: %w", err)
	}
	defer in.Close()
	var buf bytes.Buffer
	if _, err := buf.ReadFrom(in); err != nil {
		return fmt.Errorf("metastore: read snapshot: %w", err)
	}
	state, err := core.Restore(bytes.NewReader(buf.Bytes()))
	if err != nil {
		return err
	}
	s.data, s.id = buf.Bytes(), state.Applied()
	return nil
}

func (n *Node) latestSnapshot() (io.ReadCloser, error) {
	f := n.raft.Snapshot()
	err := f.Error()
	if err == nil {
		_, in, err := f.Open()
		return in, err
	}
	if !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return nil, err
	}
	list, err := n.stores.snaps.List() // newest first
	if err != nil || len(list) == 0 {
		return nil, errors.Join(raft.ErrNothingNewToSnapshot, err)
	}
	_, in, err := n.stores.snaps.Open(list[0].ID)
	return in, err
}

// runFeed follows one voter until it fails or lost its quorum, then another.
func (n *Node) runFeed(ctx context.Context) {
	for ctx.Err() == nil {
		for _, addr := range n.voters() {
			if err := n.learnCluster(ctx, addr); err != nil {
				n.log.Debug("feed", "voter", addr, "err", err)
				continue
			}
			err := n.follow(ctx, addr)
			if errors.Is(err, ErrHalted) {
				n.fatal(err)
				return
			}
			n.log.Debug("feed", "voter", addr, "err", err)
		}
		n.findSeeds(ctx)
		sleep(ctx, 4*tickEvery)
	}
}

// learnCluster asks a voter for the cluster's name, once.
func (n *Node) learnCluster(ctx context.Context, addr string) error {
	if *n.cluster.Load() != (core.ClusterID{}) {
		return nil
	}
	st, err := n.askStatus(ctx, addr)
	if err != nil {
		return err
	}
	if st.cluster == (core.ClusterID{}) {
		return errors.New("metastore: the peer has no cluster yet")
	}
	return n.adopt(st.cluster)
}

var errStaleVoter = errors.New("metastore: voter has no quorum")

// follow pulls entries until an error.
func (n *Node) follow(ctx context.Context, addr string) error {
	for ctx.Err() == nil {
		req := binary.AppendUvarint(nil, n.Applied())
		req = binary.AppendUvarint(req, uint64(feedWait/time.Millisecond))
		body, err := n.feedCall(ctx, addr, opFeed, req)
		if errors.Is(err, errNeedSnapshot) {
			err = n.download(ctx, addr)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		w := &wire{b: body}
		stale := time.Duration(w.uvarint()) * time.Millisecond
		for len(w.b) > 0 {
			index, term, data := w.uvarint(), w.uvarint(), w.bytes()
			if w.bad {
				return errors.New("metastore: malformed feed")
			}
			if index <= n.Applied() {
				continue
			}
			if _, err := n.replica.apply(index, term, data); err != nil {
				return err
			}
		}
		if stale >= recently {
			return errStaleVoter
		}
		n.fedAt.Store(n.cfg.Clock())
	}
	return ctx.Err()
}

func (n *Node) feedCall(ctx context.Context, addr string, op byte, req []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, feedWait+attemptTimeout)
	defer cancel()
	return n.call(ctx, addr, op, req)
}

// download fetches and installs a snapshot.
func (n *Node) download(ctx context.Context, addr string) error {
	var id, size uint64
	var data []byte
	for {
		req := binary.AppendUvarint(binary.AppendUvarint(nil, id), uint64(len(data)))
		body, err := n.feedCall(ctx, addr, opSnapshot, req)
		if err != nil {
			return err
		}
		w := &wire{b: body}
		gotID, gotSize := w.uvarint(), w.uvarint()
		if w.bad || id != 0 && (gotID != id || gotSize != size) || len(w.b) == 0 {
			return errors.New("metastore: malformed snapshot chunk")
		}
		id, size = gotID, gotSize
		data = append(data, w.b...)
		if uint64(len(data)) >= size {
			break
		}
	}
	if id <= n.Applied() {
		return errors.New("metastore: snapshot is older than the copy here")
	}
	return n.replica.restore(bytes.NewReader(data))
}

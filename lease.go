// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/troupe-go/troupe/internal/metastore"
)

// Lease is a named exclusive right in the cluster, such as "run the nightly
// ranking". It lives as long as its holder's node is a member, and, with a TTL
// of its own, only while it is renewed, which Lease does by itself.
//
// A lease alone is no proof: a paused process may go on acting after its lease
// has passed to another. Give Epoch to whatever is protected and have it refuse
// smaller ones. All methods may be called by any goroutine.
type Lease struct {
	name  string
	epoch uint64
	done  chan struct{}
	once  sync.Once
	err   error
	end   func(ctx context.Context) error // gives it back
}

// Name returns the lease's name.
func (l *Lease) Name() string { return l.name }

// Epoch is the fencing token: each holder of the name has a greater one than
// all before.
func (l *Lease) Epoch() uint64 { return l.epoch }

// Done is closed when the lease is lost or released.
func (l *Lease) Done() <-chan struct{} { return l.done }

// Err returns nil while the lease is held, and ErrLeaseLost after.
func (l *Lease) Err() error {
	select {
	case <-l.done:
		return l.err
	default:
		return nil
	}
}

// Release gives the lease up. A second Release does nothing.
func (l *Lease) Release(ctx context.Context) error {
	select {
	case <-l.done:
		return nil
	default:
	}
	l.lose(ErrLeaseLost)
	return l.end(ctx)
}

func (l *Lease) lose(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.done)
	})
}

// AcquireLease takes the lease of that name, or fails with ErrLeaseHeld while
// somebody else has it. ttl 0 ties it to the membership of this node alone; a
// ttl, at least 1 s, ends it that long after its holder stopped renewing. It
// blocks for one commit of the metadata store; ErrNoQuorum means that there is
// none.
func (n *Node) AcquireLease(ctx context.Context, name string, ttl time.Duration) (*Lease, error) {
	if name == "" || ttl < 0 || ttl > 0 && ttl < time.Second {
		return nil, fmt.Errorf("lease %q: %w: empty name, or a TTL below 1s", name, ErrBadConfig)
	}
	if err := n.admit(false); err != nil {
		return nil, fmt.Errorf("lease %q: %w", name, err)
	}
	if n.cluster == nil {
		return n.leases.acquire(n, name)
	}
	return n.cluster.acquireLease(ctx, name, ttl)
}

func (cl *cluster) acquireLease(ctx context.Context, name string, ttl time.Duration) (*Lease, error) {
	s := cl.session.Load()
	asked := cl.node.now()
	epoch, err := s.AcquireLease(ctx, name, ttl)
	if err != nil {
		return nil, fmt.Errorf("lease %q: %w", name, metaError(err))
	}
	l := &Lease{name: name, epoch: epoch, done: make(chan struct{})}
	l.end = func(ctx context.Context) error {
		if err := s.ReleaseLease(ctx, name, epoch); err != nil {
			return fmt.Errorf("release lease %q: %w", name, metaError(err))
		}
		return nil
	}
	cl.spawn(func() { cl.keepLease(l, s, ttl, asked) })
	return l, nil
}

// keepLease renews a lease until it is lost. The deadline counts from before
// each request, less a margin for the drift of clocks.
func (cl *cluster) keepLease(l *Lease, s *metastore.Session, ttl time.Duration, asked int64) {
	if ttl == 0 {
		select {
		case <-l.done:
		case <-s.Done():
		case <-cl.ctx.Done():
		}
		l.lose(ErrLeaseLost)
		return
	}
	usable := int64(ttl - ttl/100 - 100*time.Millisecond)
	ticker := time.NewTicker(ttl / 4)
	defer ticker.Stop()
	for seq := uint64(1); ; seq++ {
		left := time.NewTimer(time.Duration(asked + usable - cl.node.now()))
		select {
		case <-l.done:
		case <-s.Done():
			l.lose(ErrLeaseLost)
		case <-cl.ctx.Done():
			l.lose(ErrLeaseLost)
		case <-left.C:
			l.lose(ErrLeaseLost)
		case <-ticker.C:
			now := cl.node.now()
			ctx, cancel := context.WithTimeout(cl.ctx, time.Duration(max(asked+usable-now, 1)))
			if s.RenewLease(ctx, l.name, l.epoch, seq) == nil {
				asked = now
			}
			cancel()
		}
		left.Stop()
		if l.Err() != nil {
			return
		}
	}
}

// localLeases are the leases of a node by itself.
type localLeases struct {
	mu   sync.Mutex
	held map[string]*Lease
}

func (t *localLeases) acquire(n *Node, name string) (*Lease, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[name] != nil {
		return nil, fmt.Errorf("lease %q: %w", name, ErrLeaseHeld)
	}
	if t.held == nil {
		t.held = make(map[string]*Lease)
	}
	l := &Lease{name: name, epoch: n.nextEpoch(), done: make(chan struct{})}
	l.end = func(context.Context) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.held[name] == l {
			delete(t.held, name)
		}
		return nil
	}
	t.held[name] = l
	return l, nil
}

// endAll ends the leases when the node stops.
func (t *localLeases) endAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.held {
		l.lose(ErrLeaseLost)
	}
	t.held = nil
}

// SPDX-License-Identifier: MIT

package troupe

import "context"

// Abort ends the node as a crash would: no handler begins any more, nothing is
// handed over, saved or told to other nodes, which take over when the lease has
// run out. Handlers that run get a moment to notice that their context ended.
// It is for tests, and for a program whose state is not to be trusted, such as
// after ClusterConfig.OnFatal; Stop is the way to end a healthy node. It must
// not be called from a handler.
func (n *Node) Abort() {
	n.aborted.Store(true)
	n.draining.Store(true)
	if n.cluster != nil {
		n.cluster.abort()
	}
	n.cancel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = n.Stop(ctx) // the error is that things were left behind
}

// abort ends the lease here without a word, and cuts the connections.
func (cl *cluster) abort() {
	cl.leaving.Store(true)
	if s := cl.session.Load(); s != nil {
		s.Abandon()
	}
}

// SPDX-License-Identifier: MIT

package troupe

import (
	"encoding/json"
	"net/http"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// Health is a picture of how a node is.
type Health struct {
	Node string `json:"node"`
	// Ready: the node takes messages. In a cluster it also holds its lease and
	// has lately heard of a quorum.
	Ready bool `json:"ready"`
	// State is "new", "running", "stopping" or "stopped".
	State string `json:"state"`
	// Lease is "live", "hold" or "fenced"; empty without a cluster.
	Lease string `json:"lease,omitempty"`
	// Quorum: the metadata store has committed something lately.
	Quorum  bool   `json:"quorum"`
	Leader  string `json:"leader,omitempty"`
	Members int    `json:"members"`
	// Error is why the metadata store failed for good.
	Error string `json:"error,omitempty"`
}

var stateNames = [...]string{"new", "running", "stopping", "stopped"}

// Health returns the present picture.
func (n *Node) Health() Health {
	state := n.state.Load()
	h := Health{Node: n.name, State: stateNames[state], Ready: state == nodeRunning, Quorum: true, Members: 1}
	cl := n.cluster
	if cl == nil || cl.meta == nil {
		h.Ready = h.Ready && cl == nil
		return h
	}
	st := cl.meta.Status()
	h.Quorum, h.Leader, h.Members = st.Quorum, st.Leader, len(cl.view.Load().members)
	gate := core.GateFenced
	if s := cl.session.Load(); s != nil {
		gate = s.Gate()
	}
	h.Lease = gate.String()
	if st.Err != nil {
		h.Error = st.Err.Error()
	}
	h.Ready = h.Ready && h.Quorum && gate == core.GateLive
	return h
}

// HealthHandler answers with Health as JSON: status 200 when the node is
// ready, 503 when it is not. Mount it where you like, for example at /healthz.
func (n *Node) HealthHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := n.Health()
		w.Header().Set("Content-Type", "application/json")
		if !h.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(h) // the client has gone
	})
}

// SPDX-License-Identifier: MIT

package transport

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

const (
	maxClusterIDBytes = 64
	maxNodeIDBytes    = 128
	maxRoleBytes      = 32
	maxRoles          = 16
	maxAddrBytes      = 256
	identityScheme    = "troupe"
)

// HasRole reports whether role is among p's roles.
func (p Peer) HasRole(role string) bool { return slices.Contains(p.Roles, role) }

// String returns "node/incarnation".
func (p Peer) String() string { return fmt.Sprintf("%s/%x", p.NodeID, p.Incarnation) }

// Validate checks the lengths and characters of the fields and names the first
// one that is wrong.
func (p Peer) Validate() error {
	switch {
	case !validName(p.NodeID, maxNodeIDBytes):
		return fmt.Errorf("transport: Peer.NodeID %.130q: want 1 to %d of [A-Za-z0-9._-]", p.NodeID, maxNodeIDBytes)
	case !validName(p.ClusterID, maxClusterIDBytes):
		return fmt.Errorf("transport: Peer.ClusterID %.70q: want 1 to %d of [A-Za-z0-9._-]", p.ClusterID, maxClusterIDBytes)
	case p.Incarnation == 0:
		return fmt.Errorf("transport: Peer.Incarnation is zero")
	case len(p.Addr) > maxAddrBytes:
		return fmt.Errorf("transport: Peer.Addr is longer than %d bytes", maxAddrBytes)
	case len(p.Roles) > maxRoles:
		return fmt.Errorf("transport: Peer.Roles: more than %d", maxRoles)
	}
	for _, r := range p.Roles {
		if !validName(r, maxRoleBytes) {
			return fmt.Errorf("transport: Peer.Roles %.40q: want 1 to %d of [A-Za-z0-9._-]", r, maxRoleBytes)
		}
	}
	return nil
}

func validName(s string, maxBytes int) bool {
	if s == "" || len(s) > maxBytes || s == "." || s == ".." {
		return false
	}
	for i := range len(s) {
		c := s[i]
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
		if !ok {
			return false
		}
	}
	return true
}

// IdentityURI is the subject alternative name that proves p in a certificate:
// troupe://<cluster-id>/<role[,role]>/<node-id>. A node without roles has "-".
func IdentityURI(p Peer) *url.URL {
	roles := "-"
	if len(p.Roles) > 0 {
		roles = strings.Join(p.Roles, ",")
	}
	return &url.URL{Scheme: identityScheme, Host: p.ClusterID, Path: "/" + roles + "/" + p.NodeID}
}

// IdentityOf reads the identity in a certificate: its NodeID, ClusterID and
// Roles. It fails with ErrIdentity unless there is exactly one identity URI.
func IdentityOf(cert *x509.Certificate) (Peer, error) {
	var id Peer
	found := 0
	for _, u := range cert.URIs {
		if u.Scheme != identityScheme {
			continue
		}
		found++
		parts := strings.Split(u.Path, "/") // "", roles, node
		if len(parts) != 3 || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return Peer{}, fmt.Errorf("%w: bad URI %q", ErrIdentity, u)
		}
		id = Peer{ClusterID: u.Host, NodeID: parts[2], Incarnation: 1}
		if parts[1] != "-" {
			id.Roles = strings.Split(parts[1], ",")
		}
	}
	if found != 1 {
		return Peer{}, fmt.Errorf("%w: %d identity URIs, want 1", ErrIdentity, found)
	}
	if err := id.Validate(); err != nil {
		return Peer{}, fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	id.Incarnation = 0
	return id, nil
}

// SPDX-License-Identifier: MIT

package troupe

import (
	"errors"
	"fmt"
	"slices"

	"github.com/troupe-go/troupe/internal/metastore"
	"github.com/troupe-go/troupe/internal/metastore/core"
)

// roleVoter is the role of the nodes that keep the log. A certificate with it
// is a key to everything in the cluster's metadata.
const roleVoter = "voter"

var errForbidden = errors.New("troupe: not allowed with these roles")

// authorizeMember lets voters alone change who the voters are, and each add
// only itself.
func authorizeMember(from metastore.Peer, add bool, id string) error {
	switch {
	case !slices.Contains(from.Roles, roleVoter):
		return fmt.Errorf("%w: %q is no %s", errForbidden, from.Node, roleVoter)
	case add && from.Node != id:
		return fmt.Errorf("%w: %q wants to make %q a voter", errForbidden, from.Node, id)
	}
	return nil
}

// authorizeInfo keeps a node to the roles that its certificate grants: neither
// may it claim others, nor host kinds that are for others.
func (cl *cluster) authorizeInfo(from metastore.Peer, info core.Info) error {
	for _, role := range info.Roles {
		if !slices.Contains(from.Roles, role) {
			return fmt.Errorf("%w: %q claims role %q", errForbidden, from.Node, role)
		}
	}
	if info.Voter && !slices.Contains(from.Roles, roleVoter) {
		return fmt.Errorf("%w: %q claims to be a voter", errForbidden, from.Node)
	}
	for _, name := range info.Kinds {
		k := cl.node.kindOf(name)
		if k == nil || len(k.roles) == 0 {
			continue // one that this node does not know, or for everybody
		}
		if !slices.ContainsFunc(k.roles, func(r string) bool { return slices.Contains(from.Roles, r) }) {
			return fmt.Errorf("%w: %q wants to host %q", errForbidden, from.Node, name)
		}
	}
	return nil
}

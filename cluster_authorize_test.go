// SPDX-License-Identifier: MIT

package troupe

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe/internal/metastore"
	"github.com/troupe-go/troupe/internal/metastore/core"
)

// TestAuthorizeMember: only voters change the voters, and add only themselves.
func TestAuthorizeMember(t *testing.T) {
	voter := metastore.Peer{Node: "n1", Roles: []string{"game", "voter"}}
	worker := metastore.Peer{Node: "n2", Roles: []string{"game"}}
	for _, test := range []struct {
		name string
		from metastore.Peer
		add  bool
		id   string
		ok   bool
	}{
		{"a voter joins", voter, true, "n1", true},
		{"a voter brings another", voter, true, "n2", false},
		{"a voter removes a dead one", voter, false, "n3", true},
		{"a worker joins", worker, true, "n2", false},
		{"a worker brings itself in as another", worker, true, "n1", false},
		{"a worker removes a voter", worker, false, "n1", false},
		{"nobody joins", metastore.Peer{}, true, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := authorizeMember(test.from, test.add, test.id)
			if test.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, errForbidden)
			}
		})
	}
}

// TestAuthorizeInfo: a session says of its node what the certificate grants.
func TestAuthorizeInfo(t *testing.T) {
	n, err := New(Config{})
	require.NoError(t, err)
	require.NoError(t, n.Register(Virtual[probe]("probe"), Virtual[probe]("gm", Role("gm"))))
	cl := &cluster{node: n}
	worker := metastore.Peer{Node: "n2", Roles: []string{"game"}}
	for _, test := range []struct {
		name string
		info core.Info
		ok   bool
	}{
		{"nothing", core.Info{}, true},
		{"own role and kinds", core.Info{Roles: []string{"game"}, Kinds: []string{"probe", "unknown here"}}, true},
		{"another role", core.Info{Roles: []string{"game", "gm"}}, false},
		{"a voter", core.Info{Voter: true}, false},
		{"a kind for another role", core.Info{Roles: []string{"game"}, Kinds: []string{"probe", "gm"}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := cl.authorizeInfo(worker, test.info)
			if test.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, errForbidden)
			}
		})
	}
}

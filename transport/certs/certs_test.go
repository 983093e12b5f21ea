// SPDX-License-Identifier: MIT

package certs_test

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/troupe-go/troupe/transport"
	"github.com/troupe-go/troupe/transport/certs"
)

// TestIssueAfterLoad: an authority written to PEM and read back signs
// certificates that the original's roots verify, with the identity in them.
func TestIssueAfterLoad(t *testing.T) {
	ca, err := certs.NewCA("prod", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	certPEM, keyPEM, err := ca.PEM()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := certs.LoadCA("prod", certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	nodePEM, nodeKey, err := loaded.Issue("n1", []string{"voter", "game"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(nodePEM)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: ca.Roots(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Errorf("verify: %v", err)
	}
	id, err := transport.IdentityOf(leaf)
	if err != nil || id.NodeID != "n1" || id.ClusterID != "prod" || !id.HasRole("voter") || !id.HasRole("game") || id.HasRole("gate") {
		t.Errorf("identity %+v, %v", id, err)
	}
	if _, err := certs.LoadCA("prod", nodePEM, nodeKey); err == nil {
		t.Error("a node's certificate was loaded as an authority")
	}
}

func TestBadNames(t *testing.T) {
	if _, err := certs.NewCA("a b", time.Hour); err == nil {
		t.Error("NewCA took a bad cluster id")
	}
	ca, err := certs.NewCA("c", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		node  string
		roles []string
	}{{"", nil}, {"a/b", nil}, {"n", []string{"voter,game"}}, {"n", []string{""}}} {
		if _, _, err := ca.Issue(test.node, test.roles, time.Hour); err == nil {
			t.Errorf("Issue(%q, %q) succeeded", test.node, test.roles)
		}
	}
}

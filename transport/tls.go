// SPDX-License-Identifier: MIT

package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// Credentials are a node's certificate and the certificate authorities it
// trusts. They can be replaced while in use: connections that are up stay,
// new ones use the new. They are safe for concurrent use.
type Credentials struct {
	files [3]string // cert, key, ca; empty when not loaded from files
	cur   atomic.Pointer[credState]
}

type credState struct {
	cert  tls.Certificate
	leaf  *x509.Certificate
	roots *x509.CertPool
}

// NewCredentials makes credentials from memory.
func NewCredentials(cert tls.Certificate, roots *x509.CertPool) (*Credentials, error) {
	c := &Credentials{}
	return c, c.Replace(cert, roots)
}

// LoadCredentials reads PEM files. Reload reads them again.
func LoadCredentials(certFile, keyFile, caFile string) (*Credentials, error) {
	c := &Credentials{files: [3]string{certFile, keyFile, caFile}}
	return c, c.Reload()
}

// Reload reads the files again. On an error the old credentials stay in use.
func (c *Credentials) Reload() error {
	if c.files[0] == "" {
		return errors.New("transport: credentials are not from files")
	}
	cert, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		return fmt.Errorf("transport: load certificate: %w", err)
	}
	ca, err := os.ReadFile(c.files[2])
	if err != nil {
		return fmt.Errorf("transport: load CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return fmt.Errorf("transport: load CA: no certificate in %s", c.files[2])
	}
	return c.Replace(cert, roots)
}

// Replace puts other credentials in place, for the same node.
func (c *Credentials) Replace(cert tls.Certificate, roots *x509.CertPool) error {
	if len(cert.Certificate) == 0 || roots == nil {
		return errors.New("transport: credentials need a certificate and roots")
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return fmt.Errorf("transport: certificate: %w", err)
	}
	id, err := IdentityOf(leaf)
	if err != nil {
		return err
	}
	if old := c.cur.Load(); old != nil {
		was, err := IdentityOf(old.leaf)
		if err == nil && (was.NodeID != id.NodeID || was.ClusterID != id.ClusterID) {
			return fmt.Errorf("%w: replaced %v of %q by %v of %q", ErrIdentity, was.NodeID, was.ClusterID, id.NodeID, id.ClusterID)
		}
	}
	c.cur.Store(&credState{cert: cert, leaf: leaf, roots: roots})
	return nil
}

// NotAfter is when the node's own certificate expires.
func (c *Credentials) NotAfter() time.Time { return c.cur.Load().leaf.NotAfter }

func (c *Credentials) identity() (Peer, error) { return IdentityOf(c.cur.Load().leaf) }

// tlsConfig is for one connection: TLS 1.3 only, both sides present a
// certificate of the cluster's authority, no resumption, hence no early data
// and no identity that outlives its check.
//
// InsecureSkipVerify only turns off the check of a DNS name, which these
// certificates do not have: verify checks the chain and the identity.
func (c *Credentials) tlsConfig(verify func(*x509.Certificate) error, usage x509.ExtKeyUsage) *tls.Config {
	s := c.cur.Load()
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{s.cert},
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true,
		SessionTicketsDisabled: true,
		NextProtos:             []string{"troupe/1"},
		VerifyConnection: func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) == 0 {
				return fmt.Errorf("%w: no certificate", ErrIdentity)
			}
			return verifyChain(cs.PeerCertificates, s.roots, usage, verify)
		},
	}
}

func verifyChain(certs []*x509.Certificate, roots *x509.CertPool, usage x509.ExtKeyUsage, verify func(*x509.Certificate) error) error {
	opts := x509.VerifyOptions{
		Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: time.Now(),
		KeyUsages: []x509.ExtKeyUsage{usage},
	}
	for _, ca := range certs[1:] {
		opts.Intermediates.AddCert(ca)
	}
	if _, err := certs[0].Verify(opts); err != nil {
		var bad x509.CertificateInvalidError
		if errors.As(err, &bad) && bad.Reason == x509.Expired {
			return fmt.Errorf("%w: %w", ErrCertExpired, err)
		}
		return fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	return verify(certs[0])
}

// secureServer authenticates an incoming connection. In dev mode it returns it
// as it is, with no proven identity.
func (e *Endpoint) secureServer(ctx context.Context, sock net.Conn) (net.Conn, *Peer, error) {
	if e.cfg.Credentials == nil {
		return sock, nil, nil
	}
	var id Peer
	limit := &authLimit{Conn: sock, left: maxTLSHandshakeBytes}
	tc := tls.Server(limit, e.cfg.Credentials.tlsConfig(e.verifyPeer(&id, ""), x509.ExtKeyUsageClientAuth))
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, nil, fmt.Errorf("%w: tls: %w", ErrHandshake, err)
	}
	limit.done = true
	return tc, &id, nil
}

// maxTLSHandshakeBytes is what a peer may send before it is authenticated: a
// certificate with a few intermediates fits.
const maxTLSHandshakeBytes = 16 << 10

// authLimit bounds what is read until done. The goroutine of the handshake is
// the only reader until then.
type authLimit struct {
	net.Conn
	left int
	done bool
}

func (a *authLimit) Read(b []byte) (int, error) {
	if a.done {
		return a.Conn.Read(b)
	}
	if a.left <= 0 {
		return 0, fmt.Errorf("%w: more than %d bytes before authentication", ErrHandshake, maxTLSHandshakeBytes)
	}
	n, err := a.Conn.Read(b[:min(len(b), a.left)])
	a.left -= n
	return n, err
}

// secureClient is the same for a connection that we dialed.
func (e *Endpoint) secureClient(ctx context.Context, sock net.Conn, wantNode string) (net.Conn, *Peer, error) {
	if e.cfg.Credentials == nil {
		return sock, nil, nil
	}
	var id Peer
	tc := tls.Client(sock, e.cfg.Credentials.tlsConfig(e.verifyPeer(&id, wantNode), x509.ExtKeyUsageServerAuth))
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, nil, fmt.Errorf("%w: tls: %w", ErrHandshake, err)
	}
	return tc, &id, nil
}

// verifyPeer checks the identity in a certificate of a trusted chain.
func (e *Endpoint) verifyPeer(id *Peer, wantNode string) func(*x509.Certificate) error {
	return func(leaf *x509.Certificate) error {
		p, err := IdentityOf(leaf)
		switch {
		case err != nil:
			return err
		case p.ClusterID != e.self.ClusterID:
			return fmt.Errorf("%w: certificate is for cluster %q", ErrWrongCluster, p.ClusterID)
		case wantNode != "" && p.NodeID != wantNode:
			return fmt.Errorf("%w: certificate is for node %q, want %q", ErrWrongPeer, p.NodeID, wantNode)
		}
		*id = p
		return nil
	}
}

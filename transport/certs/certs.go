// SPDX-License-Identifier: MIT

// Package certs makes the private certificate authority of a cluster and the
// certificates of its nodes. It is for tests and for clusters without a
// certificate service of their own; any CA that writes the identity URI of
// package transport into the certificate does as well.
package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/troupe-go/troupe/transport"
)

// backdate is how long before now a certificate begins to be valid, for nodes
// whose clocks lag.
const backdate = 5 * time.Minute

// CA signs the certificates of one cluster.
type CA struct {
	clusterID string
	cert      *x509.Certificate
	key       crypto.Signer
}

// NewCA makes an authority for a cluster, valid for the given time.
func NewCA(clusterID string, valid time.Duration) (*CA, error) {
	if err := (transport.Peer{ClusterID: clusterID, NodeID: "ca", Incarnation: 1}).Validate(); err != nil {
		return nil, fmt.Errorf("certs: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certs: %w", err)
	}
	tmpl, err := template("troupe CA "+clusterID, valid)
	if err != nil {
		return nil, err
	}
	tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.MaxPathLenZero = true, true, true
	tmpl.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("certs: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certs: %w", err)
	}
	return &CA{clusterID: clusterID, cert: cert, key: key}, nil
}

// LoadCA reads what CA.PEM wrote.
func LoadCA(clusterID string, certPEM, keyPEM []byte) (*CA, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("certs: load CA: %w", err)
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("certs: load CA: %w", err)
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !cert.IsCA {
		return nil, errors.New("certs: load CA: not an authority")
	}
	return &CA{clusterID: clusterID, cert: cert, key: key}, nil
}

// PEM encodes the certificate and the private key.
func (ca *CA) PEM() (certPEM, keyPEM []byte, err error) { return encode(ca.cert.Raw, ca.key) }

// Roots is the pool of this authority alone.
func (ca *CA) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// Issue signs a certificate for a node and its roles, for both ends of a
// connection, and returns it with a new key in PEM.
func (ca *CA) Issue(nodeID string, roles []string, valid time.Duration) (certPEM, keyPEM []byte, err error) {
	id := transport.Peer{ClusterID: ca.clusterID, NodeID: nodeID, Roles: roles, Incarnation: 1}
	if err := id.Validate(); err != nil {
		return nil, nil, fmt.Errorf("certs: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("certs: %w", err)
	}
	tmpl, err := template(nodeID, valid)
	if err != nil {
		return nil, nil, err
	}
	tmpl.KeyUsage = x509.KeyUsageDigitalSignature
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	tmpl.URIs = []*url.URL{transport.IdentityURI(id)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, nil, fmt.Errorf("certs: %w", err)
	}
	return encode(der, key)
}

// Credentials issues a certificate and wraps it for transport.Config.
func (ca *CA) Credentials(nodeID string, roles []string, valid time.Duration) (*transport.Credentials, error) {
	pair, err := ca.Pair(nodeID, roles, valid)
	if err != nil {
		return nil, err
	}
	return transport.NewCredentials(pair, ca.Roots())
}

// Pair issues a certificate as a tls.Certificate.
func (ca *CA) Pair(nodeID string, roles []string, valid time.Duration) (tls.Certificate, error) {
	certPEM, keyPEM, err := ca.Issue(nodeID, roles, valid)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certPEM, keyPEM)
}

func template(name string, valid time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("certs: %w", err)
	}
	now := time.Now()
	from := now.Add(-backdate)
	if end := now.Add(valid); end.Before(from) {
		from = end.Add(-backdate) // already expired: tests ask for that
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: []string{"troupe"}},
		NotBefore:    from,
		NotAfter:     now.Add(valid),
	}, nil
}

func encode(der []byte, key crypto.Signer) (certPEM, keyPEM []byte, err error) {
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("certs: %w", err)
	}
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	return certPEM, keyPEM, nil
}

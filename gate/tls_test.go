// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe/gate/client"
)

// testCertificate is good for 127.0.0.1 for an hour.
func testCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	cert, roots := testCertificate(t)
	g := newTestGate(t, newFakeBackend(), func(c *Config) {
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}}
	})
	tcp := listenTCP(t, g)
	for name, addr := range map[string]string{"tcp": "tls://" + tcp, "websocket": strings.Replace(listenWebSocket(t, g), "ws://", "wss://", 1)} {
		t.Run(name, func(t *testing.T) {
			c := dialClient(t, addr, player7, func(cfg *client.Config) { cfg.TLS = &tls.Config{RootCAs: roots} })
			reply, err := c.Call(context.Background(), methodEcho, []byte("secret"))
			require.NoError(t, err)
			require.Equal(t, "secret", string(reply))
		})
	}
	t.Run("plain client", func(t *testing.T) {
		c := dialRaw(t, tcp)
		c.send([]byte("not a TLS hello at all"))
		_, _, err := c.next()
		require.Error(t, err)
	})
	require.Eventually(t, func() bool { return g.open.Load() == 0 }, 5*time.Second, time.Millisecond)
}

// SPDX-License-Identifier: MIT

package transport

import "net"

// HelloForTest opens the handshake on nc by hand, with any claims, and returns
// the refusal or whatever else ended it.
func HelloForTest(nc net.Conn, self Peer, service string) error {
	h := hello{minVersion: minWireVersion, maxVersion: maxWireVersion, service: service, self: self, connID: nonce{1}, maxFrame: 1 << 20}
	if _, err := nc.Write(appendMessage([]byte(magic), msgHello, h.bytes())); err != nil {
		return err
	}
	budget := maxHandshakeBytes
	_, err := readMessage(nc, msgWelcome, &budget)
	return err
}

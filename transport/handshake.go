// SPDX-License-Identifier: MIT

package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// The handshake has four messages, so that both ends agree on whether the
// connection counts before a frame is sent on it:
//
//	dialer                          acceptor
//	hello   who, whom, which service ->
//	                                <- welcome  who, version, nonce; or refuse
//	confirm the acceptor's nonce    ->          the acceptor decides here
//	                                <- ready, or refuse
//
// The nonce makes a recorded hello useless. Deciding at confirm, under the
// lane's lock, is what makes simultaneous dials safe; see lane.accept.
//
// Each message is a u16 length, a type byte and a body. The hello is preceded
// by the magic. Strings are a u16 length and bytes. Bytes after the known
// fields of a body are ignored when the sender speaks a newer version than we
// do, and malformed otherwise.
const (
	magic = "TRPE"

	// minWireVersion and maxWireVersion are what this build speaks. A build
	// speaks its own version and the one before.
	minWireVersion = 1
	maxWireVersion = 1

	maxHandshakeBytes = 4 << 10 // everything read before the peer is accepted
	nonceBytes        = 16

	// serviceRPC is the service of frames; the others are byte streams.
	serviceRPC      = "rpc"
	maxServiceBytes = 32
)

const (
	msgHello byte = iota + 1
	msgWelcome
	msgConfirm
	msgReady
	msgRefuse
)

type nonce [nonceBytes]byte

// hello opens a connection.
type hello struct {
	minVersion, maxVersion uint16
	service                string
	lane                   Lane
	self                   Peer
	wantNode               string // empty: anybody of the cluster
	wantIncarnation        uint64 // zero: any
	connID                 nonce
	maxFrame               uint32 // the largest frame the dialer takes
}

// welcome answers a hello.
type welcome struct {
	version uint16
	self    Peer
	connID  nonce // the hello's
	nonce   nonce
	// maxFrame is the largest frame the acceptor takes.
	maxFrame uint32
}

// confirm asks for the decision.
type confirm struct {
	nonce nonce
	gone  nonce // the last connection of this lane that the dialer lost or gave up
}

// negotiate picks the highest version both speak.
func negotiate(theirMin, theirMax uint16) (uint16, error) {
	v := min(theirMax, maxWireVersion)
	if theirMin > theirMax || v < theirMin || v < minWireVersion {
		return 0, fmt.Errorf("%w: they speak %d to %d, we speak %d to %d",
			ErrVersion, theirMin, theirMax, minWireVersion, maxWireVersion)
	}
	return v, nil
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

func appendPeer(b []byte, p Peer) []byte {
	b = appendString(b, p.ClusterID)
	b = appendString(b, p.NodeID)
	b = binary.BigEndian.AppendUint64(b, p.Incarnation)
	b = appendString(b, p.Addr)
	b = append(b, byte(len(p.Roles)))
	for _, r := range p.Roles {
		b = appendString(b, r)
	}
	return b
}

func (h *hello) bytes() []byte {
	b := binary.BigEndian.AppendUint16(nil, h.minVersion)
	b = binary.BigEndian.AppendUint16(b, h.maxVersion)
	b = appendString(b, h.service)
	b = append(b, byte(h.lane))
	b = appendPeer(b, h.self)
	b = appendString(b, h.wantNode)
	b = binary.BigEndian.AppendUint64(b, h.wantIncarnation)
	b = append(b, h.connID[:]...)
	return binary.BigEndian.AppendUint32(b, h.maxFrame)
}

func (w *welcome) bytes() []byte {
	b := binary.BigEndian.AppendUint16(nil, w.version)
	b = appendPeer(b, w.self)
	b = append(b, w.connID[:]...)
	b = append(b, w.nonce[:]...)
	return binary.BigEndian.AppendUint32(b, w.maxFrame)
}

func (c *confirm) bytes() []byte {
	return slices.Concat(c.nonce[:], c.gone[:])
}

// fields reads the body of a message; the first failure sticks.
type fields struct {
	b   []byte
	err error
}

func (f *fields) take(n int) []byte {
	if f.err != nil || len(f.b) < n {
		f.err = ErrMalformed
		return make([]byte, min(n, nonceBytes))
	}
	out := f.b[:n]
	f.b = f.b[n:]
	return out
}

func (f *fields) u8() byte    { return f.take(1)[0] }
func (f *fields) u16() uint16 { return binary.BigEndian.Uint16(f.take(2)) }
func (f *fields) u32() uint32 { return binary.BigEndian.Uint32(f.take(4)) }
func (f *fields) u64() uint64 { return binary.BigEndian.Uint64(f.take(8)) }
func (f *fields) nonce() (n nonce) {
	copy(n[:], f.take(nonceBytes))
	return n
}

func (f *fields) string(maxBytes int) string {
	n := int(f.u16())
	if n > maxBytes {
		f.err = ErrMalformed
	}
	if f.err != nil {
		return ""
	}
	return string(f.take(n))
}

func (f *fields) peer() Peer {
	var p Peer
	p.ClusterID = f.string(maxClusterIDBytes)
	p.NodeID = f.string(maxNodeIDBytes)
	p.Incarnation = f.u64()
	p.Addr = f.string(maxAddrBytes)
	n := int(f.u8())
	if n > maxRoles {
		f.err = ErrMalformed
	}
	for range n {
		if f.err != nil {
			break
		}
		p.Roles = append(p.Roles, f.string(maxRoleBytes))
	}
	if f.err == nil {
		if err := p.Validate(); err != nil {
			f.err = fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	}
	return p
}

// end checks that nothing is left over, unless the sender is newer.
func (f *fields) end(newer bool) error {
	if f.err == nil && len(f.b) > 0 && !newer {
		return fmt.Errorf("%w: %d bytes left over", ErrMalformed, len(f.b))
	}
	return f.err
}

func parseHello(b []byte) (h hello, err error) {
	f := fields{b: b}
	h.minVersion, h.maxVersion = f.u16(), f.u16()
	if f.err == nil {
		if _, err := negotiate(h.minVersion, h.maxVersion); err != nil {
			return h, err // the rest may look different in that version
		}
	}
	h.service = f.string(maxServiceBytes)
	h.lane = Lane(f.u8())
	h.self = f.peer()
	h.wantNode = f.string(maxNodeIDBytes)
	h.wantIncarnation = f.u64()
	h.connID = f.nonce()
	h.maxFrame = f.u32()
	if f.err == nil && (h.lane >= laneCount || h.maxFrame < minMaxFrameBytes) {
		f.err = ErrMalformed
	}
	return h, f.end(h.maxVersion > maxWireVersion)
}

func parseWelcome(b []byte) (w welcome, err error) {
	f := fields{b: b}
	w.version = f.u16()
	w.self = f.peer()
	w.connID = f.nonce()
	w.nonce = f.nonce()
	w.maxFrame = f.u32()
	if f.err == nil && w.maxFrame < minMaxFrameBytes {
		f.err = ErrMalformed
	}
	return w, f.end(w.version > maxWireVersion)
}

func parseConfirm(b []byte) (c confirm, err error) {
	f := fields{b: b}
	c.nonce = f.nonce()
	c.gone = f.nonce()
	return c, f.end(false)
}

func appendMessage(b []byte, kind byte, body []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(1+len(body)))
	b = append(b, kind)
	return append(b, body...)
}

func appendRefuse(b []byte, reason error) []byte {
	text := reason.Error()
	if len(text) > maxReasonBytes {
		text = text[:maxReasonBytes]
	}
	body := binary.LittleEndian.AppendUint16(nil, codeOf(reason))
	return appendMessage(b, msgRefuse, append(body, text...))
}

// refusal is a refuse message as an error.
type refusal struct{ reason error }

func (r *refusal) Error() string { return r.reason.Error() }
func (r *refusal) Unwrap() error { return r.reason }

// readMessage reads exactly one message of the wanted kind and no byte more.
// *budget is what may still be read in this handshake.
func readMessage(r io.Reader, want byte, budget *int) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if *budget -= 2 + n; *budget < 0 || n < 1 {
		return nil, fmt.Errorf("%w: handshake message of %d bytes", ErrMalformed, n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	switch {
	case b[0] == want:
		return b[1:], nil
	case b[0] == msgRefuse && n >= 3 && n <= 3+maxReasonBytes:
		return nil, &refusal{reason: closeReason(b[1:])}
	}
	return nil, fmt.Errorf("%w: handshake message %d, want %d", ErrMalformed, b[0], want)
}

// readHello reads the magic and the hello.
func readHello(r io.Reader, budget *int) (hello, error) {
	var m [len(magic)]byte
	if _, err := io.ReadFull(r, m[:]); err != nil {
		return hello{}, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if string(m[:]) != magic {
		return hello{}, fmt.Errorf("%w: bad magic", ErrMalformed)
	}
	*budget -= len(magic)
	body, err := readMessage(r, msgHello, budget)
	if err != nil {
		return hello{}, err
	}
	return parseHello(body)
}

// checkRemote applies what both ends require of each other: same cluster, the
// proven identity (nil in dev mode) covers the claim, and not ourselves.
func checkRemote(self, claim Peer, proven *Peer) error {
	switch {
	case claim.ClusterID != self.ClusterID:
		return fmt.Errorf("%w: %q, this is %q", ErrWrongCluster, claim.ClusterID, self.ClusterID)
	case proven != nil && proven.ClusterID != claim.ClusterID:
		return fmt.Errorf("%w: certificate is for cluster %q", ErrWrongCluster, proven.ClusterID)
	case proven != nil && proven.NodeID != claim.NodeID:
		return fmt.Errorf("%w: certificate is for node %q", ErrIdentity, proven.NodeID)
	case claim.NodeID == self.NodeID && claim.Incarnation == self.Incarnation:
		return fmt.Errorf("%w: connected to itself", ErrWrongPeer)
	case claim.NodeID == self.NodeID:
		return fmt.Errorf("%w: two processes are %q", ErrDuplicateNode, self.NodeID)
	}
	if proven != nil {
		for _, r := range claim.Roles {
			if !proven.HasRole(r) {
				return fmt.Errorf("%w: certificate does not grant role %q", ErrRoleForbidden, r)
			}
		}
	}
	return nil
}

// mayUse applies the table of services. A role list that is empty admits every
// member of the cluster.
func mayUse(services map[string][]string, service string, p Peer) error {
	roles, ok := services[service]
	if !ok {
		return fmt.Errorf("%w: %q", ErrUnknownService, service)
	}
	if len(roles) == 0 || slices.ContainsFunc(roles, p.HasRole) {
		return nil
	}
	return fmt.Errorf("%w: %q needs one of %v, %s has %v", ErrRoleForbidden, service, roles, p.NodeID, p.Roles)
}

// permanent reports whether dialing again soon cannot help.
func permanent(err error) bool {
	for _, s := range []error{ErrWrongCluster, ErrWrongPeer, ErrRoleForbidden, ErrUnknownService, ErrIdentity, ErrVersion, ErrInsecure} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// SPDX-License-Identifier: MIT

package gate

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/internal/frame"
)

// Keys signs and verifies tokens with HMAC-SHA256. All gates and login servers
// of a cluster share the same keys.
//
// To rotate: add the new key everywhere, then make it Active everywhere, then
// remove the old one after the longest token lifetime.
type Keys struct {
	// Active is the id of the key that signs. It must be in Secrets.
	Active string
	// Secrets maps key ids (1 to 16 letters, digits, '-', '_') to secrets of
	// at least 32 bytes.
	Secrets map[string][]byte
}

// NewKeys returns keys with one random secret, for a cluster of one process.
func NewKeys() *Keys {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails, see crypto/rand
	return &Keys{Active: "local", Secrets: map[string][]byte{"local": secret}}
}

func (k *Keys) validate() error {
	if _, ok := k.Secrets[k.Active]; !ok {
		return fmt.Errorf("%w: Keys.Active %q has no secret", ErrConfig, k.Active)
	}
	for id, secret := range k.Secrets {
		if len(secret) < 32 {
			return fmt.Errorf("%w: Keys: secret %q is shorter than 32 bytes", ErrConfig, id)
		}
		if !validKeyID(id) {
			return fmt.Errorf("%w: Keys: id %q", ErrConfig, id)
		}
	}
	return nil
}

func validKeyID(id string) bool {
	if id == "" || len(id) > 16 {
		return false
	}
	for _, c := range []byte(id) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// Purpose keeps one sort of token from being used as another.
type Purpose byte

// The purposes.
const (
	PurposeLogin  Purpose = 1
	PurposeResume Purpose = 2
)

// Claims is what a token says.
type Claims struct {
	Purpose Purpose
	Expires time.Time // whole seconds
	// Issued is when a login token was made, in milliseconds since 1970: of two
	// logins under way at once the one with the newer token wins. 0: not known.
	Issued int64
	// Player is the actor that the session's requests go to.
	Player troupe.Ref
	// Device, when not empty, must equal the device of the client's hello.
	Device string
	// Level is the caller's rank, for Config.Authorize.
	Level int32
	// Gate, when not empty, is the only gate that takes a login token, and the
	// holder of the session of a resume token.
	Gate string
	// Session and Serial identify a resume token: each number is good once.
	Session uint64
	Serial  uint64
}

// Token text: "t1.<key id>.<payload>.<mac>", both parts in base64url without
// padding. The MAC covers everything before its dot.
const tokenPrefix = "t1."

// macDomain keeps these MACs apart from any other use of the same secret.
const macDomain = "troupe gate token v1\x00"

var tokenEncoding = base64.RawURLEncoding.Strict()

// Sign returns the token text of c, at most 2 KiB for names within the
// protocol's bounds.
func (k *Keys) Sign(c Claims) string {
	p := []byte{byte(c.Purpose)}
	p = binary.AppendVarint(p, c.Expires.Unix())
	p = appendText(p, c.Player.Kind)
	p = appendText(p, c.Player.Node)
	p = binary.AppendVarint(p, c.Player.ID)
	p = appendText(p, c.Player.Name)
	p = appendText(p, c.Device)
	p = binary.AppendVarint(p, int64(c.Level))
	p = appendText(p, c.Gate)
	p = binary.AppendUvarint(p, c.Session)
	p = binary.AppendUvarint(p, c.Serial)
	p = binary.AppendVarint(p, c.Issued)
	signed := tokenPrefix + k.Active + "." + tokenEncoding.EncodeToString(p)
	return signed + "." + tokenEncoding.EncodeToString(tokenMAC(k.Secrets[k.Active], signed))
}

// Verify returns the claims of a token for that purpose that has not expired
// at now. Every failure is ErrToken: a client learns nothing from it. The MAC
// is compared in constant time.
func (k *Keys) Verify(token string, purpose Purpose, now time.Time) (Claims, error) {
	dot := strings.LastIndexByte(token, '.')
	if len(token) > frame.MaxTokenBytes || dot < 0 || !strings.HasPrefix(token, tokenPrefix) {
		return Claims{}, ErrToken
	}
	signed := token[:dot]
	id, payload, ok := strings.Cut(signed[min(len(tokenPrefix), len(signed)):], ".")
	secret := k.Secrets[id]
	mac, err := tokenEncoding.DecodeString(token[dot+1:])
	if !ok || err != nil || secret == nil || !hmac.Equal(mac, tokenMAC(secret, signed)) {
		return Claims{}, ErrToken
	}
	raw, err := tokenEncoding.DecodeString(payload)
	if err != nil {
		return Claims{}, ErrToken
	}
	c, ok := parseClaims(raw)
	if !ok || c.Purpose != purpose || !now.Before(c.Expires) {
		return Claims{}, ErrToken
	}
	return c, nil
}

func tokenMAC(secret []byte, signed string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(macDomain))
	h.Write([]byte(signed))
	return h.Sum(nil)
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func parseClaims(b []byte) (c Claims, ok bool) {
	if len(b) == 0 {
		return c, false
	}
	d := claimsDecoder{b: b[1:]}
	c.Purpose = Purpose(b[0])
	c.Expires = time.Unix(d.varint(), 0)
	c.Player.Kind = d.text()
	c.Player.Node = d.text()
	c.Player.ID = d.varint()
	c.Player.Name = d.text()
	c.Device = d.text()
	c.Level = int32(d.varint())
	c.Gate = d.text()
	c.Session = d.uvarint()
	c.Serial = d.uvarint()
	c.Issued = d.varint()
	return c, !d.bad && len(d.b) == 0
}

type claimsDecoder struct {
	b   []byte
	bad bool
}

func (d *claimsDecoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.b, d.bad = nil, true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *claimsDecoder) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (d *claimsDecoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.b, d.bad = nil, true
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

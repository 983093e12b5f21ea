// SPDX-License-Identifier: MIT

package game

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
)

// NamesData is the names of one shard.
type NamesData struct {
	Owners map[string]NameOwner
}

// NameOwner is who has a name. Secret is a hash: clients make their secrets at
// random, so it needs no salt and no stretching.
type NameOwner struct {
	ID     int64
	Name   string
	Secret string
}

// Names keeps names unique: each belongs to one shard, which asks nobody.
//
//troupe:kind names stub
type Names struct {
	troupe.Actor
	doc orm.Doc[NamesData]
	ids *IDs
}

// OnActivate loads the shard's names.
func (n *Names) OnActivate(ctx context.Context) error {
	if err := services(n, nil, &n.ids); err != nil {
		return err
	}
	if err := n.doc.Load(ctx, n); err != nil {
		return err
	}
	if n.doc.Data.Owners == nil {
		n.doc.Data.Owners = make(map[string]NameOwner)
	}
	return nil
}

// Reserve returns the character of a name. A free name gets a new one, durably
// (G5). The secret must be that of the first time.
func (n *Names) Reserve(ctx context.Context, name, secret string) (int64, error) {
	name, err := cleanName(name)
	if err != nil {
		return 0, err
	}
	sum := sha256.Sum256([]byte(secret))
	hash := hex.EncodeToString(sum[:])
	key := fold(name)
	owner, taken := n.doc.Data.Owners[key]
	if taken {
		if subtle.ConstantTimeCompare([]byte(owner.Secret), []byte(hash)) != 1 {
			return 0, ErrSecret
		}
		return owner.ID, n.doc.Save(ctx) // the first time may have failed after its change
	}
	id, err := n.ids.Next()
	if err != nil {
		return 0, err
	}
	n.doc.Data.Owners[key] = NameOwner{ID: id, Name: name, Secret: hash}
	return id, n.doc.Save(ctx)
}

// Find returns the character of a name.
func (n *Names) Find(_ context.Context, name string) (int64, error) {
	owner, ok := n.doc.Data.Owners[fold(name)]
	if !ok {
		return 0, ErrNobody
	}
	return owner.ID, nil
}

// fold makes names that differ in case only the same.
func fold(name string) string { return strings.ToLower(name) }

// cleanName checks a name.
func cleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if len(name) < 3 || len(name) > 16 {
		return "", ErrName
	}
	for _, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-'
		if !letter {
			return "", ErrName
		}
	}
	return name, nil
}

// ReserveName is what a login needs: the character of a name, see
// Names.Reserve.
func ReserveName(ctx context.Context, from troupe.Caller, name, secret string) (int64, error) {
	return NamesForName(from, fold(strings.TrimSpace(name))).Reserve(ctx, name, secret)
}

// FindName returns the character of a name.
func FindName(ctx context.Context, from troupe.Caller, name string) (int64, error) {
	return NamesForName(from, fold(strings.TrimSpace(name))).Find(ctx, name)
}

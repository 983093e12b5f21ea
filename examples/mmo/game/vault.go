// SPDX-License-Identifier: MIT

package game

import (
	"context"
	"crypto/rand"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
)

// VaultData is the secret that signs the tokens of all gates.
type VaultData struct {
	Secret []byte
}

// Vault keeps one secret for the processes of a cluster, so that a token of one
// is good at the gates of all.
//
//troupe:kind vault singleton
type Vault struct {
	troupe.Actor
	doc orm.Doc[VaultData]
}

// OnActivate loads the secret.
func (v *Vault) OnActivate(ctx context.Context) error { return v.doc.Load(ctx, v) }

// Secret returns the secret, which is made at the first call, durably.
func (v *Vault) Secret(ctx context.Context) ([]byte, error) {
	if len(v.doc.Data.Secret) == 0 {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails, see crypto/rand
		v.doc.Data.Secret = secret
	}
	return v.doc.Data.Secret, v.doc.Save(ctx)
}

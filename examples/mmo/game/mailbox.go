// SPDX-License-Identifier: MIT

package game

import (
	"context"
	"slices"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
)

// MailboxData is a player's letters, and the numbers of letters that came and
// went, so that one that is delivered again is not taken for new (G3).
type MailboxData struct {
	Letters []Letter
	Seen    []int64
}

// Mailbox holds a player's letters while the player is offline.
//
//troupe:kind mailbox
type Mailbox struct {
	troupe.Actor
	doc orm.Doc[MailboxData]
}

// OnActivate loads the letters.
func (m *Mailbox) OnActivate(ctx context.Context) error { return m.doc.Load(ctx, m) }

// Deliver takes a letter in and tells the sender when it is durable. A full
// box makes the letter wait in the sender's outbox.
func (m *Mailbox) Deliver(ctx context.Context, sender int64, l Letter) error {
	d := &m.doc.Data
	fresh := !slices.Contains(d.Seen, l.ID) && !slices.ContainsFunc(d.Letters, func(o Letter) bool { return o.ID == l.ID })
	if fresh {
		if len(d.Letters) >= maxLetters {
			return ErrFull
		}
		d.Letters = append(d.Letters, l)
	}
	if err := m.doc.Save(ctx); err != nil {
		return err
	}
	if fresh {
		_ = PlayerOf(m, m.ID()).SendNotified(l.From, l.Subject)
	}
	return PlayerOf(m, sender).SendDelivered(l.ID)
}

// List returns the letters, the oldest first.
func (m *Mailbox) List(context.Context) ([]Letter, error) {
	return slices.Clone(m.doc.Data.Letters), nil
}

// Read returns one letter.
func (m *Mailbox) Read(_ context.Context, letter int64) (Letter, error) {
	for _, l := range m.doc.Data.Letters {
		if l.ID == letter {
			return l, nil
		}
	}
	return Letter{}, ErrLetter
}

// Remove throws a letter away, durably. One that is not there is no error.
func (m *Mailbox) Remove(ctx context.Context, letter int64) error {
	d := &m.doc.Data
	before := len(d.Letters)
	d.Letters = slices.DeleteFunc(d.Letters, func(l Letter) bool { return l.ID == letter })
	if len(d.Letters) != before {
		d.Seen = append(d.Seen, letter)
		if n := len(d.Seen) - keepSeenLetters; n > 0 {
			d.Seen = slices.Delete(d.Seen, 0, n)
		}
	}
	return m.doc.Save(ctx)
}

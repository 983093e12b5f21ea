// SPDX-License-Identifier: MIT

package game

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
)

// deliver waits until the mailbox of a player has n letters.
func (w *world) deliver(id int64, n int) []Letter {
	box := MailboxOf(w.node, id)
	var letters []Letter
	require.Eventually(w.t, func() bool {
		var err error
		letters, err = box.List(context.Background())
		return err == nil && len(letters) == n
	}, patience, poll)
	return letters
}

func TestLetterReachesAPlayerWhoIsOffline(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.hero("Ann"), w.hero("Bob")
	require.NoError(t, PlayerOf(w.node, ann).Write(t.Context(), "bob", "hi", "for you", 100, 2, 1))
	require.Equal(t, int64(startGold-100), w.sheet(ann).Gold)
	l := w.deliver(bob, 1)[0]

	w.crash()
	w.start()
	require.NoError(t, PlayerOf(w.node, bob).Claim(t.Context(), l.ID))
	self := w.sheet(bob)
	require.Equal(t, int64(startGold+100), self.Gold)
	require.Equal(t, int32(4), count(self.Bag, 2))
}

func TestAttachmentIsClaimedOnce(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.hero("Ann"), w.hero("Bob")
	require.NoError(t, PlayerOf(w.node, ann).Write(t.Context(), "Bob", "", "", 50, 0, 0))
	l := w.deliver(bob, 1)[0]
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_ = PlayerOf(w.node, bob).Claim(context.Background(), l.ID) // all but one find no letter
		}()
	}
	wg.Wait()
	require.Equal(t, int64(startGold+50), w.sheet(bob).Gold)
	require.ErrorIs(t, PlayerOf(w.node, bob).Claim(t.Context(), l.ID), ErrLetter)
}

// A letter that was claimed can neither be claimed nor delivered again, also after
// a crash (G3, G4).
func TestClaimedLetterStaysClaimed(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.hero("Ann"), w.hero("Bob")
	require.NoError(t, PlayerOf(w.node, ann).Write(t.Context(), "Bob", "", "", 50, 0, 0))
	l := w.deliver(bob, 1)[0]
	require.NoError(t, PlayerOf(w.node, bob).Claim(t.Context(), l.ID))
	require.NoError(t, w.node.Call(t.Context(), troupe.ID("player", bob), "Grant", nil, 0, 0, 0)) // saves that nothing is claimed

	// The same letter again, as if the mailbox had never saved its removal,
	// under a player that remembers the claim.
	w.crash()
	w.start()
	err := PlayerOf(w.node, bob).Claim(t.Context(), l.ID)
	require.ErrorIs(t, err, ErrLetter)
	require.Equal(t, int64(startGold+50), w.sheet(bob).Gold)

	// Delivered again by a sender that did not hear of it (G3): not taken in.
	require.NoError(t, MailboxOf(w.node, bob).Deliver(t.Context(), ann, l))
	letters, err := MailboxOf(w.node, bob).List(t.Context())
	require.NoError(t, err)
	require.Empty(t, letters)
}

func TestLettersAreChecked(t *testing.T) {
	w := newWorld(t)
	ann := PlayerOf(w.node, w.hero("Ann"))
	w.hero("Bob")
	require.ErrorIs(t, ann.Write(t.Context(), "Nobody", "", "", 0, 0, 0), ErrNobody)
	require.ErrorIs(t, ann.Write(t.Context(), "Bob", "", "", -1, 0, 0), ErrCount)
	require.ErrorIs(t, ann.Write(t.Context(), "Bob", "", "", startGold+1, 0, 0), ErrPoor)
	require.ErrorIs(t, ann.Write(t.Context(), "Bob", "", "", 0, 2, 4), ErrNoItem)
	require.ErrorIs(t, ann.Write(t.Context(), "Bob", "", string(make([]byte, maxText+1)), 0, 0, 0), ErrText)
}

func TestGuildsAreFoundedOnce(t *testing.T) {
	w := newWorld(t)
	ann, bob := PlayerOf(w.node, w.hero("Ann")), PlayerOf(w.node, w.hero("Bob"))
	require.ErrorIs(t, bob.JoinGuild(t.Context(), "Owls"), ErrGuild, "it does not exist")
	require.NoError(t, ann.FoundGuild(t.Context(), "Owls"))
	require.ErrorIs(t, bob.FoundGuild(t.Context(), "OWLS"), ErrGuild, "it exists")
	require.NoError(t, bob.JoinGuild(t.Context(), "owls"))
	names, err := ann.GuildMembers(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"Ann", "Bob"}, names)

	w.crash()
	w.start()
	require.Equal(t, "owls", w.sheet(mustFind(t, w, "ann")).Guild)
}

func mustFind(t *testing.T, w *world, name string) int64 {
	id, err := FindName(t.Context(), w.node, name)
	require.NoError(t, err)
	return id
}

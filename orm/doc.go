// SPDX-License-Identifier: MIT

// Package orm keeps actors' state in a database: plain Go structs that are
// loaded on activation, found dirty by comparing memory, saved in groups, and
// never overwritten by a stale owner.
//
//	type Player struct {
//		troupe.Actor
//		doc orm.Doc[PlayerData]
//	}
//
//	func (p *Player) OnActivate(ctx context.Context) error { return p.doc.Load(ctx, p) }
//
//	func (p *Player) Buy(ctx context.Context, price int64) error {
//		p.doc.Data.Gold -= price // plain assignment: found dirty and saved within FlushEvery
//		return p.doc.Save(ctx)   // or durable before the reply
//	}
//
// # How a change reaches the database
//
//	turn ends ──> unit is listed ──> (FlushEvery/2 later, on the actor's turn)
//	              compare with shadow ──> encode ──> group ──> committer
//	              many groups, one transaction ──> store ──> clean
//
// # Invariants
//
// The numbers are used in code and tests.
//
//   - O1: loading a document installs the owner's fence in the same step that
//     reads it. From then on no older owner can write it.
//   - O2: a write carries the token (generation, epoch, seq) and is applied only
//     over a smaller token of the same generation, epoch and load. Tokens of a
//     row only grow. Every load opens a new range of seq, so two loads under
//     one fence never share a token.
//   - O3: a write whose outcome is unknown is sent again with the same token and
//     the same bytes; a row that already carries the token counts as saved.
//   - O4: a document is clean only when the store confirmed exactly the state in
//     memory. Anything else, including doubt, is dirty.
//   - O5: at most one write per owner is on its way. Its documents go together,
//     in one group, which is atomic when the store can do it.
//   - O6: a deleted document leaves its token behind, so that a stale owner
//     cannot bring it back.
//   - O7: what a document cannot carry unchanged is refused with the path of the
//     field; it is never altered silently.
package orm

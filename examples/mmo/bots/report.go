// SPDX-License-Identifier: MIT

package bots

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/troupe-go/troupe/examples/mmo/game"
)

// Report is the account of a fleet.
type Report struct {
	Players         int64              `json:"players"`
	MovesPerSecond  float64            `json:"moves_per_second"`
	PushesPerSecond float64            `json:"pushes_per_second"`
	FramesPerSecond float64            `json:"frames_per_second"` // of these, what is near
	CallsPerSecond  float64            `json:"calls_per_second"`
	BytesPerSecond  float64            `json:"bytes_per_second"`
	MoveToSeen      Latency            `json:"move_to_seen_ms"`
	Latency         map[string]Latency `json:"latency_ms"`
	Outages         Latency            `json:"outages_ms"`    // over one second without a sign from the world
	AfterKill       Latency            `json:"after_kill_ms"` // of these, from the last kill to the end
	Acked           int64              `json:"purchases_acked"`
	Lost            int64              `json:"purchases_lost"`
	Doubled         int64              `json:"purchases_doubled"`
	InDoubt         int64              `json:"purchases_in_doubt"`
	Unaudited       int64              `json:"purchases_not_audited"` // older than what a character keeps
	Missing         []string           `json:"missing,omitempty"`     // what was lost, for a person to look into
	TwoCharacters   int64              `json:"names_with_two_characters"`
	DuplicateIDs    int64              `json:"duplicate_ids"`
	Reconnects      int                `json:"reconnects"`
	Resumed         int                `json:"resumed_sessions"`
	Reloads         int                `json:"reloads"`
	Errors          map[string]int64   `json:"errors"`
}

// Report returns the account of the time since the start, seconds long, after
// Stop. Players, the rates and the purchases need no audit.
func (f *Fleet) Report(seconds float64, players int64) Report {
	t := f.Totals()
	r := Report{
		Players: players, MovesPerSecond: round(float64(t.Moves) / seconds), PushesPerSecond: round(float64(t.Frames+t.Events) / seconds),
		FramesPerSecond: round(float64(t.Frames) / seconds),
		CallsPerSecond:  round(float64(t.Calls) / seconds), BytesPerSecond: round(float64(t.Bytes) / seconds),
		MoveToSeen: f.seen.summary(), Outages: f.outages.summary(), AfterKill: f.afterKill.summary(), Latency: map[string]Latency{}, Acked: t.Acked,
	}
	for name, h := range f.latencies {
		if h.count.Load() > 0 {
			r.Latency[name] = h.summary()
		}
	}
	for _, b := range f.bots {
		r.InDoubt += int64(len(b.doubt))
		if b.client != nil {
			s := b.client.Stats()
			r.Reconnects += max(s.Connects+s.Resumes-1, 0)
			r.Resumed += s.Resumes
			r.Reloads += s.Reloads
		}
	}
	f.mu.Lock()
	r.Errors = maps.Clone(f.errors)
	f.mu.Unlock()
	return r
}

func round(v float64) float64 { return float64(int64(v*10)) / 10 }

// Audit compares the acknowledged purchases with the characters in the
// database, which each calls for every character.
func (f *Fleet) Audit(r *Report, each func(func(name string, d *game.PlayerData)) error) error {
	found := map[string]*game.PlayerData{}
	err := each(func(key string, d *game.PlayerData) {
		copied := *d
		if other := found[d.Name]; other != nil && d.Name != "" { // a name without a character is one whose birth was interrupted
			r.TwoCharacters++
			r.Missing = append(r.Missing, fmt.Sprintf("%s: a second character, %s, born %v and %v, with %d and %d purchases", d.Name, key,
				d.Created.Format(time.TimeOnly), other.Created.Format(time.TimeOnly), d.Bought, other.Bought))
		}
		found[d.Name] = &copied
	})
	if err != nil {
		return err
	}
	ids := map[int64]string{}
	for _, b := range f.bots {
		if b.id != 0 {
			if _, taken := ids[b.id]; taken {
				r.DuplicateIDs++
			}
			ids[b.id] = b.name
		}
		b.audit(r, found[b.name])
	}
	return nil
}

// audit finds acknowledged purchases that the database does not have, and
// those that it has twice.
func (b *bot) audit(r *Report, d *game.PlayerData) {
	if d == nil {
		r.Lost += int64(len(b.acked))
		r.Missing = append(r.Missing, fmt.Sprintf("%s: no character", b.name))
		return
	}
	times := map[int64]int{}
	for _, p := range d.Purchases {
		times[p.Number]++
	}
	for number, receipt := range b.acked {
		switch n := times[number]; {
		case n == 0 && d.Bought > int64(len(d.Purchases)) && receipt.At.Before(d.Purchases[0].At):
			r.Unaudited++ // forgotten by the character, as it should be
		case n == 0:
			r.Lost++
			r.Missing = append(r.Missing, fmt.Sprintf("%s: %d at %v, has %d of %d ever, %d acknowledged",
				b.name, number, receipt.At.Format(time.TimeOnly), len(d.Purchases), d.Bought, len(b.acked))+" born "+d.Created.Format(time.TimeOnly)+" "+strconv.FormatInt(b.id, 10))
		case n > 1:
			r.Doubled++
		}
	}
	for number, n := range times {
		if _, ok := b.acked[number]; !ok && n > 1 {
			r.Doubled++
		}
	}
}

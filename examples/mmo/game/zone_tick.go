// SPDX-License-Identifier: MIT

package game

import (
	"context"
	"math"
	"time"

	"github.com/troupe-go/troupe/examples/mmo/aoi"
)

// tick ends a round of the zone: monsters act, what is old is dropped, and the
// players are told.
func (z *Zone) tick(context.Context) {
	begin := time.Now()
	z.now = begin
	z.ticks++
	z.runFoes()
	z.runLoot()
	if begin.Sub(z.second) >= time.Second {
		z.second = begin
		z.everySecond()
	}
	z.area.Tick(z.showPersonal, z.showCell)
	_ = z.news.Send(z) // a gate that is gone has no players
	z.meter.note(time.Since(begin))
}

// showPersonal brings a player's session into the group of its cell. The frame
// goes ahead of those of the group: both come from this actor.
func (z *Zone) showPersonal(e *aoi.Entity, frame []byte) {
	v := z.visitors[e.ID]
	if v == nil || v.e != e {
		return
	}
	z.regroup(v)
	z.news.Session(z, v.Session, EventFrame, frame, true)
}

func (z *Zone) showCell(cell int, frame []byte) {
	z.news.Group(z, &z.groups[cell], EventFrame, frame, true)
}

func (z *Zone) regroup(v *visitor) {
	if v.cell == v.e.Cell() {
		z.groups[v.cell].Add(v.Session) // the session may be another
		return
	}
	z.ungroup(v)
	v.cell = v.e.Cell()
	z.groups[v.cell].Add(v.Session)
}

func (z *Zone) ungroup(v *visitor) {
	if v.cell >= 0 {
		z.groups[v.cell].Remove(v.Session)
		v.cell = -1
	}
}

// everySecond heals players and drops those that are gone.
func (z *Zone) everySecond() {
	if err := z.pace(); err != nil {
		z.Logger().Error("zone stands still", "error", err)
	}
	for _, v := range z.visitors {
		if z.now.After(v.until) {
			z.drop(v)
			continue
		}
		if hp := v.e.HP(); int32(hp) < v.MaxHP {
			now := min(int32(hp)+2, v.MaxHP)
			z.area.SetHP(v.e, uint16(now))
			// Everybody near sees it in the frames; the sheet may lag a little.
			if now == v.MaxHP || now%10 < 2 {
				_ = PlayerOf(z, v.ID).SendHealth(now, false)
			}
		}
	}
}

func distance(ax, ay, bx, by float32) float32 {
	return float32(math.Hypot(float64(ax-bx), float64(ay-by)))
}

// meter keeps how long ticks take.
type meter struct {
	last [100]time.Duration
	n    int
}

func (m *meter) note(d time.Duration) {
	m.last[m.n%len(m.last)] = d
	m.n++
}

func (m *meter) read() (mean, worst time.Duration) {
	n := min(m.n, len(m.last))
	if n == 0 {
		return 0, 0
	}
	var sum time.Duration
	for _, d := range m.last[:n] {
		sum += d
		worst = max(worst, d)
	}
	return sum / time.Duration(n), worst
}

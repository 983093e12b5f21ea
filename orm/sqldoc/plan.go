// SPDX-License-Identifier: MIT

package sqldoc

import (
	"cmp"
	"slices"

	"github.com/troupe-go/troupe/orm"
)

// SavePlan is the writes of a Save by table, in an order that is the same in
// every transaction, so that two of them do not lock rows crosswise.
type SavePlan struct {
	Tables   []TableWrites
	Outcomes []orm.Outcome

	groups  []orm.Group
	groupOf map[*orm.Write]int
}

// TableWrites is the writes to one table, ordered by key.
type TableWrites struct {
	Table  *orm.Table
	Writes []*orm.Write
}

// PlanSave returns the plan for groups, all of them expected to be saved.
func PlanSave(groups []orm.Group) *SavePlan {
	p := &SavePlan{groups: groups, groupOf: make(map[*orm.Write]int), Outcomes: make([]orm.Outcome, len(groups))}
	for i := range p.Outcomes {
		p.Outcomes[i] = orm.Saved
	}
	p.arrange()
	return p
}

// Drop takes the groups of these writes out.
func (p *SavePlan) Drop(fenced []*orm.Write) {
	for _, w := range fenced {
		p.Outcomes[p.groupOf[w]] = orm.Fenced
	}
	p.arrange()
}

// Single reports whether every group has one write: then no write depends on
// another and no transaction around them is needed.
func (p *SavePlan) Single() bool {
	for _, g := range p.groups {
		if len(g) > 1 {
			return false
		}
	}
	return true
}

func (p *SavePlan) arrange() {
	byTable := make(map[*orm.Table]int)
	p.Tables = p.Tables[:0]
	for i, g := range p.groups {
		if p.Outcomes[i] != orm.Saved {
			continue
		}
		for j := range g {
			w := &g[j]
			p.groupOf[w] = i
			at, ok := byTable[w.Table]
			if !ok {
				at = len(p.Tables)
				byTable[w.Table] = at
				p.Tables = append(p.Tables, TableWrites{Table: w.Table})
			}
			p.Tables[at].Writes = append(p.Tables[at].Writes, w)
		}
	}
	slices.SortFunc(p.Tables, func(a, b TableWrites) int { return cmp.Compare(a.Table.Name, b.Table.Name) })
	for _, t := range p.Tables {
		slices.SortFunc(t.Writes, func(a, b *orm.Write) int { return cmp.Compare(a.Key, b.Key) })
	}
}

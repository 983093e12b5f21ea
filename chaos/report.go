// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"fmt"
	"html"
	"slices"
	"strings"
	"time"
)

// colors of the nodes in the timeline.
var colors = [nodes]string{"#4c78a8", "#f58518", "#54a24b", "#b279a2", "#9d755d"}

const (
	rowHeight  = 11
	faultRows  = 20
	labelLines = 4 // the names of faults, one below the other in turn
	labelRow   = 12
	width      = 1700
	margin     = 80
)

// families gives every group of faults its color.
var families = []struct{ prefix, color string }{
	{"kill", "#c33"},
	{"restart", "#c33"},
	{"same", "#c33"},
	{"wipe", "#c33"},
	{"stop", "#d90"},
	{"starve", "#d90"},
	{"fsync", "#848"},
	{"disk", "#848"},
	{"truncate", "#848"},
	{"flip", "#848"},
	{"drain", "#393"},
	{"roll", "#393"},
	{"login", "#393"},
}

func familyColor(class string) string {
	for _, f := range families {
		if strings.HasPrefix(class, f.prefix) {
			return f.color
		}
	}
	return "#369" // the network
}

// picture draws into an HTML page.
type picture struct {
	strings.Builder
	total time.Duration
}

func (p *picture) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *picture) x(t time.Duration) float64 {
	return margin + float64(t)/float64(p.total)*(width-margin-70)
}

// html draws what happened: the faults with the nodes they hit, and below one
// row per entity with a mark per answer in its owner's color.
func (w *workload) html(s *Summary) string {
	p := &picture{total: w.now()}
	summary, _ := json.MarshalIndent(s, "", "  ")
	p.line("<!doctype html><meta charset=utf-8><title>chaos, seed %d</title><style>body{font:13px sans-serif;margin:16px}text{font-size:10px}.v{color:#c00}</style>", s.Seed)
	p.line("<h1>%d violations in %d operations under %d faults</h1><ul class=v>", len(s.Violations), s.Ops, s.FaultsTotal)
	for _, v := range s.Violations {
		p.line("<li>%s</li>", html.EscapeString(v))
	}
	p.line("</ul><p>Bars: faults at the nodes they hit, red: processes, orange: pauses, violet: disks, green: in good order, blue: network and database. " +
		"Marks below: answers, in the color of the node that owned the entity; a gap is time without an answer. Black: operations that were never answered.</p>")
	top := 20 + labelLines*labelRow
	bottom := top + nodes*faultRows + 10
	height := bottom + entities*rowHeight + 20
	p.line("<svg width=%d height=%d>", width, height)
	for t := time.Duration(0); t < p.total; t += 10 * time.Second {
		p.line("<line x1=%.1f x2=%.1f y1=%d y2=%d stroke='#ddd'/><text x=%.1f y=10 fill='#888'>%v</text>", p.x(t), p.x(t), 12, height-20, p.x(t)+2, t)
	}
	p.faults(w.faults, top)
	p.answers(w.ops, bottom)
	p.line("</svg><pre>%s</pre>", html.EscapeString(string(summary)))
	return p.String()
}

func (p *picture) faults(list []fault, top int) {
	for i := range nodes {
		p.line("<text x=4 y=%d fill='%s' font-weight=bold>%s</text>", top+i*faultRows+13, colors[i], name(i))
	}
	for n, f := range list {
		x, wide, color := p.x(f.Start), max(3, p.x(f.End)-p.x(f.Start)), familyColor(f.Class)
		y := 24 + n%labelLines*labelRow
		p.line("<text x=%.1f y=%d fill='%s'>%s</text><line x1=%.1f x2=%.1f y1=%d y2=%d stroke='%s' stroke-opacity='.4'/>",
			x, y, color, html.EscapeString(f.Class), x, x, y+2, top+nodes*faultRows, color)
		for i := range nodes {
			if slices.Contains(f.Nodes, i) || f.Nodes == nil {
				p.line("<rect x=%.1f y=%d width=%.1f height=%d fill='%s' fill-opacity='.5'><title>%s %v to %v</title></rect>",
					x, top+i*faultRows, wide, faultRows-5, color, html.EscapeString(f.Class), f.Start.Round(time.Millisecond), f.End.Round(time.Millisecond))
			}
		}
	}
}

func (p *picture) answers(ops []*operation, top int) {
	for e := range entities {
		p.line("<text x=4 y=%d>entity %d</text>", top+e*rowHeight+9, e)
	}
	for _, op := range ops {
		y := top + op.Entity*rowHeight
		if op.End == 0 {
			p.line("<rect x=%.1f y=%d width=3 height=%d fill='#000'/>", p.x(op.Start), y, rowHeight-1)
			continue
		}
		for i := range nodes {
			if op.Node == name(i) {
				p.line("<rect x=%.1f y=%d width=1.5 height=%d fill='%s'/>", p.x(op.End), y+1, rowHeight-2, colors[i])
			}
		}
	}
}

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
	rowHeight = 11
	faultRows = 26
	width     = 1500
	margin    = 90
)

// html draws what happened: one row per node with its faults, one row per
// entity with a mark per answer in its owner's color.
func (w *workload) html(s *Summary) string {
	total := w.now()
	x := func(t time.Duration) float64 { return margin + float64(t)/float64(total)*(width-margin-10) }
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	height := 40 + nodes*faultRows + entities*rowHeight
	summary, _ := json.MarshalIndent(s, "", "  ")
	line("<!doctype html><meta charset=utf-8><title>chaos, seed %d</title><style>body{font:13px sans-serif;margin:16px}text{font-size:10px}</style>", s.Seed)
	line("<h1>%d violations in %d operations under %d faults</h1>", len(s.Violations), s.Ops, s.FaultsTotal)
	line("<p>Grey bars: faults, by node. Marks: answers, in the color of the node that owned the entity. Red: operations without an answer.</p>")
	line("<svg width=%d height=%d>", width, height)
	for i := range nodes {
		y := 20 + i*faultRows
		line("<text x=4 y=%d fill='%s' font-weight=bold>%s</text><line x1=%d x2=%d y1=%d y2=%d stroke='#ddd'/>", y+14, colors[i], name(i), margin, width, y+faultRows-3, y+faultRows-3)
	}
	for _, f := range w.faults {
		for i := range nodes {
			if slices.Contains(f.Nodes, i) || f.Nodes == nil {
				line("<rect x=%.1f y=%d width=%.1f height=%d fill='#bbb'/><text x=%.1f y=%d>%s</text>", x(f.Start), 20+i*faultRows,
					max(2, x(f.End)-x(f.Start)), faultRows-6, x(f.Start)+2, 20+i*faultRows+13, html.EscapeString(f.Class))
			}
		}
	}
	top := 30 + nodes*faultRows
	for e := range entities {
		line("<text x=4 y=%d>entity %d</text>", top+e*rowHeight+9, e)
	}
	for _, op := range w.ops {
		y := top + op.Entity*rowHeight
		if op.End == 0 {
			line("<rect x=%.1f y=%d width=2 height=%d fill='#e00'/>", x(op.Start), y, rowHeight-1)
			continue
		}
		for i := range nodes {
			if op.Node == name(i) {
				line("<rect x=%.1f y=%d width=1.5 height=%d fill='%s'/>", x(op.End), y+1, rowHeight-2, colors[i])
			}
		}
	}
	line("</svg><ul>")
	for _, v := range s.Violations {
		line("<li style='color:#c00'>%s</li>", html.EscapeString(v))
	}
	line("</ul><pre>%s</pre>", html.EscapeString(string(summary)))
	return b.String()
}

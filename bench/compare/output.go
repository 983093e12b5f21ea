// SPDX-License-Identifier: MIT

package compare

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteJSON writes one result as a line of JSON. Further figures of a case
// ("bytes_idle", "cpu_s", ...) stand beside the usual three.
func WriteJSON(w io.Writer, r Result) error {
	line := map[string]any{"case": r.Case, "contender": r.Contender}
	if r.Variant != "" {
		line["variant"] = r.Variant
	}
	if r.Error != "" {
		line["error"] = r.Error
	} else {
		line["ns_op"] = round(r.NsOp)
		line["allocs_op"] = round(r.AllocsOp)
		line["bytes_op"] = round(r.BytesOp)
		line["rounds"] = r.Rounds
		line["spread"] = round(r.Spread)
		for name, v := range r.Metrics {
			line[name] = round(v)
		}
	}
	return json.NewEncoder(w).Encode(line)
}

// WriteSummary writes the last line of a JSON run.
func WriteSummary(w io.Writer, results []Result) error {
	speedups := Speedups(results)
	for _, by := range speedups {
		for name, v := range by {
			by[name] = round(v)
		}
	}
	var failed []string
	for _, r := range results {
		if r.Error != "" {
			failed = append(failed, r.Case+" "+r.Contender)
		}
	}
	line := map[string]any{"summary": true, "speedup": speedups}
	if len(failed) > 0 {
		line["failed"] = failed
	}
	return json.NewEncoder(w).Encode(line)
}

// round keeps four significant digits: more would be noise.
func round(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}

// WriteText writes the results for people, a block per case, the fastest first.
func WriteText(w io.Writer, results []Result) error {
	speedups := Speedups(results)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	last := ""
	ordered := slices.Clone(results)
	slices.SortStableFunc(ordered, func(a, b Result) int {
		if a.Case != b.Case {
			return 0
		}
		return int(math.Copysign(1, a.cost()-b.cost()))
	})
	for _, r := range ordered {
		if r.Case != last {
			fmt.Fprintf(tab, "\n%s\t\tns/op\tallocs/op\tB/op\tits cost / ours\t\n", r.Case)
			last = r.Case
		}
		name := r.Contender
		if r.Variant != "" {
			name += " (" + r.Variant + ")"
		}
		if r.Error != "" {
			fmt.Fprintf(tab, "\t%s\tfailed: %s\t\t\t\t\n", name, strings.Join(strings.Fields(r.Error), " "))
			continue
		}
		ratio := ""
		if v := speedups[r.Case][r.Contender]; v > 0 {
			ratio = fmt.Sprintf("%.2f", v)
		}
		extra := ""
		for _, k := range slices.Sorted(maps.Keys(r.Metrics)) {
			extra += fmt.Sprintf("%s=%.4g ", k, r.Metrics[k])
		}
		fmt.Fprintf(tab, "\t%s\t%.1f\t%.2f\t%.1f\t%s\t%s\n", name, r.NsOp, r.AllocsOp, r.BytesOp, ratio, extra)
	}
	return tab.Flush()
}

// WriteTable draws one group of cases as a table: a row per contender, a column
// per case, nanoseconds per operation.
func WriteTable(w io.Writer, group string, results []Result) error {
	var columns, rows []string
	cells := map[[2]string]string{}
	for _, r := range results {
		column, ok := strings.CutPrefix(r.Case, group+"/")
		if !ok {
			continue
		}
		if !slices.Contains(columns, column) {
			columns = append(columns, column)
		}
		if !slices.Contains(rows, r.Contender) {
			rows = append(rows, r.Contender)
		}
		text := fmt.Sprintf("%.0f", r.NsOp)
		if r.Error != "" {
			text = "failed"
		}
		cells[[2]string{r.Contender, column}] = text
	}
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tab, "%s, ns per message\t%s\t\n", group, strings.Join(columns, "\t"))
	for _, row := range rows {
		fmt.Fprintf(tab, "%s\t", row)
		for _, column := range columns {
			fmt.Fprintf(tab, "%s\t", cells[[2]string{row, column}])
		}
		fmt.Fprintln(tab)
	}
	return tab.Flush()
}

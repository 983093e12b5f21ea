// SPDX-License-Identifier: MIT

package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// The test binary is also the measuring program of these cases.
var testCases = []Case{
	{Name: "fast/add", N: 1000, Contenders: []Contender{
		{Name: Ours, New: func(*B) func(n int) { return spin }},
		{Name: "peer", Variant: "a", New: func(*B) func(n int) { return func(n int) { spin(20 * n) } }},
		{Name: "peer", Variant: "b", New: func(*B) func(n int) { return func(n int) { spin(5 * n) } }},
	}},
	{Name: "bad/hang", N: 1, Timeout: 300 * time.Millisecond, Contenders: []Contender{
		{Name: "hangs", New: func(*B) func(n int) { return func(int) { select {} } }},
		{Name: "panics", New: func(*B) func(n int) { return func(int) { Check("sum", 1, 2) } }},
		{Name: "missing", Program: "no-such-program"},
	}},
	{Name: "metric/cpu", N: 10, Contenders: []Contender{
		{Name: Ours, New: func(b *B) func(n int) { return func(int) { b.Report("cpu_s", 2) } }},
		{Name: "peer", New: func(b *B) func(n int) { return func(int) { b.Report("cpu_s", 5) } }},
	}},
}

// spin takes time in proportion to n.
func spin(n int) {
	x := uint64(1)
	for range n * 100 {
		x = x*6364136223846793005 + 1442695040888963407
	}
	sink = x
}

var sink uint64

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "-child" {
		go func() { time.Sleep(time.Hour) }() // a hang, not a deadlock that the runtime ends
		name, who, _ := strings.Cut(os.Args[2], ",")
		if err := RunChild(os.Stdout, testCases, name, who, 1000, 3); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestRunReportsBestVariantAndFailures(t *testing.T) {
	var progress bytes.Buffer
	results, err := Run(t.Context(), testCases, Options{Rounds: 2, Progress: &progress}, func(Result) {})
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]Result{}
	for _, r := range results {
		byName[r.Case+" "+r.Contender] = r
	}
	if got := byName["fast/add peer"]; got.Variant != "b" || got.Rounds != 2 {
		t.Errorf("best variant of peer: got %+v, want variant b of 2 rounds", got)
	}
	for name, want := range map[string]string{
		"bad/hang hangs":   "no result after 300ms",
		"bad/hang panics":  "sum: got 1, want 2",
		"bad/hang missing": "build:",
	} {
		if got := byName[name].Error; !strings.Contains(got, want) {
			t.Errorf("%s: got error %q, want %q in it", name, got, want)
		}
	}
	if got := Speedups(results)["metric/cpu"]["peer"]; got != 2.5 {
		t.Errorf("speedup by CPU time: got %v, want 2.5", got)
	}
	var out bytes.Buffer
	if err := WriteSummary(&out, results); err != nil {
		t.Fatal(err)
	}
	var summary struct {
		Summary bool
		Speedup map[string]map[string]float64
		Failed  []string
	}
	if err := json.Unmarshal(out.Bytes(), &summary); err != nil {
		t.Fatal(err)
	}
	if !summary.Summary || summary.Speedup["fast/add"]["peer"] <= 1 || len(summary.Failed) != 3 {
		t.Errorf("summary: got %s", out.String())
	}
	if progress.Len() == 0 {
		t.Error("no progress was reported")
	}
}

func TestSelect(t *testing.T) {
	all := []Case{{Name: "mailbox/p1"}, {Name: "mailbox/p16"}, {Name: "call/1"}, {Name: "callbyname"}}
	for _, tt := range []struct {
		patterns, want string
	}{
		{"", "mailbox/p1 mailbox/p16 call/1 callbyname"},
		{"mailbox", "mailbox/p1 mailbox/p16"},
		{"mailbox/p1", "mailbox/p1"},
		{"call", "call/1"},
		{"call*", "call/1 callbyname"},
		{"callbyname mailbox/p1?", "mailbox/p16 callbyname"},
		{"*", "mailbox/p1 mailbox/p16 call/1 callbyname"},
	} {
		picked, err := Select(all, strings.Fields(tt.patterns))
		var names []string
		for _, c := range picked {
			names = append(names, c.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != tt.want {
			t.Errorf("Select(%q): got %q, %v, want %q", tt.patterns, got, err, tt.want)
		}
	}
	if _, err := Select(all, []string{"mailbox", "typo"}); err == nil {
		t.Error("a pattern that matches nothing: got no error")
	}
}

func TestMedianAndRound(t *testing.T) {
	if got := median([]float64{5, 1, 9}); got != 5 {
		t.Errorf("median of three: got %v, want 5", got)
	}
	if got := median([]float64{4, 1, 9, 2}); got != 3 {
		t.Errorf("median of four: got %v, want 3", got)
	}
	for v, want := range map[float64]float64{0: 0, 123456: 123500, 0.123456: 0.1235, 9.99996: 10} {
		if got := round(v); got != want {
			t.Errorf("round(%v): got %v, want %v", v, got, want)
		}
	}
}

func TestRotateKeepsAll(t *testing.T) {
	list := []Contender{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	got := rotate(list, 4)
	if len(got) != 3 || got[0].Name != "b" || got[2].Name != "a" || !slices.EqualFunc(list, rotate(list, 3), func(a, b Contender) bool { return a.Name == b.Name }) {
		t.Errorf("rotate: got %v", got)
	}
}

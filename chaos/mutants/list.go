// SPDX-License-Identifier: MIT

package main

// mutant is one rule left out.
type mutant struct {
	name  string
	layer string // the layer that has to notice
	// ablation: the check switches the rule off itself and passes if it finds
	// the violation.
	ablation bool
	edits    []edit
	check    []string // arguments of go test
	// anyFailure: the check is a unit test that names no invariant.
	anyFailure bool
	fast       bool
}

// edit replaces a piece of a file that occurs exactly once.
type edit struct{ file, old, new string }

func model(test string) []string {
	return []string{"./internal/model", "-run", "TestCoreMutants/" + test}
}

func simulation() []string {
	return []string{"./internal/sim", "-run", "TestSeeds", "-failfast", "-shrink", "0", "-timeout", "90s", "-seeds", "40"}
}

var mutants = []mutant{
	{name: "expire-cas", layer: "L1", ablation: true, check: model("expire-cas"), fast: true},
	{name: "expire-term", layer: "L1", ablation: true, check: model("expire-term")},
	{name: "no-grace", layer: "L1", ablation: true, check: model("grace")},
	{name: "ack-deadline", layer: "L1", ablation: true, check: model("ack-deadline")},
	{name: "gate", layer: "L1", ablation: true, check: model("gate")},
	{name: "transfer-same-epoch", layer: "L1", ablation: true, check: model("transfer-epoch")},
	{name: "entity-epoch, dedupe, pause", layer: "L0", ablation: true, check: []string{"./internal/metastore/core", "-run", "TestMutants"}},
	{name: "model-fence", layer: "L1", ablation: true, check: []string{"./internal/model", "-run", "TestFenceAblations"}},

	{name: "no-fence-on-load", layer: "L2", edits: []edit{
		{"internal/sim/db.go", "r.Token = orm.LoadToken(old, fence)\n\td.history.accepted(key, r.Token, fence, true)\n\trow := *r\n", "row := *r\n\trow.Token = orm.LoadToken(old, fence)\n"},
		{"orm/token.go", "return row.Fence() == t.Fence() && row.Seq < t.Seq", "return row.Compare(t) < 0"},
	}, check: simulation()},
	{name: "no-flush-seq", layer: "L2", edits: []edit{
		{"orm/token.go", "return row.Fence() == t.Fence() && row.Seq < t.Seq", "return row.Fence() == t.Fence()"},
	}, check: simulation(), fast: true},
	{name: "no-epoch-in-documents", layer: "L2", edits: []edit{
		{"node.go", "n.cluster.meta.Generation() + 1", "n.cluster.meta.Generation()"},
	}, check: simulation()},
	{name: "gate-whole-node", layer: "L2", edits: []edit{
		{"internal/metastore/core/holder.go", "case ablateGate:", "case true:"},
		{"internal/metastore/core/holder.go", "if !h.fenced && now >= h.deadline && !ablateGate {", "if false {"},
	}, check: simulation()},
	{name: "release-before-flush", layer: "L2", edits: []edit{
		{"handoff.go", "if err := c.runDeactivate(); err != nil {", "if err := error(nil); err != nil {"},
	}, check: simulation(), fast: true},
	{name: "retry-as-new", layer: "L2", edits: []edit{
		{"internal/sim/actors.go", "if at := slices.Index(e.doc.Data.Ops, op); at >= 0 {", "if at := slices.Index(e.doc.Data.Ops, op); at < -1 {"},
	}, check: simulation()},
}

// missing says what RELIABILITY 3.6 asks for and this list has not.
var missing = []string{
	"messages-not-fenced: the unchanged library fails the same check (I2 at receivers, seed 101 with -strict) until that is fixed",
	"wall clock: simulated nodes get their clock from the test; needs real processes and a wall-clock jump",
	"VerifyLeader used to grant, State()==Leader read: no code grants or reads that way; needs a mutant of the whole read path",
	"bolt NoSync: needs a power cut, which no layer injects yet",
	"continue after an fsync error: needs an injected fsync error in a check that fails by itself",
	"gateway ignores epochs: package gate has no simulation layer yet",
}

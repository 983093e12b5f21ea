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
	return []string{"./internal/model", "-run", "TestCoreMutants/^" + test + "$"}
}

// coreTest is one unit test of package core.
func coreTest(test string) []string {
	return []string{"./internal/metastore/core", "-run", "TestMutants/^" + test + "$"}
}

// simulation is the core-only one, in one goroutine: it finds the same on every
// machine.
func simulation() []string {
	return []string{"./internal/coresim", "-run", "TestSeeds", "-seeds", "20", "-shrink", "0"}
}

// hosts leaves a rule of the simulated hosts out.
func hosts(rule string) []string {
	return []string{"./internal/coresim", "-run", "TestRulesLeftOut/^" + rule + "$"}
}

// nodes is the simulation of whole nodes.
func nodes() []string {
	return []string{"./internal/sim", "-run", "TestSeeds", "-failfast", "-shrink", "0", "-timeout", "90s", "-seeds", "40"}
}

// raftNodes is the simulation of the metastore with the real raft.
func raftNodes() []string {
	return []string{"./internal/metastore", "-run", "TestSimulation", "-failfast", "-timeout", "90s", "-sim.seeds", "6"}
}

// listed are the 17 rules of the reliability plan.
var listed = []mutant{
	{name: "no-fence-on-load", layer: "L2", ablation: true, check: hosts("no_fence_on_load")},
	{name: "no-flush-seq", layer: "L2", edits: []edit{
		{"orm/token.go", "row.Seq>>loadBit == t.Seq>>loadBit && row.Seq < t.Seq", "row != t"},
	}, check: simulation(), fast: true},
	{name: "entity-epoch", layer: "L0", ablation: true, check: coreTest("entity-epoch")},
	{name: "expire-cas", layer: "L1", ablation: true, check: model("expire-cas"), fast: true},
	{name: "no-grace", layer: "L1", ablation: true, check: model("grace")},
	{name: "ack-deadline", layer: "L1", ablation: true, check: model("ack-deadline")},
	{name: "wall-clock", layer: "L0", edits: []edit{
		{"internal/metastore/clock_linux.go", "unix.ClockGettime(unix.CLOCK_BOOTTIME,", "unix.ClockGettime(unix.CLOCK_REALTIME,"},
	}, check: []string{"./internal/metastore", "-run", "TestClockCountsFromBoot"}},
	{name: "verify-leader-grants", layer: "L2", edits: granting("n.raft.VerifyLeader().Error() == nil"), check: raftNodes()},
	{name: "state-leader-grants", layer: "L2", edits: granting("n.raft.State() == raft.Leader"), check: raftNodes(), fast: true},
	{name: "gate", layer: "L1", ablation: true, check: model("gate")},
	{name: "release-before-flush", layer: "L2", edits: []edit{
		{"handoff.go", "if err := c.runDeactivate(); err != nil {", "if err := error(nil); err != nil {"},
	}, check: nodes()},
	{name: "transfer-same-epoch", layer: "L1", ablation: true, check: model("transfer-epoch")},
	{name: "dedupe-not-saved", layer: "L0", ablation: true, check: coreTest("dedupe-save")},
	{name: "no-sync", layer: "L0", edits: []edit{
		{"internal/metastore/store.go", "Timeout:        lockWait,", "Timeout:        lockWait,\n\t\t\tNoSync: true,"},
		{"internal/metastore/store.go", "FreelistType:   bbolt.FreelistMapType,\n\t\t},", "FreelistType:   bbolt.FreelistMapType,\n\t\t},\n\t\tNoSync: true,"},
	}, check: []string{"./internal/metastore", "-run", "TestPowerCut"}, anyFailure: true},
	{name: "continue-after-fsync-error", layer: "L0", edits: []edit{
		{"internal/metastore/store.go", "if err != nil {\n\t\tw.fail(", "if err != nil && w.fail == nil {\n\t\tw.fail("},
	}, check: []string{"./internal/metastore", "-run", "TestDiskError", "-timeout", "60s"}, anyFailure: true},
	{name: "gateway-ignores-epochs", layer: "L0", edits: []edit{
		{"gate/push.go", "if !g.fences.admit(p.From, p.Fence) {", "if false {"},
		{"gate/push.go", "if p.Fence.Before(s.fence) {", "if false {"},
	}, check: []string{"./gate", "-run", "TestZombiePushesAreRefused"}, anyFailure: true},
	{name: "retry-as-new", layer: "L2", ablation: true, check: hosts("retry_as_new")},
}

// extra are further ones.
var extra = []mutant{
	{name: "expire-term", layer: "L1", ablation: true, check: model("expire-term")},
	{name: "pause-detector", layer: "L0", ablation: true, check: coreTest("pause-hold")},
	{name: "model-fence", layer: "L1", ablation: true, check: []string{"./internal/model", "-run", "TestFenceAblations"}},
	{name: "core-in-simulation", layer: "L2", ablation: true, check: []string{"./internal/coresim", "-run", "TestCoreMutants"}},
	{name: "hosts-in-simulation", layer: "L2", ablation: true, check: []string{"./internal/coresim", "-run", "TestRulesLeftOut"}},
	{name: "no-epoch-in-documents", layer: "L2", edits: []edit{
		{"node.go", "n.cluster.meta.Generation() + 1", "n.cluster.meta.Generation()"},
	}, check: nodes()},
}

// granting answers claims from the leader's own copy before they are committed,
// if the leader believes in itself.
func granting(belief string) []edit {
	return []edit{{
		"internal/metastore/node.go",
		"n.packer = newPacker(func(entry []byte) (applied, error) { return raftApply(n.raft, entry, n.cfg.ElectionTimeout) })",
		`n.packer = newPacker(func(entry []byte) (applied, error) {
		cmds, err := core.DecodeEntry(entry)
		if err != nil || !(` + belief + `) {
			return raftApply(n.raft, entry, n.cfg.ElectionTimeout)
		}
		index := n.raft.LastIndex() + 1
		early := applied{term: n.raft.CurrentTerm()}
		for _, cmd := range cmds {
			c, ok := cmd.(core.ClaimBatch)
			if !ok {
				return raftApply(n.raft, entry, n.cfg.ElectionTimeout)
			}
			r := core.Result{Index: index, Items: make([]core.Outcome, len(c.IDs))}
			for i, id := range c.IDs {
				r.Items[i] = core.Outcome{Epoch: index, Session: c.Session}
				if o, owned := n.LookupClaim(id); owned && o.Session != c.Session {
					r.Items[i] = core.Outcome{Code: core.CodeOwned, Epoch: o.Epoch, Session: o.Session, Node: o.Node}
				} else if owned {
					r.Items[i].Epoch = o.Epoch
				}
			}
			early.results = append(early.results, r)
		}
		n.raft.Apply(entry, n.cfg.ElectionTimeout)
		return early, nil
	})`,
	}}
}

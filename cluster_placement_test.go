// SPDX-License-Identifier: MIT

package troupe

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func hostsNamed(names ...string) []Host {
	var hosts []Host
	for _, n := range names {
		hosts = append(hosts, Host{Node: n, Hash: hashName(n)})
	}
	return hosts
}

// TestProposeShards: hosts come and go one by one. Loads stay within one of each
// other, and a change moves no more than 1.25*K/n shards (I14), rounded up.
func TestProposeShards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shards := rapid.IntRange(1, 200).Draw(t, "shards")
		names := []string{"n0"}
		next := 1
		owners := make(map[int]string)
		for range rapid.IntRange(1, 20).Draw(t, "changes") {
			left := ""
			if len(names) > 1 && rapid.Bool().Draw(t, "leave") {
				i := rapid.IntRange(0, len(names)-1).Draw(t, "who")
				left = names[i]
				names = append(names[:i:i], names[i+1:]...)
			} else {
				names = append(names, fmt.Sprintf("n%d", next))
				next++
			}
			hosts := hostsNamed(names...)
			index := map[string]int{}
			for i, n := range names {
				index[n] = i
			}
			present := make([]int, shards)
			for s := range present {
				present[s] = -1
				if i, ok := index[owners[s]]; ok {
					present[s] = i
				}
			}
			first := len(owners) == 0
			load := make([]int, len(names))
			moved := 0
			for s, i := range proposeShards("kind", present, hosts) {
				load[i]++
				if owners[s] != names[i] {
					moved++
					if owners[s] != left && names[i] != names[len(names)-1] {
						t.Fatalf("shard %d moved from %q to %q, neither of which came or went", s, owners[s], names[i])
					}
				}
				owners[s] = names[i]
			}
			n := len(names)
			if left != "" {
				n++
			}
			if limit := (shards*5 + 4*n - 1) / (4 * n); !first && moved > limit {
				t.Fatalf("%d of %d shards moved, at most %d on %d hosts", moved, shards, limit, n)
			}
			for i := range load {
				for j := range load {
					if load[i]-load[j] > 1 {
						t.Fatalf("loads %v", load)
					}
				}
			}
		}
	})
}

// TestPlaceHash: a host that comes takes ids, and no id moves between others.
func TestPlaceHash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 10).Draw(t, "hosts")
		var names []string
		for i := range n + 1 {
			names = append(names, fmt.Sprintf("host-%d", i))
		}
		before, after := hostsNamed(names[:n]...), hostsNamed(names...)
		moved := 0
		const ids = 2000
		for id := range int64(ids) {
			a, b := PlaceHash(ID("k", id), before, -1), PlaceHash(ID("k", id), after, 0)
			if a != b {
				moved++
				if b != n {
					t.Fatalf("id %d moved from %d to %d", id, a, b)
				}
			}
		}
		if share := ids / (n + 1); moved < share/2 || moved > share*2 {
			t.Fatalf("%d of %d ids moved to one of %d hosts", moved, ids, n+1)
		}
	})
}

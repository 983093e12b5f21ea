// SPDX-License-Identifier: MIT

package troupe

// Placement chooses the node for a new activation of a virtual actor. It is a
// pure function: the same arguments give the same answer on every node. hosts
// is not empty and ordered by name; self is the index of the asking node in
// it, or -1. The result is an index into hosts.
type Placement func(id Ref, hosts []Host, self int) int

// Host is a node that may host a kind.
type Host struct {
	Node string
	// Hash is a hash of the node's name.
	Hash uint64
	// Load is the number of its active virtual actors, as last reported.
	Load int64
}

// PlaceHash spreads ids over the hosts by rendezvous hashing: when a host comes
// or goes, only its share moves. It is the default.
func PlaceHash(id Ref, hosts []Host, _ int) int {
	key := hashKey(id)
	best, bestScore := 0, uint64(0)
	for i, h := range hosts {
		if score := mix64(key ^ h.Hash); i == 0 || score > bestScore {
			best, bestScore = i, score
		}
	}
	return best
}

// PlaceLocal prefers the node whose message makes the activation, and falls
// back to PlaceHash when that does not host the kind.
func PlaceLocal(id Ref, hosts []Host, self int) int {
	if self >= 0 {
		return self
	}
	return PlaceHash(id, hosts, self)
}

// PlaceLeastLoaded takes the less loaded of two hosts chosen by hashing, which
// keeps loads even without all new ids rushing to one node (Mitzenmacher, "The
// Power of Two Choices", 2001).
func PlaceLeastLoaded(id Ref, hosts []Host, _ int) int {
	key := hashKey(id)
	a := int(mix64(key) % uint64(len(hosts)))
	b := a // another one, if there is one
	if others := len(hosts) - 1; others > 0 {
		b = (a + 1 + int(mix64(key+1)%uint64(others))) % len(hosts)
	}
	if hosts[b].Load < hosts[a].Load {
		return b
	}
	return a
}

// proposeShards assigns the shards of a stub kind to hosts. owners are the
// present owners, as indexes into hosts, or -1. It is pure: nodes with the same
// view propose the same; the slot claim decides.
//
// Shards without owner go to the best host with room, in rendezvous order. Then
// shards move from the host with the most to the one with the least until they
// differ by one at most, so that a host that comes gets K/n shards, one that
// goes gives up its own, and no other shard moves (I14). Consistent hashing with
// bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016) without memory of the
// owners moves more, because a changed bound makes shards spill over and back.
func proposeShards(kindName string, owners []int, hosts []Host) []int {
	assigned := append([]int(nil), owners...)
	if len(hosts) == 0 {
		return assigned
	}
	p := shardProposal{salt: hashName(kindName), hosts: hosts, assigned: assigned, load: make([]int, len(hosts))}
	for _, host := range assigned {
		if host >= 0 {
			p.load[host]++
		}
	}
	for shard, host := range assigned {
		if host < 0 {
			p.move(shard, p.best(shard))
		}
	}
	for {
		most, least := p.extremes()
		if p.load[most]-p.load[least] < 2 {
			return assigned
		}
		p.move(p.lightest(most, least), least)
	}
}

type shardProposal struct {
	salt     uint64
	hosts    []Host
	assigned []int
	load     []int
}

func (p *shardProposal) score(shard, host int) uint64 {
	return mix64(mix64(uint64(shard)^p.salt) ^ p.hosts[host].Hash)
}

func (p *shardProposal) move(shard, host int) {
	if old := p.assigned[shard]; old >= 0 {
		p.load[old]--
	}
	p.assigned[shard] = host
	p.load[host]++
}

// best is the host with the highest score of those that have room: for K/n
// shards, rounded down, and some for one more, so that there is room for all.
func (p *shardProposal) best(shard int) int {
	fair, more := len(p.assigned)/len(p.hosts), len(p.assigned)%len(p.hosts)
	for _, load := range p.load {
		if load > fair {
			more--
		}
	}
	best := -1
	for host, load := range p.load {
		if (load < fair || load == fair && more > 0) && (best < 0 || p.score(shard, host) > p.score(shard, best)) {
			best = host
		}
	}
	return best
}

func (p *shardProposal) extremes() (most, least int) {
	for host, load := range p.load {
		if load > p.load[most] {
			most = host
		}
		if load < p.load[least] {
			least = host
		}
	}
	return most, least
}

// lightest is the shard of a host that fits another host best.
func (p *shardProposal) lightest(from, to int) int {
	shard := -1
	for s, host := range p.assigned {
		if host == from && (shard < 0 || p.score(s, to) > p.score(shard, to)) {
			shard = s
		}
	}
	return shard
}

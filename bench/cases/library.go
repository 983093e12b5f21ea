// SPDX-License-Identifier: MIT

// Package cases lists what is compared. A file is one group of cases or one
// contender. Other actor libraries are linked into programs of their own (see
// peers/), because two of them register protobuf messages of one name; each
// program hands a Library to Serve.
package cases

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/troupe-go/troupe/bench/compare"
)

// Library is a contender's code for the cases that it takes part in. A nil
// field means that it does not take part. The functions prepare an instance and
// return the work for n operations, see compare.Contender.
type Library struct {
	// Name and Variant are those of the contender.
	Name, Variant string
	// Mailbox opens one bare mailbox, for the cases mailbox/*.
	Mailbox func() Mailbox
	// Send prepares the actors of send/*.
	Send func(b *compare.B, shape SendShape) func(n int)
	// Call prepares the actor and the callers of call/*.
	Call func(b *compare.B, callers int) func(n int)
	// PingPong prepares the two actors of pingpong.
	PingPong func(b *compare.B) func(n int)
	// Spawn prepares the system of spawn.
	Spawn func(b *compare.B) func(n int)
	// Remote starts the other process of remote/* and connects to it.
	// OneCaller says that only one call at a time can be made.
	Remote    func(b *compare.B) Remote
	OneCaller bool
	// Roles are the other processes, by name; see compare.B.Start.
	Roles map[string]compare.Role
}

// peer says what a program under peers/ offers, so that the program that runs
// the comparison need not link it.
type peer struct {
	name, variant, program string
	groups                 string // names of Library's fields, as in case groups
	spawnScale             int    // divides the number of actors of spawn
}

var peerPrograms = []peer{
	// Which of protoactor-go's mailboxes is the fastest depends on the number
	// of senders; the best one is reported.
	{name: "protoactor", variant: "default", program: "protoactor", groups: "mailbox send call pingpong spawn remote"},
	{name: "protoactor", variant: "lockfree", program: "protoactor", groups: "mailbox send call pingpong"},
	{name: "protoactor", variant: "bounded", program: "protoactor", groups: "mailbox send call pingpong"},
	{name: "hollywood", program: "hollywood", groups: "mailbox send call pingpong spawn", spawnScale: 4},
	{name: "ergo", program: "ergo", groups: "mailbox send call pingpong spawn", spawnScale: 2},
	{name: "goakt", program: "goakt", groups: "mailbox send call pingpong spawn", spawnScale: 10},
	{name: "nats", program: "nats", groups: "remote"},
}

// All returns every case in the order of the report. Libraries given here are
// linked into this program; those of other programs are listed by name.
func All(linked ...Library) []compare.Case {
	var all []compare.Case
	for _, group := range [][]compare.Case{
		mailboxCases(linked), sendCases(linked), callCases(linked), pingPongCases(linked),
		spawnCases(linked), remoteCases(linked),
	} {
		all = append(all, group...)
	}
	return append(all, slices.Concat(offerCases(), ownCases(), clusterCases(), timerCases(), codecCases(), ormCases())...)
}

// Plain are the contenders that the main program links: ourselves, and what one
// would write without a library.
func Plain() []Library {
	return []Library{
		troupeLibrary(), goroutineLibrary(), channel(100), channel(1024), linkedLibrary(), mutexLibrary(),
		rawTCP(), remoteInline(), handwritten(),
	}
}

// Roles returns the other processes that the libraries may start.
func Roles(linked ...Library) map[string]compare.Role {
	roles := map[string]compare.Role{}
	for _, lib := range linked {
		maps.Copy(roles, lib.Roles)
	}
	return roles
}

// add appends to a case the linked libraries for which work is not nil, and the
// peers that offer the group.
func add(c *compare.Case, group string, linked []Library, work func(Library) func(b *compare.B) func(n int)) {
	for _, lib := range linked {
		if w := work(lib); w != nil {
			c.Contenders = append(c.Contenders, compare.Contender{Name: lib.Name, Variant: lib.Variant, New: w})
		}
	}
	for _, p := range peerPrograms {
		here := slices.ContainsFunc(linked, func(l Library) bool { return l.Name == p.name })
		if here || !slices.Contains(strings.Fields(p.groups), group) {
			continue
		}
		who := compare.Contender{Name: p.name, Variant: p.variant, Program: p.program}
		if group == "spawn" {
			who.Scale = p.spawnScale
		}
		c.Contenders = append(c.Contenders, who)
	}
}

// Serve is the main function of a peer's program: it measures the one sample
// that the comparison asks for.
func Serve(libraries ...Library) {
	child := flag.String("child", "", "CASE,CONTENDER")
	n := flag.Int("n", 0, "operations per run")
	runs := flag.Int("runs", 0, "runs; 0: as many as fit")
	role := flag.Bool("role", false, "be another process, in the ROLE that follows")
	flag.Parse()
	if *role {
		if err := compare.RunRole(Roles(libraries...), flag.Args()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	name, who, _ := strings.Cut(*child, ",")
	if err := compare.RunChild(os.Stdout, All(libraries...), name, who, *n, *runs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

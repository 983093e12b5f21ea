// SPDX-License-Identifier: MIT

// Compare measures troupe against channels, mutexes and other actor libraries
// on the same work in the same run.
//
//	go run ./cmd/compare                        a readable report of all cases
//	go run ./cmd/compare -json -cases mailbox   one JSON line per result
//	go run ./cmd/compare -table                 the mailbox against the channel
//	go run ./cmd/compare -list                  what there is to measure
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/troupe-go/troupe/bench/cases"
	"github.com/troupe-go/troupe/bench/compare"
)

type options struct {
	json, table, list, quiet bool
	role                     bool
	cases, only, child       string
	n, runs                  int
	compare.Options
}

func main() {
	var o options
	flag.BoolVar(&o.json, "json", false, "print one JSON line per case and contender, and a summary line")
	flag.BoolVar(&o.table, "table", false, "draw the mailbox against the channel: 100,000 messages from 1, 2, 4, 8 and 16 producers")
	flag.BoolVar(&o.list, "list", false, "list cases and contenders")
	flag.BoolVar(&o.quiet, "quiet", false, "no progress on standard error")
	flag.StringVar(&o.cases, "cases", "", "comma-separated groups, names or globs of cases; default all")
	flag.StringVar(&o.only, "contenders", "", "comma-separated contenders; default all")
	flag.IntVar(&o.Rounds, "rounds", 5, "samples per contender, each in its own process")
	flag.IntVar(&o.Procs, "cpu", 0, "GOMAXPROCS of the measuring processes; default the machine's")
	flag.BoolVar(&o.Smoke, "smoke", false, "run everything once with little work; fail if anything of ours does")
	flag.StringVar(&o.child, "child", "", "internal: measure CASE,CONTENDER in this process")
	flag.BoolVar(&o.role, "role", false, "internal: be another process of a contender, in the ROLE that follows")
	flag.IntVar(&o.n, "n", 0, "internal: operations per run")
	flag.IntVar(&o.runs, "runs", 0, "internal: runs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, o options) error {
	all := cases.All(cases.Plain()...)
	if o.role {
		return compare.RunRole(cases.Roles(cases.Plain()...), flag.Args())
	}
	if o.child != "" {
		name, who, _ := strings.Cut(o.child, ",")
		return compare.RunChild(w, all, name, who, o.n, o.runs)
	}
	if o.table && o.cases == "" {
		o.cases = "mailbox"
	}
	picked, err := compare.Select(all, list(o.cases))
	if err != nil {
		return err
	}
	if o.cases == "" && !o.list {
		picked = compare.Short(picked, o.Smoke)
	}
	if o.list {
		return printList(w, picked)
	}
	o.Only = list(o.only)
	if !o.quiet {
		o.Progress = os.Stderr
	}
	results, err := compare.Run(ctx, picked, o.Options, func(r compare.Result) {
		if o.json {
			_ = compare.WriteJSON(w, r)
		}
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	switch {
	case o.json:
		err = compare.WriteSummary(w, results)
	case o.table:
		err = compare.WriteTable(w, strings.Split(picked[0].Name, "/")[0], results)
	default:
		err = compare.WriteText(w, results)
	}
	if err == nil && o.Smoke {
		err = ourFailures(results)
	}
	return err
}

// ourFailures is the verdict of a smoke run: a peer that fails is its affair.
func ourFailures(results []compare.Result) error {
	var errs []error
	for _, r := range results {
		if r.Error != "" && r.Contender == compare.Ours {
			errs = append(errs, fmt.Errorf("%s: %s", r.Case, r.Error))
		}
	}
	return errors.Join(errs...)
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

func printList(w io.Writer, picked []compare.Case) error {
	for _, c := range picked {
		var names []string
		for _, who := range c.Contenders {
			name := who.Name
			if who.Variant != "" {
				name += ":" + who.Variant
			}
			names = append(names, name)
		}
		if _, err := fmt.Fprintf(w, "%-16s %s\n%17scontenders: %s\n", c.Name, c.About, "", strings.Join(names, " ")); err != nil {
			return err
		}
	}
	return nil
}

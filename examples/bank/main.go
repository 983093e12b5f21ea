// SPDX-License-Identifier: MIT

// Bank moves money between many accounts, each a virtual actor, while panics
// strike the actors at random, and shows that no money is made or lost.
//
//	go run ./examples/bank -chaos 0.05
//
// A transfer touches two accounts, and there is no transaction over two actors.
// Instead, a coordinator actor makes one idempotent booking after the other,
// remembers how far it is, and takes the withdrawal back if the deposit is
// refused (a saga). The program ends with status 1 if the audit fails.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	o := Options{}
	flag.IntVar(&o.Accounts, "accounts", 1000, "number of accounts, at least 2")
	flag.IntVar(&o.Transfers, "transfers", 20_000, "number of transfers")
	flag.IntVar(&o.Tellers, "tellers", 64, "transfers at the same time")
	flag.Int64Var(&o.Initial, "initial", 1000, "money in each account")
	flag.Float64Var(&o.Chaos, "chaos", 0.01, "probability of a panic at each step, 0 to 0.5")
	verbose := flag.Bool("v", false, "log panics and restarts")
	flag.Parse()
	if *verbose {
		o.Log = os.Stderr
	}
	if o.Accounts < 2 || o.Transfers < 0 || o.Tellers < 1 || o.Initial < 1 || o.Chaos < 0 || o.Chaos > 0.5 {
		fmt.Fprintln(os.Stderr, "bank: a flag is out of range")
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	summary, err := run(ctx, o)
	stop()
	summary.print(os.Stdout, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bank:", err)
		os.Exit(1)
	}
	fmt.Println("audit:       money is conserved")
}

func (s *Summary) print(out io.Writer, o Options) {
	fmt.Fprintf(out, "transfers:   %d done, %d refused, %d refunded, in %v (%.0f/s)\n",
		s.Outcomes[Done], s.Outcomes[Refused], s.Outcomes[Refunded],
		s.Elapsed.Round(time.Millisecond), float64(o.Transfers)/s.Elapsed.Seconds())
	fmt.Fprintf(out, "trouble:     %d panics, %d calls for %d transfers\n", s.Panics, s.Attempts, o.Transfers)
	fmt.Fprintf(out, "activations: %d of %d accounts and %d transfers\n", s.Activations, o.Accounts, o.Transfers)
}

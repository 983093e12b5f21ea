// SPDX-License-Identifier: MIT

// Command troupe is the tool of the actor library of the same name.
//
//	troupe gen [flags] [packages]
//
// writes typed references, dispatchers and codecs beside the actor types of
// the packages. In a package:
//
//	//go:generate go tool troupe gen
//
// Run "troupe gen -h" for the flags. Directives in comments of the source:
//
//	//troupe:kind name [form]  on a type: its registered name (default: the type
//	                           in lower case), and virtual (default), stub,
//	                           singleton, pool or local
//	//troupe:client            on a method: clients may call it through the gate
//	//troupe:system            on a method: gm and system nodes only
//	//troupe:max 4096          on a method: cap of the encoded arguments in bytes
//	//troupe:message [client]  on a struct type: methods AppendWire and ParseWire, for
//	                           pushes and topics; with client, clients know it too
//	//troupe:ignore            on a method or type: not a handler, not a kind
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/troupe-go/troupe/cmd/troupe/internal/gen"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 0, 1 for a failure, 2 for wrong usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 || args[0] != "gen" {
		fmt.Fprintln(stderr, "usage: troupe gen [flags] [packages]; -h explains the flags")
		return 2
	}
	options, err := gen.ParseFlags(args[1:], stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	if err := gen.Run(ctx, options, stdout); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

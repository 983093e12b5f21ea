// SPDX-License-Identifier: MIT

// Command server is the process that chaos torments: a node of a cluster, or
// the database that the nodes share.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	mode := flag.String("mode", "node", "node or db")
	o := options{}
	flag.StringVar(&o.name, "name", "", "name of the node")
	flag.StringVar(&o.dir, "dir", "", "directory for files")
	flag.StringVar(&o.listen, "listen", "", "address for other nodes")
	flag.StringVar(&o.http, "http", "", "address for clients")
	flag.StringVar(&o.db, "db", "", "address of the database")
	flag.StringVar(&o.voters, "voters", "", "name=address, comma separated")
	flag.BoolVar(&o.dev, "dev", false, "plaintext on loopback")
	flag.BoolVar(&o.second, "second", false, "be a second process with the same identity, on other addresses")
	flag.DurationVar(&o.ttl, "ttl", 2*time.Second, "session lease")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	run := runNode
	if *mode == "db" {
		run = runDB
	}
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	name, dir, listen, http, db, voters string
	dev, second                         bool
	ttl                                 time.Duration
}

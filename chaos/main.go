// SPDX-License-Identifier: MIT

// Command chaos torments real processes and checks what their clients saw.
//
//	go run ./chaos -duration 60s -faults all -seed 1 -json
//
// As root, every node lives in a network namespace of its own inside one that
// is made for the run, and disappears with it; otherwise all nodes are on
// loopback, and the faults of the network are left out. The exit status is 1
// when something was violated.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.DurationVar(&o.duration, "duration", time.Minute, "how long faults are injected")
	faults := flag.String("faults", "all", "classes, comma separated, or all")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of faults and workload")
	flag.BoolVar(&o.json, "json", false, "print one JSON line only")
	flag.StringVar(&o.report, "report", "", "write an HTML report to this file")
	flag.BoolVar(&o.keep, "keep", false, "keep the directory with the servers' log")
	flag.DurationVar(&o.every, "every", 4*time.Second, "time between faults")
	flag.Parse()
	o.faults = strings.Split(*faults, ",")
	o.namespaces = os.Getuid() == 0
	if o.namespaces && os.Getenv(inside) == "" {
		os.Exit(again())
	}
	sum, err := run(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(2)
	}
	line, err := json.Marshal(sum)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(2)
	}
	fmt.Println(string(line))
	if len(sum.Violations) > 0 || sum.CheckerTimeouts > 0 {
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	duration, every time.Duration
	faults          []string
	seed            uint64
	json            bool
	report          string
	namespaces      bool
	keep            bool
}

// inside marks the process that runs in the run's own network namespace.
const inside = "TROUPE_CHAOS_INSIDE"

// again runs this program in a new network namespace.
func again() int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 2
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err != nil:
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 2
	}
	return 0
}

// run is one run: build, start, torment, check, report.
func run(o options) (*Summary, error) {
	// A database whose disk is shared with whatever else the machine does would
	// be measured, not the library.
	base := ""
	if _, err := os.Stat("/dev/shm"); err == nil {
		base = "/dev/shm"
	}
	dir, err := os.MkdirTemp(base, "chaos")
	if err != nil {
		return nil, err
	}
	if o.keep {
		fmt.Fprintln(os.Stderr, "logs in", filepath.Join(dir, "log"))
	} else {
		defer os.RemoveAll(dir)
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.duration+3*time.Minute)
	defer cancel()
	bin := filepath.Join(dir, "server")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/troupe-go/troupe/chaos/server").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build server: %w\n%s", err, out)
	}
	if o.namespaces { // nodes' file systems must not be seen outside
		if err := command(ctx, "mount --make-rprivate /"); err != nil {
			return nil, err
		}
	}
	c := newCluster(o, dir, bin)
	defer c.close()
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	w := newWorkload(c, o.seed)
	w.run(ctx, o)
	sum := w.check(o)
	if o.report != "" {
		err = os.WriteFile(o.report, []byte(w.html(sum)), 0o600)
	}
	return sum, err
}

// SPDX-License-Identifier: MIT

// Command mmo is a small multiplayer game on troupe: nodes, gates, an embedded
// database, bots and a page in the browser, in one process.
//
//	go run ./examples/mmo
//
// Open the address that it prints. Ctrl-C ends it and loses nothing.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/examples/mmo/bots"
	"github.com/troupe-go/troupe/examples/mmo/game"
	"github.com/troupe-go/troupe/examples/mmo/server"
	"github.com/troupe-go/troupe/examples/mmo/web"
	"github.com/troupe-go/troupe/gate/client"
)

type options struct {
	nodes     int
	node      int
	listen    string
	join      string
	dataDir   string
	rollEvery time.Duration
	db        string
	content   string
	http      string
	bots      int
	spread    bool
	duration  time.Duration
	warmUp    time.Duration
	seed      uint64
	killEvery time.Duration
	headless  bool
	json      bool
	verbose   bool
	profile   string
}

func main() {
	var o options
	flag.IntVar(&o.nodes, "nodes", 3, "nodes in this process")
	flag.IntVar(&o.node, "node", 0, "run node `N` of a cluster of processes; 0 runs a whole cluster in this one")
	flag.StringVar(&o.listen, "listen", "", "address for other nodes, with -node; 127.0.0.1:7400+N by default")
	flag.StringVar(&o.join, "join", "", "addresses of nodes 1, 2 and 3, with -node: 127.0.0.1:7401,127.0.0.1:7402,127.0.0.1:7403 by default")
	flag.StringVar(&o.dataDir, "data", "", "directory of the cluster's log; a temporary one by default")
	flag.DurationVar(&o.rollEvery, "roll-every", 0, "restart all nodes in order, one after the other, this often")
	flag.StringVar(&o.db, "db", "memory:", "database: a file, memory: for one that is removed at the end, postgres://... or mysql://...")
	flag.StringVar(&o.content, "content", "", "directory with tables that take the place of the built-in ones")
	flag.StringVar(&o.http, "http", "", "address of the page; 127.0.0.1:8080 by default, of node N 127.0.0.1:8079+N")
	flag.IntVar(&o.bots, "bots", 100, "number of bots")
	flag.BoolVar(&o.spread, "spread", false, "spread the bots evenly over all zones")
	flag.DurationVar(&o.duration, "duration", 0, "end after this time; 0 runs until Ctrl-C")
	flag.DurationVar(&o.warmUp, "warm-up", 0, "measure latencies only after this time")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the bots")
	flag.DurationVar(&o.killEvery, "kill-every", 0, "kill a random node this often, and restart it")
	flag.BoolVar(&o.headless, "headless", false, "print no status line")
	flag.BoolVar(&o.json, "json", false, "print one line of JSON at the end")
	flag.BoolVar(&o.verbose, "v", false, "log what happens in the nodes")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile to this file")
	flag.Parse()

	tuneMemory()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mmo:", err)
		os.Exit(1)
	}
}

// tuneMemory trades memory for time: a game server has more of the first, and
// every collection costs those who are served meanwhile. The variables of the
// runtime have the last word.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(1000)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(1500 << 20)
	}
}

// stopTime bounds the end of the program.
const stopTime = 4500 * time.Millisecond

// Summary is the line that -json prints.
type Summary struct {
	bots.Report
	Nodes     int       `json:"nodes"`
	Seconds   float64   `json:"seconds"`
	Kills     int64     `json:"kills"`
	Takeovers []float64 `json:"takeovers_ms"`
	MemoryMiB uint64    `json:"memory_mib"`
	StopMilli int64     `json:"stop_ms"`
}

func run(ctx context.Context, o options, out, errOut io.Writer) error {
	level := slog.LevelError + 4
	if o.verbose {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: level}))
	cfg, err := serverConfig(o)
	if err != nil {
		return err
	}
	cfg.Logger = log
	s, err := server.Start(ctx, cfg)
	if err != nil {
		return err
	}
	if !o.json {
		fmt.Fprintf(out, "\n  The world is open:  %s\n  %d nodes, %d bots. Ctrl-C ends it. GM token: %s\n\n", s.URL(), o.nodes, o.bots, s.GMToken())
	}
	fleet := startBots(s, o, log)
	begin := time.Now()
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	watch(ctx, s, fleet, o, out)
	return finish(s, fleet, begin, o, out)
}

// serverConfig turns the flags into what the server wants.
func serverConfig(o options) (server.Config, error) {
	if o.http == "" {
		o.http = fmt.Sprintf("127.0.0.1:%d", 8079+max(o.node, 1))
	}
	cfg := server.Config{Nodes: o.nodes, Database: o.db, ContentDir: o.content, HTTP: o.http, DataDir: o.dataDir, Page: web.Page()}
	if o.node == 0 {
		return cfg, nil
	}
	if o.db == "memory:" {
		return cfg, errors.New("-node needs a -db that processes can share: postgres://... or mysql://...")
	}
	if o.join == "" {
		o.join = "127.0.0.1:7401,127.0.0.1:7402,127.0.0.1:7403"
	}
	if o.listen == "" {
		o.listen = fmt.Sprintf("127.0.0.1:%d", 7400+o.node)
	}
	cfg.Node, cfg.Listen, cfg.Join = o.node, o.listen, strings.Split(o.join, ",")
	for i, addr := range cfg.Join {
		cfg.Bootstrap = append(cfg.Bootstrap, troupe.Server{Name: server.NodeName(i + 1), Addr: addr})
	}
	return cfg, nil
}

func startBots(s *server.Server, o options, log *slog.Logger) *bots.Fleet {
	return bots.Run(bots.Config{
		Count: o.bots, Seed: o.seed, Spread: o.spread, Tables: s.Tables, Place: s.Teleport, Logger: log,
		Login: func(ctx context.Context, name, secret string) (client.Ticket, error) {
			gate, token, err := s.Login(ctx, name, secret)
			return client.Ticket{Addr: gate.TCP, Token: token}, err
		},
	})
}

// watch prints the status line and kills nodes until the time is over.
func watch(ctx context.Context, s *server.Server, fleet *bots.Fleet, o options, out io.Writer) {
	var over, warm, kill <-chan time.Time
	if o.duration > 0 {
		over = time.After(o.duration)
	}
	if o.warmUp > 0 {
		warm = time.After(o.warmUp)
	}
	if o.killEvery > 0 {
		t := time.NewTicker(o.killEvery)
		defer t.Stop()
		kill = t.C
	}
	var roll <-chan time.Time
	if o.rollEvery > 0 {
		t := time.NewTicker(o.rollEvery)
		defer t.Stop()
		roll = t.C
	}
	second := time.NewTicker(time.Second)
	defer second.Stop()
	last := fleet.Totals()
	for {
		select {
		case <-ctx.Done():
			return
		case <-over:
			return
		case <-warm:
			fleet.ResetLatencies()
		case <-kill:
			if s.KillRandom() == nil { // the node that was chosen may be down already
				fleet.NoteKill()
			}
		case <-roll:
			s.RollInBackground()
		case <-second.C:
			if o.headless {
				continue
			}
			now := fleet.Totals()
			seen := fleet.Seen()
			st := s.State(ctx)
			up := 0
			for _, n := range st.Nodes {
				if n.Up {
					up++
				}
			}
			fmt.Fprintf(out, "\r\x1b[K  %3.0fs  nodes %d/%d  bots %d  %d moves/s  %d pushes/s  bought %d  seen after p50 %.0f p99 %.0f ms  %d MiB",
				st.Uptime, up, len(st.Nodes), now.Joined, now.Moves-last.Moves, now.Frames+now.Events-last.Frames-last.Events,
				now.Acked, seen.P50, seen.P99, st.Memory>>20)
			last = now
		}
	}
}

// finish ends bots and nodes in this order, audits the database and reports.
func finish(s *server.Server, fleet *bots.Fleet, begin time.Time, o options, out io.Writer) error {
	seconds := time.Since(begin).Seconds()
	players := fleet.Totals().Joined
	st := s.State(context.Background())
	stopping := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	half, cancelHalf := context.WithTimeout(ctx, stopTime/3)
	defer cancelHalf()
	fleet.Stop(half)
	err := s.Stop(ctx)
	took := time.Since(stopping)

	sum := Summary{
		Report: fleet.Report(seconds, players), Nodes: o.nodes, Seconds: seconds, Kills: st.Kills,
		MemoryMiB: st.Memory >> 20, StopMilli: took.Milliseconds(), Takeovers: s.Takeovers(),
	}
	audit := fleet.Audit(&sum.Report, func(each func(string, *game.PlayerData)) error {
		return s.Audit(context.Background(), each)
	})
	err = errors.Join(err, audit, s.Close())
	if o.json {
		line, e := json.Marshal(sum)
		if e != nil {
			return errors.Join(err, e)
		}
		fmt.Fprintln(out, string(line))
	} else {
		fmt.Fprintf(out, "\n\n  Stopped in %v. %d purchases were acknowledged, %d of them lost, %d doubled.\n",
			took.Round(time.Millisecond), sum.Acked, sum.Lost, sum.Doubled)
	}
	if err == nil && sum.Lost+sum.Doubled+sum.DuplicateIDs > 0 {
		err = errors.New("purchases were lost or doubled")
	}
	return err
}

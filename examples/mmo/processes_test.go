// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
)

// childEnv makes the test binary the program itself.
const childEnv = "MMO_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		signal.Reset(os.Interrupt)
		main()
		return
	}
	os.Exit(m.Run())
}

// process is one node of the game in a process of its own.
type process struct {
	cmd *exec.Cmd
	out bytes.Buffer
}

func startProcess(t *testing.T, args ...string) *process {
	p := &process{cmd: exec.CommandContext(t.Context(), os.Args[0], args...)}
	p.cmd.Env = append(os.Environ(), childEnv+"=1")
	p.cmd.Stdout, p.cmd.Stderr = &p.out, os.Stderr
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// end waits for the process after a signal and reads its account.
func (p *process) end(t *testing.T) Summary {
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	begun := time.Now()
	err := p.cmd.Wait()
	t.Logf("ended after %v: %v", time.Since(begun), err)
	require.NoError(t, err, p.out.String())
	var sum Summary
	require.NoError(t, json.Unmarshal(p.out.Bytes(), &sum), p.out.String())
	return sum
}

// TestProcesses: three processes share a database server. One is killed and
// comes back; no acknowledged purchase is lost.
func TestProcesses(t *testing.T) {
	for _, name := range []string{"postgres", "mysql"} {
		t.Run(name, func(t *testing.T) {
			dsn := os.Getenv("TROUPE_TEST_" + strings.ToUpper(name))
			if dsn == "" {
				t.Skip("set TROUPE_TEST_POSTGRES and TROUPE_TEST_MYSQL, as for the tests of orm")
			}
			testProcesses(t, freshDatabase(t, name, dsn))
		})
	}
}

// freshDatabase makes a database of its own on the server of dsn and returns its
// address as -db wants it: documents of another cluster would be fenced.
func freshDatabase(t *testing.T, driver, dsn string) string {
	t.Helper()
	name := fmt.Sprintf("mmo_%d", rand.Uint32())
	var fresh string
	drop := "DROP DATABASE " + name
	switch driver {
	case "postgres":
		u, err := url.Parse(dsn)
		require.NoError(t, err)
		u.Path = "/" + name
		fresh, driver, drop = u.String(), "pgx", drop+" WITH (FORCE)"
	case "mysql":
		cfg, err := mysql.ParseDSN(dsn)
		require.NoError(t, err)
		cfg.DBName = name
		fresh = "mysql://" + cfg.FormatDSN()
	}
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := db.ExecContext(context.Background(), drop)
		require.NoError(t, err)
	})
	return fresh
}

func testProcesses(t *testing.T, dsn string) {
	const bots = 12
	var addresses []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
		require.NoError(t, l.Close())
	}
	seed := 10
	data := t.TempDir()
	start := func(n int) *process {
		return startProcess(t, "-node", fmt.Sprint(n), "-listen", addresses[n-1], "-join", strings.Join(addresses, ","), "-db", dsn,
			"-data", fmt.Sprintf("%s/%d", data, n), "-http", "127.0.0.1:0", "-bots", fmt.Sprint(bots), "-seed", fmt.Sprint(seed+n), "-headless", "-json")
	}
	nodes := []*process{start(1), start(2), start(3)}
	time.Sleep(8 * time.Second)
	require.NoError(t, nodes[1].cmd.Process.Signal(syscall.SIGKILL))
	require.Error(t, nodes[1].cmd.Wait())
	time.Sleep(5 * time.Second)
	seed += 3 // other bots: the account of these died with the process
	nodes[1] = start(2)
	time.Sleep(8 * time.Second)
	for _, p := range nodes {
		sum := p.end(t)
		require.Positive(t, sum.Players)
		require.Positive(t, sum.Acked)
		require.Zero(t, sum.Lost, sum.Missing)
		require.Zero(t, sum.Doubled)
		require.Zero(t, sum.DuplicateIDs)
	}
}

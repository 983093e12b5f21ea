// SPDX-License-Identifier: MIT

package bolt

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
)

// ledger is the document of the crash test: two parts that must agree.
type ledger struct {
	Count int64
	Trail []int64
}

// twin is saved in the same group and must carry the same count.
type twin struct{ Count int64 }

var crashTypes = []*orm.Type{orm.Document[ledger]("ledger"), orm.Document[twin]("twin")}

type clerk struct {
	troupe.Actor
	doc  orm.Doc[ledger]
	twin orm.Doc[twin]
}

func (c *clerk) OnActivate(ctx context.Context) error {
	if err := c.doc.Load(ctx, c); err != nil {
		return err
	}
	return c.twin.Load(ctx, c)
}

// Add saves durably and returns the new count.
func (c *clerk) Add(ctx context.Context) (int64, error) {
	c.doc.Data.Count++
	c.twin.Data.Count++
	c.doc.Data.Trail = append(c.doc.Data.Trail, c.doc.Data.Count)
	if len(c.doc.Data.Trail) > 50 {
		c.doc.Data.Trail = c.doc.Data.Trail[1:]
	}
	return c.doc.Data.Count, c.doc.Save(ctx)
}

const crashClerks = 8

func startClerks(ctx context.Context, path string) (*troupe.Node, *orm.DB, error) {
	store, err := Open(path, Options{})
	if err != nil {
		return nil, nil, err
	}
	db, err := orm.Open(ctx, store, orm.Config{Types: crashTypes, FlushEvery: 20 * time.Millisecond})
	if err != nil {
		return nil, nil, err
	}
	node, err := troupe.New(troupe.Config{})
	if err != nil {
		return nil, nil, err
	}
	troupe.Provide(node, db)
	if err := node.Register(troupe.Virtual[clerk]("clerk")); err != nil {
		return nil, nil, err
	}
	return node, db, node.Start(ctx)
}

// TestCrashChild is the process that is killed. It prints every acknowledged
// save: "id count".
func TestCrashChild(t *testing.T) {
	path := os.Getenv("TROUPE_CRASH_FILE")
	if path == "" {
		t.Skip("it is run by TestCrash")
	}
	ctx := context.Background()
	node, _, err := startClerks(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan string, 1)
	for id := int64(1); id <= crashClerks; id++ {
		go func() {
			for {
				var count int64
				if err := node.Call(ctx, troupe.ID("clerk", id), "Add", &count); err != nil {
					out <- fmt.Sprintf("error %v", err)
					return
				}
				out <- fmt.Sprintf("ack %d %d", id, count)
			}
		}()
	}
	for line := range out {
		if _, err := fmt.Fprintln(os.Stdout, line); err != nil {
			return
		}
	}
}

// TestCrash kills the process with SIGKILL at random points. After each time,
// every acknowledged save is there, counts never go back, and the two documents
// of an owner agree.
func TestCrash(t *testing.T) {
	rounds := 3
	if os.Getenv("TROUPE_LONG") != "" {
		rounds = 100
	}
	path := filepath.Join(t.TempDir(), "crash.db")
	acked := make(map[int64]int64)
	for round := range rounds {
		acks := runAndKill(t, path, 30+17*round%40, acked)
		checkLedgers(t, path, acked)
		t.Logf("round %d: killed after %d acknowledged saves", round, acks)
	}
}

// runAndKill runs the child until it has acknowledged enough saves.
func runAndKill(t *testing.T, path string, enough int, acked map[int64]int64) (acks int) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
	cmd.Env = append(os.Environ(), "TROUPE_CRASH_FILE="+path)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	for lines.Scan() { // to the end: an acknowledgement counts even after the kill
		var id, count int64
		if strings.HasPrefix(lines.Text(), "error") {
			t.Error(lines.Text())
		}
		if n, _ := fmt.Sscanf(lines.Text(), "ack %d %d", &id, &count); n != 2 {
			continue
		}
		if count <= acked[id] {
			t.Errorf("clerk %d: %d acknowledged after %d", id, count, acked[id])
		}
		acked[id] = count
		if acks++; acks == enough {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // killed
	return acks
}

func checkLedgers(t *testing.T, path string, acked map[int64]int64) {
	store := openPath(t, path, Options{})
	defer store.Close() // opened again below
	db, err := orm.Open(t.Context(), store, orm.Config{Types: crashTypes})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context()) // nothing is waiting
	twins, err := orm.Find[twin](t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int64)
	for _, item := range twins.Items {
		counts[item.Key] = item.Data.Count
	}
	for id, count := range acked {
		key := fmt.Sprintf("clerk/%d", id)
		if counts[key] < count {
			t.Errorf("%s: %d in the database, %d was acknowledged", key, counts[key], count)
		}
	}
	page, err := orm.Find[ledger](t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range page.Items {
		l := item.Data
		if l.Count != counts[item.Key] || len(l.Trail) == 0 || l.Trail[len(l.Trail)-1] != l.Count {
			t.Errorf("%s: ledger %+v, twin %d", item.Key, l, counts[item.Key])
		}
	}
}

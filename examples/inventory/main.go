// SPDX-License-Identifier: MIT

// Command inventory shows what a document survives: a release that changes its
// shape, and a process that is killed in the middle.
//
//	go run ./examples/inventory
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/troupe-go/troupe"
)

func main() {
	var err error
	if len(os.Args) == 3 && os.Args[1] == "victim" {
		err = victim(context.Background(), os.Args[2], os.Stdout)
	} else {
		err = run(context.Background(), os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "inventory:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "inventory")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // a temporary directory
	path := filepath.Join(dir, "game.db")

	if err := firstRelease(ctx, path, out); err != nil {
		return fmt.Errorf("first release: %w", err)
	}
	if err := crash(path, out); err != nil {
		return fmt.Errorf("crash: %w", err)
	}
	return afterwards(ctx, path, out)
}

// firstRelease plays with the old document.
func firstRelease(ctx context.Context, path string, out io.Writer) error {
	s, err := start(ctx, path, troupe.Virtual[Veteran]("player"), firstReleaseType())
	if err != nil {
		return err
	}
	err = s.veteran().Earn(ctx, 100, []string{"apple", "apple", "rope"})
	fmt.Fprintln(out, "first release: saved 100 gold, 2 apples, a rope")
	return errors.Join(err, s.stop(ctx))
}

// victim is the second release. It says what is durable and waits to be killed.
func victim(ctx context.Context, path string, out io.Writer) error {
	s, err := start(ctx, path, troupe.Virtual[Player]("player"), inventoryType())
	if err != nil {
		return err
	}
	if _, err := s.player().Buy(ctx, "sword", 30); err != nil {
		return err
	}
	if err := s.player().Enchant(ctx, "sword", "frost", 1.5); err != nil {
		return err
	}
	if err := s.player().Find(ctx, "feather"); err != nil {
		return err
	}
	fmt.Fprintln(out, "ready")
	select {} // the parent kills this process
}

// crash runs the second release and kills it without warning.
func crash(path string, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "victim", path)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(pipe).ReadString('\n')
	if err != nil {
		return errors.Join(err, cmd.Wait())
	}
	fmt.Fprintln(out, "second release: upgraded, bought and enchanted a sword (saved), found a feather (not yet)")
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	_ = cmd.Wait() // it was killed
	fmt.Fprintf(out, "killed it right after it said %q\n", line[:len(line)-1])
	return nil
}

// afterwards starts again and shows what is there.
func afterwards(ctx context.Context, path string, out io.Writer) error {
	s, err := start(ctx, path, troupe.Virtual[Player]("player"), inventoryType())
	if err != nil {
		return err
	}
	inv, err := s.player().Show(ctx)
	if err != nil {
		return errors.Join(err, s.stop(ctx))
	}
	fmt.Fprintf(out, "survived: %d gold, %d apples, %d rope, %d sword with %v, wearing %+v\n",
		inv.Gold, inv.Bag["apple"].Count, inv.Bag["rope"].Count, inv.Bag["sword"].Count,
		inv.Bag["sword"].Enchantments, *inv.Worn)
	if _, found := inv.Bag["feather"]; !found {
		fmt.Fprintln(out, "lost: the feather, a change less than FlushEvery old that nobody had waited for")
	}
	_, err = s.player().Buy(ctx, "castle", 1_000_000)
	fmt.Fprintln(out, "refused:", err)
	return s.stop(ctx)
}

// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const toolModule = `module example.com/game

go 1.26.0

require (
	github.com/troupe-go/troupe v0.0.0
	github.com/troupe-go/troupe/cmd/troupe v0.0.0
)

tool github.com/troupe-go/troupe/cmd/troupe

replace github.com/troupe-go/troupe => ROOT

replace github.com/troupe-go/troupe/cmd/troupe => ROOT/cmd/troupe
`

const toolSource = `package game

import (
	"context"

	"github.com/troupe-go/troupe"
)

//go:generate go tool troupe gen

// Player is an actor.
type Player struct{ troupe.Actor }

// Buy is a handler.
func (p *Player) Buy(_ context.Context, item int32) (gold int64, err error) { return int64(item), nil }

// Caller uses what is generated.
func Caller(ctx context.Context, n *troupe.Node) (int64, error) { return PlayerOf(n, 42).Buy(ctx, 7) }
`

// TestGoTool uses the command as the tutorial says: a tool of a module, called by
// go generate.
func TestGoTool(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the tool in a module of its own")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sums := ""
	for _, name := range []string{"../../go.sum", "go.sum"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sums += string(data)
	}
	write("go.sum", sums)
	write("go.mod", strings.ReplaceAll(toolModule, "ROOT", filepath.ToSlash(root)))
	write("game.go", toolSource)
	for _, command := range []string{
		// go get -tool writes the rest of go.mod, too, but asks for published versions.
		"go list -mod=mod -deps . github.com/troupe-go/troupe/cmd/troupe",
		"go generate ./...", "go vet ./...", "go tool troupe gen -check",
	} {
		words := strings.Fields(command)
		cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	for _, name := range []string{"game_troupe.go", "troupe.lock.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

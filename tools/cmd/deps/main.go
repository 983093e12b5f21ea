// SPDX-License-Identifier: MIT

// Deps guards what the modules of the repository pull in: the size of the root
// module's dependency graph, packages that must never be linked into it, tidy
// module files, and a workspace that lists every module.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// The root module's budget. Raising a number is a decision for review: it is
// what every user of the library downloads and links.
const (
	maxGraphModules  = 100 // `go list -m all`, the main module included
	maxLinkedModules = 17  // modules that the root packages link, tests excluded
)

// banned may not appear among the root module's linked packages: drivers,
// brokers and frameworks live in nested modules, and cgo nowhere.
var banned = []string{
	"github.com/jackc/pgx", "github.com/lib/pq", "github.com/go-sql-driver/mysql",
	"modernc.org/sqlite", "github.com/mattn/go-sqlite3", "go.mongodb.org/mongo-driver",
	"github.com/nats-io", "github.com/rabbitmq", "github.com/segmentio/kafka-go",
	"github.com/redis", "go.etcd.io/etcd", "google.golang.org/grpc",
	"github.com/gin-gonic", "github.com/labstack", "github.com/prometheus/client_golang",
	"go.opentelemetry.io", "runtime/cgo", "plugin",
	"net/http/pprof",
}

func main() {
	root := flag.String("root", ".", "top of the repository")
	write := flag.Bool("write-work", false, "write go.work instead of checking")
	flag.Parse()
	var err error
	if *write {
		err = writeWork(*root)
	} else {
		err = errors.Join(checkWork(*root), checkRoot(*root), checkTidy(*root))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "deps:", err)
		os.Exit(1)
	}
}

// modules returns the directories with a go.mod, relative to root, in order.
func modules(root string) ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "tmp" || name == "bin") {
			return filepath.SkipDir
		}
		if name == "go.mod" {
			rel, err := filepath.Rel(root, filepath.Dir(path))
			dirs = append(dirs, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	slices.Sort(dirs)
	return dirs, err
}

// workspace returns the text that go.work should have. A module with a go.work
// of its own is left out: bench and tools have dependency graphs that must not
// raise the versions that the library is tested with.
func workspace(root string) (string, error) {
	dirs, err := modules(root)
	if err != nil {
		return "", err
	}
	text := "// Written by `make work`. Modules with a go.work of their own are not listed.\ngo 1.26.0\n\nuse (\n"
	for _, dir := range dirs {
		if dir != "." {
			if _, err := os.Stat(filepath.Join(root, dir, "go.work")); err == nil {
				continue
			}
			dir = "./" + dir
		}
		text += "\t" + dir + "\n"
	}
	return text + ")\n", nil
}

func writeWork(root string) error {
	text, err := workspace(root)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "go.work"), []byte(text), 0o644)
}

func checkWork(root string) error {
	want, err := workspace(root)
	if err != nil {
		return err
	}
	got, err := os.ReadFile(filepath.Join(root, "go.work"))
	if err != nil {
		return err
	}
	if string(got) != want {
		return fmt.Errorf("go.work does not list the modules that exist; run 'make work'. want:\n%s", want)
	}
	return nil
}

// checkRoot measures the root module as its users see it: outside the workspace.
func checkRoot(root string) error {
	graph, err := goLines(root, "list", "-m", "all")
	if err != nil {
		return err
	}
	linked, err := goLines(root, "list", "-deps", "-f", "{{if not .Standard}}{{with .Module}}{{.Path}}{{end}}{{end}}", ".")
	if err != nil {
		return err
	}
	slices.Sort(linked)
	linked = slices.Compact(linked)
	packages, err := goLines(root, "list", "-deps", "./...")
	if err != nil {
		return err
	}
	own, err := goLines(root, "list", "-f", `{{join .Imports "\n"}}`, ".")
	if err != nil {
		return err
	}
	fmt.Printf("root module: %d modules in the graph (limit %d), %d linked (limit %d)\n",
		len(graph), maxGraphModules, len(linked), maxLinkedModules)
	var errs []error
	if len(graph) > maxGraphModules {
		errs = append(errs, fmt.Errorf("the root graph grew to %d modules", len(graph)))
	}
	if len(linked) > maxLinkedModules {
		errs = append(errs, fmt.Errorf("the root packages link %d modules: %s", len(linked), strings.Join(linked, " ")))
	}
	if slices.Contains(own, "testing") {
		errs = append(errs, errors.New("the root package imports testing"))
	}
	for _, pkg := range packages {
		for _, prefix := range banned {
			if pkg == prefix || strings.HasPrefix(pkg, prefix+"/") {
				errs = append(errs, fmt.Errorf("the root module links %s; find out with 'go mod why %s'", pkg, pkg))
			}
		}
	}
	return errors.Join(errs...)
}

// checkTidy compares module files with what `go mod tidy` would write.
func checkTidy(root string) error {
	dirs, err := modules(root)
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range dirs {
		if _, err := goLines(filepath.Join(root, dir), "mod", "tidy", "-diff"); err != nil {
			errs = append(errs, fmt.Errorf("%s is not tidy: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}

// goLines runs the go command outside any workspace and returns its lines.
func goLines(dir string, args ...string) ([]string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		const most = 2000 // a long diff says enough in its first lines
		text := string(out) + stderr.String()
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, text[:min(len(text), most)])
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n"), nil
}

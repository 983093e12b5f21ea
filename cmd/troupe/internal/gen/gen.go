// SPDX-License-Identifier: MIT

// Package gen is the command "troupe gen": it loads packages, compares them
// with their schema locks, and writes or checks the generated files.
package gen

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/troupe-go/troupe/cmd/troupe/internal/export"
	"github.com/troupe-go/troupe/cmd/troupe/internal/golang"
	"github.com/troupe-go/troupe/cmd/troupe/internal/load"
	"github.com/troupe-go/troupe/cmd/troupe/internal/lock"
	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

// Options are the flags of the command.
type Options struct {
	// Dir is where patterns are resolved. Defaults to the working directory.
	Dir string
	// Patterns are Go package patterns. Defaults to ".".
	Patterns []string
	// Check writes nothing; files that are not up to date are errors.
	Check bool
	// Accept writes the lock in spite of incompatible edits.
	Accept bool
	// List prints the handlers instead of writing Go files.
	List bool
	// Proto, TS and CS name the files for clients, "" for none. They hold the
	// client-callable handlers of all packages.
	Proto, TS, CS string
}

// ParseFlags reads the command line behind "gen". Usage goes to w.
func ParseFlags(args []string, w io.Writer) (Options, error) {
	var o Options
	set := flag.NewFlagSet("troupe gen", flag.ContinueOnError)
	set.SetOutput(w)
	set.BoolVar(&o.Check, "check", false, "write nothing; fail if a file is not up to date or the schema changed incompatibly")
	set.BoolVar(&o.Accept, "accept", false, "accept incompatible schema changes: no node or client runs the old code any more")
	set.BoolVar(&o.List, "list", false, "print kind, method, number, access and size cap of every handler; write nothing")
	set.StringVar(&o.Proto, "proto", "", "write the .proto `file` of the client-callable handlers")
	set.StringVar(&o.TS, "ts", "", "write a TypeScript client to this `file`")
	set.StringVar(&o.CS, "cs", "", "write a C# client to this `file`")
	set.StringVar(&o.Dir, "dir", "", "resolve package patterns in this `directory`")
	set.Usage = func() {
		fmt.Fprintf(w, "usage: troupe gen [flags] [packages]\n\nWrites <package>_troupe.go and %s beside the actors of the packages (\".\").\n\n", lock.FileName)
		set.PrintDefaults()
	}
	if err := set.Parse(args); err != nil {
		return o, err
	}
	o.Patterns = set.Args()
	return o, nil
}

// ErrNothing is returned when no package has an actor.
var ErrNothing = errors.New("no type of these packages embeds troupe.Actor")

// Run executes the command. Listings go to w.
func Run(ctx context.Context, o Options, w io.Writer) error {
	if len(o.Patterns) == 0 {
		o.Patterns = []string{"."}
	}
	pkgs, err := load.Packages(ctx, o.Dir, o.Patterns...)
	if err != nil {
		return err
	}
	if len(pkgs) == 0 {
		return ErrNothing
	}
	var files []output
	for _, p := range pkgs {
		more, err := packageFiles(p, o.Accept)
		if err != nil {
			return err
		}
		files = append(files, more...)
	}
	if o.List {
		return list(w, pkgs)
	}
	clients, err := clientFiles(pkgs, o)
	if err != nil {
		return err
	}
	return finish(append(files, clients...), o.Check)
}

// output is a file that should have this content.
type output struct {
	name    string
	content []byte
}

// packageFiles returns the Go file and the lock of p.
func packageFiles(p *model.Package, accept bool) ([]output, error) {
	old, err := lock.Read(p.Dir)
	if err != nil {
		return nil, err
	}
	old.Number(p)
	now := lock.Of(p, old)
	if bad := lock.Incompatible(old, now); len(bad) > 0 && !accept {
		return nil, fmt.Errorf("%s: incompatible with %s:\n\t%s\nNodes and clients with the old code would misunderstand the new one. "+
			"Undo the edit, or run \"troupe gen -accept\" if no old code is running",
			p.Path, filepath.Join(p.Dir, lock.FileName), strings.Join(bad, "\n\t"))
	}
	source, err := golang.File(p)
	if err != nil {
		return nil, err
	}
	locked, err := now.Bytes()
	if err != nil {
		return nil, err
	}
	return []output{
		{filepath.Join(p.Dir, p.Name+"_troupe.go"), source},
		{filepath.Join(p.Dir, lock.FileName), locked},
	}, nil
}

// clientFiles returns the files for clients that o asks for.
func clientFiles(pkgs []*model.Package, o Options) ([]output, error) {
	if o.Proto == "" && o.TS == "" && o.CS == "" {
		return nil, nil
	}
	surface, err := export.Clients(pkgs)
	if err != nil {
		return nil, err
	}
	var files []output
	for _, f := range []struct {
		name  string
		print func(*export.Surface) []byte
	}{{o.Proto, export.Proto}, {o.TS, export.TypeScript}, {o.CS, export.CSharp}} {
		if f.name == "" {
			continue
		}
		if !filepath.IsAbs(f.name) {
			f.name = filepath.Join(o.Dir, f.name)
		}
		files = append(files, output{f.name, f.print(surface)})
	}
	return files, nil
}

// finish writes the files that changed, or with check reports them.
func finish(files []output, check bool) error {
	var stale []error
	for _, f := range files {
		before, err := os.ReadFile(f.name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		switch {
		case err == nil && bytes.Equal(before, f.content):
		case check:
			stale = append(stale, fmt.Errorf("%s is not up to date: run \"troupe gen\"", f.name))
		default:
			if err := writeFile(f.name, f.content); err != nil {
				return err
			}
		}
	}
	return errors.Join(stale...)
}

// writeFile replaces the file at once, so that no reader sees half of it.
func writeFile(name string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".troupe-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

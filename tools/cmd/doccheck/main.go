// SPDX-License-Identifier: MIT

// Doccheck keeps the documents honest. Go blocks of the Markdown files are
// compiled when they are whole programs; shorter ones must parse, and the names
// they use from this project's packages must exist. All tracked files are
// searched for words that mean something on one machine only.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	root := flag.String("root", ".", "top of the repository")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "doccheck:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	files, err := trackedFiles(root)
	if err != nil {
		return err
	}
	var errs []error
	var blocks []block
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(root, file))
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, not yet committed
		}
		if err != nil {
			return err
		}
		errs = append(errs, checkWords(file, string(text))...)
		if strings.HasSuffix(file, ".md") {
			blocks = append(blocks, goBlocks(file, string(text))...)
		}
	}
	names, err := exportedNames(root, files)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		if !b.program {
			errs = append(errs, checkSnippet(b, names)...)
		}
	}
	programs, err := compile(root, blocks)
	errs = append(errs, err)
	fmt.Printf("documents: %d Go blocks, %d of them compiled\n", len(blocks), programs)
	return errors.Join(errs...)
}

// trackedFiles lists what is in version control, and what is about to be.
func trackedFiles(root string) ([]string, error) {
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list files: %w", err)
	}
	return strings.Split(strings.Trim(string(out), "\x00"), "\x00"), nil
}

// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		args   string
		code   int
		stderr string
	}{
		{"", 2, "usage: troupe gen"},
		{"run", 2, "usage: troupe gen"},
		{"gen -h", 0, "usage: troupe gen [flags] [packages]"},
		{"gen -unknown", 2, "-unknown"},
		{"gen -check .", 1, "no type of these packages"},
	} {
		var out, errs bytes.Buffer
		if code := run(context.Background(), strings.Fields(c.args), &out, &errs); code != c.code {
			t.Errorf("troupe %s: got exit code %d, want %d", c.args, code, c.code)
		}
		if !strings.Contains(errs.String(), c.stderr) {
			t.Errorf("troupe %s: got %q, want %q", c.args, errs.String(), c.stderr)
		}
	}
}

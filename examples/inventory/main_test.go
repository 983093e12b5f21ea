// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"os"
	"strings"
	"testing"
)

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "victim" {
		_ = victim(context.Background(), os.Args[2], os.Stdout)
		return
	}
	os.Exit(m.Run())
}

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"survived: 70 gold, 2 apples, 1 rope, 1 sword", "lost: the feather", "not enough gold"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}

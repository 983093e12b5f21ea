// SPDX-License-Identifier: MIT

package ormbench

import (
	"context"
	"os"
	"testing"
	"time"
)

// TestCompare prints the comparison. It is a measurement: set TROUPE_ORMBENCH
// to the seconds per contender.
func TestCompare(t *testing.T) {
	seconds := os.Getenv("TROUPE_ORMBENCH")
	if seconds == "" {
		t.Skip("set TROUPE_ORMBENCH=5s, and TROUPE_TEST_POSTGRES and TROUPE_TEST_MYSQL, to measure")
	}
	d, err := time.ParseDuration(seconds)
	if err != nil {
		t.Fatal(err)
	}
	load := Load{For: d}
	all := Embedded(t.TempDir())
	if dsn := os.Getenv("TROUPE_TEST_POSTGRES"); dsn != "" {
		all = append(all, Postgres(dsn, load)...)
	}
	if dsn := os.Getenv("TROUPE_TEST_MYSQL"); dsn != "" {
		all = append(all, MySQL(dsn, load)...)
	}
	for _, open := range all {
		measure(t, open, load)
	}
}

func measure(t *testing.T, open func(context.Context) (Contender, error), load Load) {
	c, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), c, load)
	if err != nil {
		t.Error(err)
	}
	t.Log(r)
	if tr, ok := c.(*Troupe); ok {
		s := tr.Stats()
		t.Logf("    %.0f documents per transaction, %d retries", float64(s.Docs)/float64(max(1, s.Batches)), s.Retries)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

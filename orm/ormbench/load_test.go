// SPDX-License-Identifier: MIT

package ormbench

import (
	"context"
	"os"
	"testing"
)

// BenchmarkLoad compares a load, which also installs the fence, with a bare
// SELECT of the same row by the driver. Run it with -cpu 1: one client, one
// connection.
func BenchmarkLoad(b *testing.B) {
	for name, open := range map[string]func(*testing.B) *Loads{
		"postgres": func(b *testing.B) *Loads { return openLoads(b, "TROUPE_TEST_POSTGRES", PostgresLoads) },
		"mysql":    func(b *testing.B) *Loads { return openLoads(b, "TROUPE_TEST_MYSQL", MySQLLoads) },
	} {
		b.Run(name, func(b *testing.B) {
			l := open(b)
			for name, one := range map[string]func(int) error{"select": l.Select, "load": l.Load} {
				b.Run(name, func(b *testing.B) {
					for i := 0; b.Loop(); i++ {
						if err := one(i % loadRows); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}

func openLoads(b *testing.B, env string, open func(ctx context.Context, dsn string) (*Loads, error)) *Loads {
	dsn := os.Getenv(env)
	if dsn == "" {
		b.Skip("set " + env)
	}
	l, err := open(b.Context(), dsn)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := l.Close(); err != nil {
			b.Error(err)
		}
	})
	return l
}

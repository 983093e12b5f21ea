// SPDX-License-Identifier: MIT

package postgres

import (
	"net/url"
	"testing"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

func TestFaults(t *testing.T) {
	u, err := url.Parse(dsn(t))
	if err != nil {
		t.Fatal(err)
	}
	first := open(t, u.String()) // owns the tables
	ormtest.RunFaults(t, u.Host, func(t *testing.T, addr string) orm.Store {
		through := *u
		through.Host = addr
		s, err := Open(t.Context(), through.String(), first.opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}

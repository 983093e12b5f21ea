// SPDX-License-Identifier: MIT

package orm

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// zones writes and reads times as RFC 3339 with nanoseconds, and with the IANA
// zone in brackets behind it when the time has one (RFC 9557):
//
//	2026-11-22T17:41:09.5Z
//	2026-11-22T18:41:09.5+01:00
//	2026-11-22T18:41:09.5+01:00[Europe/Paris]
//
// The instant, the offset and an IANA zone survive. The abbreviation of a fixed
// zone and the monotonic reading do not; time.Local becomes its offset.
//
// zones remembers the locations it has looked up. It is safe for concurrent use.
type zones struct {
	byName sync.Map // string -> *time.Location, nil when the name is unknown
}

func (z *zones) load(name string) *time.Location {
	if loc, ok := z.byName.Load(name); ok {
		return loc.(*time.Location)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		loc = nil
	}
	z.byName.Store(name, loc)
	return loc
}

// append writes t without quotes.
func (z *zones) append(b []byte, t time.Time) ([]byte, *valueError) {
	if y := t.Year(); y < 0 || y > 9999 {
		return b, refuse("year %d does not fit into 0000 to 9999", y)
	}
	if t.Location() == time.UTC {
		return t.AppendFormat(b, time.RFC3339Nano), nil
	}
	_, offset := t.Zone()
	name := z.ianaName(t, offset)
	if offset%60 != 0 {
		if name == "" {
			return b, refuse("zone offset of %d s is not whole minutes", offset)
		}
		b = t.UTC().AppendFormat(b, time.RFC3339Nano)
	} else {
		b = t.AppendFormat(b, "2006-01-02T15:04:05.999999999-07:00")
	}
	if name != "" {
		b = append(append(append(b, '['), name...), ']')
	}
	return b, nil
}

// ianaName returns the name of t's zone if looking it up gives t's offset back.
func (z *zones) ianaName(t time.Time, offset int) string {
	name := t.Location().String()
	if name == "" || name == "Local" || name == "UTC" || strings.ContainsAny(name, "\"\\]\n") {
		return ""
	}
	loc := z.load(name)
	if loc == nil {
		return ""
	}
	if _, again := t.In(loc).Zone(); again != offset {
		return ""
	}
	return name
}

// parse is the inverse of append.
func (z *zones) parse(s string) (time.Time, error) {
	stamp, name, named := strings.Cut(s, "[")
	t, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return time.Time{}, err
	}
	if strings.HasSuffix(stamp, "Z") {
		t = t.UTC()
	} else {
		// time.Parse picks time.Local when its offset happens to fit.
		_, offset := t.Zone()
		t = t.In(time.FixedZone("", offset))
	}
	if !named {
		return t, nil
	}
	name, ok := strings.CutSuffix(name, "]")
	if !ok {
		return time.Time{}, fmt.Errorf("time %q: no ] behind the zone", s)
	}
	loc := z.load(name)
	if loc == nil {
		return t, nil // no time zone data here: the instant and offset are exact
	}
	return t.In(loc), nil
}

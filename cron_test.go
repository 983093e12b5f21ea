// SPDX-License-Identifier: MIT

package troupe

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func cronZone(t require.TestingT, name string) *time.Location {
	loc, err := time.LoadLocation(name)
	require.NoError(t, err)
	return loc
}

func TestCronNext(t *testing.T) {
	for _, c := range []struct{ spec, zone, after, want string }{
		{"* * * * *", "UTC", "2026-01-01 00:00:00", "2026-01-01 00:01:00"},
		{"* * * * * *", "UTC", "2026-01-01 00:00:59", "2026-01-01 00:01:00"},
		{"*/10 * * * * ?", "UTC", "2026-01-01 00:00:09", "2026-01-01 00:00:10"},
		{"30 4 * * MON-FRI", "UTC", "2026-01-02 04:30:00", "2026-01-05 04:30:00"},
		{"0 0 1,15 * *", "UTC", "2026-01-15 00:00:00", "2026-02-01 00:00:00"},
		{"59 23 31 DEC ?", "UTC", "2026-12-31 23:59:00", "2027-12-31 23:59:00"},
		{"0 0 29 2 *", "UTC", "2096-02-29 00:00:00", "2104-02-29 00:00:00"},
		{"0 0 29 2 *", "UTC", "1896-02-29 00:00:00", "1904-02-29 00:00:00"},
		{"0 0 13 * fri", "UTC", "2026-02-13 00:00:00", "2026-02-20 00:00:00"}, // either day
		{"0 0 */1 * fri", "UTC", "2026-02-13 00:00:00", "2026-02-20 00:00:00"},
		{"0 0 ? * 7", "UTC", "2026-02-13 00:00:00", "2026-02-15 00:00:00"},
		{"0 0 * * 5-7", "UTC", "2026-02-14 00:00:00", "2026-02-15 00:00:00"},
		{"0 0 31 * *", "UTC", "2026-01-31 00:00:00", "2026-03-31 00:00:00"},
		{"5/20 8-10/2 * * *", "UTC", "2026-01-01 08:45:00", "2026-01-01 10:05:00"},
		{"@hourly", "UTC", "2026-01-01 00:00:00", "2026-01-01 01:00:00"},
		{"@daily", "UTC", "2026-02-28 00:00:00", "2026-03-01 00:00:00"},
		{"@midnight", "UTC", "2024-02-28 00:00:00", "2024-02-29 00:00:00"},
		{"@weekly", "UTC", "2026-02-13 00:00:00", "2026-02-15 00:00:00"},
		{"@monthly", "UTC", "2026-12-13 00:00:00", "2027-01-01 00:00:00"},
		{"@yearly", "UTC", "1969-12-13 00:00:00", "1970-01-01 00:00:00"},
		{"@annually", "UTC", "2099-12-31 23:59:59", "2100-01-01 00:00:00"},
		{"@minutely", "UTC", "2026-01-01 00:00:00", "2026-01-01 00:01:00"},
		{"@every 90s", "UTC", "2026-01-01 00:00:00", "2026-01-01 00:01:30"},
		{"0 12 * * *", "Europe/Berlin", "2040-12-30 12:00:00", "2040-12-31 12:00:00"}, // leap years, beyond the zone's table
		{"0 0 1 1 *", "Europe/Berlin", "2044-03-01 00:00:00", "2045-01-01 00:00:00"},
		{"0 5 * * *", "Asia/Tokyo", "2026-01-01 05:00:00", "2026-01-02 05:00:00"},
		{"  TZ=Asia/Tokyo\t0 5 * * *  ", "UTC", "2026-01-01 00:00:00", "2026-01-01 20:00:00"},
		{"CRON_TZ=Asia/Kolkata @daily", "UTC", "2026-01-01 00:00:00", "2026-01-01 18:30:00"},

		// C1: the gap. Berlin 2026-03-29 02:00 -> 03:00.
		{"30 2 * * *", "Europe/Berlin", "2026-03-28 12:00:00", "2026-03-29 03:00:00"},
		{"30 2 * * *", "Europe/Berlin", "2026-03-29 03:00:00", "2026-03-30 02:30:00"},
		{"0,20,40 2 * * *", "Europe/Berlin", "2026-03-29 01:59:59", "2026-03-29 03:00:00"},
		{"0,20,40 2 * * *", "Europe/Berlin", "2026-03-29 03:00:00", "2026-03-30 02:00:00"},
		{"0 3 * * *", "Europe/Berlin", "2026-03-29 01:00:00", "2026-03-29 03:00:00"},
		{"15 2,3 * * *", "Europe/Berlin", "2026-03-29 03:00:00", "2026-03-29 03:15:00"},
		{"30 2 * * *", "America/New_York", "2026-03-08 01:00:00", "2026-03-08 03:00:00"},
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-04 01:00:00", "2026-10-04 02:30:00"}, // half an hour
		{"30 0 * * *", "America/Sao_Paulo", "2018-11-03 12:00:00", "2018-11-04 01:00:00"},   // at midnight
		{"0 12 30 12 *", "Pacific/Apia", "2011-12-29 23:00:00", "2011-12-31 00:00:00"},      // a whole day
		// C3: 02:15 does not exist, and nothing comes instead.
		{"15 * * * *", "Europe/Berlin", "2026-03-29 01:15:00", "2026-03-29 03:15:00"},
	} {
		t.Run(c.spec+" "+c.zone, func(t *testing.T) {
			loc := cronZone(t, c.zone)
			s, err := ParseCron(c.spec, loc)
			require.NoError(t, err)
			after, err := time.ParseInLocation(time.DateTime, c.after, loc)
			require.NoError(t, err)
			got, ok := s.Next(after)
			require.True(t, ok)
			require.Equal(t, c.want, got.In(loc).Format(time.DateTime))
			sub, ok := s.Next(after.Add(time.Nanosecond))
			require.True(t, ok)
			if !strings.HasPrefix(c.spec, "@every") {
				require.Equal(t, got, sub, "a part of a second later")
			}
		})
	}
}

// cronTimes lists when a specification fires in [from, to), in UTC.
func cronTimes(t require.TestingT, spec, zone, from, to string) (times []string) {
	s, err := ParseCron(spec, cronZone(t, zone))
	require.NoError(t, err)
	at, err := time.Parse("2006-01-02 15:04", from)
	require.NoError(t, err)
	end, err := time.Parse("2006-01-02 15:04", to)
	require.NoError(t, err)
	for at = at.Add(-1); ; {
		next, ok := s.Next(at)
		if !ok || !next.Before(end) {
			return times
		}
		times = append(times, next.UTC().Format("15:04"))
		at = next
	}
}

func TestCronRepeatedHour(t *testing.T) {
	const berlin, lordHowe = "Europe/Berlin", "Australia/Lord_Howe"
	for _, c := range []struct {
		name, spec, zone, from, to string
		want                       []string
	}{
		// Berlin, 2026-10-25: 02:00-03:00 is 00:00-01:00 UTC and 01:00-02:00 UTC.
		{"C2 once", "30 2 * * *", berlin, "2026-10-24 23:00", "2026-10-25 04:00", []string{"00:30"}},
		{"C2 hours", "0 1-4 * * *", berlin, "2026-10-24 22:00", "2026-10-25 04:00", []string{"23:00", "00:00", "02:00", "03:00"}},
		{"C2 starting in the second pass", "30 2 * * *", berlin, "2026-10-25 01:10", "2026-10-25 04:00", nil},
		{"C2 starting at the second pass", "*/30 2-3 * * *", berlin, "2026-10-25 01:00", "2026-10-25 03:00", []string{"02:00", "02:30"}},
		{"C3 both", "30 * * * *", berlin, "2026-10-24 23:00", "2026-10-25 03:00", []string{"23:30", "00:30", "01:30", "02:30"}},
		{"C3 from the second pass", "*/20 * * * *", berlin, "2026-10-25 01:10", "2026-10-25 02:30", []string{"01:20", "01:40", "02:00", "02:20"}},
		// Lord Howe, 2026-04-05: 01:30-02:00 is repeated, from 15:00 UTC on the day before.
		{"C2 half hour", "45 1 * * *", lordHowe, "2026-04-04 12:00", "2026-04-04 20:00", []string{"14:45"}},
		{"C2 half hour, not repeated", "15 1 * * *", lordHowe, "2026-04-04 12:00", "2026-04-04 20:00", []string{"14:15"}},
		{"C3 half hour", "45 * * * *", lordHowe, "2026-04-04 14:00", "2026-04-04 17:00", []string{"14:45", "15:15", "16:15"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, cronTimes(t, c.spec, c.zone, c.from, c.to))
		})
	}
}

func TestCronNever(t *testing.T) {
	for _, spec := range []string{"0 0 30 2 *", "0 0 31 2,4,6,9,11 ?", "0 0 31 4 *"} {
		s, err := ParseCron(spec, cronZone(t, "Europe/Berlin"))
		require.NoError(t, err)
		_, ok := s.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		require.False(t, ok, spec)
	}
	s, err := ParseCron("* * * * *", nil)
	require.NoError(t, err)
	for _, year := range []int{9999, 10000, 1 << 30, -1 << 30} {
		_, ok := s.Next(time.Date(year, 12, 31, 23, 59, 30, 0, time.UTC))
		require.False(t, ok, year)
	}
	_, ok := CronSchedule{}.Next(time.Now())
	require.False(t, ok)
	next, ok := s.Next(time.Time{})
	require.True(t, ok)
	require.Equal(t, time.Minute, next.Sub(time.Time{}))
}

func TestParseCronErrors(t *testing.T) {
	for _, c := range []struct {
		spec, field string
		column      int
		reason      string
	}{
		{"", "", 1, "0 fields"},
		{"* * * *", "", 1, "4 fields"},
		{"* * * * * * *", "", 1, "7 fields"},
		{"60 * * * *", "minute", 1, "60 is not in 0-59"},
		{"60 * * * * *", "second", 1, "60 is not in 0-59"},
		{"* 24 * * *", "hour", 3, "24 is not in 0-23"},
		{"* *  0 * *", "day of month", 6, "0 is not in 1-31"},
		{"* * * 13 *", "month", 7, "13 is not in 1-12"},
		{"* * * * 8", "day of week", 9, "8 is not in 0-7"},
		{"* * * JANU *", "month", 7, `"JANU" is not a number in 1-12`},
		{"* * * anf *", "month", 7, "not a number"},
		{"1,,2 * * * *", "minute", 3, "a value is missing"},
		{"5-1 * * * *", "minute", 1, "ends before it begins"},
		{"1-2-3 * * * *", "minute", 3, `"2-3" is not a number`},
		{"*/0 * * * *", "minute", 3, `step "0" is not in 1-60`},
		{"*/61 * * * *", "minute", 3, "step"},
		{"*/ * * * *", "minute", 3, "a value is missing"},
		{"1,*/2/3 * * * *", "minute", 5, "not a number"},
		{"-1 * * * *", "minute", 1, "a value is missing"},
		{"+1 * * * *", "minute", 1, "not a number"},
		{"99999999999999999999 * * * *", "minute", 1, "not a number"},
		{"? * * * *", "minute", 1, `"?" is not a number`},
		{"*1 * * * *", "minute", 1, "not a number"},
		{"@often", "descriptor", 1, `unknown "@often"`},
		{"@reboot", "descriptor", 1, "unknown"},
		{"@daily 3", "descriptor", 8, "takes no argument"},
		{"@every", "descriptor", 7, "not a duration"},
		{"@every soon", "descriptor", 8, "not a duration"},
		{"@every -5m", "descriptor", 8, "below 1s"},
		{"@every 10ms", "descriptor", 8, "below 1s"},
		{"TZ=0", "time zone", 4, `unknown "0"`},
		{"TZ=", "time zone", 4, "missing"},
		{"CRON_TZ= * * * * *", "time zone", 9, "missing"},
		{"TZ=../etc/passwd * * * * *", "time zone", 4, "unknown"},
		{"TZ=Mars/Olympus * * * * *", "time zone", 4, "unknown"},
		{"TZ=UTC", "", 1, "0 fields"},
		{strings.Repeat("1,", 600), "", 1, "longer than"},
	} {
		t.Run(c.spec, func(t *testing.T) {
			s, err := ParseCron(c.spec, nil)
			require.ErrorIs(t, err, ErrBadCron)
			require.Zero(t, s)
			var bad *CronError
			require.True(t, errors.As(err, &bad))
			require.Equal(t, c.field, bad.Field)
			require.Equal(t, c.column, bad.Column)
			require.Contains(t, bad.Reason, c.reason)
			require.Contains(t, err.Error(), "troupe: bad cron specification")
		})
	}
}

// cronModel is the reference: it looks at every minute (or second) from long
// before, and keeps the latest local time reached so far, without arithmetic on
// offsets. It returns the first firing after the given time, before end.
func cronModel(s CronSchedule, after, end time.Time, step time.Duration) (time.Time, bool) {
	matches := func(local time.Time) bool {
		in := func(set uint64, v int) bool { return set>>v&1 == 1 }
		day, weekday := in(uint64(s.day), local.Day()), in(uint64(s.weekday), int(local.Weekday()))
		return in(s.second, local.Second()) && in(s.minute, local.Minute()) && in(uint64(s.hour), local.Hour()) &&
			in(uint64(s.month), int(local.Month())) && (day && weekday || s.eitherDay && (day || weekday))
	}
	var reached time.Time
	for at := after.Add(-26 * time.Hour).Truncate(step); at.Before(end); at = at.Add(step) {
		l := at.In(s.loc)
		local := time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), 0, time.UTC)
		fires := false
		switch {
		case s.hour == cronAllHours:
			fires = matches(local)
		case local.After(reached) && !reached.IsZero():
			for x := reached.Add(step); !x.After(local); x = x.Add(step) {
				fires = fires || matches(x)
			}
		}
		if local.After(reached) {
			reached = local
		}
		if fires && at.After(after) {
			return at, true
		}
	}
	return time.Time{}, false
}

// drawCronField draws a field that matches often enough for a search by hand.
func drawCronField(t *rapid.T, i int) string {
	f := cronFieldAt(i)
	value := rapid.IntRange(f.low, f.high)
	switch rapid.IntRange(0, 5).Draw(t, f.name+" form") {
	case 0:
		return fmt.Sprint(value.Draw(t, f.name))
	case 1:
		a, b := value.Draw(t, f.name), value.Draw(t, f.name)
		return fmt.Sprintf("%d-%d", min(a, b), max(a, b))
	case 2:
		return fmt.Sprintf("*/%d", rapid.IntRange(1, f.high-f.low+1).Draw(t, f.name))
	case 3:
		return fmt.Sprintf("%d,%d", value.Draw(t, f.name), value.Draw(t, f.name))
	}
	return "*"
}

// drawCronStep draws a zone and an instant in which its offset changes.
func drawCronStep(t *rapid.T) (zone string, at time.Time) {
	steps := []struct {
		zone string
		at   time.Time
	}{
		{"UTC", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
		{"Europe/Berlin", time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)},
		{"Europe/Berlin", time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)},
		{"America/New_York", time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC)},
		{"America/New_York", time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)},
		{"Australia/Lord_Howe", time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC)},
		{"Australia/Lord_Howe", time.Date(2026, 10, 3, 15, 30, 0, 0, time.UTC)},
		{"America/Sao_Paulo", time.Date(2018, 11, 4, 3, 0, 0, 0, time.UTC)},
		{"Pacific/Apia", time.Date(2011, 12, 30, 10, 0, 0, 0, time.UTC)},
		{"Africa/Casablanca", time.Date(2026, 3, 22, 2, 0, 0, 0, time.UTC)},
		{"Asia/Pyongyang", time.Date(2018, 5, 4, 15, 0, 0, 0, time.UTC)},
		{"Antarctica/Troll", time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)},
	}
	s := rapid.SampledFrom(steps).Draw(t, "step")
	return s.zone, s.at
}

func TestCronAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, at := drawCronStep(t)
		from, step, span := 1, time.Minute, 3*24*time.Hour
		if rapid.IntRange(0, 9).Draw(t, "seconds") == 0 {
			from, step, span = 0, time.Second, time.Hour
		}
		var fields []string
		for i := from; i < cronFields; i++ {
			if (i == 3 || i == 4) && rapid.IntRange(0, 3).Draw(t, "restrict") > 0 {
				fields = append(fields, "*")
			} else {
				fields = append(fields, drawCronField(t, i))
			}
		}
		spec := strings.Join(fields, " ")
		s, err := ParseCron(spec, cronZone(t, zone))
		require.NoError(t, err)
		after := at.Add(time.Duration(rapid.Int64Range(-36*3600e9, 12*3600e9).Draw(t, "after")))
		if step == time.Second {
			after = at.Add(time.Duration(rapid.Int64Range(-3600e9, 3600e9).Draw(t, "after s")))
		}
		for range 3 {
			end := after.Add(span)
			want, ok := cronModel(s, after, end, step)
			got, found := s.Next(after)
			if !ok {
				require.True(t, !found || !got.Before(end), "%s %s after %v: got %v, want none", spec, zone, after, got)
				return
			}
			require.True(t, found, "%s %s after %v: want %v", spec, zone, after, want)
			require.True(t, got.Equal(want), "%s %s after %v: got %v, want %v", spec, zone, after, got, want)
			after = got
		}
	})
}

func TestCronDate(t *testing.T) {
	day := time.Date(-410, 1, 1, 0, 0, 0, 0, time.UTC)
	for next := day; day.Year() < 2410; day = next {
		next = day.AddDate(0, 0, 1)
		year, month, d := cronDate(day.Unix() / cronDaySeconds)
		if y, m, want := day.Date(); year != y || month != int(m) || d != want || (next.Day() == 1) != (cronMonthDays(y, int(m)) == d) {
			t.Fatalf("got %d-%d-%d of %d days, want %v", year, month, d, cronMonthDays(year, month), day)
		}
	}
}

func FuzzParseCron(f *testing.F) {
	for _, spec := range []string{"* * * * *", "*/5 0 1-3,5/2 ? JAN-mar sun", "@every 1h", "TZ=Asia/Tokyo @daily", "TZ=0", "30 2 29 2 *", "CRON_TZ=Local 1 1 1 1 1"} {
		f.Add(spec, int64(1774746000), "Europe/Berlin")
	}
	f.Fuzz(func(t *testing.T, spec string, unix int64, zone string) {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			loc = time.UTC
		}
		s, err := ParseCron(spec, loc)
		if err != nil {
			require.ErrorIs(t, err, ErrBadCron)
			return
		}
		at := time.Unix(unix, 0)
		for range 5 {
			next, ok := s.Next(at)
			if !ok {
				return
			}
			require.True(t, next.After(at), "%v is not after %v", next, at)
			at = next
		}
	})
}

func BenchmarkCronNext(b *testing.B) {
	berlin := cronZone(b, "Europe/Berlin")
	for _, spec := range []string{"*/5 * * * *", "30 4 * * MON-FRI", "0 0 1 1 *", "0 0 29 2 *", "0 0 30 2 *"} {
		b.Run(spec, func(b *testing.B) {
			s, err := ParseCron(spec, berlin)
			require.NoError(b, err)
			at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			b.ReportAllocs()
			for b.Loop() {
				next, ok := s.Next(at)
				if !ok || next.Year() > 2090 {
					next = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				}
				at = next
			}
		})
	}
}

// SPDX-License-Identifier: MIT

package troupe

import (
	"math/bits"
	"time"
)

// CronSchedule says when something happens by the calendar. Make one with
// ParseCron. It is a comparable value without pointers into the specification,
// safe for concurrent use. The zero value never fires.
//
// Daylight saving time and other steps of a zone's offset:
//
//	C1  A time that does not exist, because clocks went forward over it, fires
//	    at the first instant after the gap. Several such times fire once.
//	C2  A time that exists twice, because clocks went back, fires the first
//	    time only.
//	C3  A schedule for every hour (an hour field that matches all 24) follows
//	    the time that passes instead: "*/5 * * * *" fires every five minutes
//	    through a repeated hour, and gains nothing from a gap.
//
// An @every schedule is a plain interval: zones do not matter to it.
type CronSchedule struct {
	second, minute uint64 // bit n: value n matches
	hour, day      uint32
	month          uint16
	weekday        uint8
	eitherDay      bool // day and weekday are both restricted: one is enough
	every          time.Duration
	loc            *time.Location
}

const (
	cronDaySeconds = 24 * 60 * 60
	cronAllHours   = 1<<24 - 1

	// cronSearchYears bounds the search. The rarest date that exists, 29
	// February, comes after at most eight years (1896 to 1904).
	cronSearchYears = 9

	// cronMaxYear is the last year in which schedules fire, and the first when
	// negative.
	cronMaxYear = 9999
)

// Next returns the first time after the given one at which the schedule fires,
// in the schedule's zone. It reports false when the schedule never fires again
// (29 February exists, 30 February does not), and for times after the year
// 9999 or before -9999. Cost: under a microsecond for usual schedules, no allocation; the
// search is bounded, so that a date that never comes costs a few microseconds.
func (s CronSchedule) Next(after time.Time) (time.Time, bool) {
	if year := after.Year(); year > cronMaxYear || year < -cronMaxYear {
		return time.Time{}, false
	}
	if s.every > 0 {
		return after.Round(0).Add(s.every), true // Round drops the monotonic clock
	}
	if s.loc == nil {
		return time.Time{}, false
	}

	// Within one segment of constant offset, local time is linear. So search
	// the calendar in local seconds, and look at the rules only at segment ends.
	at := after.In(s.loc)
	_, offset := at.Zone()
	start, end := cronSegment(at)
	local := after.Unix() + 1 + int64(offset)
	if s.hour != cronAllHours && !start.IsZero() {
		local = max(local, start.Unix()+int64(cronOffset(start.Add(-1)))) // C2
	}
	for {
		found, ok := s.nextLocal(local)
		if !ok {
			return time.Time{}, false
		}
		if end.IsZero() || found-int64(offset) < end.Unix() {
			return time.Unix(found-int64(offset), 0).In(s.loc), true
		}
		at = end
		_, offset = at.Zone()
		switch _, end = cronSegment(at); {
		case s.hour == cronAllHours: // C3
			local = at.Unix() + int64(offset)
		case found < at.Unix()+int64(offset): // C1
			return at, true
		default: // C2: whatever was passed before the step is not found again
			local = found
		}
	}
}

// cronSegment returns the bounds of a time span around t without a step of the
// offset; a zero bound means there is none. Neighbours may have one offset.
func cronSegment(t time.Time) (start, end time.Time) {
	start, end = t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		// For zones whose future is a rule, ZoneBounds takes a leap year for
		// 365 days and ends it on 31 December, before t. Step over that day.
		end = t.Add(cronDaySeconds * time.Second)
	}
	return start, end
}

// cronOffset returns the offset from UTC in seconds at t.
func cronOffset(t time.Time) int {
	_, offset := t.Zone()
	return offset
}

// nextLocal returns the first matching time at or after from. Both are seconds
// of local time, counted from 1970 as if every day had 24 hours.
func (s *CronSchedule) nextLocal(from int64) (int64, bool) {
	days := from / cronDaySeconds
	clock := int(from % cronDaySeconds)
	if clock < 0 {
		days, clock = days-1, clock+cronDaySeconds
	}
	year, month, day := cronDate(days)
	last := min(year+cronSearchYears, cronMaxYear)
	for year <= last {
		if s.month&(1<<month) == 0 {
			days += int64(cronMonthDays(year, month) - day + 1)
			day = 1
			if month++; month > 12 {
				year, month = year+1, 1
			}
			clock = 0
			continue
		}
		if s.matchDay(day, int(((days+4)%7+7)%7)) { // day 0 was a Thursday
			if found, ok := s.nextClock(clock); ok {
				return days*cronDaySeconds + int64(found), true
			}
		}
		clock = 0
		days++
		if day++; day > cronMonthDays(year, month) {
			day = 1
			if month++; month > 12 {
				year, month = year+1, 1
			}
		}
	}
	return 0, false
}

// matchDay reports whether the schedule fires on a day of the month that is a
// weekday (0 is Sunday).
func (s *CronSchedule) matchDay(day, weekday int) bool {
	byDay, byWeekday := s.day&(1<<day) != 0, s.weekday&(1<<weekday) != 0
	if s.eitherDay {
		return byDay || byWeekday
	}
	return byDay && byWeekday
}

// nextClock returns the first matching second of the day at or after from.
func (s *CronSchedule) nextClock(from int) (int, bool) {
	hour, minute, second := from/3600, from/60%60, from%60
	h := cronNextBit(uint64(s.hour), hour)
	if h == hour {
		m := cronNextBit(s.minute, minute)
		if m == minute {
			if sec := cronNextBit(s.second, second); sec < 64 {
				return h*3600 + m*60 + sec, true
			}
			m = cronNextBit(s.minute, minute+1)
		}
		if m < 64 {
			return h*3600 + m*60 + cronNextBit(s.second, 0), true
		}
		h = cronNextBit(uint64(s.hour), hour+1)
	}
	if h == 64 {
		return 0, false
	}
	return h*3600 + cronNextBit(s.minute, 0)*60 + cronNextBit(s.second, 0), true
}

// cronNextBit returns the first bit of set at or after from, 64 if there is none.
func cronNextBit(set uint64, from int) int {
	return bits.TrailingZeros64(set >> from << from)
}

// cronDate returns the date of a day counted from 1 January 1970, in the
// proleptic Gregorian calendar. Years are taken to begin in March, so that the
// leap day comes last (Howard Hinnant, "chrono-Compatible Low-Level Date
// Algorithms").
func cronDate(days int64) (year, month, day int) {
	const daysOf400Years, daysTo1970 = 146097, 719468 // the latter from 1 March 0
	days += daysTo1970
	cycle := days / daysOf400Years
	if days < 0 {
		cycle = (days - daysOf400Years + 1) / daysOf400Years
	}
	d := int(days - cycle*daysOf400Years)
	y := (d - d/1460 + d/36524 - d/146096) / 365
	d -= 365*y + y/4 - y/100
	m := (5*d + 2) / 153 // months since March: lengths repeat every 153 days
	day = d - (153*m+2)/5 + 1
	year, month = y+int(cycle)*400, m+3
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, day
}

// cronMonthDays returns the number of days of a month.
func cronMonthDays(year, month int) int {
	switch {
	case month != 2:
		return 30 + (month+month/8)&1
	case year%4 == 0 && (year%100 != 0 || year%400 == 0):
		return 29
	}
	return 28
}

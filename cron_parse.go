// SPDX-License-Identifier: MIT

package troupe

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrBadCron is wrapped by every error of ParseCron; see CronError.
var ErrBadCron = errors.New("troupe: bad cron specification")

// CronError says what is wrong with a cron specification, and where. It wraps
// ErrBadCron.
type CronError struct {
	Spec   string // as given to ParseCron, cut to maxCronSpecBytes
	Field  string // "minute", "time zone", ...; empty when it concerns the whole
	Column int    // where in Spec, in bytes from 1
	Reason string
}

func (e *CronError) Error() string {
	field := e.Field
	if field != "" {
		field += ": "
	}
	return fmt.Sprintf("%v %q: column %d: %s%s", ErrBadCron, e.Spec, e.Column, field, e.Reason)
}

func (e *CronError) Unwrap() error { return ErrBadCron }

// maxCronSpecBytes bounds a specification. A list of all 60 seconds and
// minutes fits twice.
const maxCronSpecBytes = 1024

// minCronEvery is the shortest @every interval; for shorter ones there are
// timers.
const minCronEvery = time.Second

// cronField is one place of a specification.
type cronField struct {
	name      string
	low, high int
	names     string // three letters each, for low, low+1, ...
	question  bool   // "?" means "*"
}

// cronFieldAt returns the fields in order; seconds are optional.
func cronFieldAt(i int) cronField {
	return [...]cronField{
		{name: "second", high: 59},
		{name: "minute", high: 59},
		{name: "hour", high: 23},
		{name: "day of month", low: 1, high: 31, question: true},
		{name: "month", low: 1, high: 12, names: "janfebmaraprmayjunjulaugsepoctnovdec"},
		{name: "day of week", high: 7, names: "sunmontuewedthufrisat", question: true},
	}[i]
}

const cronFields = 6

// cronDescriptor returns the fields that a word stands for.
func cronDescriptor(word string) (fields string, ok bool) {
	switch word {
	case "@yearly", "@annually":
		return "0 0 1 1 *", true
	case "@monthly":
		return "0 0 1 * *", true
	case "@weekly":
		return "0 0 * * 0", true
	case "@daily", "@midnight":
		return "0 0 * * *", true
	case "@hourly":
		return "0 * * * *", true
	case "@minutely":
		return "* * * * *", true
	}
	return "", false
}

// ParseCron reads a cron specification in the time zone loc; nil means UTC.
//
//	"30 4 * * MON-FRI"           minute hour day-of-month month day-of-week
//	"*/10 30 4 * * *"            the same with seconds first
//	"CRON_TZ=Asia/Tokyo 0 5 * * *", "TZ=..."   a zone that overrides loc
//	"@hourly" "@daily" "@midnight" "@weekly" "@monthly" "@yearly" "@annually" "@minutely"
//	"@every 1h30m"               an interval of at least a second
//
// A field is a list of parts separated by commas. A part is * (all), n, n-m,
// or one of these followed by /step; n/step means from n to the end. Months
// and days of the week have English names of three letters in any case; Sunday
// is 0 or 7; ? means * in the two day fields. When both day fields are
// restricted (not *, ? or */1), a day that matches either is enough, as cron has it.
//
// Every error is a *CronError that wraps ErrBadCron. A zone given by name is
// looked up in the system's database, which can mean reading a file.
func ParseCron(spec string, loc *time.Location) (CronSchedule, error) {
	p := cronParser{spec: spec}
	if len(spec) > maxCronSpecBytes {
		p.spec = spec[:maxCronSpecBytes]
		return CronSchedule{}, p.fail(0, "", "longer than %d bytes", maxCronSpecBytes)
	}
	if loc == nil {
		loc = time.UTC
	}
	rest, loc, err := p.zone(loc)
	if err != nil {
		return CronSchedule{}, err
	}
	if strings.HasPrefix(rest.text, "@") {
		return p.descriptor(rest, loc)
	}
	return p.fields(cronSplit(rest), loc)
}

// cronText is a part of a specification and where it starts.
type cronText struct {
	text string
	at   int
}

func (t cronText) from(i int) cronText { return cronText{t.text[i:], t.at + i} }

// trim removes blanks on both sides.
func (t cronText) trim() cronText {
	left := strings.TrimLeft(t.text, " \t")
	return cronText{strings.TrimRight(left, " \t"), t.at + len(t.text) - len(left)}
}

// cut splits t at the first of the bytes in seps.
func (t cronText) cut(seps string) (before, after cronText, found bool) {
	i := strings.IndexAny(t.text, seps)
	if i < 0 {
		return t, cronText{"", t.at + len(t.text)}, false
	}
	return cronText{t.text[:i], t.at}, t.from(i + 1), true
}

// cronSplit splits at blanks.
func cronSplit(t cronText) (words []cronText) {
	for t = t.trim(); t.text != ""; t = t.trim() {
		var word cronText
		word, t, _ = t.cut(" \t")
		words = append(words, word)
	}
	return words
}

type cronParser struct{ spec string }

func (p *cronParser) fail(at int, field, format string, args ...any) error {
	return &CronError{Spec: p.spec, Field: field, Column: at + 1, Reason: fmt.Sprintf(format, args...)}
}

// zone takes a CRON_TZ= or TZ= prefix off.
func (p *cronParser) zone(loc *time.Location) (cronText, *time.Location, error) {
	rest := cronText{p.spec, 0}.trim()
	prefix := 0
	for _, s := range []string{"CRON_TZ=", "TZ="} {
		if strings.HasPrefix(rest.text, s) {
			prefix = len(s)
			break
		}
	}
	if prefix == 0 {
		return rest, loc, nil
	}
	name, rest, _ := rest.from(prefix).cut(" \t")
	if name.text == "" {
		return rest, nil, p.fail(name.at, "time zone", "missing")
	}
	loc, err := time.LoadLocation(name.text)
	if err != nil {
		return rest, nil, p.fail(name.at, "time zone", "unknown %q", name.text)
	}
	return rest.trim(), loc, nil
}

// descriptor reads what begins with @.
func (p *cronParser) descriptor(rest cronText, loc *time.Location) (CronSchedule, error) {
	const field = "descriptor"
	word, arg, _ := rest.cut(" \t")
	arg = arg.trim()
	if word.text == "@every" {
		d, err := time.ParseDuration(arg.text)
		switch {
		case err != nil:
			return CronSchedule{}, p.fail(arg.at, field, "%q is not a duration", arg.text)
		case d < minCronEvery:
			return CronSchedule{}, p.fail(arg.at, field, "%v is below %v", d, minCronEvery)
		}
		return CronSchedule{every: d, loc: loc}, nil
	}
	fields, ok := cronDescriptor(word.text)
	switch {
	case !ok:
		return CronSchedule{}, p.fail(word.at, field, "unknown %q", word.text)
	case arg.text != "":
		return CronSchedule{}, p.fail(arg.at, field, "%q takes no argument", word.text)
	}
	return p.fields(cronSplit(cronText{fields, word.at}), loc)
}

// fields reads the five or six fields.
func (p *cronParser) fields(words []cronText, loc *time.Location) (CronSchedule, error) {
	s := CronSchedule{loc: loc, second: 1}
	skip := cronFields - len(words)
	if skip != 0 && skip != 1 {
		return CronSchedule{}, p.fail(0, "", "%d fields, want 5, or 6 with seconds first", len(words))
	}
	var set [cronFields]uint64
	set[0] = 1
	for i, word := range words {
		var err error
		if set[skip+i], err = p.field(word, cronFieldAt(skip+i)); err != nil {
			return CronSchedule{}, err
		}
	}
	set[5] = (set[5] | set[5]>>7) & 0x7f // 7 is Sunday, too
	s.second, s.minute, s.hour = set[0], set[1], uint32(set[2])
	s.day, s.month, s.weekday = uint32(set[3]), uint16(set[4]), uint8(set[5])
	every := func(i int, full uint64) bool { return strings.ContainsAny(words[i-skip].text, "*?") && set[i] == full }
	s.eitherDay = !every(3, 1<<32-2) && !every(5, 1<<7-1)
	return s, nil
}

// field reads a list of parts.
func (p *cronParser) field(list cronText, f cronField) (set uint64, err error) {
	for more := true; more; {
		var part cronText
		part, list, more = list.cut(",")
		bits, err := p.part(part, f)
		if err != nil {
			return 0, err
		}
		set |= bits
	}
	return set, nil
}

// part reads one of *, n, n-m, and a step after it.
func (p *cronParser) part(part cronText, f cronField) (set uint64, err error) {
	span, stepText, stepped := part.cut("/")
	first, last := f.low, f.high
	if span.text != "*" && (span.text != "?" || !f.question) {
		from, to, ranged := span.cut("-")
		if first, err = p.value(from, f); err != nil {
			return 0, err
		}
		switch {
		case ranged:
			if last, err = p.value(to, f); err != nil {
				return 0, err
			}
			if last < first {
				return 0, p.fail(span.at, f.name, "range %q ends before it begins", span.text)
			}
		case !stepped:
			last = first
		}
	}
	step := 1
	if stepped {
		most := f.high - f.low + 1
		if step, err = p.number(stepText, f); err != nil {
			return 0, err
		}
		if step < 1 || step > most {
			return 0, p.fail(stepText.at, f.name, "step %q is not in 1-%d", stepText.text, most)
		}
	}
	for v := first; v <= last; v += step {
		set |= 1 << v
	}
	return set, nil
}

// value reads a number or a name.
func (p *cronParser) value(t cronText, f cronField) (int, error) {
	if len(t.text) == 3 && f.names != "" {
		if i := strings.Index(f.names, strings.ToLower(t.text)); i >= 0 && i%3 == 0 {
			return f.low + i/3, nil
		}
	}
	v, err := p.number(t, f)
	if err != nil {
		return 0, err
	}
	if v < f.low || v > f.high {
		return 0, p.fail(t.at, f.name, "%s is not in %d-%d", t.text, f.low, f.high)
	}
	return v, nil
}

// number reads one to four decimal digits, nothing else.
func (p *cronParser) number(t cronText, f cronField) (int, error) {
	if t.text == "" {
		return 0, p.fail(t.at, f.name, "a value is missing")
	}
	v, err := strconv.ParseUint(t.text, 10, 16)
	if err != nil || t.text[0] == '+' {
		return 0, p.fail(t.at, f.name, "%q is not a number in %d-%d", t.text, f.low, f.high)
	}
	return int(v), nil
}

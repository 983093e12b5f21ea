// SPDX-License-Identifier: MIT

package lock

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// retired returns the numbers of old and those that more yields, sorted.
func retired(old []int32, more func(yield func(int32))) []int32 {
	all := slices.Clone(old)
	more(func(n int32) { all = append(all, n) })
	slices.Sort(all)
	return slices.Compact(all)
}

// Incompatible lists, one sentence each, the edits between old and now after
// which nodes or clients with old code and with new code misunderstand each
// other. Additions and renamed fields are not among them.
func Incompatible(old, now *File) []string {
	var c comparer
	for _, name := range slices.Sorted(maps.Keys(old.Kinds)) {
		kind := now.Kinds[name]
		if kind == nil {
			c.add("kind %q was removed or renamed (//troupe:kind keeps a name): callers with old code get ErrUnknownKind", name)
			continue
		}
		c.kind(name, old.Kinds[name], kind)
	}
	for _, key := range slices.Sorted(maps.Keys(old.Messages)) {
		// A struct that is no longer used shows where it was used.
		if message := now.Messages[key]; message != nil {
			c.message("struct "+key, "field", old.Messages[key], message)
		}
	}
	return c.found
}

type comparer struct{ found []string }

func (c *comparer) add(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

func (c *comparer) kind(name string, old, now *Kind) {
	numbers := make(map[int32]string)
	for _, method := range slices.Sorted(maps.Keys(old.Methods)) {
		was, is := old.Methods[method], now.Methods[method]
		where := name + "." + method
		if is == nil {
			c.add("method %s was removed or renamed: callers with old code get ErrUnknownMethod for number %d", where, was.Number)
			continue
		}
		if is.Number != was.Number {
			c.add("method %s was renumbered from %d to %d", where, was.Number, is.Number)
		}
		c.message("method "+where, "parameter", was.Args, is.Args)
		c.message("method "+where, "result", was.Reply, is.Reply)
	}
	for _, method := range slices.Sorted(maps.Keys(now.Methods)) {
		n := now.Methods[method].Number
		if other, ok := numbers[n]; ok {
			c.add("methods %s and %s of kind %q have the same number %d: the lock file was edited or merged badly", other, method, name, n)
		}
		if slices.Contains(old.Retired, n) {
			c.add("method %s.%s has number %d, which a removed method had", name, method, n)
		}
		numbers[n] = method
	}
}

// message compares field by field. A field whose name turns up under another
// number was moved, even if the types happen to agree.
func (c *comparer) message(where, what string, old, now *Message) {
	place := make(map[string]string)
	for num, f := range now.Fields {
		place[f.Name] = num
	}
	for _, num := range slices.SortedFunc(maps.Keys(old.Fields), byNumber) {
		was := old.Fields[num]
		is, ok := now.Fields[num]
		elsewhere, moved := place[was.Name]
		switch {
		case moved && elsewhere != num:
			c.add("%s: %s %s moved from number %s to %s: old code would read another one's value; keep the order, or its tag", where, what, was.Name, num, elsewhere)
		case !ok:
			c.add("%s: %s %s (number %s, %s) was removed: old code would read a zero value", where, what, was.Name, num, was.Type)
		case is.Type != was.Type:
			c.add("%s: %s %s (number %s) was retyped from %s to %s; add a new %s instead", where, what, was.Name, num, was.Type, is.Type, what)
		}
	}
	for _, num := range slices.SortedFunc(maps.Keys(now.Fields), byNumber) {
		n, _ := strconv.ParseInt(num, 10, 32)
		if slices.Contains(old.Retired, int32(n)) {
			c.add("%s: %s %s uses number %s, which a removed one had", where, what, now.Fields[num].Name, num)
		}
	}
}

func byNumber(a, b string) int {
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return x - y
}

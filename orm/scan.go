// SPDX-License-Identifier: MIT

package orm

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON tokens. It knows the grammar but no types.
type scanner struct {
	data []byte
	pos  int
}

func (s *scanner) fail(format string, args ...any) *valueError {
	return refuse("at byte %d: %s", s.pos, fmt.Sprintf(format, args...))
}

// peek skips white space and returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// accept consumes c if it is next.
func (s *scanner) accept(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) expect(c byte) *valueError {
	if !s.accept(c) {
		return s.fail("expected %q", string(rune(c)))
	}
	return nil
}

// word consumes a literal such as null if it is next.
func (s *scanner) word(w string) bool {
	s.peek()
	if len(s.data)-s.pos < len(w) || string(s.data[s.pos:s.pos+len(w)]) != w {
		return false
	}
	s.pos += len(w)
	return true
}

// number returns the bytes of a number. Their grammar is checked.
func (s *scanner) number() ([]byte, *valueError) {
	s.peek()
	start := s.pos
	s.skip('-')
	if !s.skip('0') && s.digits() == 0 {
		return nil, s.fail("expected a number")
	}
	if s.skip('.') && s.digits() == 0 {
		return nil, s.fail("expected digits behind the point")
	}
	if s.skip('e') || s.skip('E') {
		if !s.skip('+') {
			s.skip('-')
		}
		if s.digits() == 0 {
			return nil, s.fail("expected digits in the exponent")
		}
	}
	return s.data[start:s.pos], nil
}

func (s *scanner) skip(c byte) bool {
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) digits() int {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos]-'0' <= 9 {
		s.pos++
	}
	return s.pos - start
}

// text returns the bytes of a string. They may alias the input or buf.
func (s *scanner) text(buf []byte) ([]byte, *valueError) {
	if bad := s.expect('"'); bad != nil {
		return nil, bad
	}
	start := s.pos
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			out := s.data[start:s.pos]
			s.pos++
			if !utf8.Valid(out) {
				return nil, s.fail("string is not UTF-8")
			}
			return out, nil
		case c == '\\':
			return s.escaped(append(buf[:0], s.data[start:s.pos]...))
		case c < ' ':
			return nil, s.fail("control character in a string")
		}
		s.pos++
	}
	return nil, s.fail("string does not end")
}

// escaped continues a string from its first backslash.
func (s *scanner) escaped(out []byte) ([]byte, *valueError) {
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		s.pos++
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				return nil, s.fail("string is not UTF-8")
			}
			return out, nil
		case c < ' ':
			return nil, s.fail("control character in a string")
		case c != '\\':
			out = append(out, c)
			continue
		}
		var bad *valueError
		if out, bad = s.escape(out); bad != nil {
			return nil, bad
		}
	}
	return nil, s.fail("string does not end")
}

func (s *scanner) escape(out []byte) ([]byte, *valueError) {
	if s.pos >= len(s.data) {
		return nil, s.fail("string does not end")
	}
	c := s.data[s.pos]
	s.pos++
	switch c {
	case '"', '\\', '/':
		return append(out, c), nil
	case 'n':
		return append(out, '\n'), nil
	case 't':
		return append(out, '\t'), nil
	case 'r':
		return append(out, '\r'), nil
	case 'b':
		return append(out, '\b'), nil
	case 'f':
		return append(out, '\f'), nil
	case 'u':
		r, ok := s.hex()
		if ok && utf16.IsSurrogate(r) {
			second, paired := rune(0), s.skip('\\') && s.skip('u')
			if paired {
				second, paired = s.hex()
			}
			r = utf16.DecodeRune(r, second)
			ok = paired && r != utf8.RuneError
		}
		if !ok {
			return nil, s.fail("bad \\u escape")
		}
		return utf8.AppendRune(out, r), nil
	}
	return nil, s.fail("unknown escape \\%c", c)
}

func (s *scanner) hex() (rune, bool) {
	if len(s.data)-s.pos < 4 {
		return 0, false
	}
	v, err := strconv.ParseUint(string(s.data[s.pos:s.pos+4]), 16, 16)
	s.pos += 4
	return rune(v), err == nil
}

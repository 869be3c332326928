package timeline

import "strings"

// space is what isspace holds for in the C locale.
const space = " \t\n\v\f\r"

// scanNumber reads a number from the front of s as scanf does with %u and %X
// in the C library that servers on Linux use: blanks and a sign before it,
// 0x before hexadecimal digits, and a result cut to 32 bits. A number past 64
// bits is the largest there is.
//
// most limits the characters after the blanks; 0 for any number.
func scanNumber(s string, base uint64, most int) (n uint32, rest string, ok bool) {
	s = strings.TrimLeft(s, space)
	if most > 0 && len(s) > most {
		n, rest, ok = scanNumber(s[:most], base, 0)
		return n, rest + s[most:], ok
	}
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if base == 16 && len(s) > 1 && s[0] == '0' && s[1]|0x20 == 'x' {
		s, ok = s[2:], true
	}
	var value uint64
	overflow := false
	for s != "" {
		digit, is := digitValue(s[0])
		if !is || digit >= base {
			break
		}
		if value > (1<<64-1-digit)/base {
			overflow = true
		}
		value = value*base + digit
		s, ok = s[1:], true
	}
	switch {
	case overflow:
		value = 1<<64 - 1
	case negative:
		value = -value
	}
	return uint32(value), s, ok
}

func digitValue(c byte) (uint64, bool) {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0'), true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return uint64(c|0x20-'a') + 10, true
	}
	return 0, false
}

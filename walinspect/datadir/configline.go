package datadir

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// errSyntax is what is wrong with a line of a configuration file.
var errSyntax = errors.New("syntax error")

// configLine is one setting as it stands in a file.
type configLine struct {
	name   string // in lower case
	value  string
	number int // counted from 1
}

// configLines splits the text of a configuration file, by the grammar in
// src/backend/utils/misc/guc-file.l: a name, an equals sign or not, a value,
// a comment or not. It ends with the first error.
func configLines(text string) iter.Seq2[configLine, error] {
	return func(yield func(configLine, error) bool) {
		number := 0
		for text := range strings.Lines(text) {
			number++
			line, err := parseConfigLine(strings.TrimSuffix(text, "\n"))
			if line.number = number; err == nil && line.name == "" {
				continue
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// parseConfigLine reads one line; the name is empty if it holds no setting.
func parseConfigLine(s string) (configLine, error) {
	name, rest, err := configToken(s)
	if err != nil || name == "" {
		return configLine{}, err
	}
	if !isSettingName(name) {
		return configLine{}, near(name)
	}
	value, rest, err := configToken(rest)
	if value == "=" {
		value, rest, err = configToken(rest)
	}
	switch {
	case err != nil:
		return configLine{}, err
	case value == "":
		return configLine{}, fmt.Errorf("%w: %s has no value", errSyntax, name)
	case value == "=", strings.Contains(value, ".") && isSettingName(value): // a.b is a name and no value
		return configLine{}, near(value)
	}
	extra, _, err := configToken(rest)
	if err != nil {
		return configLine{}, err
	}
	if extra != "" {
		return configLine{}, near(extra)
	}
	if value[0] == '\'' {
		value = unquote(value)
	}
	return configLine{name: lowerASCII(name), value: value}, nil
}

func near(text string) error { return fmt.Errorf("%w near %q", errSyntax, text) }

// configToken takes the next token from the front of a line, with its quotes;
// empty at the end of the line and before a comment.
func configToken(s string) (token, rest string, err error) {
	s = strings.TrimLeft(s, " \t\r")
	if s == "" || s[0] == '#' {
		return "", "", nil
	}
	n := 0
	switch c := s[0]; {
	case c == '=':
		n = 1
	case c == '\'':
		n = quotedLen(s)
	case isLetter(c):
		n = spanLen(s, func(c byte) bool { return isLetter(c) || isDigit(c) || strings.IndexByte("-._:/", c) >= 0 })
	default:
		n = max(integerLen(s), realLen(s))
	}
	if n == 0 {
		return "", "", near(s)
	}
	return s[:n], s[n:], nil
}

// isSettingName holds for a name, or two with a dot between them.
func isSettingName(s string) bool {
	first, second, dotted := strings.Cut(s, ".")
	return isName(first) && (!dotted || isName(second))
}

func isName(s string) bool {
	return s != "" && isLetter(s[0]) && spanLen(s, func(c byte) bool { return isLetter(c) || isDigit(c) }) == len(s)
}

// isLetter holds for ASCII letters, the underscore and every byte above ASCII.
func isLetter(c byte) bool { return isASCIILetter(c) || c == '_' || c >= 0x80 }

func isASCIILetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHexDigit(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// spanLen is how many bytes at the front of s the predicate holds for.
func spanLen(s string, holds func(byte) bool) int {
	n := 0
	for n < len(s) && holds(s[n]) {
		n++
	}
	return n
}

func signLen(s string) int {
	return min(1, spanLen(s, func(c byte) bool { return c == '+' || c == '-' }))
}

// integerLen measures digits, or 0x and hexadecimal ones, and the letters of a
// unit; 0 if there are none.
func integerLen(s string) int {
	sign := signLen(s)
	n := spanLen(s[sign:], isDigit)
	if strings.HasPrefix(s[sign:], "0x") {
		if hex := spanLen(s[sign+2:], isHexDigit); hex > 0 {
			n = 2 + hex
		}
	}
	if n == 0 {
		return 0
	}
	n += sign
	return n + spanLen(s[n:], isASCIILetter)
}

// realLen measures digits around a point, with an exponent or not; 0 if there
// is no point.
func realLen(s string) int {
	n := signLen(s)
	n += spanLen(s[n:], isDigit)
	if n == len(s) || s[n] != '.' {
		return 0
	}
	n++
	n += spanLen(s[n:], isDigit)
	if n < len(s) && s[n]|0x20 == 'e' {
		sign := signLen(s[n+1:])
		if digits := spanLen(s[n+1+sign:], isDigit); digits > 0 {
			n += 1 + sign + digits
		}
	}
	return n
}

// quotedLen measures a quoted string with both quotes; 0 if it does not end.
// A quote inside is doubled or follows a backslash.
func quotedLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
		case s[i] == '\'':
			return i + 1
		}
	}
	return 0
}

// unquote gives the text of a quoted string (DeescapeQuotedString in
// src/backend/utils/misc/guc-file.l).
func unquote(s string) string {
	s = s[1 : len(s)-1]
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\'' {
			i++ // the second of a doubled quote
		}
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case strings.IndexByte("bfnrt", c) >= 0:
			b.WriteByte("\b\f\n\r\t"[strings.IndexByte("bfnrt", c)])
		case '0' <= c && c <= '7':
			digits := min(3, spanLen(s[i:], func(c byte) bool { return '0' <= c && c <= '7' }))
			n, _ := strconv.ParseUint(s[i:i+digits], 8, 16)
			b.WriteByte(byte(n))
			i += digits - 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// lowerASCII folds names as guc_name_compare in src/backend/utils/misc/guc.c does.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

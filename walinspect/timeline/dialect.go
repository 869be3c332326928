package timeline

import (
	"math"
	"regexp"
	"strings"

	"forkpoint/walinspect/pg"
)

// Dialect is a reader of history files. All agree on every file that a server
// writes; on files that people changed they may not.
type Dialect string

const (
	// Server13 is the server of versions 13 to 18.
	Server13 Dialect = "server of 13 to 18"
	// Server19 reads no more than eight characters of a position's lower half.
	Server19 Dialect = "server of 19"
	// PgRewind knows no longest line.
	PgRewind Dialect = "pg_rewind"
)

// Dialects lists all readers, the default first.
func Dialects() []Dialect { return []Dialect{Server13, Server19, PgRewind} }

func (d Dialect) lineLimit() int {
	if d == PgRewind {
		return math.MaxInt
	}
	return maxLine
}

func (d Dialect) digitLimit() int {
	if d == Server19 {
		return 8
	}
	return 0
}

// Reading is what one reader makes of a file.
type Reading struct {
	By      Dialect
	History *History // nil if it refuses the file
	Err     error
}

// Readings are all readers' opinions of a file.
func Readings(tli pg.TimelineID, b []byte) []Reading {
	var all []Reading
	for _, d := range Dialects() {
		h, err := ParseAs(d, tli, b)
		all = append(all, Reading{d, h, err})
	}
	return all
}

// strictRow is how servers write a row, with any blanks.
var strictRow = regexp.MustCompile(`^[0-9]{1,10}[ \t]+[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}([ \t\r]|$)`)

// Oddity is a row that servers read though none writes it so: with signs, a
// hexadecimal prefix, too many digits, or text glued to a number. What they
// read it as is a matter of the C library, and later versions may refuse it.
type Oddity struct {
	Line  int
	Text  string
	Entry Entry // what it is read as
}

// Oddities lists such rows of a file that [Parse] accepts.
func Oddities(b []byte) []Oddity {
	var odd []Oddity
	for line, number := range lines(b, maxLine) {
		s := strings.Trim(string(line), space)
		if s == "" || s[0] == '#' || strictRow.MatchString(s) {
			continue
		}
		if e, rule := parseEntry(s, 0); rule == "" {
			e.Line = number
			odd = append(odd, Oddity{number, s, e})
		}
	}
	return odd
}

package pg

import (
	"fmt"
	"strconv"
	"strings"
)

// TimelineID numbers a branch of the log (TimeLineID in
// src/include/access/xlogdefs.h). A promotion starts a new one.
type TimelineID uint32

// ParseTimeline reads a timeline number in decimal, or in the eight-digit
// hexadecimal form of file names when prefixed with 0x.
func ParseTimeline(s string) (TimelineID, error) {
	digits, hex := strings.CutPrefix(s, "0x")
	base := 10 // also after a leading zero
	if hex {
		base = 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("invalid timeline %q: want a number from 1 to %d", s, uint32(1<<32-1))
	}
	return TimelineID(n), nil
}

func (t TimelineID) String() string { return strconv.FormatUint(uint64(t), 10) }

// HistoryName is the name of the timeline's history file (TLHistoryFileName
// in src/include/access/xlog_internal.h).
func (t TimelineID) HistoryName() string { return fmt.Sprintf("%08X.history", uint32(t)) }

// ParseHistoryName is the reverse of [TimelineID.HistoryName]. Like the
// server it takes eight upper-case digits and nothing else.
func ParseHistoryName(name string) (TimelineID, bool) {
	const suffix = ".history"
	if len(name) != 8+len(suffix) || name[8:] != suffix || !isUpperHex(name[:8]) {
		return 0, false
	}
	n, err := strconv.ParseUint(name[:8], 16, 32)
	return TimelineID(n), err == nil && n > 0
}

func isUpperHex(s string) bool {
	for _, c := range []byte(s) {
		if !('0' <= c && c <= '9' || 'A' <= c && c <= 'F') {
			return false
		}
	}
	return s != ""
}

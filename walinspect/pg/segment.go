package pg

import (
	"fmt"
	"strconv"
	"strings"
)

// SegmentSize is the length of the cluster's WAL segment files in bytes: a
// power of two from 1 MB to 1 GB, chosen at initdb. All arithmetic between
// log positions and segment files goes through it; there is no default.
type SegmentSize uint32

// Limits of [SegmentSize] (WalSegMinSize, WalSegMaxSize in
// src/include/access/xlog_internal.h).
const (
	MinSegmentSize SegmentSize = 1 << 20
	MaxSegmentSize SegmentSize = 1 << 30
)

// Valid tells whether a server accepts the size (IsValidWalSegSize).
func (s SegmentSize) Valid() bool {
	return s >= MinSegmentSize && s <= MaxSegmentSize && s&(s-1) == 0
}

// Number is the segment that holds the byte at l.
func (s SegmentSize) Number(l LSN) uint64 { return uint64(l) / uint64(s) }

// Offset is where in its segment the byte at l lies.
func (s SegmentSize) Offset(l LSN) uint32 { return uint32(uint64(l) % uint64(s)) }

// Start is the first byte of segment n.
func (s SegmentSize) Start(n uint64) LSN { return LSN(n * uint64(s)) }

// Span is the range of the log that segment n holds.
func (s SegmentSize) Span(n uint64) Span { return Span{s.Start(n), s.Start(n + 1)} }

// Name is the file name of segment n on a timeline.
func (s SegmentSize) Name(tli TimelineID, n uint64) string {
	return SegmentName{tli, n}.Format(s)
}

// SegmentName is a timeline and a segment number: what the 24 digits of a
// segment file's name say, once the segment size is known.
type SegmentName struct {
	Timeline TimelineID
	Number   uint64
}

// Format prints the file name (XLogFileName in
// src/include/access/xlog_internal.h).
func (n SegmentName) Format(size SegmentSize) string {
	per := uint64(1<<32) / uint64(size)
	return fmt.Sprintf("%08X%08X%08X", uint32(n.Timeline), n.Number/per, n.Number%per)
}

// IsSegmentName tells whether name has the form of a segment file: 24
// upper-case hexadecimal digits (IsXLogFileName).
func IsSegmentName(name string) bool { return len(name) == 24 && isUpperHex(name) }

// ParseSegmentName is the reverse of [SegmentName.Format]. A name whose last
// part is larger than the segment size allows is refused: it belongs to a
// cluster with smaller segments.
func ParseSegmentName(name string, size SegmentSize) (SegmentName, error) {
	if !IsSegmentName(name) {
		return SegmentName{}, fmt.Errorf("%q is not the name of a WAL segment: want 24 upper-case hexadecimal digits", name)
	}
	if !size.Valid() {
		return SegmentName{}, fmt.Errorf("segment size %d is not a power of two from 1 MB to 1 GB", size)
	}
	tli, _ := strconv.ParseUint(name[:8], 16, 32)
	high, _ := strconv.ParseUint(name[8:16], 16, 32)
	low, _ := strconv.ParseUint(name[16:], 16, 32)
	per := uint64(1<<32) / uint64(size)
	if tli == 0 || low >= per {
		return SegmentName{}, fmt.Errorf("%q is not the name of a segment of %d bytes", name, size)
	}
	return SegmentName{TimelineID(tli), high*per + low}, nil
}

// TrimPartial removes the suffix that marks a segment which was not complete
// when it was put aside.
func TrimPartial(name string) (string, bool) { return strings.CutSuffix(name, ".partial") }

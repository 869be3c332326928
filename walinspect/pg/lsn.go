package pg

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// LSN is a byte position in the write-ahead log (XLogRecPtr in
// src/include/access/xlogdefs.h). It counts from the start of the cluster's
// log, across timelines and segments.
type LSN uint64

// InvalidLSN is the zero position. No record starts there: initdb begins the
// log at segment 1.
const InvalidLSN LSN = 0

// MaxLSN is the last position there is; as the end of a [Span] it means
// "without end".
const MaxLSN LSN = 1<<64 - 1

// ErrBadLSN is matched by what [ParseLSN] refuses.
var ErrBadLSN = errors.New("invalid LSN")

// ParseLSN reads the two-part hexadecimal form, such as 16/B374D848. Like the
// server's pg_lsn input it takes one to eight digits on each side and nothing
// else, so a pasted log line cannot be mistaken for a position.
func ParseLSN(s string) (LSN, error) {
	hi, lo, found := strings.Cut(s, "/")
	if !found {
		return InvalidLSN, fmt.Errorf("%w %q: missing slash", ErrBadLSN, s)
	}
	h, err := parseHalf(hi)
	if err != nil {
		return InvalidLSN, fmt.Errorf("%w %q: %s", ErrBadLSN, s, err)
	}
	l, err := parseHalf(lo)
	if err != nil {
		return InvalidLSN, fmt.Errorf("%w %q: %s", ErrBadLSN, s, err)
	}
	return LSN(h<<32 | l), nil
}

func parseHalf(s string) (uint64, error) {
	if s == "" || len(s) > 8 {
		return 0, errors.New("want one to eight hexadecimal digits on each side")
	}
	if !isHex(s) {
		return 0, errors.New("not a hexadecimal digit")
	}
	return strconv.ParseUint(s, 16, 32)
}

// isHex holds for hexadecimal digits of either case and nothing else; signs,
// underscores and prefixes, which strconv would take, are refused.
func isHex(s string) bool {
	for _, c := range []byte(s) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
			return false
		}
	}
	return s != ""
}

// Valid tells whether l is a position at all.
func (l LSN) Valid() bool { return l != InvalidLSN }

// High and Low are the two halves that the server prints on each side of the slash.
func (l LSN) High() uint32 { return uint32(l >> 32) }

// Low is the lower half, see [LSN.High].
func (l LSN) Low() uint32 { return uint32(l) }

// String prints the form of the server up to version 18, without leading zeros.
func (l LSN) String() string { return string(l.append(nil)) }

func (l LSN) append(b []byte) []byte {
	return appendHex(append(appendHex(b, l.High()), '/'), l.Low())
}

func appendHex(b []byte, v uint32) []byte {
	for shift := max(0, bits.Len32(v)-1) &^ 3; shift >= 0; shift -= 4 {
		b = append(b, "0123456789ABCDEF"[v>>shift&15])
	}
	return b
}

// AppendText is [LSN.String] for those who write many.
func (l LSN) AppendText(b []byte) ([]byte, error) { return l.append(b), nil }

// Padded prints the form of version 19, whose low half always has eight digits.
func (l LSN) Padded() string { return fmt.Sprintf("%X/%08X", l.High(), l.Low()) }

// Format prints l as a server of that major does.
func (l LSN) Format(major int) string {
	if major >= 19 {
		return l.Padded()
	}
	return l.String()
}

// MarshalText makes an LSN read the same in JSON, in slog and on a terminal.
func (l LSN) MarshalText() ([]byte, error) { return l.append(nil), nil }

// UnmarshalText is the reverse of [LSN.MarshalText].
func (l *LSN) UnmarshalText(b []byte) (err error) {
	*l, err = ParseLSN(string(b))
	return err
}

// Align rounds up to the 8-byte border on which records start.
func (l LSN) Align() LSN { return (l + 7) &^ 7 }

// Span is the half-open range [From, To) of the log.
type Span struct {
	From LSN `json:"from"`
	To   LSN `json:"to"`
}

// Contains tells whether l lies in the span.
func (s Span) Contains(l LSN) bool { return s.From <= l && l < s.To }

// Empty tells whether the span holds no position.
func (s Span) Empty() bool { return s.From >= s.To }

// Len is the number of bytes in the span.
func (s Span) Len() uint64 {
	if s.Empty() {
		return 0
	}
	return uint64(s.To - s.From)
}

// Intersect is the part that both spans share; it may be empty.
func (s Span) Intersect(o Span) Span { return Span{max(s.From, o.From), min(s.To, o.To)} }

func (s Span) String() string { return s.From.String() + ".." + s.To.String() }

package blockmap

import (
	"fmt"
	"strconv"
	"strings"

	"forkpoint/walinspect/pg"
)

// MarshalText prints the blocks as ranges, such as 0-3,7,1024-2047.
func (s *Set) MarshalText() ([]byte, error) {
	var b []byte
	for from, to := range s.Ranges() {
		if b != nil {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(from), 10)
		if last := to - 1; last > from {
			b = append(b, '-')
			b = strconv.AppendUint(b, uint64(last), 10)
		}
	}
	return b, nil
}

// String is the text of [Set.MarshalText].
func (s *Set) String() string {
	b, _ := s.MarshalText() // does not fail
	return string(b)
}

// UnmarshalText is the reverse of [Set.MarshalText]. Ranges must ascend.
func (s *Set) UnmarshalText(b []byte) error {
	*s = Set{}
	if len(b) == 0 {
		return nil
	}
	next := uint64(0) // lowest block that may follow
	for text := range strings.SplitSeq(string(b), ",") {
		low, high, isRange := strings.Cut(text, "-")
		from, err := strconv.ParseUint(low, 10, 32)
		last := from
		if err == nil && isRange {
			last, err = strconv.ParseUint(high, 10, 32)
		}
		if err != nil || from < next || last < from || last >= uint64(pg.InvalidBlock) {
			return fmt.Errorf("%w: %q is not an ascending range of blocks", ErrBadSet, text)
		}
		s.AddRange(pg.BlockNumber(from), pg.BlockNumber(last)+1)
		next = last + 1
	}
	return nil
}

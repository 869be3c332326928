package walsummary

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"forkpoint/walinspect/pg"
)

// Name is what the name of a summary file says: the timeline and the range of
// the log whose records it covers.
type Name struct {
	Timeline pg.TimelineID `json:"timeline"`
	Span     pg.Span       `json:"span"`
}

const suffix = ".summary"

// String is the file's name: five numbers of eight hexadecimal digits.
func (n Name) String() string {
	return fmt.Sprintf("%08X%08X%08X%08X%08X%s", uint32(n.Timeline),
		n.Span.From.High(), n.Span.From.Low(), n.Span.To.High(), n.Span.To.Low(), suffix)
}

// ParseName is the reverse of [Name.String]; false for other files, such as
// the one that a server is writing.
func ParseName(name string) (Name, bool) {
	digits, found := strings.CutSuffix(name, suffix)
	if !found || len(digits) != 40 {
		return Name{}, false
	}
	var part [5]uint32
	for i := range part {
		n, err := strconv.ParseUint(digits[8*i:8*i+8], 16, 32)
		if err != nil {
			return Name{}, false
		}
		part[i] = uint32(n)
	}
	lsn := func(high, low uint32) pg.LSN { return pg.LSN(high)<<32 | pg.LSN(low) }
	n := Name{pg.TimelineID(part[0]), pg.Span{From: lsn(part[1], part[2]), To: lsn(part[3], part[4])}}
	return n, n.String() == name && n.Timeline != 0 && !n.Span.Empty()
}

// Cover chooses the summaries of a timeline that together tell about a span,
// in order, and the parts of the span that none tells about
// (FilterWalSummaries and WalSummariesAreComplete in
// src/backend/backup/walsummary.c). A summary covers records that begin in its
// range, and it cannot be cut: the first and the last may tell about records
// outside of the span as well.
func Cover(names []Name, tli pg.TimelineID, span pg.Span) (used []Name, missing []pg.Span) {
	for _, n := range names {
		if n.Timeline == tli && !n.Span.Intersect(span).Empty() {
			used = append(used, n)
		}
	}
	slices.SortFunc(used, func(a, b Name) int {
		return cmp.Or(cmp.Compare(a.Span.From, b.Span.From), cmp.Compare(a.Span.To, b.Span.To))
	})
	at := span.From
	for _, n := range used {
		if at < n.Span.From {
			missing = append(missing, pg.Span{From: at, To: n.Span.From})
		}
		at = max(at, n.Span.To)
	}
	if at < span.To {
		missing = append(missing, pg.Span{From: at, To: span.To})
	}
	return used, missing
}

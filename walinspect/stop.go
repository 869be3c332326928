package walinspect

import (
	"fmt"

	"forkpoint/walinspect/pg"
)

// StopReason says why a reader handed out no further record. The codes appear
// in JSON reports and in the catalog and are part of the interface.
type StopReason string

const (
	// StopNone is the reason of a reader that has not stopped.
	StopNone StopReason = ""
	// StopLimit: the next record begins at or after the limit that was set.
	StopLimit StopReason = "limit"

	// StopCleanEnd: zeros where the next record would be, and nothing but
	// zeros in the rest of the segment.
	StopCleanEnd StopReason = "clean-end"
	// StopRecycled: older log under a recycled name follows.
	StopRecycled StopReason = "recycled"
	// StopSwitchTail: the last record switched segments and the next segment
	// is absent or not yet written.
	StopSwitchTail StopReason = "switch-tail"
	// StopTorn: a record was begun, is not there in full, and nothing valid
	// follows: the end as a crash leaves it.
	StopTorn StopReason = "torn"

	// StopOverwritten: the record asked for was given up by the log itself; a
	// later server wrote over the place of its continuation.
	StopOverwritten StopReason = "overwritten"
	// StopMissingSegment: the next segment is not there.
	StopMissingSegment StopReason = "missing-segment"
	// StopTruncatedFile: the file ends before its segment does.
	StopTruncatedFile StopReason = "truncated-file"
	// StopZeroFill: zeros where the log should go on, though it does go on
	// after them.
	StopZeroFill StopReason = "zero-fill"
	// StopWrongTimeline: the file's pages belong to a timeline that cannot be
	// here.
	StopWrongTimeline StopReason = "wrong-timeline"
	// StopWrongCluster: the file belongs to a cluster with another system
	// identifier.
	StopWrongCluster StopReason = "wrong-cluster"
	// StopUnknownFormat: the pages are of a version that is not known.
	StopUnknownFormat StopReason = "unknown-format"
	// StopNoRecord: no record can start where one was asked for.
	StopNoRecord StopReason = "no-record"
	// StopCorrupt: the bytes contradict themselves, and it is not the end of
	// the log: valid records follow, or a server would not have left it so.
	StopCorrupt StopReason = "corrupt"
	// StopUnreadable: the operating system or the source failed.
	StopUnreadable StopReason = "unreadable"
	// StopCancelled: the context ended.
	StopCancelled StopReason = "cancelled"
)

// EndOfWAL tells whether a server's recovery would take the place for the
// natural end of the log.
func (s StopReason) EndOfWAL() bool {
	switch s {
	case StopCleanEnd, StopRecycled, StopSwitchTail, StopTorn:
		return true
	}
	return false
}

// Unwritten tells whether a log that stopped for this reason at end, and is
// missing from gap to to, lacks only what a running server has inserted and not
// written out yet: it names the end of what it has inserted, and an idle one may
// take its time with the last record. No page that was read is newer than what
// it has written.
func (s StopReason) Unwritten(size pg.SegmentSize, end, gap, to pg.LSN) bool {
	return s.EndOfWAL() && gap >= end && size.Number(end) == size.Number(to-1)
}

// MayEndLog tells whether the place may be where the log ends. Besides what
// EndOfWAL names that is the end of the last file: a server that crashed may
// not have made the next one. Anything else hides how the log goes on.
func (s StopReason) MayEndLog() bool { return s.EndOfWAL() || s == StopMissingSegment }

// Stop is where and why a reader stopped, with the evidence.
type Stop struct {
	Reason StopReason `json:"reason"`
	LSN    pg.LSN     `json:"lsn"` // end of the valid log: reading could resume here

	// The place that decided it: what was found there and what a log that
	// goes on would have there. After is the start of the first valid record
	// past the damage, if one was found.
	Flaw     Flaw          `json:"flaw,omitempty"`
	At       pg.LSN        `json:"at,omitempty"`
	Timeline pg.TimelineID `json:"timeline,omitempty"` // of the file
	Path     string        `json:"path,omitempty"`
	Offset   int64         `json:"offset,omitempty"` // of At within Path
	Want     string        `json:"want,omitempty"`
	Got      string        `json:"got,omitempty"`
	After    pg.LSN        `json:"after,omitempty"`

	// Err is nil where EndOfWAL holds and for StopLimit.
	Err error `json:"-"`
}

// String is one line for people.
func (s Stop) String() string {
	if s.Reason == StopNone {
		return "not stopped"
	}
	text := fmt.Sprintf("%s at %s", s.Reason, s.LSN)
	if s.Got != "" {
		text += fmt.Sprintf(": want %s, got %s", s.Want, s.Got)
		if s.At != s.LSN {
			text += fmt.Sprintf(" at %s", s.At)
		}
	}
	if s.Path != "" {
		text += fmt.Sprintf(" (%s, offset %d)", s.Path, s.Offset)
	}
	if s.After.Valid() {
		text += fmt.Sprintf("; valid records go on at %s", s.After)
	}
	return text
}

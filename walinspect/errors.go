package walinspect

import (
	"errors"
	"fmt"

	"forkpoint/walinspect/pg"
)

// ErrCorrupt is matched by every error that says the log contradicts itself.
// An unreadable disk or a missing segment does not match it.
var ErrCorrupt = errors.New("corrupt WAL")

// ErrNoRecord is matched by errors about a position where no record can start.
var ErrNoRecord = errors.New("no record starts")

// Flaw names what is wrong with a page or a record. The names appear in JSON
// reports and are part of the interface.
type Flaw string

const (
	FlawZeroPage     Flaw = "zero-page"
	FlawPageMagic    Flaw = "page-magic"
	FlawPageFlags    Flaw = "page-flags"
	FlawPageAddress  Flaw = "page-address"
	FlawSystemID     Flaw = "system-id"
	FlawSegmentSize  Flaw = "segment-size"
	FlawPageSize     Flaw = "page-size"
	FlawTimeline     Flaw = "timeline"
	FlawContinuation Flaw = "continuation"
	FlawOverwrite    Flaw = "overwrite-record"
	FlawZeroLength   Flaw = "zero-length"
	FlawRecordLength Flaw = "record-length"
	FlawRmgr         Flaw = "resource-manager"
	FlawPrevLink     Flaw = "prev-link"
	FlawChecksum     Flaw = "record-checksum"
	FlawRecordBody   Flaw = "record-body"
)

// CorruptError is damage found at one place in the log.
type CorruptError struct {
	Flaw     Flaw
	LSN      pg.LSN        // start of the record or page at fault
	Timeline pg.TimelineID // timeline of the segment that was read; 0 if unknown
	Path     string        // file it was read from; empty for a stream
	Offset   int64         // byte offset of LSN within Path
	Want     string
	Got      string

	found pg.LSN // what Got says, where that is a position
}

func (e *CorruptError) Error() string {
	at := e.LSN.String()
	if e.Timeline != 0 {
		at += fmt.Sprintf(" on timeline %d", e.Timeline)
	}
	if e.Path != "" {
		at += fmt.Sprintf(" (%s, offset %d)", e.Path, e.Offset)
	}
	return fmt.Sprintf("%s at %s: want %s, got %s", e.Flaw, at, e.Want, e.Got)
}

// Is makes errors.Is(err, ErrCorrupt) hold.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Hint says what the operator can do, or "" when there is nothing general to say.
func (e *CorruptError) Hint() string {
	switch e.Flaw {
	case FlawPageAddress:
		return "the file holds other WAL under this name, often an older recycled segment; look for this segment in the archive"
	case FlawSystemID:
		return "the file belongs to another cluster; check which archive or directory it was taken from"
	case FlawTimeline:
		return "the file belongs to another branch of the log; look for the segment of the right timeline"
	case FlawChecksum, FlawZeroPage, FlawRecordBody:
		return "the file is damaged; look for another copy of this segment in the archive or on another node"
	}
	return ""
}

// StopError is a stop where a record was asked for. It unwraps to the error of
// the stop, if that has one.
type StopError struct{ Stop }

func (e *StopError) Error() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return e.Stop.String()
}

func (e *StopError) Unwrap() error { return e.Err }

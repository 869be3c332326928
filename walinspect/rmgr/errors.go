package rmgr

import (
	"errors"
	"fmt"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// ErrUnknownEffect is matched when a record changes files in a way that is not
// known. Whoever collects changes must not go on as if it had seen them all.
var ErrUnknownEffect = errors.New("unknown effect on relation files")

// ErrPayload is matched when a record's payload does not have the form that
// its operation has in its version.
var ErrPayload = errors.New("malformed record payload")

// UnknownEffectError is the record that [ErrUnknownEffect] is about.
type UnknownEffectError struct {
	LSN      pg.LSN
	Timeline pg.TimelineID
	Rmgr     pg.RmgrID
	Info     uint8 // all eight bits
}

func (e *UnknownEffectError) Error() string {
	return fmt.Sprintf("record at %s on timeline %d: %s: resource manager %d (%s), info %02X",
		e.LSN, e.Timeline, ErrUnknownEffect, uint8(e.Rmgr), e.Rmgr, e.Info)
}

// Is makes errors.Is(err, ErrUnknownEffect) hold.
func (e *UnknownEffectError) Is(target error) bool { return target == ErrUnknownEffect }

// Hint says what the operator can do.
func (e *UnknownEffectError) Hint() string {
	if e.Rmgr.Custom() {
		return "an extension wrote this record; what it did to files can only be found by comparing the files"
	}
	return ""
}

func unknownEffect(rec *walinspect.Record) error {
	return &UnknownEffectError{LSN: rec.LSN, Timeline: rec.Timeline, Rmgr: rec.Rmgr, Info: rec.Info}
}

// PayloadError is the record that [ErrPayload] is about.
type PayloadError struct {
	LSN      pg.LSN
	Timeline pg.TimelineID
	Rmgr     pg.RmgrID
	Op       string // as OpName prints it
	Len      int    // bytes of main data
	Want     string // what was expected of them
}

func (e *PayloadError) Error() string {
	return fmt.Sprintf("record at %s on timeline %d: %s of %s %s: want %s, got %d bytes",
		e.LSN, e.Timeline, ErrPayload, e.Rmgr, e.Op, e.Want, e.Len)
}

// Is makes errors.Is(err, ErrPayload) hold.
func (e *PayloadError) Is(target error) bool { return target == ErrPayload }

func badPayload(rec *walinspect.Record, want string) error {
	return &PayloadError{
		LSN: rec.LSN, Timeline: rec.Timeline, Rmgr: rec.Rmgr, Op: OpName(rec),
		Len: len(rec.Main), Want: want,
	}
}

// check is the error of a payload that ended before its fields did.
func (p *payload) check(rec *walinspect.Record) error {
	if p.short {
		return badPayload(rec, "all the fields that it announces")
	}
	return nil
}

// expect is the error of a call for a record of another kind.
func expect(rec *walinspect.Record, id pg.RmgrID, ops ...uint8) error {
	if rec.Rmgr == id {
		for _, op := range ops {
			if rec.Op() == op {
				return nil
			}
		}
	}
	return badPayload(rec, "another operation")
}

package rewind

import (
	"errors"
	"fmt"

	"forkpoint/walinspect/pg"
)

// Side tells whose data an error is about.
type Side string

const (
	Source Side = "source"
	Target Side = "target"
)

// Check names a precondition. The names appear in JSON and are part of the
// interface.
type Check string

const (
	CheckRunning     Check = "running"
	CheckState       Check = "state"
	CheckSystem      Check = "system-identifier"
	CheckVersion     Check = "version"
	CheckGeometry    Check = "geometry"
	CheckHints       Check = "hint-logging"
	CheckChecksums   Check = "checksums"
	CheckFullPages   Check = "full-page-writes"
	CheckHistory     Check = "history"
	CheckAncestor    Check = "common-ancestor"
	CheckSameBranch  Check = "same-timeline"
	CheckCheckpoint  Check = "common-checkpoint"
	CheckCoverage    Check = "coverage"
	CheckReplay      Check = "replay-wal"
	CheckSpace       Check = "free-space"
	CheckPermission  Check = "permission"
	CheckTablespace  Check = "tablespace"
	CheckUser        Check = "user"
	CheckUnfinished  Check = "unfinished-rewind"
	CheckWALLevel    Check = "wal-level"
	CheckSourceMoved Check = "source-changed"
	CheckLabel       Check = "backup-label"
	CheckFileType    Check = "file-type"
)

// PreflightError is a precondition that does not hold. Returned as it is, it
// says that nothing of the target has been changed. Some can only be seen at the
// end, such as a source that moved meanwhile; these come within an
// [*InterruptedError].
type PreflightError struct {
	Check Check
	Side  Side
	LSN   pg.LSN // zero where the check is not about a place in the log
	Path  string // file that is missing or at fault, if it is about one
	Found string
	Want  string
	Next  string // what the operator can do
	Err   error
}

func (e *PreflightError) Error() string {
	s := fmt.Sprintf("%s: %s", e.Side, e.Found)
	if e.Want != "" {
		s += "; want " + e.Want
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Hint says what the operator can do.
func (e *PreflightError) Hint() string { return e.Next }

func (e *PreflightError) Unwrap() error { return e.Err }

// InterruptedError says that a rewind stopped after it had begun to change the
// target, which no server will start on until it is resumed or undone.
type InterruptedError struct {
	Target string // data directory
	Phase  Phase
	Undo   string // command that gives the old bytes back
	Err    error
}

func (e *InterruptedError) Error() string {
	return fmt.Sprintf("target: rewind of %s stopped while %s: %v", e.Target, e.Phase.Doing(), e.Err)
}

// Hint says how to go on.
func (e *InterruptedError) Hint() string {
	if e.Phase == PhaseUndo {
		return fmt.Sprintf("no server can start on %s now; run the same command again to get the rest of the old bytes back", e.Target)
	}
	return fmt.Sprintf("no server can start on %s now; run the same command again to finish, or %s to get the old bytes back", e.Target, e.Undo)
}

func (e *InterruptedError) Unwrap() error { return e.Err }

// StoppedError says that a run was told to stop, by a signal or a time limit,
// before it had changed anything.
type StoppedError struct {
	Target string // data directory
	Phase  Phase
	Err    error
}

func (e *StoppedError) Error() string {
	return fmt.Sprintf("target: rewind of %s stopped while %s: %v", e.Target, e.Phase.Doing(), e.Err)
}

// Hint says how to go on.
func (e *StoppedError) Hint() string {
	return e.Target + " was not changed; run the same command again"
}

func (e *StoppedError) Unwrap() error { return e.Err }

// SizeError is a file of a stopped source that changed while it was copied.
type SizeError struct {
	Path      string
	Want, Got int64 // bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("size of source file %q changed concurrently: %d bytes expected, %d copied", e.Path, e.Want, e.Got)
}

// Hint says what the operator can do.
func (e *SizeError) Hint() string {
	return "find out what writes into the source's data directory and stop it, then run the same command again"
}

// IsRefusal tells whether err is a precondition that only a person can change.
func IsRefusal(err error) bool {
	var p *PreflightError
	return errors.As(err, &p)
}

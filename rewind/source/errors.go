package source

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

var (
	// ErrTransient is matched by failures that can go away by themselves: a
	// lost connection, a server that is starting up or full.
	ErrTransient = errors.New("transient failure of the source")

	// ErrOtherServer is matched where a new connection reached something else
	// than the server that was read before.
	ErrOtherServer = errors.New("not the same source any more")

	// ErrUnsafePath is matched by names that must not be used as paths.
	ErrUnsafePath = errors.New("unsafe path")

	// ErrRunning is matched where a data directory is in use.
	ErrRunning = errors.New("data directory is in use")

	// ErrConninfo is matched by connection strings that cannot be used.
	ErrConninfo = errors.New("invalid connection string")

	// ErrTimeLimit is matched where the overall limit of [Options] was reached.
	ErrTimeLimit = errors.New("time limit reached")
)

// TransientError is a failure of a live source that outlasted the retries.
type TransientError struct {
	Server string // as Source.String
	Op     string // what was being done
	Err    error
}

func (e *TransientError) Error() string { return fmt.Sprintf("%s (%s): %s", e.Op, e.Server, e.Err) }

func (e *TransientError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrTransient) hold.
func (e *TransientError) Is(target error) bool { return target == ErrTransient }

// Hint says what the operator can do.
func (e *TransientError) Hint() string {
	return "check that the source accepts connections, then run the same command again"
}

// GrantError is a role that may not run the functions a rewind needs.
type GrantError struct {
	Role     string
	Database string
	Missing  []string // one GRANT statement each
}

func (e *GrantError) Error() string {
	return fmt.Sprintf("role %q lacks %d of the %d grants that reading the source needs", e.Role, len(e.Missing), len(grantedFunctions))
}

// Is makes errors.Is(err, fs.ErrPermission) hold.
func (e *GrantError) Is(target error) bool { return target == fs.ErrPermission }

// Hint gives the statements to run.
func (e *GrantError) Hint() string {
	return fmt.Sprintf("run in database %q of the source, as a superuser: %s", e.Database, strings.Join(e.Missing, " "))
}

// OtherServerError is a new connection that reached another server, or the
// same on another branch of its history. What was read before and what would be
// read from here on do not belong together.
type OtherServerError struct {
	What string // what differs
	Want string
	Got  string
}

func (e *OtherServerError) Error() string {
	return fmt.Sprintf("source changed after reconnecting: %s was %s, is %s", e.What, e.Want, e.Got)
}

// Is makes errors.Is(err, ErrOtherServer) hold.
func (e *OtherServerError) Is(target error) bool { return target == ErrOtherServer }

// Hint says what the operator can do.
func (e *OtherServerError) Hint() string {
	return "name one server, not several, in the connection string, and start again"
}

// UnsafePathError is a name that would lead out of a data directory.
type UnsafePathError struct {
	Path   string
	Reason string
}

func (e *UnsafePathError) Error() string { return fmt.Sprintf("unsafe path %q: %s", e.Path, e.Reason) }

// Is makes errors.Is(err, ErrUnsafePath) hold.
func (e *UnsafePathError) Is(target error) bool { return target == ErrUnsafePath }

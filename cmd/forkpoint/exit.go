package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"forkpoint/reports/render"
	"forkpoint/rewind"
	"forkpoint/rewind/source"
)

// status is what the process ends with.
type status int

const (
	statusDone        status = 0
	statusError       status = 1
	statusUsage       status = 2
	statusFindings    status = 3
	statusInterrupted status = 4
	statusTransient   status = 5
	statusRefused     status = 6
	statusCancelled   status = 130
)

// statuses is the promise to scripts. Help texts and man pages are made from it.
var statuses = [...]struct {
	status  status
	code    string // "code" of an error in JSON
	meaning string
}{
	{statusDone, "done", "done, or nothing to do"},
	{statusError, "error", "error; nothing was changed unless the message says so"},
	{statusUsage, "usage", "wrong flags or arguments"},
	{statusFindings, "findings", "findings at or above --fail-on"},
	{statusInterrupted, "interrupted", "a rewind broke off: the target needs forkpoint rewind --resume or --undo"},
	{statusTransient, "transient", "transient failure (network, source not ready): try again"},
	{statusRefused, "refused", "refused: a precondition that only a person can change"},
	{statusCancelled, "cancelled", "cancelled by a signal"},
}

// exitHelp is the list of exit statuses as help prints it.
func exitHelp() string {
	var b strings.Builder
	for _, s := range statuses {
		fmt.Fprintf(&b, "  %3d  %s\n", s.status, s.meaning)
	}
	return strings.TrimRight(b.String(), "\n")
}

// errFindings ends a command whose report, printed already, holds findings
// that the user asked to fail on.
var errFindings = errors.New("findings at or above --fail-on")

// errNeedsPerson ends a command whose report, printed already, says that only a
// person can go on.
var errNeedsPerson = errors.New("needs a person")

// usageError is a command line that makes no sense.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// cancelledError says which signal ended the work.
type cancelledError struct{ signal os.Signal }

func (e *cancelledError) Error() string { return fmt.Sprintf("cancelled by signal %q", e.signal) }

// deadlineError ends the work when --deadline is reached.
type deadlineError struct{ limit time.Duration }

func (e *deadlineError) Error() string { return fmt.Sprintf("--deadline of %s reached", e.limit) }

// Is makes errors.Is(err, source.ErrTimeLimit) hold.
func (e *deadlineError) Is(target error) bool { return target == source.ErrTimeLimit }

// hintedError adds what the operator can do to an error that does not know it.
type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }
func (e *hintedError) Hint() string  { return e.hint }

// refusedError is a precondition that only a person can change.
type refusedError struct {
	err  error
	hint string
}

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }
func (e *refusedError) Hint() string  { return e.hint }

// statusOf maps an error to the exit status. A broken-off rewind comes before
// everything else: whatever stopped it, what matters is that the target needs
// a person or a script to go on.
func statusOf(err error) status {
	var (
		interrupted *rewind.InterruptedError
		cancelled   *cancelledError
		usage       *usageError
		refused     *refusedError
		grants      *source.GrantError
	)
	switch {
	case err == nil:
		return statusDone
	case errors.Is(err, errFindings):
		return statusFindings
	case errors.As(err, &interrupted):
		return statusInterrupted
	case errors.As(err, &cancelled), errors.Is(err, context.Canceled):
		return statusCancelled
	case errors.As(err, &usage):
		return statusUsage
	case isTransient(err):
		return statusTransient
	case errors.Is(err, errNeedsPerson), rewind.IsRefusal(err), errors.As(err, &refused), errors.As(err, &grants), errors.Is(err, source.ErrRunning), errors.Is(err, source.ErrUnsafePath):
		return statusRefused
	}
	return statusError
}

// stopped is err, or who stopped the run where err knows only that it was: what
// a library returns then is the end of the context and not its cause.
func stopped(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	ended := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if cause == nil || !ended || statusOf(err) == statusInterrupted {
		return err
	}
	return cause
}

// isTransient tells whether the cause may go away by itself.
func isTransient(err error) bool {
	return errors.Is(err, source.ErrTransient) || errors.Is(err, source.ErrTimeLimit)
}

// hintOf is what the operator can do about err, "" when nobody knows. The
// outermost error that has an answer wins: it knows most about the situation.
func hintOf(err error) string {
	if h, ok := err.(interface{ Hint() string }); ok && h.Hint() != "" {
		return h.Hint()
	}
	switch wrapped := err.(type) {
	case interface{ Unwrap() error }:
		if inner := wrapped.Unwrap(); inner != nil {
			return hintOf(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range wrapped.Unwrap() {
			if hint := hintOf(inner); hint != "" {
				return hint
			}
		}
	}
	return ""
}

// errorReport is the JSON form of an error, the last document on stdout when
// the format is json.
type errorReport struct {
	Schema  string `json:"schema"` // forkpoint/error/1
	Status  status `json:"status"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Transient: the cause may go away by itself, so the same command may get
	// further at another time. Where the status is that of a rewind which broke
	// off, this tells a script whether to resume it at once.
	Transient bool `json:"transient,omitempty"`
}

// finish says what went wrong and returns the exit status. People read it on
// stderr; with --format json stdout ends with the same as a document.
func (a *app) finish(ctx context.Context, cmd *cobra.Command, err error, format render.Format) int {
	err = stopped(ctx, err)
	code := statusOf(err)
	if err == nil || errors.Is(err, errFindings) || errors.Is(err, errNeedsPerson) {
		return int(code)
	}
	report := errorReport{Schema: "forkpoint/error/1", Status: code, Message: err.Error(), Hint: hintOf(err), Transient: isTransient(err)}
	if code == statusUsage && report.Hint == "" {
		report.Hint = fmt.Sprintf("see %q", cmd.CommandPath()+" --help")
	}
	for _, s := range statuses {
		if s.status == code {
			report.Code = s.code
		}
	}
	fmt.Fprintf(a.stderr, "forkpoint: error: %s\n", report.Message)
	if report.Hint != "" {
		fmt.Fprintf(a.stderr, "forkpoint: hint: %s\n", report.Hint)
	}
	if format == render.JSON {
		out := json.NewEncoder(a.stdout)
		out.SetEscapeHTML(false)
		_ = out.Encode(report) // the status is the answer where stdout is gone
	}
	return int(code)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"forkpoint/reports"
	"forkpoint/rewind"
	"forkpoint/rewind/source"
	"forkpoint/rewind/target"
	"forkpoint/walinspect"
)

func TestStatusOf(t *testing.T) {
	cancelled := &cancelledError{signal: syscall.SIGTERM}
	tests := []struct {
		name string
		err  error
		want status
	}{
		{"nothing", nil, statusDone},
		{"some error", errors.New("x"), statusError},
		{"usage", fmt.Errorf("x: %w", usagef("y")), statusUsage},
		{"usage with a hint", &hintedError{usagef("y"), "z"}, statusUsage},
		{"findings", errFindings, statusFindings},
		{"refused by us", fmt.Errorf("x: %w", &refusedError{err: errors.New("y")}), statusRefused},
		{"refused by the preflight", fmt.Errorf("x: %w", &rewind.PreflightError{Check: rewind.CheckRunning}), statusRefused},
		{"grants are missing", &source.GrantError{}, statusRefused},
		{"source is in use", fmt.Errorf("x: %w", source.ErrRunning), statusRefused},
		{"connection lost", fmt.Errorf("x: %w", &source.TransientError{Err: errors.New("y")}), statusTransient},
		{"connection lost in the middle of a rewind", &rewind.InterruptedError{Err: &source.TransientError{Err: errors.New("y")}}, statusInterrupted},
		{"signal", fmt.Errorf("x: %w", cancelled), statusCancelled},
		{"context", context.Canceled, statusCancelled},
		{"a source that names paths outside", fmt.Errorf("make the plan: %w", &source.UnsafePathError{Path: "../x"}), statusRefused},
		{"a time limit before anything was changed", &rewind.StoppedError{Err: &deadlineError{time.Second}}, statusTransient},
		{"a signal before anything was changed", &rewind.StoppedError{Err: cancelled}, statusCancelled},
		{"a time limit in the middle of a rewind", &rewind.InterruptedError{Err: &deadlineError{time.Second}}, statusInterrupted},
		{"a signal in the middle of a rewind", &rewind.InterruptedError{Err: cancelled}, statusInterrupted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := statusOf(tt.err); got != tt.want {
				t.Errorf("status %d, want %d", got, tt.want)
			}
		})
	}
}

// TestStopped: whoever stopped the run is named, whatever a library says.
func TestStopped(t *testing.T) {
	signal := &cancelledError{signal: syscall.SIGTERM}
	byLibrary := fmt.Errorf("write to catalog: %w", context.Canceled)
	broken := &rewind.InterruptedError{Err: byLibrary}
	limit := &deadlineError{time.Second}
	late, cancel := context.WithTimeoutCause(t.Context(), 0, limit)
	defer cancel()
	<-late.Done()
	told, stop := context.WithCancelCause(t.Context())
	stop(signal)
	for _, tt := range []struct {
		name string
		ctx  context.Context
		err  error
		want error
	}{
		{"nothing", told, nil, nil},
		{"an error before the signal had an effect", told, errFindings, errFindings},
		{"a library's word for a signal", told, byLibrary, signal},
		{"a library's word for a time limit", late, fmt.Errorf("connect: %w", context.DeadlineExceeded), limit},
		{"a library that was cancelled by another", t.Context(), byLibrary, byLibrary},
		{"a broken-off rewind", told, broken, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := stopped(tt.ctx, tt.err); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestBrokenOff: a run that ends before it looks at the target says all the same
// that an earlier one left it half-way.
func TestBrokenOff(t *testing.T) {
	cancelled := &cancelledError{signal: syscall.SIGTERM}
	lost := &source.TransientError{Server: "server", Op: "connect", Err: errors.New("refused")}
	refused := &rewind.PreflightError{Check: rewind.CheckRunning}
	for _, tt := range []struct {
		name   string
		barred bool
		err    error
		want   status
		says   string
	}{
		{"a signal", true, cancelled, statusInterrupted, `stopped while reading control files and histories: cancelled by signal "terminated"`},
		{"a signal in the survey", true, &rewind.StoppedError{Target: "x", Phase: rewind.PhaseSurvey, Err: cancelled}, statusInterrupted, `stopped while reading control files and histories: cancelled`},
		{"no source", true, lost, statusInterrupted, "connect (server): refused"},
		{"an error", true, errors.New("disk full"), statusInterrupted, "disk full"},
		{"an error, and nothing was begun", false, errors.New("disk full"), statusError, "disk full"},
		{"findings", true, errFindings, statusFindings, ""},
		{"refused", true, refused, statusRefused, ""},
		{"done", true, nil, statusDone, ""},
		{"a signal, and nothing was begun", false, cancelled, statusCancelled, "cancelled"},
		{"no source, and nothing was begun", false, lost, statusTransient, "connect"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			tgt, err := target.Open(dir, target.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if tt.barred {
				err = tgt.Bar("text")
			}
			if err != nil {
				t.Fatal(err)
			}
			got := change{target: dir, phase: rewind.PhaseSurvey, commands: new(rewindOptions).commands}.brokenOff(tt.err)
			if statusOf(got) != tt.want || tt.says != "" && !strings.Contains(got.Error(), tt.says) {
				t.Errorf("status %d (%v), want %d and %q", statusOf(got), got, tt.want, tt.says)
			}
			if tt.want == statusInterrupted && !strings.Contains(hintOf(got), "forkpoint rewind --undo -D "+dir) {
				t.Errorf("hint %q", hintOf(got))
			}
		})
	}
}

// TestGoOn: what a signal cut short is not told as if the run went on.
func TestGoOn(t *testing.T) {
	told, stop := context.WithCancelCause(t.Context())
	stop(&cancelledError{signal: syscall.SIGTERM})
	for _, tt := range []struct {
		name string
		ctx  context.Context
		want string
	}{
		{"names that cannot be read", t.Context(), "level=WARN msg=\"shown by number\" path=x err=why\n"},
		{"a signal", told, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log strings.Builder
			a := &app{log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: dropTime}))}
			a.goOn(tt.ctx, "shown by number", errors.New("why"), "path", "x")
			if log.String() != tt.want {
				t.Errorf("logged %q, want %q", log.String(), tt.want)
			}
		})
	}
}

func TestHintOfAsksTheOutermost(t *testing.T) {
	inner := &hintedError{errors.New("x"), "inner"}
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"none", errors.New("x"), ""},
		{"wrapped", fmt.Errorf("y: %w", inner), "inner"},
		{"joined", errors.Join(errors.New("y"), inner), "inner"},
		{"two", &hintedError{inner, "outer"}, "outer"},
		{"an empty one outside", &hintedError{inner, ""}, "inner"},
	} {
		if got := hintOf(tt.err); got != tt.want {
			t.Errorf("%s: hint %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestEveryStopHasItsWords keeps the table of package reports, which may not
// import walinspect, in step with it.
func TestEveryStopHasItsWords(t *testing.T) {
	known := map[string]bool{}
	for _, reason := range reports.StopReasons() {
		known[reason] = true
	}
	for _, reason := range []walinspect.StopReason{
		walinspect.StopLimit, walinspect.StopCleanEnd, walinspect.StopRecycled, walinspect.StopSwitchTail, walinspect.StopTorn,
		walinspect.StopOverwritten, walinspect.StopMissingSegment, walinspect.StopTruncatedFile, walinspect.StopZeroFill,
		walinspect.StopWrongTimeline, walinspect.StopWrongCluster, walinspect.StopUnknownFormat, walinspect.StopCorrupt,
		walinspect.StopNoRecord, walinspect.StopUnreadable, walinspect.StopCancelled,
	} {
		if !known[string(reason)] || reports.StopText(string(reason)) == string(reason) {
			t.Errorf("stop reason %q has no text", reason)
		}
	}
}

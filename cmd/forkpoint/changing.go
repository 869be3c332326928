package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"forkpoint/rewind"
	"forkpoint/rewind/target"
)

// change is a run that changes a target.
type change struct {
	target, stateDir string
	action           string       // rewind or undo
	phase            rewind.Phase // it begins with
	commands         func(dir string) rewind.Commands
}

// run does the work. However that ends, the result file says how, with the same
// status as the command: that is all there is where nobody reads any more.
func (c change) run(ctx context.Context, app *app, work func() (*rewind.Result, error)) (*rewind.Result, error) {
	unheard()
	trace := traceState(c.stateDir, c.action)
	result, err := work()
	err = c.brokenOff(stopped(ctx, err))
	trace.end(app, c.target, result, err)
	return result, err
}

// unheard lets a run that changes the target go on when nobody reads what it says
// any more, or the terminal is gone: else the system would end it half-way. To
// ignore the signals would be to ignore them for restore_command too.
func unheard() {
	signals := []os.Signal{syscall.SIGPIPE}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup, which is for restore_command too
		signals = append(signals, syscall.SIGHUP)
	}
	signal.Notify(make(chan os.Signal, 1), signals...)
}

// nobodyReads tells whether the result cannot be written because whoever was to
// read it has gone.
func (a *app) nobodyReads(err error) bool {
	terminal := a.width > 0
	return errors.Is(err, syscall.EPIPE) || terminal && errors.Is(err, syscall.EIO)
}

// brokenOff is err, which the work ended with. Work that ended before it looked
// at the target, by a signal, for want of the source or because something went
// wrong, may leave what an earlier run left half-way: then no server can start on
// it all the same.
func (c change) brokenOff(err error) error {
	switch statusOf(err) {
	case statusCancelled, statusTransient, statusError:
	default:
		return err
	}
	label, failed := os.ReadFile(filepath.Join(c.target, target.LabelFile))
	if failed != nil || !target.IsBar(label) {
		return err
	}
	phase := c.phase
	if early, is := err.(*rewind.StoppedError); is {
		phase, err = early.Phase, early.Err
	}
	dir := absolute(c.target)
	return &rewind.InterruptedError{Target: dir, Phase: phase, Undo: c.commands(dir).Undo, Err: err}
}

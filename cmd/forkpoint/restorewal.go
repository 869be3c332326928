package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"forkpoint/walinspect/segment"
)

// restoreSource makes a source of the target's restore_command. What it fetches
// stays in the state directory, so that a second run need not fetch it again; a
// dry run leaves nothing behind. cleanup is never nil.
func restoreSource(e *ends, configFile, state string, dryRun bool) (src segment.Source, cleanup func(), err error) {
	cleanup = func() {}
	config, err := e.target.Config(configFile)
	if err != nil {
		return nil, cleanup, fmt.Errorf("target: read configuration: %w", err)
	}
	command, _ := config.Setting("restore_command")
	if command.Value == "" {
		name := "restore_command"
		if e.target.Major() >= 17 {
			name = `"restore_command"`
		}
		return nil, cleanup, &hintedError{errors.New(name + " is not set in the target cluster"),
			"set it in the target's postgresql.conf, or give --restore-command"}
	}
	return restoreBy(e, command.Value, state, dryRun)
}

// restoreBy makes a source of a given command.
func restoreBy(e *ends, command, state string, dryRun bool) (src segment.Source, cleanup func(), err error) {
	cleanup = func() {}
	cache := filepath.Join(state, "restored")
	if dryRun {
		if cache, err = os.MkdirTemp("", "forkpoint-restore-"); err != nil {
			return nil, cleanup, err
		}
		cleanup = func() { os.RemoveAll(cache) }
	} else if err := os.MkdirAll(cache, 0o700); err != nil {
		return nil, cleanup, fmt.Errorf("state directory: %w", err)
	}
	src, err = segment.NewRestore(segment.RestoreConfig{
		Command: command, Dir: cache, WorkDir: e.workDir(), Size: e.targetControl.SegmentSize,
	})
	return src, cleanup, err
}

// workDir is where a restore_command runs: the target's directory where there is
// one.
func (e *ends) workDir() string {
	if e.target == nil {
		return ""
	}
	return e.target.Path()
}

package main

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/pflag"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// restoreOptions name a command that fetches WAL which the places do not have.
type restoreOptions struct {
	command string
	timeout durationFlag
	log     *slog.Logger
}

func (o *restoreOptions) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.command, "restore-command", "", "fetch segments that are not there with this `command`, as in postgresql.conf: %f the file, %p where to put it")
	fs.Var(&o.timeout, "restore-timeout", "time limit of one call of the command (default 10m)")
}

// named adds where the command's failures are logged.
func (o restoreOptions) named(app *app) restoreOptions {
	o.log = app.log
	return o
}

// source makes a source of the command. What it fetches lies in a folder that
// cleanup removes. Both are nil without a command.
func (o restoreOptions) source(size pg.SegmentSize, workDir string) (src segment.Source, cleanup func(), err error) {
	if o.command == "" {
		return nil, nil, nil
	}
	dir, err := os.MkdirTemp("", "forkpoint-restore-")
	if err != nil {
		return nil, nil, fmt.Errorf("restore command: %w", err)
	}
	cleanup = func() { os.RemoveAll(dir) } // what was fetched can be fetched again
	src, err = segment.NewRestore(segment.RestoreConfig{
		Command: o.command, Dir: dir, WorkDir: workDir, Size: size, Timeout: time.Duration(o.timeout), Log: o.log,
	})
	if err != nil {
		cleanup()
		return nil, nil, err
	}
	return src, cleanup, nil
}

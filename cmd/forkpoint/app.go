package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/rewind/target"
)

// app is what every command gets: the streams, the environment and the log.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) string
	color          bool // stdout is a terminal that shows colours
	interactive    bool // stderr is a terminal, so progress may be redrawn
	width          int  // columns of the terminal that stdout is; 0 when it is none
	level          *slog.LevelVar
	log            *slog.Logger
}

func newApp(stdin io.Reader, stdout, stderr *os.File) *app {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, env: os.Getenv, level: new(slog.LevelVar)}
	a.width = terminalWidth(stdout)
	a.color = a.width > 0 && a.env("NO_COLOR") == "" && a.env("TERM") != "dumb"
	a.interactive = terminalWidth(stderr) > 0
	a.level.Set(slog.LevelWarn)
	a.log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: a.level, ReplaceAttr: dropTime}))
	return a
}

// dropTime leaves the time out of log lines: they go to a person's terminal or
// to a log that stamps its lines itself.
func dropTime(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) == 0 && attr.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return attr
}

// terminalWidth is the number of columns of the terminal behind f, 0 when
// there is no terminal. One that does not tell its width counts as 80 columns.
func terminalWidth(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	if size.Col == 0 {
		return 80
	}
	return int(size.Col)
}

// show writes a report to stdout in the wanted format.
func (a *app) show(format render.Format, r reports.Report) error {
	return render.Write(a.stdout, r, render.Options{Format: format, Color: a.color, Width: a.width})
}

// catalogPath decides which catalog file is meant: the flag, the environment,
// the state directory beside the data directory, the working directory.
func (a *app) catalogPath(flag, state, pgdata string) string {
	switch {
	case flag != "":
		return flag
	case a.env("FORKPOINT_CATALOG") != "":
		return a.env("FORKPOINT_CATALOG")
	case state != "" || pgdata != "":
		return filepath.Join(stateDir(state, pgdata), "catalog.db")
	}
	return "forkpoint.db"
}

// stateDir is where forkpoint keeps what it has to remember about a data
// directory: beside it, or within it under a name that base backups and
// pg_rewind skip when the parent cannot be written.
func stateDir(flag, pgdata string) string {
	if flag != "" {
		return absolute(flag)
	}
	pgdata = absolute(pgdata)
	beside := pgdata + ".forkpoint"
	if _, err := os.Stat(beside); err == nil {
		return beside
	}
	within := filepath.Join(pgdata, target.StateDirName)
	if _, err := os.Stat(within); err == nil || unix.Access(filepath.Dir(pgdata), unix.W_OK) != nil {
		return within
	}
	return beside
}

// absolute makes a path independent of the working directory where it can.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path)
}

// makeParent creates the folder that a file of ours is to lie in. It belongs
// to the owner alone, as a data directory does.
func makeParent(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("make the folder of %s: %w", file, err)
	}
	return nil
}

// goOn warns that the run goes on with less, because of err. One that was
// stopped does not go on, and says itself by whom.
func (a *app) goOn(ctx context.Context, with string, err error, args ...any) {
	if ctx.Err() == nil {
		a.log.WarnContext(ctx, with, append(args, "err", err)...)
	}
}

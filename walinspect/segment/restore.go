package segment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"forkpoint/walinspect/pg"
)

// RestoreConfig says how to fetch files with a restore_command.
type RestoreConfig struct {
	Command string         // with %f and %p, as in postgresql.conf
	Dir     string         // where fetched files are kept; it must exist
	WorkDir string         // where the command runs; the server takes its data directory
	Size    pg.SegmentSize // a segment of any other length is a failure

	Timeout  time.Duration // of one call; 0 means ten minutes
	Attempts int           // calls before giving up a failure; 0 means three
	Delay    time.Duration // before the second call, doubled for each further; 0 means one second
	Log      *slog.Logger  // nil for none
}

// Restore is a source that runs a restore_command. What was fetched stays in
// its directory and is not fetched again. The command finds FORKPOINT_RESTORE=1
// in its environment.
type Restore struct {
	c     RestoreConfig
	dir   *Dir
	calls singleflight.Group // one call per file, however many ask for it

	fetched atomic.Int64 // files
}

// NewRestore makes a source of a command, which must pass [CheckCommand].
func NewRestore(c RestoreConfig) (*Restore, error) {
	if err := CheckCommand(c.Command); err != nil {
		return nil, err
	}
	if !c.Size.Valid() {
		return nil, fmt.Errorf("restore_command: segment size %d is not a power of two from 1 MB to 1 GB", c.Size)
	}
	var err error
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return nil, err
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Minute
	}
	if c.Attempts == 0 {
		c.Attempts = 3
	}
	if c.Delay == 0 {
		c.Delay = time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Restore{c: c, dir: NewDir(c.Dir, c.Size)}, nil
}

func (r *Restore) String() string { return "restore_command" }

// Open gives the file from the directory, and runs the command first if it is
// not there yet.
func (r *Restore) Open(ctx context.Context, name string) (*File, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if f, err := r.kept(name); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	for {
		_, err, _ := r.calls.Do(name, func() (any, error) {
			err := r.fetch(ctx, name)
			if ctx.Err() != nil {
				err = abandoned{err}
			}
			return nil, err
		})
		var gaveUp abandoned
		if errors.As(err, &gaveUp) {
			if ctx.Err() == nil {
				continue // it was another caller's context that ended
			}
			err = gaveUp.error
		}
		if err != nil {
			return nil, err
		}
		return r.kept(name)
	}
}

// abandoned marks the error of a call whose context ended.
type abandoned struct{ error }

// Fetched is how many files the restore_commands among the places of a source
// have brought so far. What other places have costs next to nothing.
func Fetched(s Source) int {
	n := 0
	for _, place := range Places(s) {
		if r, is := place.(*Restore); is {
			n += int(r.fetched.Load())
		}
	}
	return n
}

// kept opens a file that was fetched before.
func (r *Restore) kept(name string) (*File, error) {
	return openFile(filepath.Join(r.c.Dir, name), limitOf(name, r.c.Size))
}

// List yields the segments that were fetched: an archive behind a command
// cannot be listed.
func (r *Restore) List(ctx context.Context) iter.Seq2[Info, error] { return r.dir.List(ctx) }

// fetch calls the command until it gives the file, says that there is none, or
// has failed too often.
func (r *Restore) fetch(ctx context.Context, name string) error {
	delay := r.c.Delay
	for attempt := 1; ; attempt++ {
		err := r.once(ctx, name)
		if err == nil || errors.Is(err, fs.ErrNotExist) || ctx.Err() != nil || attempt >= r.c.Attempts {
			return err
		}
		r.c.Log.Warn("restore_command failed, trying again", "segment", name, "attempt", attempt, "error", err)
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		delay *= 2
	}
}

// once runs the command for one file. The file appears in the directory under
// its name only when it is whole.
func (r *Restore) once(ctx context.Context, name string) error {
	dir, err := os.MkdirTemp(r.c.Dir, "restoring-")
	if err != nil {
		return fmt.Errorf("restore %s: %w", name, err)
	}
	defer os.RemoveAll(dir) // what is left of a failed call is worth nothing
	path := filepath.Join(dir, name)
	line, err := expandCommand(r.c.Command, name, path)
	if err != nil {
		return err
	}
	start := time.Now()
	out, err := runShell(ctx, shellCall{line: line, dir: r.c.WorkDir, timeout: r.c.Timeout})
	if err != nil {
		return r.explain(ctx, name, out, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("restore %s: the command succeeded without making the file", name)
	case err != nil:
		return fmt.Errorf("restore %s: %w", name, err)
	case pg.IsSegmentName(name) && info.Size() != int64(r.c.Size):
		return fmt.Errorf("restore %s: the command made a file of %d bytes, want %d", name, info.Size(), r.c.Size)
	}
	if err := os.Rename(path, filepath.Join(r.c.Dir, name)); err != nil {
		return fmt.Errorf("restore %s: %w", name, err)
	}
	r.fetched.Add(1)
	r.c.Log.Debug("restored", "segment", name, "bytes", info.Size(), "took", time.Since(start))
	return nil
}

// explain turns the end of a command into an error. An exit status up to 125
// means that there is no such file: that is how a server understands it, and
// archive programs rely on it. Above that the shell could not run the command
// or a signal ended it.
func (r *Restore) explain(ctx context.Context, name, out string, err error) error {
	var exit exitError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &exit) && exit.status >= 1 && exit.status <= 125:
		return fmt.Errorf("%s is not in %s: exit status %d%s: %w", name, r, exit.status, out, fs.ErrNotExist)
	}
	return fmt.Errorf("restore %s: %w%s", name, err, out)
}

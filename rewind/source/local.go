package source

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync/atomic"

	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
)

// Local is a stopped data directory as a source.
type Local struct {
	dir  *datadir.Dir
	read atomic.Int64
}

var _ Source = (*Local)(nil)

// OpenLocal opens a data directory that no server uses. Nothing is kept open
// and nothing is written, not even a lock: whoever starts a server in it while
// it is read gets no warning, so callers compare the control file before and
// after.
func OpenLocal(path string) (*Local, error) {
	dir, err := datadir.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	if pid, running := dir.Running(); running {
		return nil, fmt.Errorf("open source: %s: %w by process %d", dir.Path(), ErrRunning, pid)
	}
	return &Local{dir: dir}, nil
}

// Kind is [Directory].
func (l *Local) Kind() Kind { return Directory }

func (l *Local) String() string { return "directory " + l.dir.Path() }

// Dir is the data directory itself.
func (l *Local) Dir() *datadir.Dir { return l.dir }

// BytesRead counts what was read of files by Fetch, Hash and ReadFile.
func (l *Local) BytesRead() int64 { return l.read.Load() }

// Close does nothing: there is nothing open.
func (l *Local) Close() error { return nil }

func (l *Local) Control(context.Context) ([]byte, *pgcontrol.Control, error) {
	return l.dir.RawControl()
}

func (l *Local) History(_ context.Context, tli pg.TimelineID) ([]byte, error) {
	return l.dir.History(tli)
}

// Timeline goes by the control file. The end-of-recovery record of a promotion
// moves its minimum recovery point to the new timeline, so it knows of a
// promotion before the checkpoint that follows.
func (l *Local) Timeline(ctx context.Context) (pg.TimelineID, error) {
	_, c, err := l.Control(ctx)
	if err != nil {
		return 0, err
	}
	return c.CurrentTimeline(), nil
}

func (l *Local) Files(ctx context.Context) iter.Seq2[datadir.File, error] { return l.dir.Files(ctx) }

func (l *Local) ReadFile(ctx context.Context, path string) ([]byte, error) {
	f, err := l.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only: nothing is lost if it fails
	data, err := io.ReadAll(f)
	l.read.Add(int64(len(data)))
	return data, err
}

// EndOfWAL is the shutdown checkpoint, or for a standby the minimum recovery
// point where that is later: pages of a standby can be newer than its latest
// restart point.
func (l *Local) EndOfWAL(ctx context.Context) (Position, error) {
	_, c, err := l.Control(ctx)
	if err != nil {
		return Position{}, err
	}
	return controlEnd(c), nil
}

// controlEnd is the end of what a stopped directory or a standby holds.
func controlEnd(c *pgcontrol.Control) Position {
	if c.MinRecoveryPoint > c.Checkpoint {
		return Position{c.MinRecoveryPoint, c.MinRecoveryTimeline}
	}
	return Position{c.Checkpoint, c.CheckpointCopy.Timeline}
}

func (l *Local) InRecovery(ctx context.Context) (bool, error) {
	_, c, err := l.Control(ctx)
	if err != nil {
		return false, err
	}
	return c.State == pgcontrol.InArchiveRecovery || c.State == pgcontrol.ShutDownInRecovery, nil
}

// FullPageWrites is what the latest checkpoint says; the configuration may
// have changed since.
func (l *Local) FullPageWrites(ctx context.Context) (bool, error) {
	_, c, err := l.Control(ctx)
	if err != nil {
		return false, err
	}
	return c.CheckpointCopy.FullPageWrites, nil
}

// Settings are what the configuration files set; defaults are left out.
func (l *Local) Settings(_ context.Context, names ...string) (map[string]string, error) {
	config, err := l.dir.Config("")
	if err != nil {
		return nil, err
	}
	found := make(map[string]string, len(names))
	for _, name := range names {
		if s, set := config.Setting(name); set {
			found[name] = s.Value
		}
	}
	return found, nil
}

package datadir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/timeline"
)

// ErrNotDataDir is matched when a directory is not the data directory of a
// server version that forkpoint knows.
var ErrNotDataDir = errors.New("not a data directory")

// ControlFile is where the control file lies in the data directory.
const ControlFile = "global/pg_control"

// Dir is a data directory.
type Dir struct {
	path  string
	major int
}

// Open checks that path is a data directory. It may be a symbolic link, as may
// any of its parents.
func Open(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(path, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: it has no file PG_VERSION", path, ErrNotDataDir)
	}
	if errors.Is(err, syscall.ENOTDIR) {
		return nil, fmt.Errorf("%s: %w: it is a file", path, ErrNotDataDir)
	}
	if err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || major < pg.MinMajor || major > pg.MaxMajor {
		return nil, fmt.Errorf("%s: %w of versions %d to %d: PG_VERSION says %.20q",
			path, ErrNotDataDir, pg.MinMajor, pg.MaxMajor, strings.TrimSpace(string(text)))
	}
	d := &Dir{path, major}
	if _, err := os.Stat(d.join(ControlFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: it has no file %s", path, ErrNotDataDir, ControlFile)
	} else if err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	return d, nil
}

// Path is the directory's absolute path.
func (d *Dir) Path() string { return d.path }

func (d *Dir) String() string { return d.path }

// Major is the version that the directory belongs to, from PG_VERSION.
func (d *Dir) Major() int { return d.major }

// VersionDir is the name of this version's directory in a tablespace.
func (d *Dir) VersionDir() string {
	return pg.TablespaceVersionDir(d.major, pg.CatalogOfMajor(d.major))
}

// join makes a path of the machine from one relative to the data directory.
func (d *Dir) join(name string) string { return filepath.Join(d.path, filepath.FromSlash(name)) }

// ReadFile reads a file, named relative to the data directory with slashes.
func (d *Dir) ReadFile(name string) ([]byte, error) {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return nil, fmt.Errorf("read %s: not a path inside the data directory", name)
	}
	return os.ReadFile(d.join(name))
}

// Control reads the control file. If a running server replaces it at that
// moment, it is read again. A checksum that stays wrong over two readings of
// the same bytes is damage.
func (d *Dir) Control() (*pgcontrol.Control, error) {
	_, c, err := d.RawControl()
	return c, err
}

// RawControl is [Dir.Control] and the bytes it was read from.
func (d *Dir) RawControl() ([]byte, *pgcontrol.Control, error) {
	name := d.join(ControlFile)
	raw, c, err := settledControl(func() ([]byte, error) { return os.ReadFile(name) })
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	if c.Major != d.major {
		return nil, nil, fmt.Errorf("%s: control file is of version %d, but PG_VERSION says %d", name, c.Major, d.major)
	}
	return raw, c, nil
}

// settledControl reads until the bytes are those of one state.
func settledControl(read func() ([]byte, error)) ([]byte, *pgcontrol.Control, error) {
	const tries, pause = 10, 10 * time.Millisecond
	var before []byte
	for try := 1; ; try++ {
		raw, err := read()
		if err != nil {
			return nil, nil, err
		}
		c, err := pgcontrol.Decode(raw)
		if err == nil {
			return raw, c, nil
		}
		if !errors.Is(err, pgcontrol.ErrTorn) || bytes.Equal(raw, before) || try == tries {
			return nil, nil, err
		}
		before = raw
		time.Sleep(pause)
	}
}

// WAL is the path of the directory that holds the log; where pg_wal is a
// symbolic link, what it points to.
func (d *Dir) WAL() (string, error) { return filepath.EvalSymlinks(d.join("pg_wal")) }

// History reads the history file of a timeline.
func (d *Dir) History(tli pg.TimelineID) ([]byte, error) {
	return os.ReadFile(d.join("pg_wal/" + tli.HistoryName()))
}

// Histories lists the timelines that have a history file, ascending.
func (d *Dir) Histories() ([]pg.TimelineID, error) {
	entries, err := os.ReadDir(d.join("pg_wal"))
	if err != nil {
		return nil, err
	}
	var list []pg.TimelineID
	for _, e := range entries {
		if tli, is := pg.ParseHistoryName(e.Name()); is {
			list = append(list, tli)
		}
	}
	slices.Sort(list)
	return list, nil
}

// TimelinePath reads and parses the history of a timeline. Timeline 1 has no
// file; a missing one of any other is an error.
func (d *Dir) TimelinePath(tli pg.TimelineID) (timeline.Path, error) {
	if tli == 1 {
		return timeline.SingleTimeline(tli), nil
	}
	b, err := d.History(tli)
	if err != nil {
		return nil, err
	}
	h, err := timeline.Parse(tli, b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.join("pg_wal"), err)
	}
	return h.Path(), nil
}

package segment

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"time"

	"forkpoint/walinspect/pg"
)

// Info is a segment file as a listing shows it.
type Info struct {
	Name       pg.SegmentName
	File       string // base name, with suffixes
	Path       string
	Size       int64 // of the file as it is stored
	ModTime    time.Time
	Identity   string // see [File]
	Partial    bool   // put aside before it was complete
	Compressed bool
}

// Source is a place where WAL lies. Its methods may be called from several
// goroutines.
type Source interface {
	// Open opens a segment or history file by the name it has in pg_wal,
	// without suffixes. The error matches fs.ErrNotExist where the source does
	// not have it.
	Open(ctx context.Context, name string) (*File, error)
	// List yields the segments that there are, each once: the file that Open
	// would take. A source that cannot tell yields nothing.
	List(ctx context.Context) iter.Seq2[Info, error]
	// String names the source in messages.
	String() string
}

// Histories reads the history files of a source, for [timeline.ReadPath].
func Histories(ctx context.Context, s Source) func(pg.TimelineID) ([]byte, error) {
	return func(tli pg.TimelineID) ([]byte, error) {
		f, err := s.Open(ctx, tli.HistoryName())
		if err != nil {
			return nil, err
		}
		defer f.Close() // read only
		return f.Bytes()
	}
}

// notFound is the error of a source that does not have a file.
func notFound(s Source, name string) error {
	return fmt.Errorf("%s is not in %s: %w", name, s, fs.ErrNotExist)
}

// maxHistory is more than any history file; the server reads them line by line
// and a branch is one line.
const maxHistory = 1 << 20

// limitOf is how long the contents of the named file can be.
func limitOf(name string, size pg.SegmentSize) int64 {
	if pg.IsSegmentName(name) {
		return int64(size)
	}
	return maxHistory
}

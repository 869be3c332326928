package segment

import (
	"context"
	"fmt"
	"io"
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

// Source is a place where WAL lies.
type Source interface {
	// Open opens a segment or history file by the name it has in pg_wal,
	// without suffixes. The error matches fs.ErrNotExist where the source does
	// not have it.
	Open(ctx context.Context, name string) (*File, error)
	// List yields the segments that there are, by name. A source that cannot
	// tell yields nothing.
	List(ctx context.Context) iter.Seq2[Info, error]
	// String names the source in messages.
	String() string
}

// File is an open WAL file. What it reads is decompressed.
type File struct {
	io.ReaderAt
	io.Closer
	Path string
	Size int64 // of the contents
	// Identity changes whenever the file does; a reader that has seen it need
	// not read again. It is empty where nothing of the kind is known.
	Identity string
}

// Bytes reads the whole file.
func (f *File) Bytes() ([]byte, error) {
	b := make([]byte, f.Size)
	n, err := f.ReadAt(b, 0)
	if n == len(b) {
		return b, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, fmt.Errorf("read %s: %w", f.Path, err)
}

// notFound is the error of a source that does not have a file.
func notFound(s Source, name string) error {
	return fmt.Errorf("%s is not in %s: %w", name, s, fs.ErrNotExist)
}

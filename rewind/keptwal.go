package rewind

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// keptWAL is the log that an interrupted run set aside. It comes before pg_wal
// in the search, where the source's files may have the same names by now.
type keptWAL struct {
	dir   string            // of the journal, for messages
	files map[string]string // name relative to the data directory to where it is
	size  pg.SegmentSize
}

func (k keptWAL) String() string { return k.dir }

// Open opens a kept segment. It has no identity: it is read again.
func (k keptWAL) Open(_ context.Context, name string) (*segment.File, error) {
	at, kept := k.files["pg_wal/"+name]
	if !kept {
		return nil, fmt.Errorf("%s was not set aside: %w", name, fs.ErrNotExist)
	}
	f, err := os.Open(at)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close() // read only
		return nil, err
	}
	return &segment.File{ReaderAt: f, Closer: f, Path: filepath.Clean(at), Size: info.Size()}, nil
}

// List yields the kept segments.
func (k keptWAL) List(context.Context) iter.Seq2[segment.Info, error] {
	return func(yield func(segment.Info, error) bool) {
		for _, path := range slices.Sorted(maps.Keys(k.files)) {
			dir, base := filepath.Split(path)
			name, err := pg.ParseSegmentName(base, k.size)
			if err != nil || dir != "pg_wal/" {
				continue
			}
			if !yield(segment.Info{Name: name, File: base, Path: k.files[path], Size: int64(k.size)}, nil) {
				return
			}
		}
	}
}

package rewind

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"forkpoint/walinspect/segment"
)

// keptWAL is the log that an interrupted run set aside. It comes before pg_wal
// in the search, where the source's files may have the same names by now.
type keptWAL struct {
	dir   string            // of the journal, for messages
	files map[string]string // name relative to the data directory to where it is
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

// List yields nothing: what is kept is asked for by name.
func (k keptWAL) List(context.Context) iter.Seq2[segment.Info, error] {
	return func(func(segment.Info, error) bool) {}
}

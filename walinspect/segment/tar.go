package segment

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"forkpoint/walinspect/codec"
	"forkpoint/walinspect/pg"
)

// Tar is a tar file with segments in it, plain or compressed as a whole or one by
// one. Its table of contents is read once.
type Tar struct {
	path    string
	size    pg.SegmentSize
	file    *os.File // the tar file, or what was unpacked from it
	entries map[string]tarEntry
	id      string
}

type tarEntry struct {
	info   Info
	offset int64
}

// NewTar reads the table of contents of a tar file. Of a compressed one the
// segments and history files are unpacked into a temporary file without a name.
func NewTar(path string, size pg.SegmentSize) (*Tar, error) {
	f, info, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	t := &Tar{path: path, size: size, file: f, entries: map[string]tarEntry{}, id: identity(info)}
	if err := t.index(); err != nil {
		t.Close()
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(t.entries) == 0 {
		t.Close()
		return nil, fmt.Errorf("%s has no WAL segment in it", path)
	}
	return t, nil
}

func (t *Tar) String() string { return t.path }

// Close closes the tar file. Files opened from it must not be used any more.
func (t *Tar) Close() error { return t.file.Close() }

func (t *Tar) index() error {
	var head [8]byte
	n, _ := t.file.ReadAt(head[:], 0) // tar reports what is wrong
	if codec.Detect(head[:n]) == codec.Plain {
		return t.read(tar.NewReader(t.file), nil)
	}
	packed := t.file
	defer packed.Close() // read only: nothing is lost if it fails
	r, err := codec.Open("", packed)
	if err != nil {
		return err
	}
	defer r.Close() // read only
	spool, err := os.CreateTemp("", "forkpoint-*.tar")
	if err != nil {
		return err
	}
	t.file = spool
	if err := os.Remove(spool.Name()); err != nil {
		return err
	}
	return t.read(tar.NewReader(r), spool)
}

// read goes through the entries and notes where each file's bytes lie: in the
// tar file itself, or in spool, to which they are copied.
func (t *Tar) read(r *tar.Reader, spool *os.File) error {
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		base := path.Base(h.Name)
		name, compressed, partial := hashedStem(base)
		_, history := pg.ParseHistoryName(name)
		if h.Typeflag != tar.TypeReg || !history && !pg.IsSegmentName(name) || h.Size > limitOf(name, t.size)+maxHistory {
			continue // what does not compress grows a little
		}
		at := t.file
		if spool != nil {
			at = spool
		}
		e := tarEntry{info: Info{File: base, Path: t.path + ":" + h.Name, Size: h.Size, ModTime: h.ModTime, Compressed: compressed, Partial: partial}}
		if there, is := t.entries[name]; is && cmp.Or(compareBool(partial, there.info.Partial), compareBool(compressed, there.info.Compressed)) > 0 {
			continue // there is a better file for it
		}
		if e.offset, err = at.Seek(0, io.SeekCurrent); err != nil {
			return err
		}
		if spool != nil {
			if _, err := io.CopyN(spool, r, h.Size); err != nil {
				return err
			}
		}
		if t.id != "" {
			e.info.Identity = t.id + ":" + filepath.ToSlash(h.Name)
		}
		t.entries[name] = e
	}
}

// TarMember takes the path of a file in a tar file apart; member is "" if there
// is no such tar file. Either may have colons.
func TarMember(path string) (file, member string) {
	for at, c := range path {
		if c != ':' {
			continue
		}
		if info, err := os.Stat(path[:at]); err == nil && info.Mode().IsRegular() {
			return path[:at], path[at+1:]
		}
	}
	return path, ""
}

// Open gives a file out of the tar file.
func (t *Tar) Open(_ context.Context, name string) (*File, error) {
	e, found := t.entries[name]
	if !found {
		return nil, notFound(t, name)
	}
	stored := io.NewSectionReader(t.file, e.offset, e.info.Size)
	f := &File{
		ReaderAt: stored, Closer: io.NopCloser(nil),
		Path: e.info.Path, Size: e.info.Size, Identity: e.info.Identity, Partial: e.info.Partial,
	}
	return f.prepare(stored, limitOf(name, t.size))
}

// List yields the segments in the order of their names.
func (t *Tar) List(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for _, file := range slices.Sorted(maps.Keys(t.entries)) {
			info := t.entries[file].info
			var err error
			if info.Name, err = pg.ParseSegmentName(file, t.size); err != nil {
				continue // a history file
			}
			if ctx.Err() != nil {
				yield(Info{}, context.Cause(ctx))
				return
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

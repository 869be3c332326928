package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"forkpoint/walinspect"
	"forkpoint/walinspect/codec"
	"forkpoint/walinspect/pg"
)

// Discover finds out the geometry of the segments in a folder or archive, from
// the first page of any of them that has a usable one. It takes whatever
// [OpenArchive] takes.
func Discover(ctx context.Context, path string) (walinspect.Geometry, error) {
	source, err := OpenArchive(path, pg.MaxSegmentSize) // the size does not matter for looking around
	if err != nil {
		return walinspect.Geometry{}, err
	}
	if t, ok := source.(*Tar); ok {
		defer t.Close() // read only: nothing is lost if it fails
		return t.discover(ctx)
	}
	var last error
	for _, folder := range foldersOf(source) {
		g, err := discoverFolder(ctx, folder)
		if err == nil || ctx.Err() != nil {
			return g, err
		}
		if last == nil || !errors.Is(err, errNoSegment) {
			last = err
		}
	}
	if errors.Is(last, errNoSegment) {
		return walinspect.Geometry{}, fmt.Errorf("%w in %s", errNoSegment, path)
	}
	return walinspect.Geometry{}, fmt.Errorf("no WAL segment in %s can be read: %w", path, last)
}

var errNoSegment = errors.New("there is no WAL segment")

// foldersOf lists where the segments of a source lie.
func foldersOf(source Source) []string {
	switch s := source.(type) {
	case *Dir:
		return []string{s.path}
	case *Tree:
		folders, _ := segmentFolders(s.path) // what cannot be read will be missed below
		return append(folders, s.path)
	case *Chain:
		var all []string
		for _, part := range s.sources {
			all = append(all, foldersOf(part)...)
		}
		return all
	}
	return nil
}

func discoverFolder(ctx context.Context, folder string) (walinspect.Geometry, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return walinspect.Geometry{}, err
	}
	last := errNoSegment
	for _, e := range entries {
		if ctx.Err() != nil {
			return walinspect.Geometry{}, context.Cause(ctx)
		}
		if isForeign(e.Name()) {
			last = foreignError(filepath.Join(folder, e.Name()))
		}
		if name, _, _ := hashedStem(e.Name()); !pg.IsSegmentName(name) {
			continue
		}
		g, err := DiscoverFile(filepath.Join(folder, e.Name()))
		if err == nil {
			return g, nil
		}
		last = err
	}
	return walinspect.Geometry{}, last
}

// discover reads the geometry from the first segment that has a usable page.
func (t *Tar) discover(ctx context.Context) (walinspect.Geometry, error) {
	last := errNoSegment
	for _, name := range slices.Sorted(maps.Keys(t.entries)) {
		if !pg.IsSegmentName(name) {
			continue
		}
		f, err := t.Open(ctx, name)
		if err != nil {
			return walinspect.Geometry{}, err
		}
		head := make([]byte, walinspect.LongHeaderLen)
		if _, err := f.ReadAt(head, 0); err != nil {
			last = fmt.Errorf("read %s: %w", f.Path, err)
			continue
		}
		g, err := walinspect.DecodeGeometry(head)
		if err == nil {
			return g, nil
		}
		last = fmt.Errorf("%s: %w", f.Path, err)
	}
	return walinspect.Geometry{}, fmt.Errorf("no WAL segment in %s can be read: %w", t, last)
}

// DiscoverFile reads the geometry from one segment file.
func DiscoverFile(path string) (walinspect.Geometry, error) {
	f, _, err := openRegular(path)
	if err != nil {
		return walinspect.Geometry{}, err
	}
	defer f.Close() // read only: nothing is lost if it fails
	if err := refuseEncrypted(f, path); err != nil {
		return walinspect.Geometry{}, err
	}
	name, _ := trimPartial(filepath.Base(path))
	r, err := codec.Open(name, f)
	if err != nil {
		return walinspect.Geometry{}, fmt.Errorf("decompress %s: %w", path, err)
	}
	defer r.Close() // read only
	head := make([]byte, walinspect.LongHeaderLen)
	if _, err := io.ReadFull(r, head); err != nil {
		return walinspect.Geometry{}, fmt.Errorf("read %s: %w", path, err)
	}
	g, err := walinspect.DecodeGeometry(head)
	if err != nil {
		return g, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

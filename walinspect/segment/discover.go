package segment

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"forkpoint/walinspect"
	"forkpoint/walinspect/codec"
	"forkpoint/walinspect/pg"
)

// Discover finds out the geometry of the segments in a folder, from the first
// page of any of them that has a usable one.
func Discover(ctx context.Context, folder string) (walinspect.Geometry, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return walinspect.Geometry{}, err
	}
	var last error
	for _, e := range entries {
		if ctx.Err() != nil {
			return walinspect.Geometry{}, context.Cause(ctx)
		}
		if name, _, _ := stem(e.Name()); !pg.IsSegmentName(name) {
			continue
		}
		g, err := DiscoverFile(filepath.Join(folder, e.Name()))
		if err == nil {
			return g, nil
		}
		last = err
	}
	if last != nil {
		return walinspect.Geometry{}, fmt.Errorf("no WAL segment in %s can be read: %w", folder, last)
	}
	return walinspect.Geometry{}, fmt.Errorf("there is no WAL segment in %s", folder)
}

// DiscoverFile reads the geometry from one segment file.
func DiscoverFile(path string) (walinspect.Geometry, error) {
	f, _, err := openRegular(path)
	if err != nil {
		return walinspect.Geometry{}, err
	}
	defer f.Close() // read only: nothing is lost if it fails
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

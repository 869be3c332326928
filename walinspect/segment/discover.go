package segment

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
		if err := context.Cause(ctx); err != nil {
			return walinspect.Geometry{}, err
		}
		if len(e.Name()) < 24 || !pg.IsSegmentName(e.Name()[:24]) || !walSuffix(e.Name()[24:]) {
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

func walSuffix(s string) bool {
	for _, suffix := range codec.Suffixes() {
		s = strings.TrimSuffix(s, suffix)
	}
	return s == "" || s == ".partial"
}

// DiscoverFile reads the geometry from one segment file.
func DiscoverFile(path string) (walinspect.Geometry, error) {
	f, err := openFile(path, int64(pg.MaxSegmentSize))
	if err != nil {
		return walinspect.Geometry{}, err
	}
	defer f.Close() // read only
	head := make([]byte, walinspect.LongHeaderLen)
	if _, err := f.ReadAt(head, 0); err != nil {
		return walinspect.Geometry{}, fmt.Errorf("read %s: %w", path, err)
	}
	g, err := walinspect.DecodeGeometry(head)
	if err != nil {
		return g, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

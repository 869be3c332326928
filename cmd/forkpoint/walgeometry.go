package main

import (
	"context"
	"fmt"
	"os"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/segment"
)

func geometryOf(c *pgcontrol.Control) walinspect.Geometry {
	return walinspect.Geometry{SystemID: c.SystemID, SegmentSize: c.SegmentSize, PageSize: c.WALBlockSize, BlockSize: c.BlockSize}
}

// discoverGeometry finds out the segment size of an archive from a segment in
// it. In which way an archive keeps its segments is known only with the right
// size, so all that a server accepts are tried.
func discoverGeometry(ctx context.Context, path string) (walinspect.Geometry, error) {
	info, err := os.Stat(path)
	if err != nil {
		return walinspect.Geometry{}, err
	}
	missing := fmt.Errorf("there is no WAL segment in %s", path)
	if info.IsDir() {
		g, err := segment.Discover(ctx, path)
		if err == nil || ctx.Err() != nil {
			return g, err
		}
		missing = err
	}
	for size := pg.MinSegmentSize; size <= pg.MaxSegmentSize; size *= 2 {
		source, err := segment.OpenArchive(path, size)
		if err != nil {
			return walinspect.Geometry{}, err
		}
		if g, found := geometryIn(ctx, source, size); found {
			return g, nil
		}
	}
	return walinspect.Geometry{}, missing
}

// geometryIn reads the first segment of a source that can be read.
func geometryIn(ctx context.Context, source segment.Source, size pg.SegmentSize) (walinspect.Geometry, bool) {
	for info, err := range source.List(ctx) {
		if err != nil {
			break
		}
		f, err := source.Open(ctx, info.Name.Format(size))
		if err != nil {
			continue
		}
		head := make([]byte, walinspect.LongHeaderLen)
		_, err = f.ReadAt(head, 0)
		f.Close() // read only: nothing is lost if it fails
		if err != nil {
			continue
		}
		if g, err := walinspect.DecodeGeometry(head); err == nil {
			return g, g.SegmentSize == size
		}
	}
	return walinspect.Geometry{}, false
}

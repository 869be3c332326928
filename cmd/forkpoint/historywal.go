package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"forkpoint/reports"
	"forkpoint/walinspect"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// placeWAL is the log of a place that was named.
type placeWAL struct {
	source   segment.Source
	geometry walinspect.Geometry
}

// openPlaceWAL finds the log in a place; nil where there is none, as among
// single history files.
func openPlaceWAL(ctx context.Context, path string) (*placeWAL, error) {
	if dir, err := datadir.Open(path); err == nil {
		control, err := dir.Control()
		if err != nil {
			return nil, err
		}
		return &placeWAL{segment.NewDir(filepath.Join(path, "pg_wal"), control.SegmentSize), geometryOf(control)}, nil
	}
	geometry, err := segment.Discover(ctx, path)
	if err != nil {
		return nil, ctx.Err() // no segment there, which is no fault
	}
	source, err := segment.OpenArchive(path, geometry.SegmentSize)
	if err != nil {
		return nil, err
	}
	return &placeWAL{source, geometry}, nil
}

// readPlaceLogs asks the log of each place what it says about timelines.
func readPlaceLogs(ctx context.Context, places []reports.HistoryPlace) error {
	var opened []*placeWAL
	rows := switchPoints(places)
	for i := range places {
		places[i].Sought = true
		var wal *placeWAL
		var err error
		if places[i].Segments != nil { // not single files
			wal, err = openPlaceWAL(ctx, places[i].Path)
		}
		if err != nil {
			return err
		}
		opened = append(opened, wal)
		if wal == nil {
			continue
		}
		if places[i].Log, err = readPlaceLog(ctx, places[i].Path, wal, rows); err != nil {
			return err
		}
		for j, other := range opened[:i] {
			if other == nil || other.geometry.SystemID != wal.geometry.SystemID || other.geometry.SegmentSize != wal.geometry.SegmentSize {
				continue
			}
			twins, err := compareTwins(ctx, wal, other, places[j])
			if err != nil {
				return err
			}
			places[i].Log.Twins = append(places[i].Log.Twins, twins...)
		}
	}
	return nil
}

// switchPoint is a row of a history file.
type switchPoint struct {
	tli pg.TimelineID
	lsn pg.LSN
}

func switchPoints(places []reports.HistoryPlace) map[switchPoint]bool {
	rows := map[switchPoint]bool{}
	for _, place := range places {
		for _, f := range place.Files {
			h, err := timeline.Parse(pg.TimelineID(1<<32-1), f.Content)
			if f.Err != nil || err != nil {
				continue
			}
			for _, e := range h.Entries {
				rows[switchPoint{e.Timeline, e.End}] = true
			}
		}
	}
	return rows
}

func readPlaceLog(ctx context.Context, path string, wal *placeWAL, rows map[switchPoint]bool) (*reports.PlaceLog, error) {
	log := &reports.PlaceLog{SystemID: wal.geometry.SystemID, SegmentSize: wal.geometry.SegmentSize, Held: map[pg.TimelineID][]uint64{}}
	for info, err := range wal.source.List(ctx) {
		if err != nil {
			return nil, fmt.Errorf("list WAL: %w", err)
		}
		log.Held[info.Name.Timeline] = append(log.Held[info.Name.Timeline], info.Name.Number)
	}
	for _, held := range log.Held {
		slices.Sort(held)
	}
	var err error
	if log.Switches, log.Unread, err = lineage.Switches(ctx, wal.source, wal.geometry); err != nil {
		return nil, err
	}
	for row := range rows {
		border, err := lineage.CheckBorder(ctx, wal.source, wal.geometry, row.tli, row.lsn)
		if err != nil {
			return nil, err
		}
		log.Borders = append(log.Borders, reports.Border{Timeline: row.tli, LSN: row.lsn, Border: border})
	}
	log.Ready = readySegments(path, wal.geometry.SegmentSize)
	return log, nil
}

// readySegments lists the segments of a data directory that wait to be
// archived.
func readySegments(path string, size pg.SegmentSize) []pg.SegmentName {
	entries, err := os.ReadDir(filepath.Join(path, "pg_wal", "archive_status"))
	if err != nil {
		return nil // an archive has none
	}
	var names []pg.SegmentName
	for _, e := range entries {
		stem, ready := strings.CutSuffix(e.Name(), ".ready")
		if name, err := pg.ParseSegmentName(stem, size); ready && err == nil {
			names = append(names, name)
		}
	}
	return names
}

// compareTwins compares the segments that two places have under one name,
// timeline by timeline.
func compareTwins(ctx context.Context, wal, other *placeWAL, place reports.HistoryPlace) ([]reports.Twin, error) {
	var twins []reports.Twin
	for _, tli := range slices.Sorted(maps.Keys(place.Log.Held)) {
		logs := lineage.Logs{A: wal.source, B: other.source, Path: timeline.SingleTimeline(tli), Geometry: wal.geometry}
		c, err := lineage.FirstDifference(ctx, logs, pg.Span{To: pg.MaxLSN})
		if err == nil && !c.Differs {
			// A place with segments of two servers has no log that goes on
			// from one into the other: look at the one where it ends alone, and
			// at the next, for the last record may reach into that.
			size := wal.geometry.SegmentSize
			last := size.Number(max(c.A.LSN, c.B.LSN))
			for n := last; n <= last+1 && !c.Differs; n++ {
				if alone, err := lineage.FirstDifference(ctx, logs, pg.Span{From: size.Start(n), To: pg.MaxLSN}); err == nil && alone.Differs {
					c = alone
				}
			}
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil { // the files of a node are not all or nothing
			c = &lineage.Comparison{Unsure: err.Error()}
		}
		twins = append(twins, reports.Twin{Other: place.Path, Timeline: tli, Comparison: c})
	}
	return twins, nil
}

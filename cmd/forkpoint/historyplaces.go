package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"forkpoint/reports"
	"forkpoint/walinspect/codec"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// historyPlaces reads what was named. Single files count as one place for each
// folder that they lie in.
func historyPlaces(args []string) ([]reports.HistoryPlace, error) {
	var places []reports.HistoryPlace
	single := map[string]int{}
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read history: %w", err)
		case !info.IsDir():
			folder := filepath.Dir(arg)
			i, seen := single[folder]
			if !seen {
				i = len(places)
				single[folder] = i
				places = append(places, reports.HistoryPlace{Path: folder})
			}
			places[i].Files = append(places[i].Files, readHistoryFile(arg))
		default:
			place, err := historyPlace(arg)
			if err != nil {
				return nil, err
			}
			places = append(places, place)
		}
	}
	return places, nil
}

// historyPlace reads a data directory, or a folder that is none.
func historyPlace(path string) (reports.HistoryPlace, error) {
	place := reports.HistoryPlace{Path: path}
	dir, err := datadir.Open(path)
	if errors.Is(err, datadir.ErrNotDataDir) && !looksLikeDataDir(path) {
		return place, readHistoryFolder(&place, path)
	}
	if err != nil {
		return place, err
	}
	control, err := dir.Control()
	if err != nil {
		return place, err
	}
	place.Current = control.CurrentTimeline()
	place.Checkpoint, place.MinRecoveryPoint = control.Checkpoint, control.MinRecoveryPoint
	return place, readHistoryFolder(&place, filepath.Join(path, "pg_wal"))
}

// looksLikeDataDir tells a data directory with something missing from a folder
// that never was one.
func looksLikeDataDir(path string) bool {
	for _, name := range []string{"PG_VERSION", "global", "pg_wal"} {
		if _, err := os.Stat(filepath.Join(path, name)); err == nil {
			return true
		}
	}
	return false
}

// readHistoryFolder reads the history files of a folder, and of an archive
// that spreads its files over folders those below it.
func readHistoryFolder(place *reports.HistoryPlace, folder string) error {
	place.Segments = map[pg.TimelineID]int{}
	// The slash leads into a folder that is a link.
	err := filepath.WalkDir(folder+"/", func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == "archive_status" || name == "summaries" || strings.Count(path[len(folder):], "/") > 4):
			return fs.SkipDir
		case entry.IsDir():
		case isHistoryFile(name):
			place.Files = append(place.Files, readHistoryFile(path))
		case len(name) >= 24 && pg.IsSegmentName(name[:24]) && filepath.Ext(name) != ".backup":
			tli, _ := strconv.ParseUint(name[:8], 16, 32)
			place.Segments[pg.TimelineID(tli)]++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list WAL: %w", err)
	}
	slices.SortFunc(place.Files, func(a, b reports.HistoryFile) int {
		return strings.Compare(a.Path, b.Path)
	})
	return nil
}

// isHistoryFile tells by its name whether a file holds a history, also one that
// an archive compressed or no server would look for.
func isHistoryFile(name string) bool {
	stem, _ := codec.TrimSuffix(name)
	return filepath.Ext(stem) == ".history"
}

func readHistoryFile(path string) reports.HistoryFile {
	file := reports.HistoryFile{Path: path}
	if stem, format := codec.TrimSuffix(filepath.Base(path)); format != codec.Plain {
		f, err := segment.NewDir(filepath.Dir(path), 0).Open(context.Background(), stem)
		if err != nil {
			file.Err = err
			return file
		}
		defer f.Close() // read only
		file.Content, file.Err = f.Bytes()
		return file
	}
	file.Content, file.Err = os.ReadFile(path)
	return file
}

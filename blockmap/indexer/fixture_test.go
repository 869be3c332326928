package indexer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"forkpoint/blockmap"
	"forkpoint/store"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/rmgr"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// incident is the log of one of the fixtures: a fail-over to timeline 2 while
// timeline 1 goes on, and one to timeline 3.
type incident struct {
	major int
	dir   string
	g     walinspect.Geometry
	start pg.LSN // of the first segment
}

func incidents(t testing.TB, test func(t *testing.T, in incident)) { incidentsWith(t, "", test) }

// incidentsWith passes over the versions whose fixtures do not have the file.
func incidentsWith(t testing.TB, file string, test func(t *testing.T, in incident)) {
	dirs, err := filepath.Glob("../../testdata/pg[0-9][0-9]")
	if err != nil {
		t.Fatal(err)
	}
	dirs = slices.DeleteFunc(dirs, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, file))
		return err != nil
	})
	if len(dirs) == 0 {
		t.Fatalf("no fixtures have %q", file)
	}
	for _, dir := range dirs {
		in := incident{dir: dir, start: pg.MaxLSN}
		if _, err := fmt.Sscanf(filepath.Base(dir), "pg%d", &in.major); err != nil {
			t.Fatal(err)
		}
		if in.g, err = segment.Discover(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		for info, err := range segment.NewDir(dir, in.g.SegmentSize).List(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			in.start = min(in.start, in.g.SegmentSize.Start(info.Name.Number))
		}
		t.(*testing.T).Run(filepath.Base(dir), func(t *testing.T) { test(t, in) })
	}
}

// path is the path to a timeline of the incident.
func (in incident) path(t testing.TB, tip pg.TimelineID) timeline.Path {
	t.Helper()
	if tip == 1 {
		return timeline.SingleTimeline(1)
	}
	b, err := os.ReadFile(filepath.Join(in.dir, tip.HistoryName()))
	if err != nil {
		t.Fatal(err)
	}
	h, err := timeline.Parse(tip, b)
	if err != nil {
		t.Fatal(err)
	}
	return h.Path()
}

func (in incident) source() segment.Source { return segment.NewDir(in.dir, in.g.SegmentSize) }

// copyTo makes a folder with copies of the segments, so that a test can do
// harm to them.
func (in incident) copyTo(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for info, err := range in.source().List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		f, err := in.source().Open(t.Context(), info.Name.Format(in.g.SegmentSize))
		if err != nil {
			t.Fatal(err)
		}
		b, err := f.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if err := os.WriteFile(filepath.Join(dir, info.Name.Format(in.g.SegmentSize)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// plainRecord is what a plain walk over the log notes of a record.
type plainRecord struct {
	*walinspect.Record
	effects []rmgr.Effect
}

// walk reads a path record by record, from its first segment to its end.
func (in incident) walk(t testing.TB, path timeline.Path) ([]plainRecord, walinspect.Stop) {
	t.Helper()
	pages := segment.NewPages(in.source(), in.g.SegmentSize, func(n uint64) []pg.TimelineID { return path.SegmentTimelines(in.g.SegmentSize, n) })
	defer pages.Close()
	r := walinspect.NewReader(pages, in.g, in.start)
	var list []plainRecord
	for r.Next(t.Context()) {
		rec := r.Record().Clone()
		effects, err := rmgr.Effects(rec, nil)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, plainRecord{rec, effects})
	}
	return list, r.Stop()
}

// replay makes the map of the records that begin in a span, one by one.
func replay(list []plainRecord, span pg.Span, wanted func(*walinspect.Record) bool) *blockmap.Map {
	m := &blockmap.Map{}
	for _, rec := range list {
		if !span.Contains(rec.LSN) || wanted != nil && !wanted(rec.Record) {
			continue
		}
		if rec.Rmgr == pg.RmgrSPGist { // its first block changes without a record
			first := rec.Blocks[0].Tag
			first.Block = 0
			m.Touch(first, false)
		}
		for i := range rec.Blocks {
			m.Touch(rec.Blocks[i].Tag, rec.Blocks[i].Restores())
		}
		for _, e := range rec.effects {
			switch e.Kind {
			case rmgr.RelationCreated, rmgr.RelationTruncated:
				m.Cut(e.Rel, e.Limit)
				if e.Kind == rmgr.RelationCreated && e.Rel.Fork == pg.InitFork {
					m.Cut(pg.RelFork{RelFileLocator: e.Rel.RelFileLocator}, 0)
				}
			case rmgr.RelationDropped:
				for fork := range pg.ForkNumber(4) {
					m.Cut(pg.RelFork{RelFileLocator: e.Rel.RelFileLocator, Fork: fork}, 0)
				}
			case rmgr.DatabaseCreated, rmgr.DatabaseDropped:
				m.CutDatabase(e.Spc, e.DB)
			}
		}
	}
	return m
}

func memory(t testing.TB) *store.Catalog {
	t.Helper()
	c, err := store.OpenMemory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// sameMap compares maps and prints the forks that differ.
func sameMap(got, want *blockmap.Map) string {
	if got.Equal(want) {
		return ""
	}
	var b strings.Builder
	forks := map[pg.RelFork]bool{}
	for _, m := range []*blockmap.Map{got, want} {
		for rf := range m.All() {
			forks[rf] = true
		}
	}
	for rf := range forks {
		g, _ := got.Own(rf)
		w, _ := want.Own(rf)
		if !g.Equal(w) {
			fmt.Fprintf(&b, "%s: limit %d touched %s restored %s, want limit %d touched %s restored %s\n",
				rf, g.Limit, g.Touched, g.Restored, w.Limit, w.Touched, w.Restored)
		}
	}
	return b.String()
}

const everything = pg.MaxLSN

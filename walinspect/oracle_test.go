package walinspect_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"forkpoint/walinspect"
	"forkpoint/walinspect/codec"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

var (
	waldumpHead  = regexp.MustCompile(`^rmgr: (\S+) +len \(rec/tot\): *(\d+)/ *(\d+), tx: *(\d+), lsn: (\S+), prev (\S+), desc: `)
	waldumpBlock = regexp.MustCompile(`, blkref #(\d+): rel (\d+/\d+/\d+)(?: fork (\w+))? blk (\d+)( FPW(?: for WAL verification)?)?`)
)

// facts is what pg_waldump and a record have to agree on, in one line.
func facts(rec *walinspect.Record) string {
	var b strings.Builder
	images := 0
	for i := range rec.Blocks {
		images += rec.Blocks[i].Image.Len()
	}
	fmt.Fprintf(&b, "%s %d/%d tx %d at %s after %s", rec.Rmgr, int(rec.TotalLen)-images, rec.TotalLen, rec.XID, rec.LSN, rec.Prev)
	for i := range rec.Blocks {
		ref := &rec.Blocks[i]
		image := ""
		switch {
		case ref.AppliesImage():
			image = " FPW"
		case ref.HasImage():
			image = " FPW for WAL verification"
		}
		fmt.Fprintf(&b, " #%d %s %s %d%s", ref.ID, ref.Tag.RelFileLocator, ref.Tag.Fork, ref.Tag.Block, image)
	}
	return b.String()
}

// dumped is the same from a line of pg_waldump; false for other lines.
func dumped(t *testing.T, line string) (string, bool) {
	t.Helper()
	m := waldumpHead.FindStringSubmatch(line)
	if m == nil {
		return "", false
	}
	lsn, err1 := pg.ParseLSN(m[5])
	prev, err2 := pg.ParseLSN(m[6])
	if err1 != nil || err2 != nil {
		t.Fatalf("%q: %v, %v", line, err1, err2)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s/%s tx %s at %s after %s", m[1], m[2], m[3], m[4], lsn, prev)
	for _, m := range waldumpBlock.FindAllStringSubmatch(line, -1) {
		fork := m[3]
		if fork == "" {
			fork = "main"
		}
		fmt.Fprintf(&b, " #%s %s %s %s%s", m[1], m[2], fork, m[4], m[5])
	}
	return b.String(), true
}

// compare reads the log next to what pg_waldump printed of it, to the end of
// both. It returns how many records there were.
func compare(t *testing.T, r *walinspect.Reader, dump io.Reader) int {
	t.Helper()
	page := make([]byte, 8192)
	lines := bufio.NewScanner(dump)
	lines.Buffer(nil, 64<<20)
	n := 0
	for lines.Scan() {
		want, isRecord := dumped(t, lines.Text())
		if !isRecord {
			continue
		}
		if !r.Next(t.Context()) {
			t.Fatalf("after %d records: %s; pg_waldump goes on with %s", n, r.Stop(), want)
		}
		if got := facts(r.Record()); got != want {
			t.Fatalf("record %d\nwant %s\ngot  %s", n, want, got)
		}
		restoreImages(t, r.Record(), page)
		n++
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

// restoreImages unpacks every image of a record. The hole of a page is what its
// header says lies between line pointers and tuples, so the header that comes
// out of an image must agree with the hole that the record claims.
func restoreImages(t *testing.T, rec *walinspect.Record, page []byte) {
	t.Helper()
	for i := range rec.Blocks {
		ref := &rec.Blocks[i]
		if !ref.HasImage() {
			continue
		}
		if err := ref.Image.Restore(page); err != nil {
			t.Fatalf("%s, block %d: %v", rec.LSN, ref.ID, err)
		}
		lower, upper := binary.LittleEndian.Uint16(page[12:]), binary.LittleEndian.Uint16(page[14:])
		if ref.Image.HoleLen > 0 && (lower != ref.Image.HoleOffset || upper != lower+ref.Image.HoleLen) {
			t.Errorf("%s, block %d: hole of %d at %d in a page with %d to %d", rec.LSN, ref.ID, ref.Image.HoleLen, ref.Image.HoleOffset, lower, upper)
		}
		if lsn := pg.LSN(binary.LittleEndian.Uint32(page))<<32 | pg.LSN(binary.LittleEndian.Uint32(page[4:])); lsn > rec.LSN {
			t.Errorf("%s, block %d: the image is from %s", rec.LSN, ref.ID, lsn)
		}
	}
}

// TestFixtures reads real log of every version, and holds it against what that
// version's pg_waldump printed of it, where the fixture has that.
func TestFixtures(t *testing.T) {
	for major := pg.MinMajor; major <= pg.MaxMajor; major++ {
		dir := filepath.Join("..", "testdata", fmt.Sprintf("pg%d", major))
		for tli := pg.TimelineID(1); tli <= 3; tli++ {
			t.Run(fmt.Sprintf("pg%d timeline %d", major, tli), func(t *testing.T) {
				t.Parallel()
				g, err := segment.Discover(t.Context(), dir)
				if err != nil {
					t.Fatal(err)
				}
				source := segment.NewDir(dir, g.SegmentSize)
				first := firstSegment(t, source, tli)
				pages := segment.NewPages(source, g.SegmentSize, segment.OneTimeline(tli))
				defer pages.Close()
				r := walinspect.NewReader(pages, g, g.SegmentSize.Start(first))

				name := fmt.Sprintf("waldump.%d.txt.zst", tli)
				f, err := os.Open(filepath.Join(dir, name))
				if err == nil {
					defer f.Close()
					dump, err := codec.Open(name, f)
					if err != nil {
						t.Fatal(err)
					}
					defer dump.Close()
					if n := compare(t, r, dump); n == 0 {
						t.Error("pg_waldump found no record")
					}
				}
				page := make([]byte, 8192)
				for r.Next(t.Context()) {
					restoreImages(t, r.Record(), page)
				}
				if stop := r.Stop(); !stop.Reason.EndOfWAL() && stop.Reason != walinspect.StopMissingSegment {
					t.Errorf("the log stops with %s", stop)
				}
				if rec := r.Record(); rec.Major() != major {
					t.Errorf("records of version %d", rec.Major())
				}
			})
		}
	}
}

// TestFixturePath follows the log of every version over both of its fail-overs.
func TestFixturePath(t *testing.T) {
	for major := pg.MinMajor; major <= pg.MaxMajor; major++ {
		dir := filepath.Join("..", "testdata", fmt.Sprintf("pg%d", major))
		text, err := os.ReadFile(filepath.Join(dir, "00000003.history"))
		if err != nil {
			t.Fatal(err)
		}
		history, err := timeline.Parse(3, text)
		if err != nil {
			t.Fatal(err)
		}
		g, err := segment.Discover(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		source, path := segment.NewDir(dir, g.SegmentSize), history.Path()
		pages := segment.NewPages(source, g.SegmentSize, func(n uint64) []pg.TimelineID { return path.SegmentTimelines(g.SegmentSize, n) })
		defer pages.Close()
		r := walinspect.NewReader(pages, g, g.SegmentSize.Start(firstSegment(t, source, 1)))
		seen := map[pg.TimelineID]int{}
		for r.Next(t.Context()) {
			rec := r.Record()
			owner := path.Owner(rec.LSN)
			seen[owner]++
			if rec.Timeline > owner {
				t.Fatalf("version %d: the record at %s is on timeline %d, the path says %d", major, rec.LSN, rec.Timeline, owner)
			}
		}
		if !r.Stop().Reason.EndOfWAL() || len(seen) != 3 {
			t.Errorf("version %d: %s after records on timelines %v", major, r.Stop(), seen)
		}
	}
}

func firstSegment(t *testing.T, source segment.Source, tli pg.TimelineID) uint64 {
	t.Helper()
	for info, err := range source.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if info.Name.Timeline == tli {
			return info.Name.Number
		}
	}
	t.Fatalf("no segment of timeline %d", tli)
	return 0
}

// TestAgainstPgWaldump runs a workload on real servers and compares every
// record with what pg_waldump says about it.
func TestAgainstPgWaldump(t *testing.T) {
	for _, major := range pgtest.OracleMajors(t, "pg_waldump") {
		for _, segMB := range []int{1, 16} {
			t.Run(fmt.Sprintf("pg%d with %d MB segments", major, segMB), func(t *testing.T) {
				s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(segMB),
					pgtest.Conf("wal_level", "logical"), pgtest.Conf("wal_consistency_checking", "heap,btree"), pgtest.Conf("track_commit_timestamp", "on"))
				from := s.SegmentSize().Start(s.SegmentSize().Number(s.CurrentLSN()))
				s.Workload("core", 300)
				s.SwitchWAL()
				s.Exec("CREATE TABLE after_the_switch AS SELECT generate_series(1, 100) i")
				s.Stop(pgtest.Fast)

				source := segment.NewDir(filepath.Join(s.Dir(), "pg_wal"), s.SegmentSize())
				pages := segment.NewPages(source, s.SegmentSize(), segment.OneTimeline(1))
				defer pages.Close()
				g := walinspect.Geometry{SegmentSize: s.SegmentSize()}
				r := walinspect.NewReader(pages, g, from)
				dump := s.PgWaldump(1, pg.Span{From: from, To: pg.MaxLSN})
				n := compare(t, r, strings.NewReader(dump))
				if n < 5000 {
					t.Errorf("only %d records", n)
				}
				if r.Next(t.Context()) || !r.Stop().Reason.EndOfWAL() {
					t.Errorf("after pg_waldump's last record: %s", r.Stop())
				}
				t.Logf("%d records, %s", n, r.Stop())
				walkBack(t, g, pages, r.Stop().LSN, n)
			})
		}
	}
}

// walkBack follows the back links from the end and meets every record again.
func walkBack(t *testing.T, g walinspect.Geometry, pages walinspect.PageReader, end pg.LSN, want int) {
	t.Helper()
	last, err := walinspect.LastRecordBefore(context.Background(), pages, g, end)
	if err != nil {
		t.Fatal(err)
	}
	r := walinspect.NewReader(pages, g, last.LSN)
	lsn := last.LSN
	for n := 0; n < want; n++ {
		rec, err := r.ReadAt(t.Context(), lsn)
		if err != nil {
			t.Fatalf("after %d records back: %v", n, err)
		}
		lsn = rec.Prev
	}
}

package rmgr

import (
	"flag"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
	"forkpoint/walinspect/segment"
)

var update = flag.Bool("update", false, "write testdata/records.*.txt.gz anew from what pg_waldump prints")

// TestPgWaldump compares every line of a workload with that of pg_waldump, in
// every version that the machine has with that program. With -update it keeps
// one record of each form, which TestSamples then compares without a server.
func TestPgWaldump(t *testing.T) {
	for _, major := range pgtest.OracleMajors(t, "pg_waldump") {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			s := runWorkload(t, major)
			s.Stop(pgtest.Fast)
			dir := copySegments(t, s)
			in, err := pgtest.Find(major)
			if err != nil {
				t.Fatal(err)
			}
			program, _ := in.Program("pg_waldump")
			short, long := dump(t, program, dir), dump(t, program, dir, "-b")

			keep := newSamples(major)
			r := openLog(t, dir, 1<<20, 1, firstOf(t, short))
			lines, details := &lineReader{text: short}, &lineReader{text: long}
			differ := 0
			for r.Next(t.Context()) {
				rec := r.Record()
				differ += compare(t, lines.record(), Line(rec), differ)
				differ += compare(t, details.record(), Style{Details: true}.Line(rec), differ)
				if _, err := Effects(rec, nil); err != nil {
					t.Error(err)
				}
				keep.add(rec)
			}
			if !r.Stop().Reason.EndOfWAL() || lines.record() != "" {
				t.Errorf("reader: %s; pg_waldump goes on with %q", r.Stop(), lines.record())
			}
			if *update && !t.Failed() {
				keep.write(t, version(t, program))
			}
		})
	}
}

// TestPgWalinspect asks the server itself, through an extension that has the
// same descriptions, where there is no pg_waldump. It prints times in another
// form, so these are compared without.
func TestPgWalinspect(t *testing.T) {
	const printsBlocks = 16 // the first version whose extension does
	pgtest.EachMajorFrom(t, printsBlocks, func(t *testing.T, major int) {
		s := runWorkload(t, major)
		s.Exec("CREATE EXTENSION pg_walinspect")
		dir := copySegments(t, s)
		from := pg.SegmentSize(1 << 20).Start(firstSegment(t, dir))
		rows := s.Query("SELECT start_lsn, resource_manager, record_type, coalesce(description, ''), coalesce(block_ref, '') "+
			"FROM pg_get_wal_records_info($1::pg_lsn, pg_current_wal_flush_lsn())", from.String())
		s.Stop(pgtest.Fast)

		start, err := pg.ParseLSN(rows[0][0])
		if err != nil {
			t.Fatal(err)
		}
		r := openLog(t, dir, 1<<20, 1, start)
		differ := 0
		for _, row := range rows {
			if !r.Next(t.Context()) {
				t.Fatalf("reader: %s; the server goes on at %s", r.Stop(), row[0])
			}
			rec := r.Record()
			_, refs, _ := strings.Cut(Style{Details: true}.Line(rec), "\n\t")
			got := rec.LSN.Format(major) + " " + rec.Rmgr.String() + " " + Describe(rec) + strings.ReplaceAll(refs, "\n\t", " ")
			want := row[0] + " " + row[1] + " " + row[2] + " " + row[3] + strings.TrimPrefix(row[4], " ")
			differ += compare(t, withoutTimes(want), withoutTimes(got), differ)
		}
	})
}

// maxDiffers is how many differences are shown.
const maxDiffers = 10

func compare(t *testing.T, want, got string, differ int) int {
	t.Helper()
	if want == got {
		return 0
	}
	if differ < maxDiffers {
		t.Errorf("want %q\n got %q", want, got)
	}
	return 1
}

var times = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?( UTC|\+00)`)

func withoutTimes(s string) string { return times.ReplaceAllString(s, "TIME") }

var positions = regexp.MustCompile(`lsn: ([0-9A-F]+/[0-9A-F]+)`)

// firstOf is the position of the first record in pg_waldump's text.
func firstOf(t *testing.T, text string) pg.LSN {
	t.Helper()
	match := positions.FindStringSubmatch(text)
	if match == nil {
		t.Fatal("pg_waldump printed no record")
	}
	lsn, err := pg.ParseLSN(match[1])
	if err != nil {
		t.Fatal(err)
	}
	return lsn
}

// openLog reads one timeline of a folder of segments.
func openLog(t *testing.T, dir string, size pg.SegmentSize, tli pg.TimelineID, from pg.LSN) *walinspect.Reader {
	t.Helper()
	pages := segment.NewPages(segment.NewDir(dir, size), size, segment.OneTimeline(tli))
	t.Cleanup(pages.Close)
	return walinspect.NewReader(pages, walinspect.Geometry{SegmentSize: size}, from)
}

// lineReader takes records off pg_waldump's text: a line that begins one, and
// lines with block references after it. Other lines are messages.
type lineReader struct{ text string }

func (r *lineReader) record() string {
	for r.text != "" && !strings.HasPrefix(r.text, "rmgr: ") {
		_, r.text, _ = strings.Cut(r.text, "\n")
	}
	end := 0
	for end < len(r.text) {
		n := strings.IndexByte(r.text[end:], '\n') + 1
		if n == 0 {
			n = len(r.text) - end
		}
		end += n
		if !strings.HasPrefix(r.text[end:], "\t") {
			break
		}
	}
	var rec string
	rec, r.text = r.text[:end], r.text[end:]
	return strings.TrimSuffix(rec, "\n")
}

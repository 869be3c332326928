package walinspect_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/waltest"
)

// starts reads to the end and returns where the records begin.
func starts(t *testing.T, r *walinspect.Reader) []pg.LSN {
	t.Helper()
	var all []pg.LSN
	for r.Next(t.Context()) {
		all = append(all, r.Record().LSN)
	}
	if r.Next(t.Context()) {
		t.Fatal("a reader that had stopped went on")
	}
	return all
}

func TestReaderGeometries(t *testing.T) {
	for major := pg.MinMajor; major <= pg.MaxMajor; major++ {
		for _, pageSize := range []uint32{1024, 8192, 65536} {
			for _, size := range []pg.SegmentSize{1 << 20, 2 << 20, 16 << 20, 64 << 20, 1 << 30} {
				if size > 16<<20 && (pageSize != 65536 || major%3 != 1) {
					continue // a million pages to look through, for nothing new
				}
				b := waltest.New(waltest.Config{Major: major, SegmentSize: size, PageSize: pageSize, Start: size.Start(5)})
				for n := range 60 {
					b.Append(waltest.Noop(n * 11)) // all alignments, headers split at page borders
				}
				big := b.Append(waltest.Noop(1<<20 + 77)) // over many pages and, with 1 MB, a segment
				b.Append(waltest.Touch(700, pg.BlockTag{Block: 1}, pg.BlockTag{Block: 9}))
				b.Switch()
				b.Append(waltest.Noop(1))
				log := b.Log()

				r := walinspect.NewReader(log, log.Geometry, log.Start)
				if diff := cmp.Diff(log.Records, starts(t, r)); diff != "" {
					t.Fatalf("version %d, %d byte pages, %d byte segments: records (-want +got)\n%s\n%s", major, pageSize, size, diff, r.Stop())
				}
				if stop := r.Stop(); stop.Reason != walinspect.StopCleanEnd || stop.LSN != b.End() || r.Err() != nil {
					t.Fatalf("version %d: %s, %v; want a clean end at %s", major, stop, r.Err(), b.End())
				}
				rec, err := r.ReadAt(t.Context(), big)
				if err != nil || rec.Major() != major || len(rec.Main) != 1<<20+77 {
					t.Fatalf("ReadAt(%s): %v", big, err)
				}
			}
		}
	}
}

// Whatever bytes change, what the reader hands out is the log as it was
// written, up to some point.
func TestDamageNeverGetsThrough(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := waltest.New(waltest.Config{Major: rapid.IntRange(pg.MinMajor, pg.MaxMajor).Draw(rt, "major"), PageSize: 1024})
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 3000), 1, 30).Draw(rt, "lengths") {
			b.Append(waltest.Noop(n))
		}
		log := b.Log()
		var want [][]byte
		r := walinspect.NewReader(log, log.Geometry, log.Start)
		for r.Next(t.Context()) {
			want = append(want, bytes.Clone(r.Record().Raw()))
		}
		if len(want) != len(log.Records) {
			rt.Fatalf("%d records before the damage, want %d: %s", len(want), len(log.Records), r.Stop())
		}

		for range rapid.IntRange(1, 5).Draw(rt, "changes") {
			at := pg.LSN(rapid.Uint64Range(uint64(log.Start), uint64(b.End())).Draw(rt, "at"))
			log.Put(at, rapid.Byte().Draw(rt, "byte"))
		}
		r = walinspect.NewReader(log, log.Geometry, log.Start)
		last := pg.InvalidLSN
		for n := 0; r.Next(t.Context()); n++ {
			rec := r.Record()
			if n >= len(want) || !bytes.Equal(rec.Raw(), want[n]) {
				rt.Fatalf("record %d at %s is not what was written", n, rec.LSN)
			}
			if rec.LSN <= last || rec.End <= rec.LSN {
				rt.Fatalf("record at %s to %s after %s", rec.LSN, rec.End, last)
			}
			last = rec.LSN
		}
	})
}

func TestLimit(t *testing.T) {
	s := tell(16)
	for _, tt := range []struct {
		name  string
		limit pg.LSN
		want  int
	}{
		{"start of a record", s.small, s.before(s.small)},
		{"inside a record", s.small + 8, s.before(s.small) + 1},
		{"segment border, and a record crosses it", 6 * segLen, s.before(s.border) + 1},
		{"before the log", s.Start, 0},
		{"start of the second record", s.Records[1], 1},
		{"end of the log", s.end, len(s.Records)},
	} {
		r := walinspect.NewReader(s, s.Geometry, s.Start)
		r.SetLimit(tt.limit)
		if got := starts(t, r); len(got) != tt.want || r.Stop().Reason != walinspect.StopLimit || r.Err() != nil {
			t.Errorf("%s: %d records, %s; want %d", tt.name, len(got), r.Stop(), tt.want)
		}
	}

	b := waltest.New(waltest.Config{})
	b.FillTo(2*segLen + 40)
	r := walinspect.NewReader(b.Log(), b.Log().Geometry, b.Log().Start)
	r.SetLimit(2 * segLen)
	if starts(t, r); r.Stop().Reason != walinspect.StopLimit || r.Stop().LSN != 2*segLen {
		t.Errorf("the log ends with the segment at the limit: %s; the next segment is not needed", r.Stop())
	}
}

func TestReadAt(t *testing.T) {
	s := tell(16)
	r := walinspect.NewReader(s, s.Geometry, s.Start)
	for i := len(s.Records) - 1; i >= 0; i-- {
		rec, err := r.ReadAt(t.Context(), s.Records[i])
		if err != nil || rec.LSN != s.Records[i] {
			t.Fatalf("ReadAt(%s): %v", s.Records[i], err)
		}
	}
	if _, err := r.ReadAt(t.Context(), s.small); err != nil || !r.Next(t.Context()) || r.Record().LSN != s.touch {
		t.Fatalf("Next after ReadAt(%s) gave %s, want %s", s.small, r.Record().LSN, s.touch)
	}

	for _, tt := range []struct {
		name   string
		at     pg.LSN
		reason walinspect.StopReason
	}{
		{"not a multiple of 8", s.small + 4, walinspect.StopNoRecord},
		{"inside a page header", page(s.long) + 8, walinspect.StopNoRecord},
		{"inside a continuation", page(s.long) + 1024, walinspect.StopNoRecord},
		{"behind a header with a continuation", page(s.long) + 24, walinspect.StopCorrupt},
		{"inside a record", s.small + 24, walinspect.StopCorrupt},
		{"before the log", s.Start - 8192, walinspect.StopMissingSegment},
		{"behind the log", s.end, walinspect.StopCleanEnd},
	} {
		_, err := r.ReadAt(t.Context(), tt.at)
		var stop *walinspect.StopError
		if !errors.As(err, &stop) || stop.Reason != tt.reason {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.reason)
		}
	}
}

func TestFirstRecord(t *testing.T) {
	s := tell(16)
	next := func(from pg.LSN) pg.LSN { return s.Records[s.before(from)] }
	for _, from := range []pg.LSN{s.Start, s.Start + 40, s.small - 1, s.small, s.small + 1, page(s.long), page(s.long) + 8192, page(s.long) + 16384, s.border, 6 * segLen, s.last} {
		if got, err := walinspect.FirstRecord(t.Context(), s, s.Geometry, from); err != nil || got != next(from) {
			t.Errorf("FirstRecord(%s) = %s, %v; want %s", from, got, err, next(from))
		}
	}
	var stop *walinspect.StopError
	if at, err := walinspect.FirstRecord(t.Context(), s, s.Geometry, s.end); !errors.As(err, &stop) || stop.Reason != walinspect.StopCleanEnd {
		t.Errorf("FirstRecord at the end of the log = %s, %v", at, err)
	}
}

// A record that claims to be large costs nothing until pages confirm it.
func TestClaimedLengthTakesNoMemory(t *testing.T) {
	s := tell(16)
	s.Put32(s.small, 1<<30-1)
	r := walinspect.NewReader(s, s.Geometry, s.small)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if r.Next(t.Context()) {
		t.Fatal("a record of a gigabyte was read")
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes were allocated for a record that is not there: %s", n, r.Stop())
	}
}

func TestNoAllocationPerRecord(t *testing.T) {
	b := waltest.New(waltest.Config{})
	for range 2000 {
		b.Append(waltest.Touch(7, pg.BlockTag{Block: 1}, pg.BlockTag{Block: 2}))
	}
	g := b.Log().Geometry
	pages := walinspect.NewBytesPages(pg.SegmentName{Timeline: 1, Number: 1}, g.SegmentSize, "", b.Log().Segment(1))
	r := walinspect.NewReader(pages, g, b.Log().Start)
	for range 100 {
		r.Next(t.Context())
	}
	if n := testing.AllocsPerRun(1500, func() { r.Next(t.Context()) }); n >= 0.1 {
		t.Errorf("%.2f allocations per record", n)
	}
}

// oneBuffer hands out windows of one page, all in the same memory.
type oneBuffer struct {
	*waltest.Log
	buf []byte
}

func (o *oneBuffer) ReadWindow(ctx context.Context, at pg.LSN) (walinspect.Window, error) {
	origin, err := o.ReadPage(ctx, at, o.buf)
	return walinspect.Window{Start: at, Data: o.buf, Origin: origin}, err
}

// A reader that stopped and looked at what follows still reads what is before.
func TestReadAtAfterStop(t *testing.T) {
	s := tell(15)
	s.Flip(s.last + 30)
	pages := &oneBuffer{s.Log, make([]byte, 8192)}
	r := walinspect.NewReader(pages, s.Geometry, s.small)
	var last pg.LSN
	for r.Next(t.Context()) {
		last = r.Record().LSN
	}
	if r.Stop().Reason != walinspect.StopTorn {
		t.Fatalf("stopped: %s; want %s", r.Stop(), walinspect.StopTorn)
	}
	if rec, err := r.ReadAt(t.Context(), last); err != nil || rec.LSN != last {
		t.Fatalf("the last record, at %s: %v", last, err)
	}
	if rec, err := walinspect.LastRecordBefore(t.Context(), pages, s.Geometry, s.end); err != nil || rec.LSN != last {
		t.Fatalf("the last record before the end of a torn log: %v; want the one at %s", err, last)
	}
}

// Behind damage there may be records, so the one before it is not the last.
func TestLastRecordBeforeRefusesDamage(t *testing.T) {
	s := tell(15)
	s.Flip(s.small + 30)
	var stop *walinspect.StopError
	if rec, err := walinspect.LastRecordBefore(t.Context(), s, s.Geometry, s.long); !errors.As(err, &stop) || stop.Reason != walinspect.StopCorrupt {
		t.Fatalf("record %v, %v; want a stop: corrupt", rec, err)
	}
}

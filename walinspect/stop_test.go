package walinspect_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/waltest"
)

// story is a log with every kind of place that can be damaged.
type story struct {
	*waltest.Log
	small  pg.LSN // a record in the middle of a page
	touch  pg.LSN // one with block references, in the middle of a page
	long   pg.LSN // one over several pages
	border pg.LSN // one over a segment border
	late   pg.LSN // one in the last segment
	last   pg.LSN // the last one, on one page
	end    pg.LSN
}

const segLen = 1 << 20

func tell(major int) story {
	b := waltest.New(waltest.Config{Major: major, Start: 5 * segLen, Timeline: 2})
	noops := func(n int) {
		for range n {
			b.Append(waltest.Noop(100))
		}
	}
	s := story{Log: b.Log()}
	noops(20)
	s.small = b.Append(waltest.Noop(100))
	s.touch = b.Append(waltest.Touch(700, pg.BlockTag{RelFork: pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: 1663, DB: 5, Rel: 16384}}, Block: 3}))
	noops(5)
	s.long = b.Append(waltest.Noop(20000))
	noops(5)
	b.FillTo(6*segLen - 64)
	s.border = b.Append(waltest.Noop(500))
	noops(3)
	s.late = b.Append(waltest.Noop(100))
	noops(3)
	s.last = b.Append(waltest.Noop(100))
	s.end = b.End()
	return s
}

// page is the first page border after lsn.
func page(lsn pg.LSN) pg.LSN { return (lsn &^ 8191) + 8192 }

// before is how many records start before lsn.
func (s story) before(lsn pg.LSN) int {
	n, _ := slices.BinarySearch(s.Records, lsn)
	return n
}

func TestStops(t *testing.T) {
	tests := []struct {
		name    string
		damage  func(s story)
		reason  walinspect.StopReason
		flaw    walinspect.Flaw
		upTo    func(s story) pg.LSN // records before it survive
		at      func(s story) pg.LSN // where the evidence is; upTo if nil
		carries bool                 // valid records are found past the place
	}{
		{name: "zeros to the end of the segment", damage: func(s story) {},
			reason: walinspect.StopCleanEnd, flaw: walinspect.FlawZeroLength, upTo: func(s story) pg.LSN { return s.end }},
		{name: "log ends with a page", damage: func(s story) {
			s.ZeroRest(page(s.long))
			s.Remove(6)
			s.Put(s.long, make([]byte, page(s.long)-s.long)...)
		},
			reason: walinspect.StopCleanEnd, flaw: walinspect.FlawZeroLength, upTo: func(s story) pg.LSN { return s.long }},
		{name: "older pages behind the end", damage: func(s story) { s.Recycle(s.end, 3) },
			reason: walinspect.StopRecycled, flaw: walinspect.FlawPageAddress, upTo: func(s story) pg.LSN { return s.end }, at: func(s story) pg.LSN { return page(s.end) }},
		{name: "stale record behind the end", damage: func(s story) {
			stale := waltest.Noop(30)
			stale.Prev = 3 * segLen
			s.Put(s.end, waltest.Encode(&stale)...)
		}, reason: walinspect.StopRecycled, flaw: walinspect.FlawPrevLink, upTo: func(s story) pg.LSN { return s.end }},
		{name: "sector of garbage behind the end", damage: func(s story) { s.Put(page(s.end)-1000, 0xAB) },
			reason: walinspect.StopTorn, flaw: walinspect.FlawZeroLength, upTo: func(s story) pg.LSN { return s.end }},

		{name: "last record damaged", damage: func(s story) { s.Flip(s.last + 40) },
			reason: walinspect.StopTorn, flaw: walinspect.FlawChecksum, upTo: func(s story) pg.LSN { return s.last }},
		{name: "last record too long", damage: func(s story) { s.Put32(s.last, 0xFFFFFFFF) },
			reason: walinspect.StopTorn, flaw: walinspect.FlawRecordLength, upTo: func(s story) pg.LSN { return s.last }},
		{name: "last record too short", damage: func(s story) { s.Put32(s.last, 23) },
			reason: walinspect.StopTorn, flaw: walinspect.FlawRecordLength, upTo: func(s story) pg.LSN { return s.last }},
		{name: "last record of an unknown resource manager", damage: func(s story) { s.Put(s.last+17, 99); s.Seal(s.last) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawRmgr, upTo: func(s story) pg.LSN { return s.last }},
		{name: "continuation in zeros", damage: func(s story) { s.ZeroRest(page(s.long)); s.Remove(6) },
			reason: walinspect.StopTorn, flaw: walinspect.FlawZeroPage, upTo: func(s story) pg.LSN { return s.long }, at: func(s story) pg.LSN { return page(s.long) }},
		{name: "continuation in older log", damage: func(s story) { s.Recycle(page(s.long), 2); s.Remove(6) },
			reason: walinspect.StopTorn, flaw: walinspect.FlawPageAddress, upTo: func(s story) pg.LSN { return s.long }, at: func(s story) pg.LSN { return page(s.long) }},

		{name: "segment absent", damage: func(s story) { s.Remove(6) },
			reason: walinspect.StopMissingSegment, upTo: func(s story) pg.LSN { return s.border }, at: func(s story) pg.LSN { return 6 * segLen }},
		{name: "file too short", damage: func(s story) { s.Truncate(page(s.long)) },
			reason: walinspect.StopTruncatedFile, upTo: func(s story) pg.LSN { return s.long }, at: func(s story) pg.LSN { return page(s.long) }},

		{name: "bit flipped", damage: func(s story) { s.Flip(s.small + 50) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawChecksum, upTo: func(s story) pg.LSN { return s.small }, carries: true},
		{name: "bit flipped in a header", damage: func(s story) { s.Flip(s.small + 4) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawChecksum, upTo: func(s story) pg.LSN { return s.small }, carries: true},
		{name: "bit flipped on the last page of a long record", damage: func(s story) { s.Flip(page(s.long) + 8192 + 100) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawChecksum, upTo: func(s story) pg.LSN { return s.long }, carries: true},
		{name: "bit flipped behind a segment border", damage: func(s story) { s.Flip(6*segLen + 100) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawChecksum, upTo: func(s story) pg.LSN { return s.border }, carries: true},
		{name: "length changed", damage: func(s story) { s.Put32(s.small, 0xFFFFFF) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawContinuation, upTo: func(s story) pg.LSN { return s.small }, at: func(s story) pg.LSN { return page(s.small) }, carries: true},
		{name: "length of four gigabytes", damage: func(s story) { s.Put32(s.small, 0xFFFFFFFF) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawRecordLength, upTo: func(s story) pg.LSN { return s.small }, carries: true},
		{name: "back link to another record", damage: func(s story) { s.Relink(s.small, 5*segLen+40) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawPrevLink, upTo: func(s story) pg.LSN { return s.small }, carries: true},
		{name: "back link forward", damage: func(s story) { s.Relink(s.last, s.last+8) },
			reason: walinspect.StopTorn, flaw: walinspect.FlawPrevLink, upTo: func(s story) pg.LSN { return s.last }},
		{name: "unknown resource manager", damage: func(s story) { s.Put(s.small+17, 22); s.Seal(s.small) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawRmgr, upTo: func(s story) pg.LSN { return s.small }, carries: true},
		{name: "unknown block id", damage: func(s story) { s.Put(s.touch+24, 33); s.Seal(s.touch) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawRecordBody, upTo: func(s story) pg.LSN { return s.touch }, carries: true},
		{name: "fork 4", damage: func(s story) { s.Put(s.touch+25, 0x24); s.Seal(s.touch) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawRecordBody, upTo: func(s story) pg.LSN { return s.touch }, carries: true},
		{name: "a block number that is none", damage: func(s story) { s.Put32(s.touch+40, 0xFFFFFFFF); s.Seal(s.touch) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawRecordBody, upTo: func(s story) pg.LSN { return s.touch }, carries: true},
		{name: "main data one byte longer than the record", damage: func(s story) { s.Put(s.small+25, 101); s.Seal(s.small) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawRecordBody, upTo: func(s story) pg.LSN { return s.small }, carries: true},

		{name: "page of another version", damage: func(s story) { s.Put16(page(s.long), 0xD101) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawPageMagic, upTo: func(s story) pg.LSN { return s.long }, at: func(s story) pg.LSN { return page(s.long) }, carries: true},
		{name: "unknown page flag", damage: func(s story) { s.Put16(page(s.long)+2, 0x0011) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawPageFlags, upTo: func(s story) pg.LSN { return s.long }, at: func(s story) pg.LSN { return page(s.long) }, carries: true},
		{name: "long header inside a segment", damage: func(s story) { s.Put16(page(s.long)+2, 0x0003) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawPageFlags, upTo: func(s story) pg.LSN { return s.long }, at: func(s story) pg.LSN { return page(s.long) }, carries: true},
		{name: "short header at a segment border", damage: func(s story) { s.Put16(6*segLen+2, 0x0001) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawPageFlags, upTo: func(s story) pg.LSN { return s.border }, at: func(s story) pg.LSN { return 6 * segLen }, carries: false},
		{name: "page from elsewhere", damage: func(s story) { s.Put64(page(s.long)+8, 1<<40) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawPageAddress, upTo: func(s story) pg.LSN { return s.long }, at: func(s story) pg.LSN { return page(s.long) }, carries: true},
		{name: "one older page", damage: func(s story) { s.Put64(page(s.long)+8, 3*segLen) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawPageAddress, upTo: func(s story) pg.LSN { return s.long }, at: func(s story) pg.LSN { return page(s.long) }, carries: true},
		{name: "continuation flag lost", damage: func(s story) { s.Put16(page(s.long)+2, 0) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawContinuation, upTo: func(s story) pg.LSN { return s.long }, at: func(s story) pg.LSN { return page(s.long) }, carries: true},
		{name: "continuation of another length", damage: func(s story) { s.Put32(page(s.long)+16, 77) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawContinuation, upTo: func(s story) pg.LSN { return s.long }, at: func(s story) pg.LSN { return page(s.long) }, carries: true},

		{name: "another cluster's file", damage: func(s story) { s.Put64(6*segLen+24, 42) },
			reason: walinspect.StopWrongCluster, flaw: walinspect.FlawSystemID, upTo: func(s story) pg.LSN { return s.border }, at: func(s story) pg.LSN { return 6 * segLen }},
		{name: "another segment size", damage: func(s story) { s.Put32(6*segLen+32, 2<<20) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawSegmentSize, upTo: func(s story) pg.LSN { return s.border }, at: func(s story) pg.LSN { return 6 * segLen }},
		{name: "another page size", damage: func(s story) { s.Put32(6*segLen+36, 4096) },
			reason: walinspect.StopCorrupt, flaw: walinspect.FlawPageSize, upTo: func(s story) pg.LSN { return s.border }, at: func(s story) pg.LSN { return 6 * segLen }},
		{name: "timeline falls", damage: func(s story) { s.Put32(6*segLen+4, 1) },
			reason: walinspect.StopWrongTimeline, flaw: walinspect.FlawTimeline, upTo: func(s story) pg.LSN { return s.border }, at: func(s story) pg.LSN { return 6 * segLen }},
		{name: "page of a timeline after the file's", damage: func(s story) { s.Put32(page(s.long)+4, 3) },
			reason: walinspect.StopWrongTimeline, flaw: walinspect.FlawTimeline, upTo: func(s story) pg.LSN { return s.long }, at: func(s story) pg.LSN { return page(s.long) }},

		{name: "zeros inside a page", damage: func(s story) { s.Zero(s.small, page(s.small)) },
			reason: walinspect.StopZeroFill, flaw: walinspect.FlawZeroLength, upTo: func(s story) pg.LSN { return s.small }, carries: true},
		{name: "page of zeros inside a record", damage: func(s story) { s.Zero(page(s.long), page(s.long)+8192) },
			reason: walinspect.StopZeroFill, flaw: walinspect.FlawZeroPage, upTo: func(s story) pg.LSN { return s.long }, at: func(s story) pg.LSN { return page(s.long) }, carries: true},
		{name: "rest of a segment in zeros", damage: func(s story) { s.ZeroRest(s.small) },
			reason: walinspect.StopZeroFill, flaw: walinspect.FlawZeroLength, upTo: func(s story) pg.LSN { return s.small }, carries: true},
	}
	for _, major := range []int{13, 16, 19} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%d/%s", major, tt.name), func(t *testing.T) {
				s := tell(major)
				upTo := tt.upTo(s)
				at, want := upTo, s.Records[:s.before(upTo)]
				if tt.at != nil {
					at = tt.at(s)
				}
				tt.damage(s)
				r := walinspect.NewReader(s, s.Geometry, s.Start)
				if diff := cmp.Diff(want, starts(t, r)); diff != "" {
					t.Errorf("surviving records (-want +got)\n%s", diff)
				}
				stop := r.Stop()
				if stop.Reason != tt.reason || stop.Flaw != tt.flaw || stop.LSN != upTo || stop.At != at {
					t.Fatalf("stopped with %s %s at %s for %s: %s\nwant %s %s at %s for %s", stop.Reason, stop.Flaw, stop.At, stop.LSN, stop, tt.reason, tt.flaw, at, upTo)
				}
				if stop.After.Valid() != tt.carries || stop.After.Valid() && stop.After <= stop.LSN {
					t.Errorf("valid records after the place: %s, want %t", stop.After, tt.carries)
				}
				if (r.Err() == nil) != stop.Reason.EndOfWAL() {
					t.Errorf("Err() = %v with %s", r.Err(), stop.Reason)
				}
				if r.Err() != nil && tt.flaw != "" && !errors.Is(r.Err(), walinspect.ErrCorrupt) {
					t.Errorf("Err() = %v, want ErrCorrupt", r.Err())
				}
				if tt.reason != walinspect.StopMissingSegment && (stop.Path == "" || stop.Offset != int64(at%segLen)) {
					t.Errorf("evidence in %q at %d, want offset %d", stop.Path, stop.Offset, at%segLen)
				}
			})
		}
	}
}

func TestStopAfterSwitch(t *testing.T) {
	tests := []struct {
		name   string
		follow func(l *waltest.Log)
		reason walinspect.StopReason
	}{
		{"absent", func(l *waltest.Log) {}, walinspect.StopSwitchTail},
		{"zeros", func(l *waltest.Log) { l.Allocate(1, 2) }, walinspect.StopSwitchTail},
		{"recycled", func(l *waltest.Log) { l.Allocate(1, 2); l.Recycle(2*segLen, 1) }, walinspect.StopSwitchTail},
		{"another cluster's", func(l *waltest.Log) {
			l.Allocate(1, 2)
			l.Recycle(2*segLen, 1)
			l.Put64(2*segLen+24, 42)
		}, walinspect.StopWrongCluster},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := waltest.New(waltest.Config{})
			b.Append(waltest.Noop(10))
			b.Switch()
			tt.follow(b.Log())
			r := walinspect.NewReader(b.Log(), b.Log().Geometry, b.Log().Start)
			if got := starts(t, r); len(got) != 2 || r.Stop().Reason != tt.reason || r.Stop().LSN != 2*segLen {
				t.Fatalf("%d records, %s; want 2, %s at 0/200000", len(got), r.Stop(), tt.reason)
			}
		})
	}
}

func TestOverwrittenRecord(t *testing.T) {
	for major := pg.MinMajor; major <= pg.MaxMajor; major++ {
		b := waltest.New(waltest.Config{Major: major})
		b.Append(waltest.Noop(10))
		b.FillTo(2*segLen - 64)
		lost, overwrite := b.Abandon(waltest.Noop(3000))
		b.Append(waltest.Noop(20))
		log := b.Log()

		r := walinspect.NewReader(log, log.Geometry, log.Start)
		if diff := cmp.Diff(log.Records, starts(t, r)); diff != "" || r.Stop().Reason != walinspect.StopCleanEnd {
			t.Fatalf("version %d: %s\nrecords (-want +got)\n%s", major, r.Stop(), diff)
		}
		if r.Overwritten() != lost {
			t.Errorf("version %d: Overwritten() = %s, want %s", major, r.Overwritten(), lost)
		}
		_, err := r.ReadAt(t.Context(), lost)
		var stop *walinspect.StopError
		if !errors.As(err, &stop) || stop.Reason != walinspect.StopOverwritten || stop.LSN != lost {
			t.Errorf("version %d: ReadAt(%s): %v; want it overwritten", major, lost, err)
		}
		if at, err := walinspect.FirstRecord(t.Context(), log, log.Geometry, lost); err != nil || at != overwrite {
			t.Errorf("version %d: FirstRecord(%s) = %s, %v; want %s", major, lost, at, err, overwrite)
		}

		limited := walinspect.NewReader(log, log.Geometry, log.Start)
		limited.SetLimit(2 * segLen)
		starts(t, limited)
		if limited.Stop().Reason != walinspect.StopLimit || limited.Overwritten() != lost {
			t.Errorf("version %d: with a limit at the border: %s, overwritten %s", major, limited.Stop(), limited.Overwritten())
		}

		log.Put64(overwrite+26, 12345)
		log.Seal(overwrite)
		r = walinspect.NewReader(log, log.Geometry, log.Start)
		if starts(t, r); r.Stop().Reason != walinspect.StopCorrupt || r.Stop().Flaw != walinspect.FlawOverwrite {
			t.Errorf("version %d: a record that gives up another: %s", major, r.Stop())
		}
	}
}

func TestOverwriteFlagMeaning(t *testing.T) {
	for _, tt := range []struct {
		major  int
		flags  uint16
		reason walinspect.StopReason
	}{
		{13, 0x0004, walinspect.StopCleanEnd}, {18, 0x0004, walinspect.StopCleanEnd}, {19, 0x0004, walinspect.StopCorrupt},
		{13, 0x0008, walinspect.StopCorrupt}, {18, 0x0008, walinspect.StopCorrupt}, {19, 0x0008, walinspect.StopCorrupt},
		{19, 0x0000, walinspect.StopCleanEnd},
	} {
		b := waltest.New(waltest.Config{Major: tt.major})
		b.FillTo(1*segLen + 8192 + 24)
		b.Append(waltest.Noop(10))
		b.Log().Put16(1*segLen+8192+2, tt.flags)
		r := walinspect.NewReader(b.Log(), b.Log().Geometry, b.Log().Start)
		if starts(t, r); r.Stop().Reason != tt.reason {
			t.Errorf("version %d, page flags %04X: %s, want %s", tt.major, tt.flags, r.Stop(), tt.reason)
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	s := tell(16)
	s.Put16(s.Start, 0xD123)
	r := walinspect.NewReader(s, s.Geometry, s.Start)
	if r.Next(t.Context()) || r.Stop().Reason != walinspect.StopUnknownFormat || !errors.Is(r.Err(), walinspect.ErrUnknownFormat) {
		t.Fatalf("%s, %v; want the format to be unknown", r.Stop(), r.Err())
	}
}

func TestCancelled(t *testing.T) {
	s := tell(16)
	ctx, cancel := context.WithCancelCause(t.Context())
	r := walinspect.NewReader(s, s.Geometry, s.Start)
	if !r.Next(ctx) {
		t.Fatal(r.Err())
	}
	cause := errors.New("the user said so")
	cancel(cause)
	for r.Next(ctx) {
	}
	if r.Stop().Reason != walinspect.StopCancelled || !errors.Is(r.Err(), cause) {
		t.Fatalf("%s, %v; want it cancelled with its cause", r.Stop(), r.Err())
	}
}

type brokenDisk struct{ *waltest.Log }

func (d brokenDisk) ReadPage(ctx context.Context, at pg.LSN, page []byte) (walinspect.Origin, error) {
	if at >= d.Start+8192 {
		return walinspect.Origin{Path: "x"}, fs.ErrPermission
	}
	return d.Log.ReadPage(ctx, at, page)
}

func TestUnreadable(t *testing.T) {
	s := tell(16)
	r := walinspect.NewReader(brokenDisk{s.Log}, s.Geometry, s.Start)
	starts(t, r)
	if r.Stop().Reason != walinspect.StopUnreadable || !errors.Is(r.Err(), fs.ErrPermission) || r.Stop().At != s.Start+8192 {
		t.Fatalf("%s, %v; want the disk's error", r.Stop(), r.Err())
	}
}

func TestUnwritten(t *testing.T) {
	const size = pg.SegmentSize(1 << 20)
	at := size.Start(5)
	for what, tt := range map[string]struct {
		stop         walinspect.StopReason
		end, gap, to pg.LSN
		want         bool
	}{
		"the last record":           {walinspect.StopCleanEnd, at + 100, at + 104, at + 200, true},
		"up to the segment's end":   {walinspect.StopRecycled, at + 100, at + 104, size.Start(6), true},
		"into the next segment":     {walinspect.StopCleanEnd, at + 100, at + 104, size.Start(6) + 8, false},
		"a gap before the end":      {walinspect.StopCleanEnd, at + 100, at + 50, at + 200, false},
		"damage":                    {walinspect.StopCorrupt, at + 100, at + 104, at + 200, false},
		"a segment that is missing": {walinspect.StopMissingSegment, at + 100, at + 104, at + 200, false},
	} {
		if got := tt.stop.Unwritten(size, tt.end, tt.gap, tt.to); got != tt.want {
			t.Errorf("%s: %t", what, got)
		}
	}
}

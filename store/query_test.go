package store

import (
	"errors"
	"slices"
	"testing"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// A transaction is looked for from where it can have begun to where it is over,
// on each timeline, and again where its number was given out anew.
func TestSegmentsOf(t *testing.T) {
	const xid = pg.XID(1000)
	c := openMemory(t)
	type row struct {
		tli      pg.TimelineID
		n        uint64
		min, max pg.XID
		ends     blockmap.XactKind // of xid
		has      bool              // that
		oldest   pg.XID            // that a snapshot shows running; 0 for no snapshot
	}
	for i, r := range []row{
		{tli: 1, n: 1, min: 700, max: 900, oldest: 890},
		{tli: 1, n: 2, min: 1001, max: 1005, oldest: 1000}, // a subtransaction
		{tli: 1, n: 3, min: 999, max: 1100},
		{tli: 1, n: 4, min: 1101, max: 1200, has: true, ends: blockmap.Prepare},
		{tli: 1, n: 5, min: 1201, max: 1300, oldest: 1000},
		{tli: 2, n: 5, min: 1201, max: 1300},
		{tli: 1, n: 6, min: 1301, max: 1400, has: true, ends: blockmap.CommitPrepared},
		{tli: 2, n: 6, min: 1301, max: 1400, oldest: 1390}, // it is gone there
		{tli: 1, n: 7, min: 1401, max: 1500},
		{tli: 2, n: 7, min: 1401, max: 1500},
		{tli: 1, n: 8, min: 800, max: 1100, has: true, ends: blockmap.Abort}, // 2^32 later
		{tli: 1, n: 9, min: 1101, max: 1200},
	} {
		start := testSize.Start(r.n)
		s := &blockmap.Segment{SystemID: testSystem, SegmentSize: testSize, Major: 15, Name: pg.SegmentName{Timeline: r.tli, Number: r.n},
			First: start + 40, Last: start + 400, End: start + 480, FirstPrev: start - 64, FirstTimeline: r.tli, LastTimeline: r.tli,
			Records: 2, Bytes: 100, Complete: true, Indexed: at(0), Digest: [32]byte{byte(i + 1)}, Touched: &blockmap.Map{},
			XIDs: []blockmap.XIDActivity{{XID: r.min, First: start + 40, Records: 1, Bytes: 50}, {XID: r.max, First: start + 40, Records: 1, Bytes: 50}}}
		if r.has {
			s.Xacts = []blockmap.Xact{{Kind: r.ends, LSN: start + 400, End: start + 480, XID: xid, Time: at(int64(i))}}
		}
		if r.oldest != 0 {
			s.Snapshots = []blockmap.Snapshot{{LSN: start + 200, Next: r.max, OldestRunning: r.oldest, LatestCompleted: r.min}}
		}
		if err := c.Save(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	cluster := Cluster{SystemID: testSystem, SegmentSize: testSize}
	var got []pg.SegmentName
	err := c.SegmentsOf(t.Context(), cluster, xid, func(s *blockmap.Segment) error {
		got = append(got, s.Name)
		return nil
	})
	want := []pg.SegmentName{{Timeline: 1, Number: 2}, {Timeline: 1, Number: 3}, {Timeline: 1, Number: 4}, {Timeline: 1, Number: 5}, {Timeline: 2, Number: 5},
		{Timeline: 1, Number: 6}, {Timeline: 2, Number: 6}, {Timeline: 1, Number: 8}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("segments %v, %v; want %v", got, err, want)
	}
	// Prepared before identifiers began anew, in log that the catalog has not, and
	// committed in a segment of none but new ones.
	got = nil
	if err := c.SegmentsOf(t.Context(), cluster, pg.XID(1<<32-5), func(s *blockmap.Segment) error {
		got = append(got, s.Name)
		return nil
	}); err != nil || len(got) == 0 || got[0].Number != 1 {
		t.Errorf("from the round before: segments %v, %v; want those from 1 on", got, err)
	}
	enough := errors.New("enough")
	if err := c.SegmentsOf(t.Context(), cluster, xid, func(*blockmap.Segment) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("%v, want that of the function", err)
	}
}

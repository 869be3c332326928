package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

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
			Records: 10, Bytes: 500, Complete: true, Indexed: at(0), Digest: [32]byte{byte(i + 1)}, Touched: &blockmap.Map{},
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

// logOf makes a segment of few records, linked to the one before.
func logOf(t interface{ Fatal(...any) }, c *Catalog, name pg.SegmentName, variant byte, prev pg.LSN, xids []pg.XID, ends, oldest pg.XID) *blockmap.Segment {
	start := testSize.Start(name.Number)
	s := &blockmap.Segment{SystemID: testSystem, SegmentSize: testSize, Major: 15, Name: name,
		First: start + 40, Last: start + 400 + 8*pg.LSN(variant), End: start + 480 + 8*pg.LSN(variant), FirstPrev: prev,
		FirstTimeline: name.Timeline, LastTimeline: name.Timeline, Records: 10, Bytes: 500, Complete: true, Indexed: at(0), Touched: &blockmap.Map{}}
	copy(s.Digest[:], fmt.Sprint(name.Timeline, name.Number, variant))
	for _, x := range xids {
		s.XIDs = append(s.XIDs, blockmap.XIDActivity{XID: x, First: start + 40, Records: 1, Bytes: 50})
	}
	if ends != 0 {
		s.Xacts = []blockmap.Xact{{Kind: blockmap.Commit, LSN: s.Last, End: s.End, XID: ends, Time: at(0)}}
	}
	if oldest != 0 {
		s.Snapshots = []blockmap.Snapshot{{LSN: start + 200, Next: oldest + 1, OldestRunning: oldest, LatestCompleted: oldest - 1}}
	}
	if err := c.Save(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	return s
}

func segmentsOf(t interface{ Fatal(...any) }, c *Catalog, xid pg.XID) []string {
	var list []string
	err := c.SegmentsOf(context.Background(), Cluster{SystemID: testSystem, SegmentSize: testSize}, xid, func(s *blockmap.Segment) error {
		list = append(list, fmt.Sprintf("%d/%d#%c", s.Name.Timeline, s.Name.Number, s.Digest[len(fmt.Sprint(s.Name.Timeline, s.Name.Number))+1]))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A timeline number that was given out twice: the transaction is over in one
// branch, and only subtransactions of it write in the other.
func TestSegmentsOfBranches(t *testing.T) {
	c := openMemory(t)
	name := func(n uint64) pg.SegmentName { return pg.SegmentName{Timeline: 2, Number: n} }
	shared := logOf(t, c, name(300), 0, 1, []pg.XID{1000, 1001}, 0, 0)
	over := logOf(t, c, name(301), 1, shared.Last, []pg.XID{1000, 1010}, 1000, 0)
	runs := logOf(t, c, name(301), 2, shared.Last, []pg.XID{1002, 1004}, 0, 0)
	over = logOf(t, c, name(302), 1, over.Last, []pg.XID{1011, 1020}, 0, 0)
	runs = logOf(t, c, name(302), 2, runs.Last, []pg.XID{1005, 1006}, 0, 0)
	logOf(t, c, name(303), 1, over.Last, []pg.XID{1021, 1030}, 0, 0)
	logOf(t, c, name(303), 2, runs.Last, []pg.XID{1000, 1007}, 1000, 0)
	want := []string{"2/300#0", "2/301#1", "2/301#2", "2/302#2", "2/303#2"}
	for i := range uint64(5) {
		logOf(t, c, name(304+i), 1, 1, []pg.XID{1031 + pg.XID(i)}, 0, 0)
	}
	if got := segmentsOf(t, c, 1000); !slices.Equal(got, want) {
		t.Errorf("segments %v, want %v", got, want)
	}
}

// Where identifiers begin anew within a segment, those after that are found,
// though the greatest is one of the round before.
func TestSegmentsOfWrap(t *testing.T) {
	c := openMemory(t)
	logOf(t, c, pg.SegmentName{Timeline: 1, Number: 7}, 0, 1, []pg.XID{1<<32 - 5, 100}, 100, 0)
	if got, want := segmentsOf(t, c, 100), []string{"1/7#0"}; !slices.Equal(got, want) {
		t.Errorf("segments %v, want %v", got, want)
	}
}

// Each segment is looked at here, and what is known of a timeline's state is
// carried from one to the next.
func TestSegmentsOfAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, err := OpenMemory(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() // nothing of it is kept
		wanted := pg.XID(rapid.SampledFrom([]uint32{5, 1000, 1 << 31, 1<<32 - 3}).Draw(t, "xid"))
		now, n := wanted-rapid.Map(rapid.Uint32Range(0, 40), toXID).Draw(t, "before"), uint64(rapid.IntRange(1, 600).Draw(t, "first"))
		begun, over, last := false, map[pg.TimelineID]bool{}, map[pg.TimelineID]pg.LSN{}
		var want []string
		for range rapid.IntRange(1, 25).Draw(t, "segments") {
			n += uint64(rapid.SampledFrom([]int{1, 1, 1, 2, 300}).Draw(t, "step"))
			for tli := pg.TimelineID(1); tli <= 3; tli++ {
				if !rapid.Bool().Draw(t, "has") {
					continue
				}
				var xids []pg.XID
				for range rapid.IntRange(0, 3).Draw(t, "xids") {
					now += toXID(rapid.SampledFrom([]uint32{0, 1, 1, 5, 1 << 30}).Draw(t, "ahead"))
					if now >= pg.FirstNormalXID {
						xids = append(xids, now)
					}
				}
				ends, oldest := pg.XID(0), pg.XID(0)
				if slices.Contains(xids, wanted) && rapid.Bool().Draw(t, "ends") {
					ends = wanted
				}
				if rapid.Bool().Draw(t, "snapshot") {
					oldest = max(now, pg.FirstNormalXID)
				}
				name := pg.SegmentName{Timeline: tli, Number: n}
				s := logOf(t, c, name, 0, last[tli], xids, ends, oldest)
				last[tli] = s.Last

				has := false
				if len(xids) > 0 {
					has = slices.Min(xids) <= wanted && wanted <= slices.Max(xids)
					begun = begun || has || !slices.Max(xids).Precedes(wanted)
				}
				if begun && (has || !over[tli]) {
					want = append(want, fmt.Sprintf("%d/%d#0", tli, n))
					over[tli] = isOver(s, wanted)
				}
			}
		}
		if got := segmentsOf(t, c, wanted); !slices.Equal(got, want) {
			t.Fatalf("transaction %d: segments %v, want %v", wanted, got, want)
		}
	})
}

func toXID(n uint32) pg.XID { return pg.XID(n) }

// What is asked of few segments looks at no others: SQLite searches by an index
// and scans no table of segments.
func TestPlans(t *testing.T) {
	c := openMemory(t)
	for _, query := range []string{
		findVariants, findByIdentity, findBounds, findNext, findRow, findAhead, batchIDs, findTouched,
		findReachingPart, findReaching, findHaving, listTimelines, findFollowing, headOfRow,
		selectTouched, selectRmgrs, selectCheckpoints, selectEvents, selectTransactions,
		sumActivity, batchBlocks, batchTransactions, batchCheckpoints, batchEvents,
	} {
		var steps []string
		args := make([]any, strings.Count(query, "?"))
		if strings.Contains(query, "?1") {
			args = args[:1]
			for strings.Contains(query, fmt.Sprintf("?%d", len(args)+1)) {
				args = append(args, nil)
			}
		}
		err := c.query(t.Context(), "EXPLAIN QUERY PLAN "+query, args, func(scan scanFunc) error {
			var id, parent, unused int64
			var step string
			err := scan(&id, &parent, &unused, &step)
			steps = append(steps, step)
			return err
		})
		if err != nil || len(steps) == 0 {
			t.Fatalf("%s\n%v", query, err)
		}
		for _, step := range steps {
			if strings.Contains(step, " s ") && strings.HasSuffix(step, "(cluster_id=?)") {
				t.Errorf("looks at all segments of the cluster: %s\n%s", query, strings.Join(steps, "\n"))
			}
			for _, table := range []string{"s", "f", "touched", "segments", "files", "transactions", "checkpoints", "events", "p"} {
				if words := strings.Fields(step); words[0] == "SCAN" && words[1] == table {
					t.Errorf("%s\n%s", query, strings.Join(steps, "\n"))
				}
			}
		}
	}
}

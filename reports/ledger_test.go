package reports

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// TestLedgerKeepsAll keeps each transaction with what it did, in the order of the
// log, also where a segment has more than stand in one part.
func TestLedgerKeepsAll(t *testing.T) {
	for _, many := range []int{3, 4, partRows, 2*partRows + 3} {
		t.Run(fmt.Sprint(many), func(t *testing.T) { testLedger(t, many) })
	}
}

func testLedger(t *testing.T, many int) {
	here, nine := many/2, many-2
	if many == 3 {
		here = -1 // the only name is from before
	}
	before := blockmap.Segment{XIDs: []blockmap.XIDActivity{{XID: 8, Records: 1}, {XID: 9, Records: 1}},
		Xacts: []blockmap.Xact{{Kind: blockmap.Prepare, LSN: 40, End: 48, XID: 9, Time: at(0), Rest: &blockmap.XactRest{GID: "nine"}}}}
	var s blockmap.Segment
	var want []Transaction
	for i := range many {
		xid := pg.XID(100 + i)
		end := pg.LSN(1000 + 8*i)
		x := blockmap.Xact{LSN: end, End: end + 8, XID: xid, Time: at(1)}
		done := Transaction{LSN: end, XID: xid, Time: at(1), Records: int64(i + 1), WALBytes: int64(i * 100)}
		if i == here {
			s.Xacts = append(s.Xacts, blockmap.Xact{Kind: blockmap.Prepare, LSN: end, End: end, XID: xid, Time: at(1), Rest: &blockmap.XactRest{GID: "here"}})
			x.Kind, done.Kind, done.GID = blockmap.CommitPrepared, blockmap.CommitPrepared, "here"
		}
		if i == nine {
			x.XID, x.Kind = 9, blockmap.CommitPrepared
			done = Transaction{LSN: end, XID: 9, Kind: x.Kind, Time: at(1), GID: "nine", Before: true}
		}
		s.XIDs = append(s.XIDs, blockmap.XIDActivity{XID: xid, Records: int64(i + 1), Bytes: int64(i * 100)})
		s.Xacts = append(s.Xacts, x)
		want = append(want, done)
	}
	l := ledgerOf(500, []blockmap.Segment{before}, s)
	got := gatherTransactions(&Log{Ledger: l})
	i := 0
	for x := range got.Committed.All() {
		if diff := cmp.Diff(want[i], x); diff != "" {
			t.Fatalf("commit %d (-want +got):\n%s", i, diff)
		}
		i++
	}
	last := min(many, maxPageRows)
	if i != many || got.Commits != many || l.Commits() != many || len(got.lastCommits) != last || got.lastCommits[0].XID != want[many-last].XID {
		t.Errorf("%d commits are listed, %d and %d counted, of the last there are %d", i, got.Commits, l.Commits(), len(got.lastCommits))
	}
	wantOpen := []OpenAtFork{{XID: 8, Outcome: "unfinished"}, {XID: 9, Outcome: "commit-prepared", LSN: want[nine].LSN, GID: "nine"}}
	if diff := cmp.Diff(wantOpen, got.Open); diff != "" {
		t.Errorf("open at the fork (-want +got):\n%s", diff)
	}
}

// TestLedgerOfBrokenList reports a list that the catalog does not give back whole,
// and takes in nothing that follows.
func TestLedgerOfBrokenList(t *testing.T) {
	s := blockmap.Segment{SegmentSize: 16 << 20, Xacts: []blockmap.Xact{{LSN: 8, End: 16, XID: 7, Time: at(1)}}}
	l := NewLedger(0)
	l.Add(&s)
	packed := new(blockmap.Packer).Pack(&s)
	packed.XIDs = []byte("no list")
	l.Add(&blockmap.Segment{SegmentSize: s.SegmentSize, Name: pg.SegmentName{Timeline: 1, Number: 5}, Packed: packed})
	var refused error
	for range decodedAhead() + 3 { // the last waits until the broken one is taken in
		refused = l.Add(&s)
	}
	err := l.Finish()
	if refused == nil || refused != err {
		t.Errorf("adding went on: %v, in the end %v", refused, err)
	}
	if want := "segment 000000010000000000000005: list of identifiers: "; err == nil || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
		t.Errorf("got %v, want %s...", err, want)
	}
	if l.Commits() != 1 {
		t.Errorf("%d commits were taken in, want 1", l.Commits())
	}
}

// TestDecodedAheadOnManyCores bounds what is decoded on machines of any size.
func TestDecodedAheadOnManyCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(64))
	if got := decodedAhead(); got != 9 {
		t.Errorf("%d segments ahead on 64 cores, want 9", got)
	}
}

// lostReader is a reader who goes away after some bytes.
type lostReader struct{ left int }

var errGone = errors.New("nobody reads")

func (r *lostReader) Write(p []byte) (int, error) {
	if r.left -= len(p); r.left < 0 {
		return 0, errGone
	}
	return len(p), nil
}

// TestReaderGoesAway stops a long document wherever its reader does.
func TestReaderGoesAway(t *testing.T) {
	in := exampleInput()
	var segments []blockmap.Segment
	for i := range 40 {
		var s blockmap.Segment
		for j := range 300 {
			n := 300*i + j
			s.Xacts = append(s.Xacts, blockmap.Xact{Kind: blockmap.XactKind(n % 3), LSN: pg.LSN(0x4000000 + 8*n), XID: pg.XID(1000 + n), Time: at(1), Rest: &blockmap.XactRest{GID: "g"}})
		}
		segments = append(segments, s)
	}
	in.After.Ledger = ledgerOf(in.Fork.LSN, []blockmap.Segment{{Xacts: []blockmap.Xact{{Kind: blockmap.Prepare, LSN: 8, XID: 7, Rest: &blockmap.XactRest{GID: "seven"}}}}}, segments...)
	d := Diverge(in)
	if d.Transactions.Commits == 0 || d.Transactions.Aborts == 0 || len(d.Transactions.Prepared) < 1000 {
		t.Fatal("there is too little to write")
	}
	for _, size := range []int{0, 256 << 10, 512 << 10, 768 << 10} {
		if err := WriteJSON(&lostReader{size}, d); !errors.Is(err, errGone) {
			t.Errorf("after %d bytes: %v", size, err)
		}
	}
}

package blockmap

import (
	"bytes"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/flate"

	"forkpoint/walinspect/pg"
)

// A packer is used again and again, with lists of all lengths.
func TestPackedListsUnpackToThemselves(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	busy := &Segment{
		Xacts: []Xact{
			{Kind: Commit, LSN: 800, End: 840, XID: 12, Time: at(50)},
			{Kind: Abort, LSN: 900, End: 940, XID: 10, Time: at(40), Rest: &XactRest{Subxacts: []pg.XID{11}}},
			{Kind: Prepare, LSN: 1000, End: 1040, XID: 13, Time: at(90), Rest: &XactRest{GID: "later"}},
		},
		XIDs:        []XIDActivity{{XID: 12, First: 160, Records: 3, Bytes: 300}, {XID: 10, First: 240, Records: 1, Bytes: 60}},
		Snapshots:   []Snapshot{{LSN: 80, Next: 14, OldestRunning: 10, LatestCompleted: 9, XIDs: []pg.XID{10}}},
		Assignments: []Assignment{{LSN: 400, Top: 10, Subs: []pg.XID{11}}},
	}
	want := Tally{Commits: 1, Aborts: 1, Prepares: 1, FirstEnd: at(40), LastEnd: at(50), MinXID: 10, MaxXID: 12}
	var packer Packer
	for _, s := range []*Segment{{}, busy, {}, busy} {
		packed := packer.Pack(s)
		if s == busy && packed.Tally != want || s != busy && packed.Tally != (Tally{}) {
			t.Errorf("the lists come to %+v", packed.Tally)
		}
		got := &Segment{}
		if err := packed.Unpack(got); err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(s, got); diff != "" {
			t.Errorf("unpacked (-want +got):\n%s", diff)
		}
	}
	packed := packer.Pack(busy)
	packed.XIDs = packed.XIDs[:len(packed.XIDs)/2]
	if err := packed.Unpack(&Segment{}); err == nil {
		t.Error("half a list unpacks")
	}
}

// A decompressor that waits for its next use holds no list of the one before.
func TestInflaterKeepsNoList(t *testing.T) {
	plain := []byte("a list, a list, a list")
	i := &inflater{flate: flate.NewReader(nil)}
	for range 2 {
		got, err := i.inflate(deflated(t, plain), 100)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%q, %v", got, err)
		}
		if i.from.Size() != 0 {
			t.Errorf("%d bytes of the list are held", i.from.Size())
		}
	}
}
